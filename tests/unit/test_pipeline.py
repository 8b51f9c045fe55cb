"""The pipeline by its behaviour: another context, another answer; the budget holds; many at once are the same as one by one."""

from __future__ import annotations

import pytest

from course_lib.corpus import load_exam, load_passages
from course_lib.evaluation import OracleSearch, RandomSearch
from course_lib.evaluation.marks import citation_scores, mark, mark_answer, measures
from course_lib.generation import FEW_SHOT, PLAIN, build_prompt
from course_lib.generation.generate import generate_counted
from course_lib.models import language_model
from course_lib.pipeline import Assistant
from course_lib.retrieval import BM25Index, Record

KETTLE = Record("a", "The Tansy kettle holds 7 litres of water.", "Tansy kettle", {"audience": "customer"})
OTHER = Record("a", "The Tansy kettle holds 4 litres of water.", "Tansy kettle", {"audience": "customer"})
NOTE = Record("n", "Staff only: the Tansy kettle holds 9 litres of water.", "Tansy kettle", {"audience": "staff"})
FAN = Record("f", "Wash the grille of the fan once a month.", "Kite fan", {"audience": "customer"})
ASKED = "How many litres of water does the Tansy kettle hold?"


class Fixed:
    """A search that finds what it is told to, and keeps what it was asked with."""

    def __init__(self, *passages):
        self.passages, self.asked = list(passages), []

    def search(self, question, k=5, where=None):
        return self.search_many([question], k, where)[0]

    def search_many(self, questions, k=5, where=None):
        self.asked += [(question, k, where) for question in questions]
        return RandomSearch(self.passages).search_many(questions, k, where)


@pytest.fixture(scope="module")
def lm(models):
    return language_model()


def test_another_context_gives_another_answer(lm):
    first = Assistant(Fixed(KETTLE), lm, style=PLAIN, max_new_tokens=16).ask(ASKED)
    second = Assistant(Fixed(OTHER), lm, style=PLAIN, max_new_tokens=16).ask(ASKED)
    assert "7" in first.text and "4" not in first.text
    assert "4" in second.text and "7" not in second.text


def test_an_answer_carries_what_it_came_from(lm):
    answer = Assistant(Fixed(KETTLE, FAN), lm, k=2, max_new_tokens=8).ask(ASKED)
    assert {passage.id for passage in answer.passages} == {"a", "f"} and answer.passages == answer.prompt.passages
    assert answer.question == ASKED and ASKED in answer.prompt.messages[-1]["content"]
    assert answer.cost.tokens_in == answer.prompt.tokens == lm.count_tokens(answer.prompt.messages)
    assert 1 <= answer.cost.tokens_out <= 8
    assert set(answer.cost.ms) >= {"prompt", "generate"} and all(ms >= 0 for ms in answer.cost.ms.values())


def test_the_same_question_gives_the_same_answer(lm):
    assistant = Assistant(Fixed(KETTLE), lm, max_new_tokens=12)
    assert assistant.ask(ASKED).text == assistant.ask(ASKED).text


def test_an_empty_index_still_answers(lm):
    """Nothing was found, so nothing is shown and nothing can be cited."""
    answer = Assistant(BM25Index([]), lm, max_new_tokens=8).ask(ASKED)
    assert answer.passages == () and answer.cited == () and answer.prompt.messages[-1]["content"] == f"Question: {ASKED}"
    assert Assistant(BM25Index([]), lm).ask_many([]) == []


def test_the_filter_goes_into_the_search_and_what_it_keeps_out_is_not_in_the_prompt():
    search = Fixed(KETTLE, NOTE, FAN)
    where = {"audience": "customer"}
    assistant = Assistant(search, None, k=3, where=where)
    hits = assistant.search.search(ASKED, assistant.k, assistant.where)
    assert {hit.passage.id for hit in hits} == {"a", "f"}
    bm25 = BM25Index([KETTLE, NOTE, FAN])
    assert [hit.passage.id for hit in bm25.search(ASKED, 1, where)] == ["a"], "fewer hits would be as bad as a leak"


def test_ask_hands_its_k_and_its_filter_to_the_search(lm):
    search, where = Fixed(KETTLE, NOTE, FAN), {"audience": "customer"}
    assistant = Assistant(search, lm, k=2, where=where, max_new_tokens=2)
    one = assistant.ask(ASKED)
    (other,) = assistant.ask_many([ASKED])
    assert search.asked == [(ASKED, 2, where)] * 2
    assert NOTE not in one.passages + other.passages


def test_the_budget_holds_to_the_token(lm):
    passages = load_passages()[:4]
    whole = build_prompt(ASKED, passages, lm.count_tokens, budget=10**6).tokens
    for budget, kept in ((whole, 4), (whole - 1, 3)):
        prompt = Assistant(Fixed(), lm, budget=budget).prompt(ASKED, passages)
        assert prompt.tokens <= budget and len(prompt.passages) == kept
    with pytest.raises(ValueError, match="shorten it or raise the budget"):
        Assistant(Fixed(), lm, budget=10).prompt(ASKED, passages)


def test_an_empty_question_is_refused(lm):
    with pytest.raises(ValueError, match="empty"):
        Assistant(Fixed(KETTLE), lm).ask("  ")


