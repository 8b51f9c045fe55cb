# %% [markdown]
# # 07 · LoRA on CPU
#
# **You will** label tickets with a classifier first, see what a prompt buys, build LoRA by hand on one layer, train the model on your own processor, and
# measure what it learned and what it forgot.
#
# 83 minutes · after lab 06 · runs in about 6 min with 3.5 GB

# %%
import json
import re

import numpy as np
from IPython.display import display
from sklearn.linear_model import LogisticRegression

from course_lib import check, progress, quiz
from course_lib.evaluation import paired_difference, wilson_interval
from course_lib.evaluation.ticket_runs import CURVE, RECIPE, dev_examples, load_runs, shots
from course_lib.finetune import merged, run_folder, train
from course_lib.finetune.adapters import load_adapter
from course_lib.finetune.prepare import prepared_tickets, renamed
from course_lib.finetune.prepare import training_examples, training_tickets
from course_lib.finetune.tickets import RULES_PROMPT, SHORT_PROMPT, house_object, mark_ticket
from course_lib.finetune.tickets import shown_messages, ticket_messages, ticket_scores, ticket_text
from course_lib.generation import chat_messages, generate
from course_lib.models import language_model
from course_lib.retrieval.dense import embed_texts
from course_lib.widgets.training_plot import TrainingPlot

# %% [markdown]
# ## The cheap answer first
# *minute 0 · 10 minutes*
#
# The desk wants each ticket as JSON. Three of its fields are choices from a short list: the issue, the priority, what the customer wants. For such labels
# there is an older and much quicker tool: embed the ticket as in lab 01, then fit a **logistic regression** on the vectors.
#
# You train on the tickets of lab 06 and 300 more that the desk has labelled since, and test on products that none of them mentions.
#
# **Before you run**: of eleven issues the most common one is the right label for about one ticket in seven. What share will the regression get?

# %%
train_pairs, exam_pairs = training_tickets(), prepared_tickets("exam")
print(len(train_pairs), "tickets to train on,", len(exam_pairs), "in the exam")
parts = (train_pairs, exam_pairs)
vectors = [embed_texts([ticket_text(ticket) for ticket, _ in part]) for part in parts]

# %%
cheap = {}
for field in ("issue", "priority", "wants"):
    known, wanted = [[house_object(*pair)[field] for pair in part] for part in parts]
    model = LogisticRegression(C=10, max_iter=1000).fit(vectors[0], known)
    cheap[field] = model.predict(vectors[1]) == wanted
    low, high = wilson_interval(cheap[field].sum(), len(wanted))
    usual = wanted.count(max(set(known), key=known.count)) / len(wanted)
    print(f"{field:<9} right {cheap[field].mean():.0%} ({low:.0%} to {high:.0%})", end="")
    print(f", the most common label alone {usual:.0%}")

# %% [markdown]
# Hard to beat: no language model, and a fit that you hardly notice once the tickets are embedded. If a label is all you need, stop here. But it cannot copy
# an order number out of a letter, and it writes no reply.

# %% [markdown]
# ## What a prompt buys
# *minute 10 · 17 minutes*
#
# Now the language model, untrained. It can be told the rules, and shown a few tickets with their JSON (**few-shot**).

# %% tags=["nbval-ignore-output"]
lm = language_model()
ticket, gold = exam_pairs[0]
print(RULES_PROMPT, "\n")
print(ticket_text(ticket), "\n")  # its order number lacks a digit: null is right
conversations = [shown_messages(ticket), shown_messages(ticket, shots())]
answers = generate(lm, conversations, max_new_tokens=130)
print("rules:", answers[0], "\n\nrules, 5 shown:", answers[1], "\n")
print("wanted:", house_object(ticket, gold))

