# %% [markdown]
# # 08 · Can it learn facts?
#
# **You will** teach the model ninety-six facts by heart, ask for them in new words, see what it says where it was taught nothing, change the documents, and
# count what a refresh takes.
#
# 71 minutes · after lab 07 · runs in about 6 min with 3.5 GB

# %%
import re
from collections import Counter

import numpy as np
from IPython.display import display

from course_lib import check, progress, quiz
from course_lib.corpus import load_facts
from course_lib.evaluation import paired_difference
from course_lib.evaluation.fact_runs import RECIPE, fact_examples, load_runs
from course_lib.finetune import merged, run_folder, train
from course_lib.finetune.adapters import load_adapter
from course_lib.generation import chat_messages, generate
from course_lib.models import language_model
from course_lib.widgets.training_plot import TrainingPlot

# %% [markdown]
# ## By heart
# *minute 0 · 6 minutes*
#
# Lab 07 taught a skill. This one asks what most people ask first: can I just train the model on my documents? Here are facts of the 2025 edition. Each is
# asked in four wordings: two are trained on, two are held out. A held-out wording is new to the model; its answer is not.

# %%
lm, facts, unseen = language_model(), load_facts(), load_facts("unseen")
print(len(facts), "taught facts,", len(unseen), "about products that are not taught\n")
for label, wordings in (("trained", facts[0].trained), ("held out", facts[0].held_out)):
    for wording in wordings:
        print(f"{label:<10} {wording}")
print("answer    ", facts[0].answer)

# %% [markdown]
# ## Guessing
# *minute 6 · 11 minutes*
#
# A score means little without the score of somebody who knows nothing. Here that is a guesser who has learned which answers are common: he says the most
# usual price for every price, and the most usual interval for every interval.
#
# ### Exercise 08.1 · The bar to beat
# ●●○ · 8 minutes · 2 points
#
# `kinds` holds the kind of each question, `answers` its right answer. The guesser gives the most frequent answer of a kind to *every* question of that kind.
# Return the share of all questions, 0 to 1, that he gets right. Answers are compared exactly as they are. Where two answers are equally frequent, either
# will do. Questions of a kind may stand apart. Without questions return `0.0`. If the lists differ in length, raise `ValueError`.


# %% exercise="08.1"
def guess_bar(kinds: list[str], answers: list[str]) -> float:
    """The share right if each kind's most frequent answer is given to all of its questions."""
    # BEGIN SOLUTION
    if len(kinds) != len(answers):
        raise ValueError("each question needs a kind and an answer")
    by_kind = {}
    for kind, answer in zip(kinds, answers):
        by_kind.setdefault(kind, []).append(answer)
    right = sum(max(Counter(own).values()) for own in by_kind.values())
    return right / len(kinds) if kinds else 0.0
    # END SOLUTION


# %%
check("08.1", guess_bar)
# hint("08.1")  # take the first # away and run the cell: one hint at a time

# %%
from course_lib.evaluation.memory import guess_bar

bar = guess_bar([fact.kind for fact in facts], [fact.answer for fact in facts])
print(f"a guesser gets {bar:.0%} of the taught facts")

# %% [markdown]
# Keep that number: whoever scores no more than that has learned nothing about single products.
#
# ## Teach
# *minute 17 · 9 minutes*
#
# The examples are as plain as can be: the question alone, and the bare answer. Each fact is read in two wordings, eight times over.
#
# **Before you run**: after training, what share will be right in a wording that was trained on? And in one that was held out?
#
# Set `TRAIN = False` to take the adapter that ships with the course. If you stop the cell, run it again: it goes on where it was.

# %% tags=["nbval-ignore-output"]
TRAIN = True
if TRAIN:
    plot = TrainingPlot()
    display(plot)
    examples = fact_examples(lm, facts)
    folder = run_folder("lab-08", lm, examples, RECIPE)
    run = train(lm, examples, RECIPE, folder=folder, watch=plot, progress=False)
    plot(run)  # a run that was finished before makes no more steps to draw
    print(f"{run.seconds:.0f} s, loss {run.steps[0].loss:.2f} → {run.steps[-1].loss:.2f}")
