"""The exercises and the quiz of lab 07, LoRA on CPU."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..finetune.lora import lora_forward, lora_size, merged_weight
from ..finetune.tickets import fields_right
from .registry import Case, Misconception, Option, QuizQuestion, add_quiz, exercise

# --- 07.1 -----------------------------------------------------------------------------------------------------------

Wanted = Mapping[str, str | None]


def _read(answer: str) -> dict[str, Any] | None:
    """The text as one JSON object, or None."""
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _count(value: Mapping[str, Any] | None, wanted: Wanted) -> int | None:
    if value is None or list(value) != list(wanted):
        return None
    return sum(value[key] == wanted[key] for key in wanted)


def _searched(answer: str, wanted: Wanted) -> int | None:
    found = re.search(r"\{.*\}", answer, re.DOTALL)
    return fields_right(found.group(), wanted) if found else None


def _only_the_beginning(answer: str, wanted: Wanted) -> int | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(answer.strip())
    except ValueError:
        return None
    return _count(value if isinstance(value, dict) else None, wanted)


def _any_order(answer: str, wanted: Wanted) -> int | None:
    value = _read(answer)
    return None if value is None or set(value) != set(wanted) else sum(value[key] == wanted[key] for key in wanted)


def _more_keys(answer: str, wanted: Wanted) -> int | None:
    value = _read(answer)
    return None if value is None else _count({key: value[key] for key in value if key in wanted}, wanted)


def _keys_not_compared(answer: str, wanted: Wanted) -> int | None:
    value = _read(answer)
    return None if value is None else sum(value.get(key) == wanted[key] for key in wanted)


def _null_as_text(answer: str, wanted: Wanted) -> int | None:
    value = _read(answer)
    return _count(value and {key: None if item == "null" else item for key, item in value.items()}, wanted)


def _all_as_text(answer: str, wanted: Wanted) -> int | None:
    value = _read(answer)
    return _count(value and {key: item if item is None else str(item) for key, item in value.items()}, wanted)


def _case_ignored(answer: str, wanted: Wanted) -> int | None:
    def small(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: item.lower() if isinstance(item, str) else item for key, item in values.items()}

    value = _read(answer)
    return _count(value and small(value), small(wanted))


def _none_is_zero(answer: str, wanted: Wanted) -> int:
    return fields_right(answer, wanted) or 0


def _all_or_nothing(answer: str, wanted: Wanted) -> int | None:
    right = fields_right(answer, wanted)
    return right if right is None or right == len(wanted) else 0


def _share_of_fields(answer: str, wanted: Wanted) -> float | None:
    right = fields_right(answer, wanted)
    return right / len(wanted) if right and wanted else right


def _always_an_object(answer: str, wanted: Wanted) -> int | None:
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    return _count({key: value[key] for key in value.keys()}, wanted)


def _read_as_python(answer: str, wanted: Wanted) -> int | None:
    try:
        value = ast.literal_eval(answer.strip())
    except (ValueError, SyntaxError):
        return None
    return _count(value if isinstance(value, dict) else None, wanted)


def _marked_by_pairs(answer: str, wanted: Wanted) -> int | None:
    value = _read(answer)
    if value is None or len(value) != len(wanted):
        return None
    right = 0
    for (key, item), (wanted_key, wanted_item) in zip(value.items(), wanted.items(), strict=True):
        if key != wanted_key:
            return None
        if type(item) is type(wanted_item) and item == wanted_item:
            right += 1
    return right


def _marked_by_difference(answer: str, wanted: Wanted) -> int | None:
    try:
        value = json.loads(answer)
        if tuple(value.keys()) != tuple(wanted):
            raise ValueError("other keys")
    except (ValueError, AttributeError):
        return None
    return len(wanted) - len([key for key, item in value.items() if item != wanted[key]])


@exercise("07.1", title="Mark an answer", points=2, minutes=7, difficulty=2, function="fields_right")
class MarkAnAnswer:
    """As strict as the program that has to read it."""

    reference = staticmethod(fields_right)
    public = [
        Case('{"product": "Alder", "code": "E21"}', {"product": "Alder", "code": "E21"}, says="all is right"),
        Case('{"product": "Beck", "code": null}', {"product": "Alder", "code": None}, says="the wrong product, rightly no code"),
        Case(
            '{"product": "Alder", "code": "null"}', {"product": "Alder", "code": None}, says="the text null where null is wanted"
        ),
        Case('{"product": "alder", "code": "E21"}', {"product": "Alder", "code": "E21"}, says="a small letter"),
        Case('{"product": "Alder", "code": 21}', {"product": "Alder", "code": "21"}, says="a number where a text is wanted"),
        Case(
            '\n {"product": "Alder",\n "code": null} \n', {"product": "Alder", "code": None}, says="white space and line breaks"
        ),
        Case('Sure! {"product": "Alder"}', {"product": "Alder"}, says="words before the object"),
        Case('{"product": "Alder"} Is that all?', {"product": "Alder"}, says="words after the object"),
        Case('{"code": "E21", "product": "Alder"}', {"product": "Alder", "code": "E21"}, says="the other order"),
        Case(
            '{"product": "Alder", "code": "E21", "mood": "cross"}', {"product": "Alder", "code": "E21"}, says="one key too many"
        ),
        Case('{"product": "Alder"}', {"product": "Alder", "code": None}, says="one key too few"),
        Case("{'product': 'Alder'}", {"product": "Alder"}, says="single quotes are Python, not JSON"),
        Case("null", {"product": "Alder"}, says="JSON, but no object"),
        Case("", {"product": "Alder"}, says="nothing at all"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """A random wanted object, and answers that are right, partly right, and spoilt in each way."""
        cases: list[Case] = []
        for _ in range(2):
            names = rng.sample(["product", "issue", "priority", "code", "wants"], rng.randint(2, 4))
            wanted: dict[str, str | None] = {name: rng.choice(["Alder", "Leak", "E27", "Refund"]) for name in names}
            wanted[names[-1]] = None
            number = str(rng.randint(10, 99))

            def text(value: Any) -> str:
                return json.dumps(value, indent=rng.choice([None, None, 1]))

            one_wrong = wanted | {names[0]: rng.choice(["Beck", "Noise", None])}
            answers: list[str] = [
                text(wanted),
                text(one_wrong),
                rng.choice([" ", "\n", "\t"]) + text(one_wrong) + "\n",
                text({name: "null" if item is None else item for name, item in wanted.items()}),
                text({name: item and item.lower() for name, item in wanted.items()}),
                rng.choice(["Here it is: ", "```json\n", "{"]) + text(wanted),
                text(wanted) + rng.choice([" Bye.", "\n```", "}"]),
                text(dict(reversed(wanted.items()))),
                text(wanted | {"mood": None}),
                text({"mood": "calm"} | wanted),
                text({name: wanted[name] for name in names[:-1]}),
                text(wanted)[: rng.randint(1, 9)],
                text([wanted]),
                rng.choice(["7", "true", "null"]),
                repr(wanted),
                "",
            ]
            cases += [Case(answer, wanted) for answer in answers]
            small = {name: item.lower() for name, item in wanted.items() if item is not None}
            cases += [Case(text(small), {name: wanted[name] for name in small}), Case("[]", {}), Case("{}", {})]
            cases.append(Case(f'{{"{names[0]}": {number}}}', {names[0]: number}))
        return cases

    misconceptions = [
        Misconception(
            _searched,
            "You look for an object inside the text: a program that reads the answer stumbles over every word around it.",
        ),
        Misconception(
            _only_the_beginning, "You read the first object and do not mind what follows: the whole text must be JSON."
        ),
        Misconception(_any_order, "The order of the keys is part of the house's form: compare lists of keys, not sets."),
        Misconception(_more_keys, "An answer with a key that nobody asked for passes with you: the keys must be exactly those."),
        Misconception(_keys_not_compared, "You never compare the keys: with get, a key that is missing counts as a right null."),
        Misconception(
            _null_as_text, "The text \"null\" is four letters, and null is nothing: in Python it is 'null' against None."
        ),
        Misconception(_all_as_text, "You turn values into text before you compare: the number 21 is not the text '21'."),
        Misconception(_case_ignored, "Capitals count in values: 'alder' is not what the desk files."),
        Misconception(
            _none_is_zero, "What cannot be read is None with you 0: no field right and not readable are different troubles."
        ),
        Misconception(_all_or_nothing, "You compare the objects as wholes: count the values that are right, one by one."),
        Misconception(_share_of_fields, "You return a share: return how many values are right."),
        Misconception(
            _always_an_object,
            "json.loads also reads a list, a number or null: ask isinstance(value, dict) before you ask for keys.",
        ),
        Misconception(_read_as_python, "You read the text as Python: JSON has double quotes and null. Use json.loads."),
    ]
    alternatives = [_marked_by_pairs, _marked_by_difference]
    hints = [
        "json.loads raises ValueError where the text as a whole is not JSON: put it into try and except.",
        "It may also give a list, a number or None: isinstance(value, dict). list(value) is the list of keys in their order.",
        "sum(value[key] == wanted[key] for key in wanted) counts what is right: null has become None.",
    ]


# --- 07.2 -----------------------------------------------------------------------------------------------------------

Array = np.ndarray


def _alpha_alone(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + alpha * (x @ a.T @ b.T)


def _not_scaled(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + x @ a.T @ b.T


def _no_base(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return alpha / len(a) * (x @ a.T @ b.T)


def _base_scaled(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return alpha / len(a) * (x @ weight.T + x @ a.T @ b.T)


def _scaled_twice(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + (alpha / len(a)) ** 2 * (x @ a.T @ b.T)


def _upside_down(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + len(a) / alpha * (x @ a.T @ b.T)


def _by_inputs(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + alpha / a.shape[1] * (x @ a.T @ b.T)


def _by_outputs(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + alpha / len(b) * (x @ a.T @ b.T)


def _by_root(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + alpha / len(a) ** 0.5 * (x @ a.T @ b.T)


def _b_first(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + alpha / len(a) * (x @ b.T @ a.T)


def _addition_not_turned(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight.T + alpha / len(a) * (x @ (b @ a))


def _base_not_turned(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight + alpha / len(a) * (x @ a.T @ b.T)


def _nothing_turned(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return x @ weight + alpha / len(a) * (x @ a @ b)


def _forward_by_rows(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> list[Array]:
    def layer(row: Array) -> Array:
        return weight.dot(row) + b.dot(a.dot(row)) * alpha / a.shape[0]

    return [layer(row) for row in x]


def _forward_by_numbers(x: Array, weight: Array, a: Array, b: Array, alpha: float) -> list[list[float]]:
    out = []
    for row in x.tolist():
        thin = [sum(p * q for p, q in zip(row, line, strict=True)) for line in a.tolist()]
        out.append(
            [
                sum(p * q for p, q in zip(row, line, strict=True))
                + sum(alpha * p * q for p, q in zip(thin, other, strict=True)) / len(thin)
                for line, other in zip(weight.tolist(), b.tolist(), strict=True)
            ]
        )
    return out


def _random_matrix(rng: random.Random, rows: int, columns: int) -> Array:
    return np.array([[rng.choice([-1, 1]) * rng.randint(1, 9) / 2 for _ in range(columns)] for _ in range(rows)])


def _random_shapes(rng: random.Random) -> list[tuple[int, int, int]]:
    """Shapes (out, in, rank): all three alike, out and in alike, none alike."""
    three = rng.sample(range(1, 6), 3)
    square, other = rng.sample(range(2, 6), 2)
    return [(2, 2, 2), (3, 3, 3), (square, square, 1), (square, square, other), (4, 3, 2), (three[0], three[1], three[2])]


@exercise("07.2", title="A layer with LoRA", points=2, minutes=8, difficulty=2, function="lora_forward")
class LayerWithLora:
    """The frozen layer, and beside it the thin path through A and B."""

    reference = staticmethod(lora_forward)
    public = [
        Case(
            np.array([[1.0, 2.0]]),
            np.array([[1.0, 1.0], [0.0, 1.0]]),
            np.array([[1.0, 3.0]]),
            np.array([[2.0], [1.0]]),
            3.0,
            says="two inputs, two outputs, rank 1",
        ),
        Case(
            np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]),
            np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]),
            np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]]),
            np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 3.0]]),
            8.0,
            says="three inputs, four outputs, rank 2",
        ),
        Case(
            np.array([[1.0, 2.0]]),
            np.array([[1.0, 2.0], [3.0, 4.0]]),
            np.array([[0.0, 1.0], [2.0, 1.0]]),
            np.array([[1.0, 1.0], [0.0, 2.0]]),
            6.0,
            says="inputs, outputs and rank are all 2: what is turned the wrong way still fits",
        ),
        Case(
            np.array([[1.0, 2.0], [3.0, 4.0]]),
            np.array([[1.0, 2.0], [0.0, 1.0], [5.0, 0.0]]),
            np.array([[1.0, 1.0]]),
            np.zeros((3, 1)),
            16.0,
            says="before training: b is zero",
        ),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random numbers in all kinds of shapes."""
        return [
            Case(
                _random_matrix(rng, rng.randint(1, 4), inputs),
                _random_matrix(rng, outputs, inputs),
                _random_matrix(rng, rank, inputs),
                _random_matrix(rng, outputs, rank),
                rng.choice([0.5, 3.0, 7.0, 16.0, 32.0]),
            )
            for outputs, inputs, rank in _random_shapes(rng)
        ]

    misconceptions = [
        Misconception(_alpha_alone, "You scale by alpha alone: it is alpha / rank, and the rank is the number of a's rows."),
        Misconception(_not_scaled, "You leave out alpha / rank, by which what comes through a and b is multiplied."),
        Misconception(_no_base, "The frozen layer is missing: what comes through a and b is added to x @ weight.T."),
        Misconception(_base_scaled, "You scale the frozen layer as well: only what comes through a and b is multiplied."),
        Misconception(_scaled_twice, "You multiply by alpha / rank twice, once for a and once for b: once is enough."),
        Misconception(_upside_down, "Your factor is upside down: alpha / rank, not rank / alpha."),
        Misconception(_by_inputs, "You divide by the number of inputs: the rank is len(a), a's other side."),
        Misconception(_by_outputs, "You divide by the number of outputs: len(b) is that; the rank is len(a)."),
        Misconception(_by_root, "You divide by the root of the rank. There is such a variant; here it is the rank itself."),
        Misconception(_b_first, "You go through b first: x goes through a, down to the rank, then through b, up to the outputs."),
        Misconception(
            _addition_not_turned,
            "x stands in rows, so b @ a must be transposed. Where inputs and outputs are as many, nobody warns you.",
        ),
        Misconception(
            _base_not_turned, "weight is (out, in) and x stands in rows: x @ weight.T. For square matrices nobody warns you."
        ),
        Misconception(_nothing_turned, "Nothing is transposed: x stands in rows, so weight, a and b each need a .T."),
    ]
    alternatives = [_forward_by_rows, _forward_by_numbers]
    hints = [
        "Write the shapes down: x is (n, in), so x @ weight.T is (n, out). The rank is len(a).",
        "x @ a.T is (n, rank): the thin middle. Then @ b.T makes it (n, out).",
        "Add the two, the second times alpha / len(a).",
    ]


