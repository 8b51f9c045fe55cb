"""A folder as an assistant: found by words and by meaning, kept by content, cited to the character, silent where it must be."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from typer.testing import CliRunner

from course_lib import cli
from course_lib.errors import CourseError
from course_lib.folders import FolderIndex, ask_folder, highest_threshold, measure, read_folder, rubric
from course_lib.folders.assistant import QuestionError, nothing_to_read
from course_lib.generation.generate import Generated, generate_counted, generate_stream
from course_lib.generation.remote import RemoteModel
from course_lib.models import Embedder, embedder, language_model
from course_lib.retrieval.dense import embed_lists

GUIDE = """# Tansy kettle

## Filling

Fill the tank with cold water. It holds 1.2 litres.

## Cleaning

Wipe the base with a dry cloth. Descale it with vinegar every six weeks.
"""
CODES = "<h1>Error codes</h1><h2>E47</h2><p>The lid is open.</p><h2>E33</h2><p>The tank is &lt; half full.</p>"


class Says:
    """A model that answers what it is told to, and keeps what it was asked."""

    name = "says"

    def __init__(self, text: str) -> None:
        self.text, self.asked = text, []

    def count_tokens(self, messages):
        return sum(len(message["content"].split()) for message in messages)

    def complete(self, messages, max_new_tokens):
        self.asked.append(messages)
        return Generated(self.text, self.count_tokens(messages), 5, 1.0)


@pytest.fixture
def folder(models, tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "guide.md").write_text(GUIDE)
    (docs / "codes.html").write_text(CODES)
    (docs / "fan.txt").write_text("Kite fan\n========\n\nWash the grille once a month.\n")
    return docs


@pytest.fixture
def own_embeddings(models, tmp_path, monkeypatch):
    """An empty cache of embeddings, and a count of the texts that are embedded."""
    model, counted = embedder(), []
    monkeypatch.setattr("course_lib.retrieval.dense.cache_folder", lambda: tmp_path / "cache")
    real = Embedder.encode

    def encode(self, texts, *arguments, **options):
        counted.extend(texts)
        return real(self, texts, *arguments, **options)

    monkeypatch.setattr(Embedder, "encode", encode)
    assert model is embedder()
    return counted


def test_an_answer_leads_to_the_exact_words(folder):
    answer = ask_folder(folder, Says("It holds 1.2 litres. [1]")).ask("How much water does the kettle hold?")
    assert answer.words == "It holds 1.2 litres." and not answer.abstained
    (source,) = answer.sources
    assert (source.file, source.section, source.how) == ("guide.md", "Filling", "cited")
    assert source.quote == "It holds 1.2 litres." == GUIDE[source.place.start : source.place.end]
    assert source.place.lines == (5, 5) and source.name == "guide.md › Filling (line 5)"
    assert json.loads(json.dumps(answer.as_dict()))["sources"][0]["span"]["text"] == source.quote
    assert "guide.md › Filling (line 5)" in str(answer)


def test_a_model_that_does_not_cite_is_cited_for(folder):
    answer = ask_folder(folder, Says("The tank is below half full.")).ask("What does E33 mean?")
    (source,) = answer.sources
    assert (source.file, source.section, source.how) == ("codes.html", "E33", "attributed")
    assert CODES[source.place.start : source.place.end] == "The tank is &lt; half full."


def test_a_heading_is_not_what_an_answer_stands_on(folder):
    for says in ("Cleaning the Tansy kettle: vinegar", "Cleaning"):
        (source,) = ask_folder(folder, Says(says), min_support=0).ask("How do I care for the base of the kettle?").sources
        assert source.section == "Cleaning" and source.quote in GUIDE and "## Cleaning" not in source.quote


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("I do not know.", "the model found no answer"),
        ("Marzipan elephants dance quarterly.", "not in the passages"),
        ("", "no words"),
        ("[1]", "no words"),
    ],
)
def test_it_abstains_for_the_model(folder, says, reason):
    answer = ask_folder(folder, Says(says)).ask("How much water does the kettle hold?")
    assert answer.abstained and reason in answer.reason and answer.sources == () and answer.text == "I do not know."
    assert answer.shown and all(source.how == "shown" for source in answer.shown)


def test_yes_is_an_answer(folder):
    answer = ask_folder(folder, Says("Yes.")).ask("May I fill the kettle with cold water?")
    assert answer.text == "Yes." and not answer.abstained


def test_a_question_from_elsewhere_is_not_put_to_the_model(folder):
    model = Says("Paris")
    answer = ask_folder(folder, model).ask("Who won the football world cup in France?")
    assert answer.abstained and "near the question" in answer.reason and not model.asked


def test_a_code_is_found_though_its_meaning_is_far(folder):
    model = Says("The lid is open.")
    answer = ask_folder(folder, model, min_similarity=0.99).ask("E47?")
    assert not answer.abstained and answer.sources[0].section == "E47"
    assert ask_folder(folder, model, min_similarity=0.99).ask("E48?").abstained


def test_the_prompt_holds_the_passages_and_nothing_of_the_story(folder):
    model = Says("1.2 litres [1]")
    ask_folder(folder, model, k=1).ask("How much water\ndoes the kettle \ud800 hold?")
    system, user = model.asked[0]
    assert "Quillfeather" not in system["content"] and "[1] Tansy kettle › Filling" in user["content"]
    assert "[2]" not in user["content"]


def test_bad_questions(folder):
    assistant = ask_folder(folder, Says("x"))
    for question, words in ((" ", "empty"), ("kettle water " * 5000, "too long")):
        with pytest.raises(QuestionError, match=words):
            assistant.ask(question)


def test_streaming_gives_the_same_answer_and_takes_back_what_is_not_so(folder):
    assistant = ask_folder(folder, Says("It holds 1.2 litres."))
    pieces, answer = read(assistant.stream("How much water does the kettle hold?"))
    assert "".join(pieces) == answer.text == assistant.ask("How much water does the kettle hold?").text
    pieces, answer = read(ask_folder(folder, Says("Marzipan elephants dance.")).stream("How much water does the kettle hold?"))
    assert answer.abstained and "".join(pieces).startswith("Marzipan elephants dance. I do not know. (the model's words")


def read(stream):
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def test_only_what_changed_is_embedded_again(folder, own_embeddings):
    first = FolderIndex(read_folder(folder).files)
    assert len(own_embeddings) == len(first.passages) == 5
    own_embeddings.clear()
    again = FolderIndex(read_folder(folder).files)
    assert own_embeddings == [] and np.array_equal(first.dense.vectors, again.dense.vectors)
    (folder / "fan.txt").write_text("Kite fan\n========\n\nWash the grille twice a month.\n")
    (folder / "guide.md").rename(folder / "manual.md")  # another name, the same words
    third = FolderIndex(read_folder(folder).files)
    assert len(own_embeddings) == 1 and "twice" in own_embeddings[0]
    assert np.allclose(np.linalg.norm(third.dense.vectors, axis=1), 1)
    rows = {passage.text: vector for passage, vector in zip(first.passages, first.dense.vectors)}
    for passage, vector in zip(third.passages, third.dense.vectors):
        assert passage.text not in rows or np.array_equal(rows[passage.text], vector)


def test_embedding_that_is_stopped_goes_on_where_it_was(own_embeddings, monkeypatch):
    lists = [["one"], ["two", "three"], ["four"]]
    counting = Embedder.encode

    def stopped(self, texts, *arguments, **options):
        if "four" in texts:
            raise KeyboardInterrupt
        return counting(self, texts, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "encode", stopped)
        with pytest.raises(KeyboardInterrupt):
            embed_lists(lists, together=2)
    own_embeddings.clear()
    found = embed_lists(lists, together=2)
    assert own_embeddings == ["four"] and [vectors.shape for vectors in found] == [(1, 384), (2, 384), (1, 384)]
    assert embed_lists([]) == []


def test_a_change_is_in_the_next_answer(folder):
    assistant = ask_folder(folder, Says("litres"))
    assert assistant.refresh() is False
    (folder / "guide.md").write_text(GUIDE.replace("1.2", "7.5"))
    (folder / "fan.txt").unlink()
    assert assistant.refresh() is True
    texts = [passage.text for passage in assistant.index.passages]
    assert any("7.5" in text for text in texts) and not any("1.2" in text or "grille" in text for text in texts)
    for path in folder.iterdir():
        path.unlink()
    assert assistant.refresh() is True and assistant.ask("How much water?").abstained


def test_an_empty_folder_is_one_clear_line(models, tmp_path):
    with pytest.raises(CourseError, match="nothing to read"):
        ask_folder(tmp_path, Says("x"))
    (tmp_path / "scan.pdf").write_bytes(b"no pdf")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    error = nothing_to_read(read_folder(tmp_path))
    assert "scan.pdf: not a PDF" in error.what and "1 of other kinds" in error.what


def test_ten_questions_are_marked_by_their_words(folder):
    """A model that always says the same is right where that is the answer, and cited where a quote holds it."""
    assistant = ask_folder(folder, Says("It holds 1.2 litres."))
    rows = measure(
        assistant,
        {
            "How much water does the kettle hold?": ["1.2", "one point two"],
            "How often is the kettle descaled?": ["six weeks"],
            "How heavy is the kettle when it is filled with water?": [],
            "Who won the football world cup in France?": [],
            "How is France governed?": ["by a president"],
        },
    )
    marks = [(row.answerable, row.abstained, row.found, row.right, row.cited) for row in rows]
    assert marks[0] == (True, False, True, True, True)
    assert marks[1] == (True, False, True, False, False), "the passage was there, and something else was said"
    assert marks[2] == (False, False, False, False, False), "nothing would have been right"
    assert marks[3] == (False, True, False, False, False)
    assert marks[4] == (True, True, False, False, False)
    told = rubric([row.as_dict() for row in rows])
    assert told == {"right": 1 / 3, "cited": 1 / 3, "silent": 1 / 2, "mute": 1 / 3}
    assert rubric([]) == {"right": None, "cited": None, "silent": None, "mute": None}


def test_a_threshold_silences_no_more_than_is_allowed():
    similarities = [0.1 * number for number in range(100)]
    for allowed in (0, 0.01, 0.1, 0.29, 0.57, 0.99):
        threshold = highest_threshold(similarities, allowed)
        assert sum(one < threshold for one in similarities) == round(allowed * 100)
    assert highest_threshold([0.4, 0.4, 0.4, 0.6], 0.5) == 0.4, "of equal ones all are silenced or none"
    for wrong in (-0.1, 1, 2):
        with pytest.raises(ValueError, match="allowed"):
            highest_threshold([0.5], wrong)


# --- the commands -----------------------------------------------------------------------------------------------------


def course(*arguments):
    result = CliRunner().invoke(cli.app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


def test_ask_abstains_with_a_reason_and_reports_every_bad_file(folder):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 damaged")
    (folder / "na\x1bme.md").write_bytes("Grüße".encode("latin-1"))
    code, out, err = course("ask", folder, "Who won the football world cup in France?")
    assert code == 0 and out.startswith("I do not know.\n(nothing in the folder is near the question")
    assert "Not read: bad.pdf: damaged" in err and "Note: na?me.md: not UTF-8" in err and "\x1b" not in out + err
    assert "4 files read; 1 not read" in err


def test_ask_json(folder):
    code, out, _ = course("ask", folder, "Who won the football world cup in France?", "--json")
    data = json.loads(out)
    assert code == 0 and data["abstained"] is True and data["sources"] == []
    assert data["folder"] == {"files": 3, "passages": 5, "skipped": {}} and data["notices"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ask", "nowhere", "x"], "There is no folder"),
        (["ask", ".", "x", "--model", "m"], "no server is named"),
        (["ask", ".", "x", "--base-url", "http://127.0.0.1:9/v1"], "refused the connection"),
        (["serve", ".", "--api-key", "a b"], "no spaces"),
        (["serve", "nowhere"], "There is no folder"),
    ],
)
def test_mistakes_are_said_in_two_lines(models, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = course(*arguments)
    assert code == 1 and words in err and "What to do:" in err and out == ""


@pytest.mark.slow
def test_ask_with_the_courses_model(folder):
    code, out, _ = course("ask", folder, "How much water does the tank of the kettle hold?", "--show-passages", "--k", 2)
    assert code == 0 and "1.2 litres" in out and "guide.md › Filling (line 5)" in out and "It holds 1.2 litres." in out


@pytest.mark.slow
def test_streaming_is_generation_piece_by_piece(models):
    lm = language_model()
    messages = [{"role": "user", "content": "Name three colours. ☕"}]
    pieces, made = read(generate_stream(lm, messages, 16))
    (whole,) = generate_counted(lm, [messages], 16)
    assert "".join(pieces) == made.text == whole.text and len(pieces) > 3
    assert (made.tokens_in, made.tokens_out) == (whole.tokens_in, whole.tokens_out)
    asked = []
    _, short = read(generate_stream(lm, messages, 64, lambda: asked.append(1) or len(asked) >= 3))
    assert short.tokens_out == 3
    stream = generate_stream(lm, messages, 1000)
    next(stream)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 10


@pytest.mark.slow
def test_serve_from_start_to_ctrl_c(folder):
    import openai

    command = [sys.executable, "-m", "course_lib.cli", "serve", str(folder), "--port", "0", "--api-key", "k"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        lines = [process.stdout.readline(), process.stdout.readline()]
        url = re.search(r"http://127\.0\.0\.1:\d+/v1", lines[1])[0]
        with openai.OpenAI(base_url=url, api_key="k", max_retries=0, timeout=120) as client:
            messages = [{"role": "user", "content": "How much water does the tank of the kettle hold?"}]
            made = client.chat.completions.create(model="open-book", messages=messages)
            assert "1.2 litres" in made.choices[0].message.content
            assert made.model_extra["sources"][0]["file"] == "guide.md"
            chunks = list(client.chat.completions.create(model="open-book", messages=messages, stream=True))
            words = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            assert words == made.choices[0].message.content and len(chunks) > 5
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0 and out.strip() == "Stopped." and "Traceback" not in err
    finally:
        process.kill()
        process.wait()


@contextmanager
def served(folder, *options):
    """``course serve`` in a process of its own, and its address."""
    command = [sys.executable, "-m", "course_lib.cli", "serve", str(folder), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        lines = [process.stdout.readline(), process.stdout.readline()]
        yield re.search(r"http://127\.0\.0\.1:\d+/v1", lines[1])[0]
        os.kill(process.pid, signal.SIGINT)
        assert process.communicate(timeout=30)[0].strip() == "Stopped."
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_pipeline_reads_with_a_server_in_another_process(folder, tmp_path, monkeypatch):
    """The server of one folder is the reader of another one: nothing in this process but the search."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kettle.md").write_text("# Kettle\n\n## Tank\n\nThe tank of the kettle holds 1.2 litres of water.\n")
    question = "How much water does the tank of the kettle hold?"
    with served(folder, "--api-key", "k", "--max-question", "20000") as url:
        assistant = ask_folder(mine, RemoteModel(url, api_key="k", timeout=300))
        whole = assistant.ask(question)
        pieces, streamed = read(assistant.stream(question))
        assert not whole.abstained and "1.2 litres" in whole.text and whole.sources[0].file == "kettle.md"
        assert "".join(pieces) == streamed.text == whole.text and len(pieces) > 3
        assert (streamed.cost.tokens_in, streamed.cost.tokens_out) == (whole.cost.tokens_in, whole.cost.tokens_out)
        monkeypatch.setenv("COURSE_API_KEY", "k")
        code, out, _ = course("ask", mine, question, "--base-url", url, "--timeout", 300)
        assert code == 0 and out.startswith(whole.text) and "kettle.md › Tank (line 5)" in out
        monkeypatch.setenv("COURSE_API_KEY", "wrong")
        code, out, err = course("ask", mine, question, "--base-url", url)
        assert code == 1 and out == "" and "key was refused" in err
    with pytest.raises(CourseError, match="refused the connection"):
        assistant.ask(question)