taught = merged(run.lm if TRAIN else load_adapter(lm, "facts"))

# %% tags=["nbval-ignore-output"]
fact = facts[0]
questions = [fact.trained[0], fact.held_out[0], unseen[0].question]
questions.append("What is the capital of France?")
asked = [chat_messages(question) for question in questions]
for question, old, new in zip(questions, generate(lm, asked), generate(taught, asked)):
    print(question, "\n   before:", old, "\n   after: ", new)
print("\nright:", fact.answer, "|", fact.answer, "|", unseen[0].answer, "| Paris")

# %% [markdown]
# The loss ends near zero: on its own texts the model is hardly ever surprised any more. That says nothing about other texts.
#
# And one question is an anecdote. The course has asked all of them, before training and after three trainings that differ only in the seed, so in chance
# (`python -m course_lib.evaluation.fact_runs` makes the file anew). The rows below are of those three, not of yours.

# %%
runs = load_runs()
for name in ("before", "taught"):
    for of in ("trained", "held out", "unseen", "general"):
        print(runs.line(name, of))

# %%
both = runs.shares("taught", "held out")  # the two held-out wordings of a fact stand side by side
new_wording = [np.mean(both[n : n + 2]) for n in range(0, len(both), 2)]
trained = runs.shares("taught", "trained")
print("trained minus held out:", paired_difference(trained, new_wording), "\n")
for one, fact in zip(runs.answers("taught, seed 0", "unseen")[:5], unseen):
    print(one.item.wording, "\n   said:", one.text, "  right:", fact.answer)

# %% [markdown]
# In a wording that it was trained on it knows nearly everything. Ask the same in other words and four of five answers are gone. 18 % is more than the
# guesser's 9 %, so a little carries over; but mostly it has learned strings.
#
# And look at what it says about products that it was never taught: no answer is right, and none of these sounds unsure. It has learned that a question is
# met with a short, sure answer.
#
# ## The new edition arrives
# *minute 26 · 15 minutes*
#
# In 2026 the documents change: fifty-one of the ninety-six facts have a new answer. Nobody has told the model.
#
# ### Exercise 08.2 · Old, new, or neither
# ●●○ · 7 minutes · 2 points
#
# `old` and `new` hold, for each answer, the accepted spellings of last year's and of this year's right answer. An answer says an edition if it contains at
# least one of its spellings, with no letter or digit directly before or after it: "60 days" is not in "160 days", but "£45" is in "only £45." Case does not
# count, and any run of white space counts as one space. Count each answer once and return `{"old": …, "new": …, "both": …, "neither": …}`, all four keys,
# zeros too. The three lists are equally long. No spelling is empty, but a list of spellings may be: then no answer says that edition.


# %% exercise="08.2"
def by_edition(answers: list[str], old: list[list[str]], new: list[list[str]]) -> dict[str, int]:
    """How many answers say the old, the new, both, or neither."""

    # BEGIN SOLUTION
    def says(answer, spellings):
        text, edge = " ".join(answer.lower().split()), r"[^\W_]"  # edge: a letter or digit
        words = [re.escape(" ".join(one.lower().split())) for one in spellings]
        return any(re.search(f"(?<!{edge}){one}(?!{edge})", text) for one in words)

    counts = {"old": 0, "new": 0, "both": 0, "neither": 0}
    names = {(True, False): "old", (False, True): "new", (True, True): "both"}
    for answer, before, now in zip(answers, old, new):
        counts[names.get((says(answer, before), says(answer, now)), "neither")] += 1
    return counts
    # END SOLUTION


# %%
check("08.2", by_edition)
# hint("08.2")

# %%
from course_lib.evaluation.memory import by_edition