# --- 07.3 -----------------------------------------------------------------------------------------------------------


class _ReadOnly(np.ndarray):
    """A matrix whose copies, which the learner's function gets, are plain arrays that refuse to be written to."""

    def __deepcopy__(self, memo: Any) -> Array:  # type: ignore[override]  # the copy is a plain array
        return _read_only(self.tolist())

    def __reduce__(self) -> Any:
        return _read_only, (self.tolist(),)

    def __repr__(self) -> str:
        return repr(np.asarray(self))


def _read_only(rows: Sequence[Sequence[float]]) -> Array:
    array = np.array(rows, dtype=float)
    array.flags.writeable = False
    return array


def _kept(rows: Any) -> Array:
    return np.array(rows, dtype=float).view(_ReadOnly)


def _merged_alpha_alone(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight + alpha * (b @ a)


def _merged_not_scaled(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight + b @ a


def _addition_only(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return alpha / len(a) * (b @ a)


def _weight_scaled(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return alpha / len(a) * (weight + b @ a)


def _merged_scaled_twice(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight + (alpha / len(a)) ** 2 * (b @ a)


def _merged_by_outputs(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight + alpha / len(b) * (b @ a)


def _a_times_b(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight + alpha / len(a) * (a @ b)


def _turned(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight + alpha / len(a) * (b @ a).T


def _number_by_number(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight + alpha / len(a) * (b * a)


def _taken_away(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    return weight - alpha / len(a) * (b @ a)


def _in_place(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    weight += alpha / len(a) * (b @ a)
    return weight


def _merged_by_ranks(weight: Array, a: Array, b: Array, alpha: float) -> Array:
    result = weight.copy()
    for row, column in zip(a, b.T, strict=True):
        result += np.outer(column, row) * alpha / len(a)
    return result


def _merged_by_numbers(weight: Array, a: Array, b: Array, alpha: float) -> list[list[float]]:
    ranks = range(a.shape[0])
    return [
        [weight[o, i] + alpha * sum(b[o, r] * a[r, i] for r in ranks) / len(ranks) for i in range(a.shape[1])]
        for o in range(b.shape[0])
    ]


@exercise("07.3", title="Merge it", points=2, minutes=6, difficulty=2, function="merged_weight")
class MergeIt:
    """One matrix in place of three."""

    reference = staticmethod(merged_weight)
    public = [
        Case(
            _kept([[1, 0], [0, 1]]),
            np.array([[1.0, 3.0]]),
            np.array([[2.0], [1.0]]),
            3.0,
            says="two inputs, two outputs, rank 1",
        ),
        Case(
            _kept([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]),
            np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]]),
            np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 3.0]]),
            8.0,
            says="three inputs, four outputs, rank 2",
        ),
        Case(
            _kept([[1, 2], [3, 4]]),
            np.array([[0.0, 1.0], [2.0, 1.0]]),
            np.array([[1.0, 1.0], [0.0, 2.0]]),
            6.0,
            says="inputs, outputs and rank are all 2",
        ),
        Case(_kept([[1, 2], [0, 1], [5, 0]]), np.array([[1.0, 1.0]]), np.zeros((3, 1)), 16.0, says="before training: b is zero"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random numbers in all kinds of shapes."""
        return [
            Case(
                _kept(_random_matrix(rng, outputs, inputs)),
                _random_matrix(rng, rank, inputs),
                _random_matrix(rng, outputs, rank),
                rng.choice([0.5, 7.0, 16.0, 32.0]),
            )
            for outputs, inputs, rank in _random_shapes(rng)
        ]

    misconceptions = [
        Misconception(_in_place, "You write into weight: it is lost to every other model that shares it. Make a new matrix."),
        Misconception(_merged_alpha_alone, "You multiply by alpha alone: divide it by the rank, which is len(a)."),
        Misconception(_merged_not_scaled, "alpha / rank is missing: without it the merged layer is not the layer you had."),
        Misconception(_addition_only, "You return what is added, without the weight that it is added to."),
        Misconception(_weight_scaled, "You scale the weight as well: only b @ a is multiplied by alpha / rank."),
        Misconception(_merged_scaled_twice, "You multiply by alpha / rank twice: once is enough."),
        Misconception(_merged_by_outputs, "You divide alpha by len(b), the number of outputs: the rank is len(a)."),
        Misconception(_a_times_b, "a @ b has the wrong shape, and where it fits by chance the wrong numbers: it is b @ a."),
        Misconception(
            _turned, "You transposed b @ a: it has weight's shape as it is, (out, in). The .T belonged to the rows of x."
        ),
        Misconception(_number_by_number, "You multiply number by number with *: the product of matrices is @."),
        Misconception(_taken_away, "You take the addition away: that is how one undoes a merge."),
    ]
    alternatives = [_merged_by_ranks, _merged_by_numbers]
    hints = [
        "Which product of a (rank, in) and b (out, rank) has the shape of weight, (out, in)?",
        "weight + ... makes a new matrix; weight += ... writes into the old one.",
    ]


# --- 07.4 -----------------------------------------------------------------------------------------------------------

Shapes = Sequence[tuple[int, int]]
Size = tuple[int, int, float]


def _as_large_as(numbers: int, frozen: int, each: int = 2, unit: int = 1_000_000) -> Size:
    return numbers, frozen, numbers * each / unit


def _rank_times_matrix(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    frozen = lora_size(shapes, rank, layers, trained)[1]
    return _as_large_as(trained * sum(rank * outputs * inputs for outputs, inputs in shapes), frozen)


def _a_only(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    frozen = lora_size(shapes, rank, layers, trained)[1]
    return _as_large_as(trained * sum(rank * inputs for _, inputs in shapes), frozen)


def _all_square(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    frozen = lora_size(shapes, rank, layers, trained)[1]
    return _as_large_as(trained * sum(2 * rank * inputs for _, inputs in shapes), frozen)


def _in_every_layer(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers // trained * layers, frozen)


def _in_one_layer(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers // trained, frozen)


def _frozen_below_only(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers, frozen // layers * (layers - trained))


def _frozen_on_top_only(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers, frozen // layers * trained)


def _trained_taken_off(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers, frozen - numbers)


def _in_mebibytes(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers, frozen, unit=1024 * 1024)


def _in_bytes(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers, frozen, unit=1)


def _four_bytes(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return _as_large_as(numbers, frozen, each=4)


def _rounded(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, size = lora_size(shapes, rank, layers, trained)
    return numbers, frozen, round(size, 1)


def _whole_model(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers, frozen, _ = lora_size(shapes, rank, layers, trained)
    return numbers, frozen, (numbers + frozen) * 2 / 1_000_000


def _never_refused(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    numbers = trained * sum(rank * (outputs + inputs) for outputs, inputs in shapes)
    return _as_large_as(numbers, layers * sum(outputs * inputs for outputs, inputs in shapes))


def _none_trained_passes(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    return (
        _never_refused(shapes, rank, layers, trained) if trained == 0 and rank > 0 else lora_size(shapes, rank, layers, trained)
    )


def _size_by_making_them(shapes: Shapes, rank: int, layers: int, trained: int) -> list[float]:
    if rank <= 0 or trained not in range(1, layers + 1):
        raise ValueError
    every = [np.empty(shape) for shape in shapes]
    thin = [np.empty((rank, w.shape[1])).size + np.empty((w.shape[0], rank)).size for w in every]
    count = sum(thin) * trained
    return [count, layers * sum(w.size for w in every), count / 500_000]


def _size_by_layers(shapes: Shapes, rank: int, layers: int, trained: int) -> Size:
    if min(rank, trained) < 1 or trained > layers:
        raise ValueError("rank or trained")
    numbers = frozen = 0
    for layer in range(layers):
        for shape in shapes:
            frozen += shape[0] * shape[1]
            if layer >= layers - trained:
                numbers += rank * sum(shape)
    return numbers, frozen, 2 * numbers / 10**6


@exercise("07.4", title="How many numbers are trained?", points=3, minutes=8, difficulty=2, function="lora_size")
class HowManyNumbers:
    """Why the file is small."""

    reference = staticmethod(lora_size)
    tolerance = 1e-9  # a small adapter is a small part of a megabyte
    public = [
        Case([(576, 576)], 8, 1, 1, says="one square matrix, one layer"),
        Case([(1536, 576), (576, 1536), (192, 576)], 16, 30, 10, says="matrices that are not square, LoRA on the top third"),
        Case([(200, 300)], 1, 12, 12, says="rank 1, LoRA on every layer"),
        Case([], 8, 4, 2, says="no matrix gets an adapter"),
        Case([(576, 576)], 0, 30, 10, says="rank 0"),
        Case([(576, 576)], 8, 30, 0, says="no layer"),
        Case([(576, 576)], 8, 30, 31, says="more layers than there are"),
    ]

    @staticmethod
    def hidden(rng: random.Random) -> list[Case]:
        """Random shapes, ranks and depths; and what is to be refused."""
        cases = []
        for _ in range(8):
            shapes = [(rng.randint(20, 900), rng.randint(20, 900)) for _ in range(rng.randint(1, 5))]
            layers = rng.randint(2, 40)
            cases.append(Case(shapes, rng.choice([2, 4, 8, 32]), layers, rng.randint(1, layers)))
        layers = rng.randint(2, 40)
        wrong = [(0, 1), (-1, layers), (8, 0), (8, -2), (8, layers + 1)]
        return cases + [Case([(64, 32)], rank, layers, trained) for rank, trained in wrong]

    misconceptions = [
        Misconception(
            _rank_times_matrix, "You multiply the whole matrix by the rank: A has rank * in numbers, and B has out * rank."
        ),
        Misconception(_a_only, "You count A and forget B: it has out * rank numbers."),
        Misconception(_all_square, "You take every matrix for a square one: A goes by its inputs, B by its outputs."),
        Misconception(_in_every_layer, "You count adapters in all layers: only the top `trained` ones have any."),
        Misconception(_in_one_layer, "You count the adapters of one layer: there are as many in each of the `trained` ones."),
        Misconception(
            _frozen_below_only, "You count as frozen only the layers without LoRA: under an adapter the matrix stays frozen too."
        ),
        Misconception(_frozen_on_top_only, "You count as frozen only the layers with LoRA: those below them are frozen as well."),
        Misconception(
            _trained_taken_off, "You take the trained numbers off the frozen ones: A and B are new, no part of the matrix."
        ),
        Misconception(_in_mebibytes, "You divide by 1024 * 1024, which gives mebibytes: a megabyte here is 1,000,000 bytes."),
        Misconception(_in_bytes, "Your size is in bytes: divide by 1,000,000."),
        Misconception(_four_bytes, "You count 4 bytes a number: the file keeps half precision, 2 bytes."),
        Misconception(_rounded, "You round the megabytes: leave that to whoever prints them."),
        Misconception(_whole_model, "Your file holds the frozen matrices too: an adapter is A and B alone, hence so small."),
        Misconception(_never_refused, "Nothing is refused: raise ValueError for a rank below 1, or trained outside 1 to layers."),
        Misconception(_none_trained_passes, "LoRA on 0 layers trains nothing: raise ValueError there too."),
    ]
    alternatives = [_size_by_making_them, _size_by_layers]
    hints = [
        "For one matrix (out, in): A is (rank, in) and B is (out, rank). How many numbers have both together?",
        "Sum them over shapes, times trained. Frozen: out * in, summed over shapes, times layers.",
        "First the checks: if rank < 1 or not 1 <= trained <= layers, raise ValueError. The file: numbers * 2 / 1_000_000.",
    ]


add_quiz(
    "07",
    [
        QuizQuestion(
            "After training, a prompt of one line is enough. Why?",
            [
                Option(
                    "The adapter keeps the long prompt and puts it in front.",
                    False,
                    "Nothing is put in front: the model reads one line. What training changed is what it answers to it.",
                ),
                Option(
                    "The examples showed the form: keys, their order, what may stand in them.",
                    True,
                    "Every example had this one line and an answer in that form. The price: for another form you train again.",
                ),
                Option(
                    "The line says all that is needed; the long prompt was never of use.",
                    False,
                    "It names no key and no list of values: an untrained model cannot know them from it.",
                ),
            ],
        ),
        QuizQuestion(
            "Why does B start at zero, and A at random?",
            [
                Option(
                    "To save memory until training begins.",
                    False,
                    "A zero takes as much room as any other number.",
                ),
                Option(
                    "So that training begins at the untouched model.",
                    True,
                    "B A is zero, whatever A is: the first answer is the base model's. A at random lets B learn from the first step on.",
                ),
                Option(
                    "It is a habit: both could start at zero.",
                    False,
                    "Then neither could learn: A's gradient has B as a factor, and B's has A x. Both would stay zero.",
                ),
            ],
        ),
        QuizQuestion(
            "Another desk wants only the kind of trouble, one label of a fixed list, at once, and no reply. What do you try first?",
            [
                Option(
                    "LoRA on the language model: it has seen more text.",
                    False,
                    "It writes an answer token by token, for one label. Train it if the cheap way, measured, is not good enough.",
                ),
                Option(
                    "The untrained language model with a long prompt.",
                    False,
                    "It too writes token by token, and it has learned from none of your labelled tickets.",
                ),
                Option(
                    "Logistic regression on embeddings.",
                    True,
                    "One label from a list is what a classifier is for. It cannot write a reply, and here it need not.",
                ),
            ],
        ),
        QuizQuestion(
            "The merged layer and the one with the adapter beside it differ in the last digits. What happened?",
            [
                Option(
                    "Nothing is wrong: the same sum is made in another order.",
                    True,
                    "On paper they are equal. A computer rounds after every step, and the steps are not the same ones.",
                ),
                Option(
                    "Merging lost a part of the adapter.",
                    False,
                    "W + (alpha / rank) B A holds all of it: a lost part would show in more than the last digits.",
                ),
                Option(
                    "Merging trained the model a little further.",
                    False,
                    "Merging is a sum: there is no example in it, and no gradient.",
                ),
            ],
        ),
    ],
)
