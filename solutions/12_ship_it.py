# %% [markdown]
# # 12 · Ship it, and bring your own
#
# **You will** turn a folder of documents into an assistant that names its sources and knows when to be silent, serve it to other programs, pack an adapter
# for somebody else, and measure all of it with ten questions of your own.
#
# 82 minutes · after lab 11 · runs in about 1 min with 2 GB

# %%
import json
import shutil
import threading
import urllib.request

import torch

from course_lib import check, progress, quiz
from course_lib.errors import CourseError
from course_lib.evaluation import wilson_interval
from course_lib.exercises.registry import shorten
from course_lib.finetune import merged
from course_lib.finetune.adapters import adapter_about, load_adapter
from course_lib.finetune.export import export_adapter, export_model
from course_lib.folders import ask_folder, measure
from course_lib.folders.sample import PRACTICE, QUESTIONS, write_broken, write_sample
from course_lib.generation.remote import RemoteModel
from course_lib.models import language_model
from course_lib.places import data_folder
from course_lib.serving import AssistantServer, Settings

# %% [markdown]
# ## A folder
# *minute 0 · 10 minutes*
#
# So far the documents were ours, and clean. Now to papers that nobody wrote for a machine: the rules of an allotment society, its web page, a list in an old
# encoding, the minutes of a meeting as a PDF. The society is invented, so that everybody's results agree. Once you have been through the lab, put a folder
# of your own in its place: that is what the lab is for.

# %%
WORK = data_folder() / "lab-12"
FOLDER = write_sample(WORK / "allotment")  # later: FOLDER = Path.home() / "notes"
assistant = ask_folder(FOLDER)
for file in assistant.reading.files:
    print(f"{file.file:<12} {file.kind:<9} {len(file.sections)} sections")
print(*assistant.reading.notices, sep="\n")
print(assistant)

# %% [markdown]
# Each file was cut at its headings, and a passage knows its place. Search is by words and by meaning, as in lab 02. Nothing new so far, and that is the news:
# the pipeline did not ask whose documents these are.

# %% tags=["nbval-ignore-output"]
answer = assistant.ask("How much does a full plot cost a year?")
print(answer)

# %% [markdown]
# Under the answer stands what it rests on: file, section, line, and the words. The place is exact to the character. In a web page too, where the words are
# not the same as the text of the file:

# %%
(hit,) = assistant.index.search("Who keeps the list of keys?", 1)
passage, place = hit.passage, hit.passage.place()
page = (FOLDER / passage.file.file).read_text(encoding="utf-8")
print(f"{passage.file.file} › {passage.heading} ({place})")
print("read: ", passage.text)
print("there:", page[place.start : place.end])

# %% [markdown]
# A folder lives. Let the committee raise the rent:

# %% tags=["nbval-ignore-output"]
rules = FOLDER / "rules.md"
rules.write_text(rules.read_text(encoding="utf-8").replace("£38", "£44"), encoding="utf-8")
print("something has changed:", assistant.refresh())
print(assistant.ask("How much does a full plot cost a year?"))
write_sample(FOLDER)
print("put back:", assistant.refresh())

# %% [markdown]
# Only what changed was embedded again. This is the fresh book of lab 05, with your disk as the store.
#
# ## Everything that is wrong with a folder
# *minute 10 · 7 minutes*
#
# Real folders are not like that. The next one holds a damaged PDF, one with a password, a scan without text, an empty file, a text of 200 MB, a text in
# UTF-16, a picture that calls itself a text, and a link that leads out of the folder. The folder after it is empty.
#
# **Before you run**: which of these should stop the assistant?

# %% tags=["nbval-ignore-output"]
broken = ask_folder(write_broken(WORK / "broken")).reading
for notice in broken.notices:
    print(notice)
print("\nread:", ", ".join(file.file for file in broken.files))
print(broken.summary)
(WORK / "empty").mkdir(exist_ok=True)
try:
    ask_folder(WORK / "empty")
except CourseError as error:
    print("\nWhat to do:", error.todo)

# %% [markdown]
# Only the empty one. Whoever asks wants an answer from the rest, and one line for each file that is not in it. Read these lines for your own folder: an
# answer cannot come from a file that was not read, and nothing in the answer would show it. Hidden files and pictures are no news; they are counted.
#
# The link was not followed. Somebody who may write into your folder could otherwise make the assistant read aloud any file of yours.
#
# ## When to be silent
# *minute 17 · 18 minutes*
#
# This assistant has three reasons to say *I do not know*: no passage is near the question; the model says so; or the model's own words are in none of its
# passages. The first costs least: the model is not even asked.

# %% tags=["nbval-ignore-output"]
for question in ("What is the boiling point of nitrogen?", "Are dogs allowed on the plots?"):
    answer = assistant.ask(question)
    print(f"{answer.similarity:.2f}  {question} → {answer.text} {answer.reason}")