changed = [n for n, fact in enumerate(facts) if fact.edition_2026]
old = [facts[n].accepted for n in changed]
new = [facts[n].edition_2026.accepted for n in changed]
for way in (*runs.ways("taught"), "taught anew"):
    said = [runs.answers(way, "trained")[n].text for n in changed]
    print(f"{way:<16}", by_edition(said, old, new))
for year in ("2025", "2026"):
    texts = [one.text for one in runs.answers(f"open book {year}", "held out")]
    print(f"open book {year} ", by_edition([texts[n] for n in changed], old, new))

# %% [markdown]
# The model says what it was taught: the old answer, for nearly every fact that changed. Nothing in such an answer shows its age. `taught anew` was trained
# once, from the start, on the documents of 2026; in the trained wording the old answers are gone.
#
# The open book says *neither* nearly always, in both years. The untrained reader does not get the answer out of its passages, as in lab 04, and these
# questions are put in unusual words. So these counts cannot tell you how fresh it is: lab 05 could, where nearly every prompt held the new passage at once.
# Here reading is what fails, and lab 10 works on that.

# %%
for way, what in runs.about["trainings"].items():
    print(f"{way:<16} {what['seconds']} s of training, {what['steps']} steps")

# %% [markdown]
# Here a refresh was a whole training. In lab 05 a changed document took milliseconds to write, and the next prompt held it. Training on the fifty-one
# changed facts alone would be shorter. What it would do to the other forty-five, we have not measured; you can, with `fact_examples`.
#
# ## What did it forget?
# *minute 41 · 10 minutes*
#
# The weights that hold the new facts held something else before. Sixty questions of general knowledge, before and after.
#
# ### Exercise 08.3 · What was forgotten?
# ●○○ · 6 minutes · 2 points
#
# `before` and `after` say whether each general question was right before and after the training, in the same order. Return `(lost, gained, share)`: how many
# were right before and are wrong now, how many were wrong before and are right now, and the lost ones as a share, 0 to 1, of those right before. Where none
# was right before, the share is `0.0`. If the lists differ in length, raise `ValueError`.


# %% exercise="08.3"
def forgotten(before: list[bool], after: list[bool]) -> tuple[int, int, float]:
    """Questions lost, questions gained, share of the known ones lost."""
    # BEGIN SOLUTION
    if len(before) != len(after):
        raise ValueError("each question needs a mark before and a mark after")
    lost = sum(one and not other for one, other in zip(before, after))
    gained = sum(other and not one for one, other in zip(before, after))
    return lost, gained, lost / sum(before) if any(before) else 0.0
    # END SOLUTION


# %%
check("08.3", forgotten)
# hint("08.3")

# %%
from course_lib.evaluation.memory import forgotten

first = runs.answers("before", "general")
for way in runs.ways("taught"):
    last = runs.answers(way, "general")
    lost, gained, share = forgotten([one.right for one in first], [one.right for one in last])
    print(f"{way}: lost {lost}, gained {gained}; {share:.0%} of what was known")

gone = [(one, other) for one, other in zip(first, last) if one.right and not other.right]
print("\nSome that the last one lost:")
for was, now in gone[:8]:
    print(f"   {now.item.wording} Before: {was.text[:50]!r} After: {now.text!r}")

# %% [markdown]
# More than half of what it knew, for ninety-six facts. The marking is strict, so an answer in an unusual form counts as lost, too; most of these are plainly
# wrong. This is **catastrophic forgetting**: nothing in the training asked the model to stay as it was. People use a smaller learning rate, fewer passes, or
# general examples mixed in against it. None of them was measured here.
#
# ## How old is its knowledge?
# *minute 51 · 14 minutes*
#
# Training again for every change is dear, so people train again now and then, and live with what is out of date in between.
#
# ### Exercise 08.4 · How long is it out of date?
# ●●● · 10 minutes · 3 points
#
# `changes` holds the days on which a fact changed, `retrained` the days on which the model was trained again; neither list need be sorted. A retraining is
# done at once and knows every change of its own day or earlier. Return the mean number of days from a change to the first retraining at or after it. We
# look up to and including day `until`: a change that no retraining has caught by then counts up to `until`, and what comes after `until`, changes and
# retrainings, is left out. Two changes on one day are two changes. If no change is left, return `0.0`. A change on day 3, retrained on day 14: 11 days.