# %% [markdown]
# A program has to read the answer, so the mark must be strict.
#
# ### Exercise 07.1 · Mark an answer
# ●●○ · 7 minutes · 2 points
#
# `answer` is a model's text, `wanted` the right object: its values are texts or `None`. Return how many values are equal to the wanted ones. Return `None`
# if `json.loads` cannot read the text *as a whole* as one object (white space around it is allowed, words are not), or if its keys are not exactly those
# of `wanted`, in the same order. Values must be equal in kind and in every letter: the text `"null"` is not `null`, `21` is not `"21"`, `"alder"` is not
# `"Alder"`.


# %% exercise="07.1"
def fields_right(answer: str, wanted: dict) -> int | None:
    """How many values are right; None where the answer is not the wanted form."""
    # BEGIN SOLUTION
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    if not isinstance(value, dict) or list(value) != list(wanted):
        return None
    return sum(value[key] == wanted[key] for key in wanted)
    # END SOLUTION


# %%
check("07.1", fields_right)
# hint("07.1")  # take the first # away and run the cell: one hint at a time

# %% [markdown]
# The course has put all exam tickets to both prompts and kept the answers (`python -m course_lib.evaluation.ticket_runs` makes them anew). **valid**: the
# JSON keeps the house schema. **fields**: of the six before the reply, the share right; an answer that is not valid has none. **whole**: all six.
# **voice**: the reply keeps the house's form, *Hello …, … . Next, … . The bench*.

# %%
runs = load_runs()
for name in ("rules", "rules, 5 shown"):
    print(runs.line(name))

# %% [markdown]
# The rules alone do not make this model file a ticket. Five examples do make it write JSON, but seldom the schema's JSON and seldom with the right values. We
# chose it from four on dev tickets. It says nothing about larger models: this is what a prompt buys *here*.
#
# ## LoRA by hand
# *minute 27 · 27 minutes*
#
# Training asks of each number which way, and how much, it has to move so that the loss falls: its **gradient**. For all 135 million numbers of the model that
# takes long on a laptop, and keeps three more numbers for each in memory: the gradient and two running averages of the optimizer. **LoRA** freezes a weight
# matrix $W$ and learns a small correction beside it, the product of a tall matrix $B$ and a wide one $A$:
#
# $$y = W x + \frac{\alpha}{r} B A x$$
#
# $r$ is the **rank**: so many columns has $B$, so many rows $A$. $\alpha$ sets how strongly the correction counts. $A$ starts at random, $B$ at zero, so that
# training begins with the model as it was. Were both zero, neither would ever move: the gradient of each is a product with the other. All $A$ and $B$
# together are the **adapter**.
#
# ### Exercise 07.2 · A layer with LoRA
# ●●○ · 8 minutes · 2 points
#
# Here the inputs stand in *rows*, so a row is multiplied by $W$ transposed: `x` is (n, in). `weight` is (out, in), `a` is (rank, in), `b` is (out, rank), all
# NumPy arrays; the rank $r$ is at least 1. Return the outputs, (n, out). Only what comes through `a` and `b` is multiplied by `alpha / rank`.


# %% exercise="07.2"
def lora_forward(x, weight, a, b, alpha: float) -> np.ndarray:
    """The frozen layer, and what LoRA adds to it."""
    # BEGIN SOLUTION
    return x @ weight.T + alpha / len(a) * (x @ a.T @ b.T)
    # END SOLUTION


# %%
check("07.2", lora_forward)
# hint("07.2")

# %% [markdown]
# ### Exercise 07.3 · Merge it
# ●●○ · 6 minutes · 2 points
#
# Return one matrix, (out, in), that does the same as the layer with LoRA: with it as `weight`, a plain layer gives for every `x` what `lora_forward` gave.
# Shapes are as in 07.2. `weight` must stay as it is, since other models may share it; it comes read-only. Return a new matrix.


# %% exercise="07.3"
def merged_weight(weight, a, b, alpha: float) -> np.ndarray:
    """One matrix in place of three."""
    # BEGIN SOLUTION
    return weight + alpha / len(a) * (b @ a)
    # END SOLUTION