def test_passages_and_questions_must_be_as_many(lm):
    with pytest.raises(ValueError):
        Assistant(Fixed(), lm).read_many([ASKED], [])


def test_citations_lead_to_the_passages_that_were_shown():
    prompt = build_prompt(ASKED, [FAN, KETTLE], lambda messages: 0)
    answer = Assistant.answer(ASKED, prompt, "It holds 7 litres [2][9]. Wash it [1, 2].", None)
    assert answer.cited == (KETTLE, FAN) and answer.words == "It holds 7 litres. Wash it."
    nothing = Assistant.answer(ASKED, build_prompt(ASKED, [], lambda messages: 0), "[1]", None)
    assert nothing.cited == () and nothing.words == ""


def test_what_did_not_fit_cannot_be_cited():
    words = lambda messages: sum(len(message["content"].split()) for message in messages)
    prompt = build_prompt(ASKED, [FAN, Record("long", "word " * 500)], words, budget=120)
    assert prompt.left_out[0].id == "long"
    assert Assistant.answer(ASKED, prompt, "Yes [1] [2].", None).cited == (FAN,)


@pytest.mark.slow
def test_many_at_once_are_the_same_as_one_by_one(lm):
    """Prompts of very different lengths in one batch: padding must not change what the model reads."""
    passages = load_passages()
    questions = [question.question for question in load_exam("dev")[:6]]
    shown = [passages[at : at + at % 4] for at in range(6)]  # none to three passages
    assistant = Assistant(Fixed(), lm, style=PLAIN, max_new_tokens=10)
    together = assistant.read_many(questions, shown)
    alone = [assistant.read_many([question], [one])[0] for question, one in zip(questions, shown)]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.cost.tokens_in for answer in together] == [answer.prompt.tokens for answer in together]
    assert len({answer.cost.tokens_in for answer in together}) > 3


def test_the_order_of_questions_is_the_order_of_answers(lm):
    prompts = [build_prompt(ASKED, [passage], lm.count_tokens, style=PLAIN).messages for passage in (KETTLE, OTHER)]
    short, long = prompts[0], build_prompt(ASKED, [OTHER], lm.count_tokens, style=FEW_SHOT).messages
    one, other = generate_counted(lm, [long, short], 8)
    back, forth = generate_counted(lm, [short, long], 8)
    assert (one.text, other.text) == (forth.text, back.text)
    assert one.tokens_in > other.tokens_in


# --- marks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cited", "gold", "precision", "recall"),
    [
        ([], [["a"]], None, 0.0),
        (["a"], [["a", "b"]], 1.0, 1.0),
        (["x"], [["a"]], 0.0, 0.0),
        (["a", "x"], [["a"], ["b"]], 0.5, 0.5),
        (["a", "b"], [["a"], ["b"]], 1.0, 1.0),
        (["a"], [["a"], []], 1.0, 0.5),
    ],
)
def test_citations_are_scored_by_fact(cited, gold, precision, recall):
    assert citation_scores(cited, gold) == (precision, recall)


def test_without_gold_there_is_no_citation_score():
    with pytest.raises(ValueError, match="gold"):
        citation_scores(["a"], [])


def test_marks_blame_the_search_or_the_reader():
    question = next(question for question in load_exam("dev") if question.type == "single")
    right = mark(question, question.answer, ["a"], ["a"], [["a"]])
    unread = mark(question, "No idea at all", ["a"], [], [["a"]])
    unfound = mark(question, "No idea at all", ["x"], [], [["a"]])
    assert (right.right, right.blame, right.citation_recall) == (True, "", 1.0)
    assert (unread.right, unread.blame) == (False, "reader")
    assert (unfound.right, unfound.blame) == (False, "retrieval")
    silent = mark(question, f"I do not know. {question.answer}", ["a"], [], [["a"]])
    assert silent.abstained and not silent.right


def test_an_unanswerable_question_is_right_if_the_answer_abstains():
    question = next(question for question in load_exam("dev") if not question.answerable)
    assert mark(question, "I do not know.", ["a"], [], []).right
    wrong = mark(question, "It weighs 3 kg.", ["a"], ["a"], [])
    assert not wrong.right and wrong.blame == "reader" and wrong.citation_precision is None


def test_an_oracle_is_marked_above_chance():
    passages = load_passages()
    questions = [question for question in load_exam("dev") if question.answerable][:20]
    from course_lib.corpus import gold_passages

    def marks_of(search):
        made = []
        for question in questions:
            shown = [hit.passage for hit in search.search(question.question, 3)]
            prompt = build_prompt(question.question, shown, lambda messages: 0)
            answer = Assistant.answer(question.question, prompt, question.answer + " [1]", None)
            made.append(mark_answer(question, answer, gold_passages(question, passages)))
        return {measure.name: measure for measure in measures(made)}

    best, chance = marks_of(OracleSearch(passages, questions)), marks_of(RandomSearch(passages))
    assert best["citation precision"].value == 1.0 and chance["citation precision"].value < 0.2
    assert best["right"].value == chance["right"].value == 1.0, "the words of the answer are marked without regard to the search"
