"""The exercises and the quiz of lab 12, ship it and bring your own."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from ..folders.measure import highest_threshold, rubric
from ..generation.events import join_stream
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 12.1 -----------------------------------------------------------------------------------------------------------

Numbers = Sequence[float]


def _silenced(similarities: Numbers, allowed: float) -> int:
    return int(allowed * len(similarities) + 1e-9)


def _one_too_many(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    ordered = sorted(similarities)
    return ordered[min(_silenced(similarities, allowed) + 1, len(ordered) - 1)] if ordered else 0.0


def _one_too_few(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    return sorted(similarities)[max(_silenced(similarities, allowed) - 1, 0)] if similarities else 0.0


def _as_they_come(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    return similarities[_silenced(similarities, allowed)] if similarities else 0.0


def _highest_first(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    return sorted(similarities, reverse=True)[_silenced(similarities, allowed)] if similarities else 0.0


def _the_share_itself(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    return min(similarities) + allowed * (max(similarities) - min(similarities)) if similarities else 0.0


def _nothing_lost(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    return min(similarities, default=0.0)


def _rounded_up(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    highest_threshold(similarities, allowed)
    count = -int(-allowed * len(similarities) // 1)
    return sorted(similarities)[min(count, len(similarities) - 1)] if similarities else 0.0


def _equal_ones_once(similarities: Numbers, allowed: float) -> float:
    highest_threshold(similarities, allowed)
    ordered = sorted(set(similarities))
    return ordered[min(_silenced(similarities, allowed), len(ordered) - 1)] if ordered else 0.0


def _any_share(similarities: Numbers, allowed: float) -> float:
    count = min(max(_silenced(similarities, allowed), 0), len(similarities) - 1)
    return sorted(similarities)[count] if similarities else 0.0


def _nothing_to_choose_from(similarities: Numbers, allowed: float) -> float:
    if not 0 <= allowed < 1:
        raise ValueError("allowed")
    return sorted(similarities)[_silenced(similarities, allowed)]


def _threshold_by_trying(similarities: list[float], allowed: float) -> float:
    if allowed < 0 or allowed >= 1:
        raise ValueError("allowed")
    fits = [one for one in similarities if sum(other < one for other in similarities) <= allowed * len(similarities) + 1e-9]
    return max(fits, default=0.0)


def _threshold_by_numpy(similarities: list[float], allowed: float) -> float:
    import numpy as np

    if not 0 <= allowed < 1:
        raise ValueError
    if not similarities:
        return 0.0
    return float(np.sort(similarities)[np.floor(np.round(allowed * len(similarities), 6)).astype(int)])


@exercise("12.1", title="How much silence?", points=2, minutes=8, difficulty=2, function="highest_threshold")
class HowMuchSilence:
    """The threshold below which an assistant does not answer."""

    reference = staticmethod(highest_threshold)
    public = [
        Case([0.62, 0.35, 0.51, 0.48], 0.25, says="one of four may be lost"),
        Case([0.62, 0.35, 0.51, 0.48], 0, says="none may be lost"),
        Case([0.3, 0.7, 0.5, 0.6, 0.4], 0.5, says="half of five is two, not three"),
        Case([0.2, 0.9, 0.4, 0.3, 0.8, 0.5], 0.5, says="three of six"),
        Case([0.4, 0.6, 0.4, 0.4, 0.9], 0.4, says="equal similarities: the three go together, or stay"),
        Case([0.55], 0.9, says="a single question"),
        Case([], 0.1, says="no questions"),
        Case([0.3, 0.6, 0.5], 1, says="all may be lost: that is no setting"),
        Case([0.3, 0.6, 0.5], -0.1, says="less than none"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random similarities, unsorted, some equal; shares that do not divide; none, and shares that are no shares."""
        cases = [
            Case([], rng.choice([0, 0.5])),
            Case([0.4, 0.5], rng.choice([1, 1.5])),
            Case([0.4, 0.5], rng.choice([-0.5, -1])),
            Case([0.5, 0.5, 0.5, 0.3 + rng.randint(0, 9) / 100, 0.8, 0.7], 0.5),
            Case([0.9, 0.3 + rng.randint(0, 9) / 100, 0.6, 0.5], 0.4),
            Case([0.8, 0.3 + rng.randint(0, 9) / 100, 0.7, 0.6], 0.0),
        ]
        for _ in range(8):
            values = [round(rng.uniform(0.1, 0.9), 2) for _ in range(rng.randint(4, 12))]
            cases.append(Case([*values, values[0]], rng.choice([0.1, 0.2, 0.25, 0.3, 0.5, 0.75])))
        return cases

    misconceptions = [
        Misconception(_one_too_many, "You silence one question too many: the similarity that you return is not below itself."),
        Misconception(_one_too_few, "You stop one question early: a question at the threshold itself is still answered."),
        Misconception(_as_they_come, "You count along the list as it comes: sort it first, the lowest first."),
        Misconception(_highest_first, "You sort the highest first: the questions that fall silent are those with the lowest."),
        Misconception(_the_share_itself, "You go that share of the way from the lowest to the highest: count questions instead."),
        Misconception(_nothing_lost, "That threshold silences nobody: a share may be lost, so go as high as it lets you."),
        Misconception(_rounded_up, "You round up: where the share is not a whole number of questions, silence fewer, not more."),
        Misconception(_equal_ones_once, "You count equal similarities once: each of them is a question."),
        Misconception(_any_share, "A share below 0, or of 1 and more, is no setting: raise ValueError."),
        Misconception(_nothing_to_choose_from, "Without questions there is nothing to choose from: return 0.0."),
    ]
    alternatives = [_threshold_by_trying, _threshold_by_numpy]
    hints = [
        "Check the share and the empty list. Then sort the similarities, the lowest first.",
        "How many questions may fall silent? The whole part of allowed * len(similarities).",
        "If m may fall silent, the threshold is the similarity at place m of the sorted list: m of them are below it, or fewer.",
    ]