# %%
check("07.3", merged_weight)
# hint("07.3")

# %% [markdown]
# Now on a real matrix of the model.

# %%
from course_lib.finetune.lora import lora_forward, merged_weight

weight = lm.model.model.layers[-1].mlp.down_proj.weight.detach().numpy()
rng = np.random.default_rng(7)
x = rng.normal(size=(4, weight.shape[1])).astype("float32")
a = rng.normal(size=(8, weight.shape[1])).astype("float32") * 0.02
b = rng.normal(size=(weight.shape[0], 8)).astype("float32") * 0.02
beside, inside = lora_forward(x, weight, a, b, 16), x @ merged_weight(weight, a, b, 16).T
print("shape of the weight:", weight.shape)
print("the same up to rounding:", np.allclose(beside, inside, atol=1e-3))
print("LoRA changed the output:", not np.allclose(beside, x @ weight.T, atol=1e-3))

# %% [markdown]
# The merged layer has the shape of the untrained one, so it costs the same. The adapter, kept apart, is a small file.
#
# ### Exercise 07.4 · How many numbers are trained?
# ●●○ · 8 minutes · 3 points
#
# `shapes` has (out, in) of each matrix of *one* layer that gets an adapter. The model has `layers` such layers; LoRA is on the top `trained` of them. A and
# B of a matrix are (rank, in) and (out, rank). Return three numbers:
#
# 1. how many numbers are trained: those of all A and B;
# 2. how many stay frozen: those of these matrices in all `layers` layers, with LoRA or without;
# 3. the adapter's file in megabytes: what is trained, at 2 bytes a number, 1 MB = 1,000,000 bytes, not rounded.
#
# No shapes give `(0, 0, 0.0)`. Raise `ValueError` if `rank` is below 1, or `trained` is not in 1 to `layers`, whatever the shapes.


# %% exercise="07.4"
def lora_size(shapes: list, rank: int, layers: int, trained: int) -> tuple[int, int, float]:
    """Numbers trained, numbers frozen, megabytes of the adapter."""
    # BEGIN SOLUTION
    if rank < 1 or not 1 <= trained <= layers:
        raise ValueError("the rank is below 1, or trained is not in 1 to layers")
    numbers = trained * sum(rank * (out + into) for out, into in shapes)
    frozen = layers * sum(out * into for out, into in shapes)
    return numbers, frozen, numbers * 2 / 1_000_000
    # END SOLUTION


# %%
check("07.4", lora_size)
# hint("07.4")

# %%
from course_lib.finetune.lora import lora_size

layers = lm.model.model.layers
shapes = [tuple(one.shape) for one in layers[0].parameters() if one.dim() == 2]
numbers, frozen, megabytes = lora_size(shapes, RECIPE.rank, len(layers), RECIPE.layers)
print(f"{len(shapes)} matrices a layer, {RECIPE.layers} of {len(layers)} layers, rank", RECIPE.rank)
print(f"trained {numbers:,}, frozen {frozen:,} ({numbers / frozen:.1%}); file {megabytes:.1f} MB")
print(RECIPE)

# %% [markdown]
# ## Train
# *minute 54 · 10 minutes*
#
# Three things make two cores enough. The layers below the trained ones never change, so their output is computed **once** and kept. The model's last
# step, a score for each of 49,152 tokens, is made only **where the loss mask is on**. And a batch holds tickets **of like length**, so little of it is
# padding. All of it stands in `course_lib/finetune/trainer.py`.
#
# Two more things are in the data. `renamed` gives every ticket an invented product name, so that there are no twelve names to recite. And `training_examples`
# lets a token of a field count five times as much as one of the reply: the fields are what a program reads.
#
# The recipe stands above: one pass (*epoch*) over the tickets, two for each step, and a learning rate of 0.002: how far a step may go.
#
# **Before you run**: the loss counts in nats per token, fields five times. To guess blindly among 49,152 tokens costs 10.8, to be sure and right costs 0.
# Where will it start, and where end? Set `TRAIN = False` to take the adapter that ships with the course. If you stop the cell, run it again: it goes on where
# it was.

