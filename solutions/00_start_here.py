# %% [markdown]
# # 00 · Start here
#
# **You will** run a language model on your own machine, watch it answer confidently and wrongly, mark its answers without a
# judge, and say how sure you are of the mark.
#
# 50 minutes · no lab before this one · runs in 1 to 6 minutes, by processor, with 2 GB

# %% [markdown]
# ## How a lab works
# *minute 0 · 3 minutes*
#
# Text and code take turns. Click into a code cell and press **Shift + Enter**: it runs, and the next one is selected. Run
# them from top to bottom. You cannot break anything: `course reset 00` in a terminal brings back the lab as it was, and keeps
# your version.
#
# Some cells are exercises. They wait for your code and say so until you write it; the rest of the lab runs without them.

# %%
from course_lib import check, progress, quiz
from course_lib.corpus import gold_passages, load_documents, load_exam, load_passages
from course_lib.corpus import sample_by_type
from course_lib.doctor import check_disk, check_memory, check_models, check_python
from course_lib.evaluation import is_correct, normalise_answer
from course_lib.evaluation.closed_book import load_results, score_by_type
from course_lib.generation import SUPPORT_DESK, generate, next_tokens
from course_lib.models import language_model
from course_lib.widgets.plots import plot_scores

# %% [markdown]
# First, is this machine fit for the course? Every line should say OK. A line that does not says what to do.

# %% tags=["nbval-ignore-output"]
for look_at in (check_python, check_memory, check_disk, check_models):
    for finding in look_at():
        print(f"{finding.state:<5}", finding.text)

# %% [markdown]
# ## Two exams
# *minute 3 · 5 minutes*
#
# There are two ways to let a language model answer questions about things that it was never taught.
#
# - **The open-book exam.** You leave the model alone, look up the right pages, and lay them in front of it. This is retrieval-augmented
#   generation, RAG for short.
# - **The closed-book exam.** You train the model until the knowledge, or the skill, is in its weights. This is fine-tuning.
#
# People have strong opinions about which is better. This course has measurements, and you will make them yourself.
#
# The example is the support desk of **Quillfeather**, a maker of home appliances. It does not exist. That is its merit: no
# model has read about it, so whatever a model says about it is looked up, taught, or made up.

# %%
documents = load_documents("quillfeather")
for kind in sorted({document.kind for document in documents}):
    print(f"{sum(document.kind == kind for document in documents):>3} {kind}")

# %% [markdown]
# Here is a corner of one of them. The espresso machine Corvid E6 will be with us for a while.

# %%
corvid = next(document for document in documents if document.id == "manual-corvid-e6")
start = corvid.text.index("## Pulling a shot")
print(corvid.text[start : corvid.text.index("Knock out", start)])

# %% [markdown]
# ## The model
# *minute 8 · 8 minutes*
#
# The model of this course is SmolLM2-135M-Instruct. It is small, so that it runs and even trains on a laptop without a graphics card. What
# you learn with it holds for its big relatives, and you will wait seconds instead of paying by the token.

# %%
lm = language_model()
weights, layers = lm.model.num_parameters(), lm.model.config.num_hidden_layers
print(f"{lm.name}: {weights / 1e6:.0f} million weights in {layers} layers")

# %% [markdown]
# It does not read letters or words but **tokens**, pieces that its makers found to be common. A rare name falls into
# several pieces (`Ġ` stands for a space).

# %%
for text in ("espresso machine", "Quillfeather Corvid E6", "91 °C"):
    print(text, "→", lm.tokenizer.tokenize(text))

# %% [markdown]
# And it does one thing only: from the tokens so far it computes how likely each token is to come next. An answer is this
# step, repeated.

# %% tags=["nbval-ignore-output"]
for token, probability in next_tokens(lm, "The capital of France is"):
    print(f"{probability:6.1%}  {token!r}")

# %% [markdown]
# To make a conversation of it, its makers trained it on texts in which every message says who speaks: the `system`, which
# sets the scene, then the `user`. You build such messages now.
#
# ### Exercise 00.1 · Ask politely
# ●○○ · 5 minutes · 1 point
#
# Return the list of two messages, each a dictionary with the keys `role` and `content`: first `system` with the system text as it is, then
# `user` with the question, stripped of white space at both ends. A question with nothing in it raises `ValueError`.