# --- 12.2 -----------------------------------------------------------------------------------------------------------

Joined = tuple[str, bool]


def _objects(lines: Sequence[str], past_done: bool = False) -> tuple[list[dict[str, Any]], bool]:
    """The objects of a stream, and whether it said that it is done."""
    found, done = [], False
    for line in lines:
        name, _, value = line.partition(":")
        if name != "data":
            continue
        if value.strip() == "[DONE]":
            done = True
            if not past_done:
                break
            continue
        found.append(json.loads(value))
    return found, done


def _pieces(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    deltas = [one["choices"][0]["delta"] for one in objects if one["choices"]]
    return [delta["content"] for delta in deltas if delta.get("content")]


def _pieces_stripped(lines: Sequence[str]) -> Joined:
    objects, done = _objects(lines)
    return "".join(piece.strip() for piece in _pieces(objects)), done


def _pieces_with_spaces(lines: Sequence[str]) -> Joined:
    objects, done = _objects(lines)
    return " ".join(_pieces(objects)), done


def _stripped_at_the_end(lines: Sequence[str]) -> Joined:
    text, done = join_stream(lines)
    return text.strip(), done


def _reads_on(lines: Sequence[str]) -> Joined:
    objects, done = _objects(lines, past_done=True)
    return "".join(_pieces(objects)), done


def _always_complete(lines: Sequence[str]) -> Joined:
    return join_stream(lines)[0], True


def _complete_if_words(lines: Sequence[str]) -> Joined:
    text = join_stream(lines)[0]
    return text, bool(text)


def _complete_by_last_line(lines: Sequence[str]) -> Joined:
    return join_stream(lines)[0], bool(lines) and lines[-1] == "data: [DONE]"


def _complete_by_reason(lines: Sequence[str]) -> Joined:
    objects, _ = _objects(lines)
    reasons = [one["choices"][0].get("finish_reason") for one in objects if one["choices"]]
    return join_stream(lines)[0], any(reasons)


def _done_is_json(lines: Sequence[str]) -> Joined:
    objects = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    return "".join(_pieces(objects)), True


def _every_line_is_data(lines: Sequence[str]) -> Joined:
    for line in lines:
        if line.strip() and not line.startswith("data:"):
            raise json.JSONDecodeError("Expecting value", line, 0)
    return join_stream(lines)


def _content_is_always_there(lines: Sequence[str]) -> Joined:
    objects, done = _objects(lines)
    return "".join(one["choices"][0]["delta"]["content"] for one in objects if one["choices"]), done


def _choices_are_always_there(lines: Sequence[str]) -> Joined:
    objects, done = _objects(lines)
    return "".join(one["choices"][0]["delta"].get("content") or "" for one in objects), done


def _last_piece(lines: Sequence[str]) -> Joined:
    objects, done = _objects(lines)
    return (_pieces(objects) or [""])[-1], done


def _with_a_space(lines: Sequence[str]) -> Joined:
    return join_stream([line for line in lines if line.startswith("data: ")])


def _joined_by_slices(lines: list[str]) -> tuple[str, bool]:
    text = ""
    for line in lines:
        if not line.startswith("data:"):
            continue
        rest = line[len("data:") :].strip()
        if rest == "[DONE]":
            return text, True
        for choice in json.loads(rest).get("choices", [])[:1]:
            text += choice["delta"].get("content") or ""
    return text, False


def _joined_by_pattern(lines: list[str]) -> list[Any]:
    import re

    data = [match[1] for line in lines if (match := re.match(r"data:\s*(.*?)\s*$", line))]
    end = data.index("[DONE]") if "[DONE]" in data else len(data)
    events = [json.loads(one) for one in data[:end]]
    parts = [(event["choices"][0]["delta"].get("content") or "") if event["choices"] else "" for event in events]
    return ["".join(parts), end < len(data)]


def _event(content: str | None = None, finish: str | None = None, space: str = " ", **more: Any) -> str:
    delta = {} if content is None else {"content": content}
    return f"data:{space}" + json.dumps({"choices": [{"delta": delta | more, "finish_reason": finish}]}, ensure_ascii=False)


_FIRST = _event("", role="assistant")
_LAST = _event(finish="stop")
_TWO = 'data: {"choices": [{"delta": {"content": "Wipe"}}, {"delta": {"content": "Rinse"}}]}'
_USAGE = 'data: {"choices": [], "usage": {"total_tokens": 16}}'


@exercise("12.2", title="Put the pieces together", points=2, minutes=10, difficulty=2, function="join_stream")
class PutThePiecesTogether:
    """The text of a streamed answer, and whether it came to its end."""

    reference = staticmethod(join_stream)
    public = [
        Case([_FIRST, "", _event("Wipe"), "", _event(" it"), "", _LAST, "", "data: [DONE]", ""], says="two pieces"),
        Case([_event("Wipe"), "", _event(" it"), ""], says="the connection broke"),
        Case([_event("Half past "), "", _event("9."), "", "data: [DONE]"], says="spaces belong to the pieces"),
        Case([_event("Yes.\n"), "", "data: [DONE]", "", _event(" And more."), ""], says="something after the end"),
        Case([": still here", "", _event("A"), "", ": still here", "", "data: [DONE]"], says="comments in between"),
        Case([_event("A"), "", _LAST, "", _USAGE, "", "data: [DONE]", ""], says="an event without choices: it counts tokens"),
        Case([_event("12", space=""), "", _event(" °C", space=""), "", "data:[DONE]", ""], says="no space after the colon"),
        Case([_event("A"), "", _LAST, ""], says="a reason to finish, and then nothing"),
        Case(["data: [DONE]"], says="no words, and done"),
        Case([], says="nothing came"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random sentences in random pieces, with and without an end; comments, counts, missing spaces, and words after the end."""
        cases = [
            Case(["data: [DONE]", ""]),
            Case([_event("No end"), "", _LAST, ""]),
            Case([_TWO, "", _event(" it"), "", "data: [DONE]"]),
            Case([_event(rng.choice(["Late ", "Late\n"])), "", "data:[DONE]", "", _event("more"), ""]),
        ]
        for _ in range(9):
            words = [
                rng.choice(["The", " tank", " holds", " 1.2", " litres", ".", " ", "\n", " £38"])
                for _ in range(rng.randint(2, 6))
            ]
            lines = [_FIRST, ""]
            for word in words:
                lines += [_event(word, space=rng.choice([" ", " ", ""])), ""]
                if rng.random() < 0.3:
                    lines += [": still here", ""]
            lines += rng.choice([[_LAST, ""], [_LAST, "", _USAGE, ""], [_USAGE, ""], []])
            lines += rng.choice([["data: [DONE]", ""], ["data: [DONE]"], ["data: [DONE]", "", _event(" no"), ""], []])
            cases.append(Case(lines))
        return cases

    misconceptions = [
        Misconception(
            _pieces_stripped, "You strip the pieces: a piece begins with the space before its word. Join them as they are."
        ),
        Misconception(_pieces_with_spaces, "You put spaces between the pieces: they bring their own. Join with ''."),
        Misconception(_stripped_at_the_end, "You strip the text: return it as it came."),
        Misconception(_reads_on, "You read on after [DONE]: what follows belongs to no answer."),
        Misconception(
            _always_complete, "You call every stream complete: without [DONE] the connection broke, and words may be missing."
        ),
        Misconception(_complete_if_words, "Words do not make it complete, and an answer may have none: only [DONE] does."),
        Misconception(
            _complete_by_last_line, "You look for [DONE] in the last line only, or only with a space: look at each data line."
        ),
        Misconception(
            _complete_by_reason, "finish_reason says why the model stopped. That the stream is complete, only [DONE] says."
        ),
        Misconception(_done_is_json, "[DONE] is no JSON: look for it before you parse."),
        Misconception(_every_line_is_data, "Not every line is data: leave out blank ones, and those that begin with a colon."),
        Misconception(_content_is_always_there, "Not every delta has a content: the last one is empty. Use .get('content')."),
        Misconception(_choices_are_always_there, "Not every event has choices: the one that counts tokens has an empty list."),
        Misconception(_last_piece, "That is the last piece only: join all of them."),
        Misconception(_with_a_space, "You want a space after 'data:': it need not be there."),
    ]
    alternatives = [_joined_by_slices, _joined_by_pattern]
    hints = [
        "Go line by line and pass over whatever does not begin with 'data:'. What follows the colon, stripped, is [DONE] or JSON.",
        "At [DONE] you are finished: return what you have, and True. If the lines end without it, return what you have, and False.",
        "event['choices'] may be empty. Else event['choices'][0]['delta'].get('content') is a piece, or None.",
    ]


# --- 12.3 -----------------------------------------------------------------------------------------------------------

Rows = Sequence[Mapping[str, bool]]
Rubric = dict[str, float | None]


def _part(name: str, rows: Rows) -> float | None:
    return sum(row[name] for row in rows) / len(rows) if rows else None


def _answerable(rows: Rows) -> list[Mapping[str, bool]]:
    return [row for row in rows if row["answerable"]]


def _right_of_all(rows: Rows) -> Rubric:
    return rubric(rows) | {"right": _part("right", rows)}


def _right_of_answered(rows: Rows) -> Rubric:
    return rubric(rows) | {"right": _part("right", [row for row in _answerable(rows) if not row["abstained"]])}


def _cited_of_all(rows: Rows) -> Rubric:
    return rubric(rows) | {"cited": _part("cited", rows)}


def _cited_of_answerable(rows: Rows) -> Rubric:
    return rubric(rows) | {"cited": _part("cited", [row for row in _answerable(rows) if not row["abstained"]])}


def _cited_of_right(rows: Rows) -> Rubric:
    return rubric(rows) | {"cited": _part("cited", [row for row in rows if row["right"]])}


def _silent_of_the_silent(rows: Rows) -> Rubric:
    quiet = [row for row in rows if row["abstained"]]
    return rubric(rows) | {"silent": sum(not row["answerable"] for row in quiet) / len(quiet) if quiet else None}


def _silent_of_all(rows: Rows) -> Rubric:
    return rubric(rows) | {
        "silent": sum(row["abstained"] and not row["answerable"] for row in rows) / len(rows) if rows else None
    }


def _mute_of_all(rows: Rows) -> Rubric:
    return rubric(rows) | {"mute": _part("abstained", rows)}


def _mute_is_not_right(rows: Rows) -> Rubric:
    wrong = [not row["right"] for row in _answerable(rows)]
    return rubric(rows) | {"mute": sum(wrong) / len(wrong) if wrong else None}


def _zero_for_none(rows: Rows) -> Rubric:
    return {name: share or 0.0 for name, share in rubric(rows).items()}


def _crash_for_none(rows: Rows) -> Rubric:
    shares = rubric(rows)
    if None in shares.values():
        raise ZeroDivisionError("division by zero")
    return shares


def _hundred(rows: Rows) -> Rubric:
    return {name: None if share is None else 100 * share for name, share in rubric(rows).items()}


def _counts(rows: Rows) -> Rubric:
    others = [row for row in rows if not row["answerable"]]
    return {
        "right": sum(row["right"] for row in rows),
        "cited": sum(row["cited"] for row in rows),
        "silent": sum(row["abstained"] for row in others),
        "mute": sum(row["abstained"] for row in _answerable(rows)),
    }


def _rubric_by_sums(rows: list[dict[str, bool]]) -> dict[str, float | None]:
    sums = {"right": [0, 0], "cited": [0, 0], "silent": [0, 0], "mute": [0, 0]}
    for row in rows:
        if not row["abstained"]:
            sums["cited"][0] += row["cited"]
            sums["cited"][1] += 1
        if row["answerable"]:
            sums["right"][0] += row["right"]
            sums["mute"][0] += row["abstained"]
            sums["right"][1] += 1
            sums["mute"][1] += 1
        else:
            sums["silent"][0] += row["abstained"]
            sums["silent"][1] += 1
    return {name: hits / count if count else None for name, (hits, count) in sums.items()}


def _rubric_by_numpy(rows: list[dict[str, bool]]) -> dict[str, float | None]:
    import numpy as np

    names = ("answerable", "abstained", "right", "cited")
    answerable, abstained, right, cited = (np.array([row[name] for row in rows], dtype=bool) for name in names)
    wanted = {
        "right": (right, answerable),
        "cited": (cited, ~abstained),
        "silent": (abstained, ~answerable),
        "mute": (abstained, answerable),
    }
    return {name: float(marks[of].mean()) if of.any() else None for name, (marks, of) in wanted.items()}


def _row(answerable: bool, abstained: bool = False, right: bool = False, cited: bool = False) -> dict[str, bool]:
    return {"answerable": answerable, "abstained": abstained, "right": right, "cited": cited}


_GOOD, _UNCITED, _WRONG, _MUTE = _row(True, right=True, cited=True), _row(True, right=True), _row(True), _row(True, True)
_MISREAD = _row(True, cited=True)  # the source holds the answer, and something else was said
_SILENT, _INVENTED = _row(False, True), _row(False)


@exercise("12.3", title="Your rubric", points=3, minutes=10, difficulty=2, function="rubric")
class YourRubric:
    """Four shares that say how good an assistant is on questions of one's own."""

    reference = staticmethod(rubric)
    public = [
        Case([_GOOD, _GOOD, _WRONG, _MUTE, _SILENT, _INVENTED], says="some of everything"),
        Case(
            [_GOOD, _UNCITED, _MISREAD, _MUTE, _INVENTED, _INVENTED, _SILENT],
            says="right without a source, a source without right",
        ),
        Case([_MUTE, _MUTE, _GOOD, _GOOD, _SILENT, _SILENT, _SILENT, _INVENTED], says="often silent"),
        Case([_GOOD, _WRONG, _MUTE], says="nothing unanswerable was asked"),
        Case([_SILENT, _INVENTED, _INVENTED], says="nothing answerable was asked"),
        Case([_MUTE, _SILENT], says="it never speaks"),
        Case([], says="nothing was asked"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random rows of all kinds; none answerable, none unanswerable, none answered, and none at all."""
        kinds = [_GOOD, _UNCITED, _MISREAD, _WRONG, _MUTE, _SILENT, _INVENTED]
        cases = [
            Case([]),
            Case([rng.choice([_SILENT, _INVENTED]) for _ in range(3)]),
            Case([_GOOD, rng.choice([_WRONG, _MISREAD]), _MUTE]),
            Case([_MUTE] * rng.randint(1, 3) + [_SILENT] * rng.randint(1, 3)),
            Case([_GOOD, _MISREAD, _UNCITED, _MUTE, _MUTE, _SILENT, _INVENTED]),
        ]
        for _ in range(7):
            rows = [rng.choice(kinds) for _ in range(rng.randint(5, 12))]
            cases.append(Case([*rows, _GOOD, _SILENT]))
        return cases

    misconceptions = [
        Misconception(_right_of_all, "'right' is a share of the answerable questions: the others have no right answer."),
        Misconception(
            _right_of_answered, "You leave out of 'right' what was not answered: a question left silent was not answered rightly."
        ),
        Misconception(_cited_of_all, "'cited' is a share of the answers that were given: silence needs no source."),
        Misconception(
            _cited_of_answerable,
            "You leave out the answers to unanswerable questions: an invented answer has no source, and it was given.",
        ),
        Misconception(_cited_of_right, "You count sources of right answers only: every answer that was given must show one."),
        Misconception(_silent_of_the_silent, "'silent' is a share of the unanswerable questions, not of the silences."),
        Misconception(_silent_of_all, "You divide 'silent' by all questions: divide by the unanswerable ones."),
        Misconception(_mute_of_all, "'mute' is about answerable questions only: silence on the others is right."),
        Misconception(_mute_is_not_right, "You count wrong answers as mute: mute is where nothing was said."),
        Misconception(_zero_for_none, "Where there is nothing to divide by, 0.0 would be a verdict: return None."),
        Misconception(_crash_for_none, "Where there is nothing to divide by you crash: return None for that share."),
        Misconception(_hundred, "That is per cent: a share goes from 0 to 1."),
        Misconception(_counts, "These are counts: divide each by the number of rows that it is about."),
    ]
    alternatives = [_rubric_by_sums, _rubric_by_numpy]
    hints = [
        "Make three lists first: the answerable rows, the unanswerable ones, and those that were answered (not abstained).",
        "Write share(marks): sum(marks) / len(marks), or None where the list is empty. It serves all four.",
        "right and mute are shares of the answerable, silent of the unanswerable, cited of those that were answered.",
    ]


add_quiz(
    "12",
    [
        QuizQuestion(
            "An answer names a file, a section and a line, and the words there are quoted. What do you know now?",
            [
                Option(
                    "That the answer is right.",
                    False,
                    "The quotation is real; whether it says what the answer says, nobody has looked. A model misreads good passages.",
                ),
                Option(
                    "Where to look to see whether it is right.",
                    True,
                    "That is what a source is for. Our marks look whether the quoted words hold the answer; a person reads them.",
                ),
                Option(
                    "That the model read this passage and no other.",
                    False,
                    "It was shown several. Where it cites none, a program chose this one afterwards, by the words that they share.",
                ),
            ],
        ),
        QuizQuestion(
            "You raise the threshold until all ten of your unanswerable questions meet silence, and measure on the same ten. What now?",
            [
                Option(
                    "It is done: no invented answers any more.",
                    False,
                    "A threshold that was fitted to ten questions fits these ten. The eleventh was not asked.",
                ),
                Option(
                    "Measure on questions that you did not choose it with, and look at what fell silent on the other side.",
                    True,
                    "Silence has a price: answerable questions with a low similarity go too. Both sides need questions of their own.",
                ),
                Option(
                    "Raise it a little more, to be on the safe side.",
                    False,
                    "An assistant that says nothing invents nothing, and helps nobody.",
                ),
            ],
        ),
        QuizQuestion(
            "A colleague wants to try your adapter. She has the same base model. What do you send?",
            [
                Option(
                    "The merged model: it is whole.",
                    False,
                    "It works, and nearly all of it she has already. Merge where the base is not at hand, or a program cannot load adapters.",
                ),
                Option(
                    "The adapter with its card.",
                    True,
                    "Some megabytes, with the name of its base, its recipe, its data and its licence. The hash shows whether it arrived whole.",
                ),
                Option(
                    "The weights alone; the rest she will see.",
                    False,
                    "On another base they are noise, and nothing in them says which base, what for, or under which licence.",
                ),
            ],
        ),
        QuizQuestion(
            "You start the server on 0.0.0.0 so that the office can use it. What is still missing?",
            [
                Option(
                    "Nothing: it asks for a key.",
                    False,
                    "Key and questions cross the network as they are: whoever listens has both.",
                ),
                Option(
                    "Encryption, in front of it; and a thought about who may see which document.",
                    True,
                    "A proxy that speaks HTTPS does the one. The other is lab 05: here whoever has the key can ask about everything in the folder.",
                ),
                Option(
                    "A faster machine.",
                    False,
                    "Perhaps too: one question is answered at a time. But that costs patience, not secrets.",
                ),
            ],
        ),
    ],
)