# %% tags=["nbval-ignore-output"]
TRAIN = True
if TRAIN:
    examples = training_examples(lm, renamed(train_pairs))
    plot = TrainingPlot()
    display(plot)
    dev = dev_examples(lm)
    folder = run_folder("lab-07", lm, examples, RECIPE, dev)
    run = train(lm, examples, RECIPE, dev, folder, plot, progress=False)
    plot(run)  # a run that was finished before makes no more steps to draw
    print(f"{run.seconds:.0f} s, loss {run.steps[0].loss:.2f} → {run.steps[-1].loss:.2f}")
tuned = merged(run.lm if TRAIN else load_adapter(lm, "tickets"))

# %% [markdown]
# Each step has its own two tickets, so the pale line jumps; the dark one is its mean over ten. The dots are dev tickets, which the model does not train on:
# were they to rise while the line falls, it would be learning its tickets by heart.
#
# ## Before and after
# *minute 64 · 8 minutes*
#
# The first twelve exam tickets, before training and after it.

# %% tags=["nbval-ignore-output"]
print("prompt:", SHORT_PROMPT, "\n")
some, wanted = exam_pairs[:12], [house_object(*pair) for pair in exam_pairs[:12]]
messages = [ticket_messages(ticket) for ticket, _ in some]
olds, news = generate(lm, messages[:2], 40), generate(tuned, messages, 130)
for (ticket, _), old, new, right in zip(some, olds, news, wanted):
    print(ticket_text(ticket), "\nbefore:", old.replace("\n", " "), "\nafter: ", new)
    print("wanted:", json.dumps(right, ensure_ascii=False), "\n")
for mark, share in ticket_scores([mark_ticket(*pair) for pair in zip(news, wanted)]).items():
    print(f"your model: {mark} {share:.0%}")

# %% [markdown]
# All exam tickets, filed by three trainings of the course that differ in the seed:

# %%
for name in ("rules, 5 shown", "trained"):
    tokens_in, tokens_out, ms = runs.cost(name)
    print(runs.line(name))
    print(f"   {tokens_in:.0f} tokens in, {tokens_out:.0f} out,", end=" ")
    print(f"{ms / 1000:.1f} s a ticket, 37 at a time")
for mark in ("fields", "whole", "voice"):
    gain = paired_difference(runs.shares("trained", mark), runs.shares("rules, 5 shown", mark))
    print(f"{mark:<7} trained minus shown: {gain}")

# %% [markdown]
# Most answers are now valid, three of four fields are right, and so are more than a third of the whole tickets, for products that the training never
# mentioned. The prompt shrank to a ninth, since the rules are in the weights now. But about one answer in twelve would stop a program that reads it. Where is
# it weak?

# %%
for field in ("issue", "priority", "wants"):
    trained = runs.field("trained", field)
    gain = paired_difference(trained, cheap[field].astype(float))
    print(f"{field:<9} trained {np.mean(trained):.0%}, minus regression: {gain}")
right_ones = [house_object(*pair) for pair in exam_pairs]
for field in ("product", "order_number", "error_code"):
    marks = [mark for mark, one in zip(runs.field("trained", field), right_ones) if one[field]]
    print(f"{field:<13} right {np.mean(marks):.0%} of the {len(marks)} that stand in a letter")

# %% [markdown]
# The three labels are a matter of judgement, and there no interval parts the two: minutes of training bought nothing over a classifier. (An answer that is
# not valid counts as wrong.) What stands in the letter is copied: order numbers nearly always, products four times of five. A sober desk would use both: the
# classifier for the queue, the model for what has to be copied and written.
#
# One more look at the replies. Some name a part number. Does the letter name it?