# %% [markdown]
# How near is near? The course's own setting is 0.30. It was chosen on questions about kettles and databases, not on yours. Choose it anew.
#
# ### Exercise 12.1 · How much silence?
# ●●○ · 8 minutes · 2 points
#
# `similarities` holds, for questions that your documents *do* answer, the similarity of the nearest passage. The assistant is silent where it is *below* the
# threshold. Return the highest of the given similarities that can be the threshold if at most the share `allowed` of these questions may fall silent. The list
# is not sorted, and equal values are questions of their own. Without questions return `0.0`. Where `allowed` is below 0, or 1 or more, raise `ValueError`.


# %% exercise="12.1"
def highest_threshold(similarities: list[float], allowed: float) -> float:
    """The highest threshold that silences at most a share of the questions."""
    # BEGIN SOLUTION
    if not 0 <= allowed < 1:
        raise ValueError("allowed must be at least 0 and less than 1")
    silenced = int(allowed * len(similarities) + 1e-9)  # 0.29 * 100 is a little less than 29
    return sorted(similarities)[silenced] if similarities else 0.0
    # END SOLUTION


# %%
check("12.1", highest_threshold)
# hint("12.1")  # take the first # away and run the cell: one hint at a time

# %% [markdown]
# Ten questions to practise with come with the sample. The papers answer six of them.

# %%
from course_lib.folders import highest_threshold

near = {question: assistant.index.similarity(question) for question in PRACTICE}
for question in sorted(near, key=near.get):
    print(f"{near[question]:.2f}  {'answer ' if PRACTICE[question] else 'silence'}  {question}")
wanted, others = ([near[q] for q in near if bool(PRACTICE[q]) == able] for able in (True, False))
for allowed in (0, 0.2, 0.5):
    threshold = highest_threshold(wanted, allowed)
    lost, caught = (sum(one < threshold for one in some) for some in (wanted, others))
    print(f"{threshold:.2f} loses {lost} of {len(wanted)}, silences {caught} of {len(others)}")
assistant.min_similarity = highest_threshold(wanted, 0)

# %% [markdown]
# On these ten the two kinds stand far apart, and the highest threshold that loses nobody silences all four strangers. Too good? Six questions say where the
# edge is, and an edge is what few questions know least about. Keep it for now. At the end you will see what it does to questions that it has not met.
#
# ## Serve it
# *minute 35 · 19 minutes*
#
# In a terminal, `course serve FOLDER` does what the next cell does in here: the assistant answers at an address on this machine, in the form that OpenAI's
# programs speak. Only this machine can reach it, and only who knows the key is answered.
#
# Any client of that form will do. With OpenAI's own package, which the course does not bring along, it would be
#
# ```python
# client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="allotment")
# client.chat.completions.create(model="open-book", messages=[{"role": "user", "content": "How hot?"}], stream=True)
# ```
#
# What does such a package do? It sends JSON and reads lines. You can do that by hand:

# %% tags=["nbval-ignore-output"]
server = AssistantServer(assistant, Settings(port=0, api_key="allotment"))
threading.Thread(target=server.serve_forever, daemon=True).start()
asked = [{"role": "user", "content": "Who is the new treasurer?"}]
body = json.dumps({"model": "open-book", "stream": True, "messages": asked}).encode()
headers = {"Content-Type": "application/json", "Authorization": "Bearer allotment"}
request = urllib.request.Request(f"{server.url}/chat/completions", body, headers)
straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy in between
with straight.open(request, timeout=120) as response:
    lines = response.read().decode().splitlines()
print(*(shorten(line) for line in lines[:5] + lines[-2:]), sep="\n")

# %% [markdown]
# ### Exercise 12.2 · Put the pieces together
# ●●○ · 10 minutes · 2 points
#
# `lines` are the lines of such a reply. Those that begin with `data:` matter; others are blank, or comments. After `data:`, with or without a space, stands
# either `[DONE]`, which ends the answer whatever follows, or a JSON object. Its list `choices` may be empty; otherwise the first choice's `delta` may
# hold a piece of the answer as `content`. Return the pieces joined as they are, and whether `[DONE]` came: without it the connection broke.


# %% exercise="12.2"
def join_stream(lines: list[str]) -> tuple[str, bool]:
    """The text of a streamed answer, and whether it is complete."""
    # BEGIN SOLUTION
    text = ""
    for line in lines:
        if line.startswith("data:"):
            value = line[len("data:") :].strip()
            if value == "[DONE]":
                return text, True
            choices = json.loads(value)["choices"]
            text += (choices[0]["delta"].get("content") or "") if choices else ""
    return text, False
    # END SOLUTION


# %%
check("12.2", join_stream)
# hint("12.2")