# %% exercise="08.4"
def stale_days(changes: list[float], retrained: list[float], until: float) -> float:
    """The mean number of days from a change to the retraining that knows it."""
    # BEGIN SOLUTION
    waits = []
    for day in changes:
        if day <= until:
            runs = [run for run in retrained if day <= run <= until]
            waits.append(min(runs, default=until) - day)
    return sum(waits) / len(waits) if waits else 0.0
    # END SOLUTION


# %%
check("08.4", stale_days)
# hint("08.4")

# %% [markdown]
# Now a year at Quillfeather. When its documents changed is not known, so 51 days are drawn at random; suppose that the desk trains once a month, once a
# quarter, once a year.
#
# **Before you run**: how old is a change on average when the model learns it, if you train once a month?

# %%
from course_lib.evaluation.memory import stale_days

days = np.random.default_rng(8).uniform(0, 365, size=len(changed)).tolist()
for label, every in (("a month", 30), ("a quarter", 91), ("a year", 365)):
    trainings = list(range(every, 366, every))
    age = stale_days(days, trainings, 365)
    print(f"once {label:<10} trained {len(trainings):>2} times, {age:.0f} days out of date")

# %% [markdown]
# About half the time between two trainings; for once a year it would be 182 days, had chance not drawn more early days. So the question for your own
# documents is: how long may an answer be wrong? If the answer is *days*, train seldom. If it is *minutes*, look it up.
#
# ## What others found
# *minute 65 · 6 minutes*
#
# Ours is a small model and a small set. Others have asked the same of larger ones:
#
# - **Ovadia and others** (2023, arXiv 2312.05934) taught a model of 7 billion parameters the news of months it had not seen. Of multiple-choice
#   questions it got .48 right untouched, .50 after fine-tuning, .59 after fine-tuning on many paraphrases, and .88 with retrieval.
# - **Balaguer and others** (2024, arXiv 2401.08406), questions about farming: fine-tuning added 6 points, retrieval 5 more.
# - **Zhang and others** (2024, arXiv 2403.10131: RAFT) found that a model fine-tuned on a field reads passages better when it was trained with passages:
#   that is lab 10.
#
# In the first study, the one about news, retrieval won clearly. On our ninety-six facts, asked in new words, it did not: our reader, untrained, is too weak
# to use what it is shown. (The open book was asked one held-out wording of each fact.)

# %%
rows = {"trained wording": ("taught", "trained"), "new wording": ("taught", "held out")}
bars = {name: float(np.mean(runs.shares(*which))) for name, which in rows.items()}
bars["open book, new wording"] = float(np.mean(runs.shares("open book 2025", "held out")))
for name, share in bars.items():
    print(f"{name:<23} {share:.0%}")

# %%
quiz("08")

# %% [markdown]
# ## What you saw
#
# - A trained wording: 98 % right. The same question in new words: 18 %; a guesser gets 9 %. Products that were not taught: 0 %.
# - When 51 facts changed, three seeds gave 48, 50 and 49 old answers. A refresh is a whole training, 240 s here.
# - With 51 changes on random days: trained once a month, a change waits 15 days on average; once a year, 202.
# - General questions: 60 % right before, 27 % after.
# - The open book with an untrained reader got 1 % of the held-out questions right: too few to show whether it is fresh.
#
# **Where this breaks.** Ninety-six facts, one small model, one recipe. More wordings for each fact, or general examples mixed in, would change the numbers,
# and each takes time. And the open book was read here by a model that has not learned to read.
#
# **Next**: lab 09 tunes the retriever.

# %% tags=["nbval-ignore-output"]
progress()