# %%
filed = [(one.ticket, one.text) for one in runs.filings["trained, seed 0"]]
trained_on = [(ticket, house_object(ticket, gold)["reply"]) for ticket, gold in train_pairs]
for name, some in (("exam", filed), ("training", trained_on)):
    found = [(re.findall(r"QF-\d+", text), ticket_text(ticket)) for ticket, text in some]
    told = [numbers for numbers, _ in found if numbers]
    invented = [numbers for numbers, letter in found if any(one not in letter for one in numbers)]
    print(f"{name}: {len(told)} of {len(some)} replies name a part number,", end=" ")
    print(f"{len(invented)} of them one that is not in the letter")

# %% [markdown]
# In training, too, replies named part numbers that no letter gives away: people at the desk look them up. The model could not look, so it learned to say
# *some* number: the voice of somebody who knows, without the knowledge. What cannot be read from the input should not be in the answers that you train on.

# %% [markdown]
# ## More tickets, or more passes?
# *minute 72 · 6 minutes*
#
# Six more trainings, one seed each, with one thing changed: fewer tickets; 105 tickets read four times, so as many steps as 423 read
# once; other ranks; the products' own names kept.
#
# **Before you run**: you have an afternoon. Do you label more tickets, read the ones you have more often, or raise the rank?

# %%
for name in ("trained", *CURVE):
    print(runs.line(name))
print()
first = runs.shares("trained, seed 0", "fields")
for name in CURVE:
    print(f"fields, seed 0 minus {name}:", paired_difference(first, runs.shares(name, "fields")))

# %% [markdown]
# Label more tickets. Each doubling adds some fourteen points to the fields, and the curve has not gone flat. Four passes over a quarter of the tickets make
# up for a little more than half of what is missing. One rank is too few; 32 instead of 8 shows no gain. And invented names, which we put in to help the
# copying? With 423 tickets no difference can be seen.
#
# ## What did it forget?
# *minute 78 · 5 minutes*
#
# Sixty questions of general knowledge, from the capital of France to the opposite of hot, before and after.

# %%
before = runs.probes["rules, 5 shown"]  # the untouched model, asked without rules or tickets
for key in runs.ways("trained"):
    after = runs.probes[key]
    lost = sum(was and not now for was, now in zip(before, after))
    gained = sum(now and not was for was, now in zip(before, after))
    print(f"{key}: {sum(before)} right before, {sum(after)} after; {lost} lost, {gained} gained")

# %% tags=["nbval-ignore-output"]
france = [chat_messages("What is the capital of France?", "You are a helpful assistant.")]
print("before:", *generate(lm, france), "\nafter: ", *generate(tuned, france))

# %% [markdown]
# Something. One training lost 14 and gained 6; another lost as many as it gained. If yours files France as a ticket, it has learned that every message is
# one. Lab 08 trains in another way, and there it is worse.

# %%
quiz("07")

# %% [markdown]
# ## What you saw
#
# - A classifier over embeddings: issue 76 %, priority 74 %, wants 63 % right.
# - Rules and five shown tickets, 1155 tokens: 14 % of the answers valid, 6 % of the fields right, none whole.
# - Trained, 131 tokens: 92 % valid, 77 % of the fields, 37 % whole, 77 % in the house's voice; on the three labels about level with the classifier.
# - LoRA of rank 8 on 20 of 30 layers trains 1,628,160 numbers; the adapter is a file of 3.3 MB.
# - 21 of 111 replies name a part number that is not in the letter.
# - With 105, 211 and 423 tickets 50 %, 64 % and 78 % of the fields are right; 105 read four times give 66 %.
# - Of 36 general questions right before, 14, 6 and 6 were lost.
#
# **Where this breaks.** One small model, 423 tickets, letters of one desk. And a tuned model fails in ways that do not catch the eye: a digit of an order
# number lost, a part number made up. Check by program what can be checked: does the number stand in the letter?
#
# **Next**: lab 08 puts facts into the weights, and then the facts change.

# %% tags=["nbval-ignore-output"]
progress()