# %% tags=["nbval-ignore-output"]
from course_lib.generation.events import join_stream

print(join_stream(lines))
last = next(json.loads(line[5:]) for line in lines if '"sources"' in line)
for source in last["sources"]:
    print(source["how"], "|", source["file"], "›", source["section"], "| page", source["page"])

# %% [markdown]
# The sources travel in a field of their own, at the end: `shown` are passages that the model was given, `cited` or `attributed` those that the answer rests on.
#
# `RemoteModel` is the course's own client. A server meets clients that do it wrong, and each should hear why. The last cell makes the pipeline free of our
# small model: give `ask_folder` a `RemoteModel`, and the search stays here while another server reads. Question and passages go there, so name one that you
# trust. Here it is our own.

# %% tags=["nbval-ignore-output"]
def attempt(label, name, key, question):
    try:
        model = RemoteModel(server.url, name, key)
        print(label, "→", model.complete([{"role": "user", "content": question}], 8).text)
    except CourseError as error:
        print(label, "→", error.what)


attempt("a wrong key", "open-book", "guess", "Hello?")
attempt("another model", "no-such-model", "allotment", "Hello?")
attempt("too long", "open-book", "allotment", "Hello? " * 1000)

# %% tags=["nbval-ignore-output"]
reader = RemoteModel(server.url, "open-book", "allotment", timeout=300)
print(ask_folder(FOLDER, reader).ask("What does a lost key cost?"))
server.shutdown()
server.stop()

# %% [markdown]
# On the command line that is `course ask FOLDER "…" --base-url ADDRESS --model NAME`, with the key in `COURSE_API_KEY`.
#
# ## Hand on an adapter
# *minute 54 · 9 minutes*
#
# In part 2 you trained an adapter. `save_adapter(run, folder)` writes one of your own; here we take the one of lab 07 that ships with the course. It
# knows where it comes from, and its hashes are checked whenever it is read.
#
# You can hand it on alone, to somebody who has the base, or merged, as a whole model for programs that know nothing of adapters. How much larger is the
# second? Guess first.

# %%
def megabytes(folder):
    return sum(path.stat().st_size for path in folder.iterdir()) / 1_000_000


about, lm = adapter_about("tickets"), language_model()
print(*(f"{name}: {about[name]}" for name in ("model", "command", "licence", "steps")), sep="\n")
alone = export_adapter("tickets", WORK / "tickets-adapter", replace=True)
whole = export_model(lm, "tickets", WORK / "tickets-model", replace=True)
for folder in (alone, whole):
    print(f"{folder.name}: {megabytes(folder):.0f} MB in {len(list(folder.iterdir()))} files")

# %% [markdown]
# Trust, but compare. `transformers` loads the folder by its path, and knows nothing of the course. Does it compute the same?

# %%
from transformers import AutoModelForCausalLM

from course_lib.models.files import quiet_transformers

with quiet_transformers():
    other = AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32).eval()
tuned = merged(load_adapter(lm, "tickets"))
tokens = torch.tensor([lm.tokenize([{"role": "user", "content": "My kettle leaks."}])])
with torch.inference_mode():
    first, second, plain = (one(input_ids=tokens).logits for one in (other, tuned.model, lm.model))
print("same logits as the course's:", bool((first - second).abs().max() <= 1e-5))
print("same logits as the base's:  ", bool((first - plain).abs().max() <= 1e-5))

# %%
card = (alone / "README.md").read_text(encoding="utf-8").splitlines()
print(*(line for line in card if line.startswith(("#", "Base:", "base_model"))), sep="\n")
weights = alone / "adapter_model.safetensors"
weights.write_bytes(weights.read_bytes()[:-1] + b"?")  # one byte, lost on the way
try:
    load_adapter(lm, alone)
except CourseError as error:
    print("\n" + error.what)
shutil.rmtree(whole)  # half a gigabyte that you need no longer

# %% [markdown]
# One byte is noticed. But a hash shows damage only: whoever can change the weights can change the hash. Take adapters from people you know. In a terminal:
# `course adapter show`, `export` and `merge`; `course ask FOLDER "…" --adapter NAME` answers with one.
#
# ## Your capstone
# *minute 63 · 16 minutes*
#
# Ten questions are few, and many more than most people ask before they ship. Write yours *before* you try them: seven that your documents answer, each with
# the words that must be in the answer; three that they do not, at least one of them a near miss. Use the words of those who will ask.
#
# ### Exercise 12.3 · Your rubric
# ●●○ · 10 minutes · 3 points
#
# `rows` has a dictionary for each question with four booleans: `answerable`, `abstained`, `right` and `cited`. Return four shares, 0 to 1, in a dictionary:
# `"right"`: of the answerable, those that are right; `"cited"`: of *all* answers that were given (not abstained), those that are cited; `"silent"`: of the
# unanswerable, those abstained; `"mute"`: of the answerable, those abstained. Where there is nothing to divide by, the share is `None`.