# %% exercise="00.1"
def chat_messages(question: str, system: str) -> list[dict[str, str]]:
    """The messages of a conversation that consists of one question."""
    # BEGIN SOLUTION
    if not question.strip():
        raise ValueError("the question is empty")
    return [{"role": "system", "content": system}, {"role": "user", "content": question.strip()}]
    # END SOLUTION

# %%
check("00.1", chat_messages)
# hint("00.1")  # take the first # away and run the cell: one hint at a time

# %% [markdown]
# From here on the lab uses the library's own version, so nothing depends on yours. This is what the model receives. The marks say where a
# message begins and ends; at the open last line the model goes on.

# %%
from course_lib.generation import chat_messages

messages = chat_messages("How hot is the water?", SUPPORT_DESK)
print(lm.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

# %% [markdown]
# ## Ask about something that it has never read
# *minute 16 · 5 minutes*
#
# **Before you run the next cell**, write down what you expect: will it say that it does not know? Will it be vague? Will it name a
# number? (It takes 3 to 30 seconds.)

# %% tags=["nbval-ignore-output"]
exam = load_exam("exam")
asked = [q for q in exam if q.id in ("corvid-e6-01", "otter-x4-01", "osprey-a6-13")]
replies = generate(lm, [chat_messages(question.question) for question in asked], progress=True)
for question, answer in zip(asked, replies):
    print(f"Q  {question.question}\nA  {answer}\n   The documents say: {question.answer}\n")

# %% [markdown]
# Read the answers aloud. They sound like a support desk, they do not hesitate, and they are wrong. Nothing in the text tells you so: you
# know only because the right answer stands below. This is a **hallucination**, and it is not a fault in the works. The model did what it
# always does: it went on with likely tokens.

# %% [markdown]
# ## Mark the answers
# *minute 21 · 12 minutes*
#
# Three questions are an anecdote. The exam has more, of seven types: some ask in the document's words (`single`), some in a customer's
# (`paraphrase`); some are answered by a table, some need two places (`two_hop`); the answer to some `changed` this year; and some have no
# answer at all, to see who admits it.

# %%
for kind in dict.fromkeys(question.type for question in exam):
    rows = [question for question in exam if question.type == kind]
    print(f"{len(rows):>3} {kind:<13} e.g. {rows[0].question}")

# %% [markdown]
# To mark hundreds of answers you need a rule. Ours: an answer is right if it contains the accepted words, after the spelling has been
# evened out. `normalise_answer` does that. It returns a list of words in lower case, without punctuation and articles, with numbers apart
# from their units.

# %%
print(normalise_answer("Set the boiler to 91°C, or about 1,200 W."))

# %% [markdown]
# ### Exercise 00.2 · Is the answer right?
# ●●○ · 10 minutes · 2 points
#
# `accepted` holds several spellings of the right answer. Return `True` if the words of at least one of them stand in the text next to
# each other and in order. Compare words as `normalise_answer` gives them: `12` must not be found in `120`. An accepted answer
# without any words is never found.

# %% exercise="00.2"
def contains_answer(text: str, accepted: list[str]) -> bool:
    """Whether the text contains one of the accepted answers, word for word."""
    # BEGIN SOLUTION
    words = normalise_answer(text)
    for answer in accepted:
        wanted = normalise_answer(answer)
        for start in range(len(words) - len(wanted) + 1):
            if wanted and words[start : start + len(wanted)] == wanted:
                return True
    return False
    # END SOLUTION

# %%
check("00.2", contains_answer)
# hint("00.2")

# %% [markdown]
# For a question without an answer the rule is different: a reply is right if it says that it does not know. Now mark a sample: two
# questions of each type, asked live. (10 to 100 seconds.)

# %% tags=["nbval-ignore-output"]
sample = sample_by_type(exam, per_type=2)
answers = generate(lm, [chat_messages(question.question) for question in sample], progress=True)
marks = [is_correct(question, answer) for question, answer in zip(sample, answers)]
for question, answer, right in zip(sample, answers, marks):
    print("✓" if right else "✗", f"{question.type:<13}", answer[:95].replace("\n", " "))
print(f"\n{sum(marks)} of {len(marks)} right")

# %% [markdown]
# ## How sure are you?
# *minute 33 · 12 minutes*
#
# You have seen a share of a small sample. Another sample would have given another share. An **interval** says how far off yours may be: a
# 95 % interval is made by a method that, used on many samples, catches the true share 95 times in 100. Wilson's, for $s$ right of $n$, with $p = s/n$ and $z = 1.96$ for 95 %:
#
# $$\frac{p + \frac{z^2}{2n} \;\pm\; z\sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}$$
#
# ### Exercise 00.3 · How sure are you?
# ●●○ · 10 minutes · 2 points
#
# Return the two ends of the interval, the lower one first, as shares between 0 and 1. `trials` is at least 1. (Rounding may leave an end a
# hair outside of 0 to 1; the check does not mind.)

# %% exercise="00.3"
def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share, from Wilson's score."""
    # BEGIN SOLUTION
    z, p = 1.96, successes / trials
    centre = p + z * z / (2 * trials)
    spread = z * (p * (1 - p) / trials + z * z / (4 * trials**2)) ** 0.5
    scale = 1 + z * z / trials
    return (centre - spread) / scale, (centre + spread) / scale
    # END SOLUTION

# %%
check("00.3", wilson_interval)
# hint("00.3")

# %% [markdown]
# The whole exam takes several minutes, so here is a run that was made with the same model and the same rule. The file holds the
# answers; the marks are computed now, by the code that you have just written your own version of.

# %%
questions, full_answers, about = load_results()
scores = score_by_type(questions, full_answers)
print(*scores, sep="\n")

# %% tags=["nbval-ignore-output"]
plot_scores(scores, "Closed book, nothing taught: the base model on the exam")

# %% [markdown]
# Two rows deserve a second look. In a *comparison* the question itself names both candidates: whoever repeats one of them is right
# about half of the time by luck, and whoever repeats both always. And look at the *unanswerable* questions: now and then it apologises or evades, but it
# hardly ever says plainly that it does not know.

# %% [markdown]
# ## The same model with the page in front of it
# *minute 45 · 3 minutes*
#
# Now the other exam, for a glimpse. The sample's answerable questions again, each with the passage that holds the answer. Nobody has
# searched for it yet: it is the right one by construction. Will the model read it? (10 to 150 seconds.)

# %% tags=["nbval-ignore-output"]
every_passage = load_passages("quillfeather")
texts = {passage.id: passage.text for passage in every_passage}
answerable = [question for question in sample if question.answerable]
prompts = []
for question in answerable:
    ids = [fact[0] for fact in gold_passages(question, every_passage)]
    passages = "\n\n".join(texts[id] for id in ids)
    prompts.append(chat_messages(f"{passages}\n\nAnswer from the text above. {question.question}"))
opened = generate(lm, prompts, progress=True)
without_page = sum(mark for question, mark in zip(sample, marks) if question.answerable)
with_page = sum(is_correct(question, answer) for question, answer in zip(answerable, opened))
print(f"without the page: {without_page} of {len(answerable)} right")
print(f"with the page:    {with_page} of {len(answerable)} right")

# %% [markdown]
# ## Check yourself
# *minute 48 · 2 minutes*

# %%
quiz("00")

# %% tags=["nbval-ignore-output"]
progress()

# %% [markdown]
# ## What you saw
# - Asked about machines that it had never read about, the model almost always answered in confident sentences and almost never rightly: 11 of
#   260 answerable questions, 4.2 % (95 % interval 2.4 % to 7.4 %), most of them by repeating one of two names.
# - Of the questions without an answer it recognised 2 of 58, 3.4 % (1.0 % to 11.7 %). It does not know what it does not know.
# - With the right page in front of it, the same model answered 7 of 12 instead of 1 of 12 (yours may differ a little: processors
#   round differently). Twelve are few: lab 03 asks them all.
#
# **Where this breaks.** The mark looks for words. An answer that contains the right words in a wrong sentence passes, and a right answer in
# words that nobody listed fails. Lab 04 measures how often that happens.
#
# **Next:** finding the right page by yourself, in lab 01, *chunk and embed*.