# %% exercise="12.3"
def rubric(rows: list[dict]) -> dict:
    """Four shares that say how good an assistant is."""

    # BEGIN SOLUTION
    def share(marks):
        return sum(marks) / len(marks) if marks else None

    return {
        "right": share([row["right"] for row in rows if row["answerable"]]),
        "cited": share([row["cited"] for row in rows if not row["abstained"]]),
        "silent": share([row["abstained"] for row in rows if not row["answerable"]]),
        "mute": share([row["abstained"] for row in rows if row["answerable"]]),
    }
    # END SOLUTION


# %%
check("12.3", rubric)
# hint("12.3")

# %% [markdown]
# `measure` asks the questions and marks the answers by their words: `found` if a passage that the model was shown holds an accepted answer, `right` if what it
# said does, `cited` if the quoted words do. First the allotment, with questions that the threshold was not chosen on.

# %% tags=["nbval-ignore-output"]
from course_lib.folders import rubric

rows = measure(assistant, QUESTIONS)
for row in rows:
    marks = "".join("x" if on else "." for on in (row.found, row.right, row.cited, row.abstained))
    print(f"{marks}  {row.question} → {row.said[:60]}")
shares = rubric([row.as_dict() for row in rows])
print(", ".join(f"{name} {share and round(share, 2)}" for name, share in shares.items()))
able = [row.right for row in rows if row.answerable]
low, high = wilson_interval(sum(able), len(able))
print(f"right: {sum(able)} of {len(able)}, which may mean {low:.0%} to {high:.0%}")

# %%
for question, accepted in QUESTIONS.items():
    value = assistant.index.similarity(question)
    side = "below" if value < assistant.min_similarity else "above"
    print(f"{value:.2f} {side}  {'answer ' if accepted else 'silence'}  {question}")

# %% [markdown]
# The columns are found, right, cited, abstained. Where a row is found and yet silent, the passage was there, the small model misread it, and its words were
# taken back, since they stood in no passage. More than one silence is of that kind here: the reader's, not the search's.
#
# Now the rotavator and the number of the gate. The list has the price, and the threshold that lost nobody before silences the question. The number of the gate is
# in no paper, and that question is nearer than the other: no threshold can tell. It keeps strangers out; near misses need a reader that notices (lab 10). And
# set it in the middle of the gap, not at its edge.
#
# Now yours: put a folder and ten questions here.

# %% tags=["nbval-ignore-output"]
MINE = None  # such as "~/notes"
MY_QUESTIONS = {"How do I renew the certificate?": ["certbot renew"], "What does it cost?": []}
if MINE:
    rows = measure(ask_folder(MINE), MY_QUESTIONS)
    print(rubric([row.as_dict() for row in rows]))

# %% [markdown]
# | a good assistant over your folder | you measure it by | ready to show |
# | --- | --- | --- |
# | reads what you believe it reads | the notices: a reason you accept for each file | all |
# | finds the passage | `found`, of those answerable | 6 in 7 |
# | says what stands there | `right` | what your users can live with |
# | shows where | `cited`, then open three of the places yourself | every answer you checked |
# | knows when not to answer | `silent`, near misses too | 2 in 3 |
# | is not mute | `mute` | at most 1 in 7 |
# | follows a change | edit a file, `refresh`, ask again | at once |
# | is served safely | key, loopback or HTTPS in front, who may read what | before anybody else uses it |
#
# Where it falls short, the course has the tool: not found, labs 01, 02 and 09; found and misread, lab 10 or a larger reader; wrong form or tone, lab 07;
# invented, lab 03 and the threshold. Change one thing, then measure with *new* questions.
#
# ## Check yourself
# *minute 79 · 3 minutes*

# %%
quiz("12")

# %% tags=["nbval-ignore-output"]
progress()

# %% [markdown]
# ## What you saw
#
# - A folder in four formats became an assistant without training. A changed file was in the next answer's passages.
# - Everything was wrong with another folder, and each file cost a line, not the answer.
# - A threshold that silences 4 of 4 strangers and loses 0 of 6 questions was set too high for the next ten: it silenced one with an answer, and let a near miss pass.
# - A stream is lines of JSON; without its last line it is not an answer.
# - An adapter travels alone in a few megabytes. Merged into its base it is the size of the base, and transformers computes the same.
#
# **Where this breaks.** Seven questions leave a wide interval, and marks by words miss a right answer in other words. Whoever has the key can ask about every
# file in the folder. And the reader is still the smallest model of the course: where it misreads, look at what was found before you blame the search.
#
# **Next**: there is no next lab. There is your folder. `course ask` it ten questions, tell somebody the four shares, and say how they were measured.
