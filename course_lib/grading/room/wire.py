"""Values as JSON and back, for both sides of the wall. Nothing is ever unpickled, and reading makes plain data only."""

from __future__ import annotations

import json
from typing import Any

DEEPEST, LONGEST = 40, 1_000_000
MOST_KEYS = 2_000  # of one dictionary or set: whoever chooses the keys could make more of them very slow
SHOWN, NAMED = 160, 80


class Foreign:
    """Stands for a value that is no plain data: the name of its type and what it looked like. It equals nothing.

    >>> Foreign("Spoof", "<Spoof>") == Foreign("Spoof", "<Spoof>")
    False
    """

    def __init__(self, type_name: str, shown: str, iterator: bool = False) -> None:
        self.type_name, self.shown, self.iterator = type_name, shown, iterator

    def __repr__(self) -> str:
        return self.shown

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__


def _show(value: Any) -> str:
    try:
        return str(repr(value))[:SHOWN]
    except BaseException as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


class _Writer:
    def __init__(self) -> None:
        self.left = LONGEST

    def pack(self, value: Any, depth: int = 0) -> Any:
        self.left -= 1
        if depth > DEEPEST or self.left < 0:
            return {"foreign": "too large", "shown": "a value that is too deep or too large"}
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind in (int, float, str):
            return value
        if kind.__module__.split(".")[0] == "numpy" and hasattr(value, "tolist"):
            if getattr(value, "ndim", 0) == 0:
                return self.pack(value.tolist(), depth + 1)
            rows = self.pack(value.tolist(), depth + 1)
            return {"array": rows, "dtype": str(value.dtype), "writeable": bool(value.flags.writeable)}
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, list):
            return [self.pack(item, depth + 1) for item in list.__iter__(value)]
        if isinstance(value, tuple):
            return {"tuple": [self.pack(item, depth + 1) for item in tuple.__iter__(value)]}
        if isinstance(value, (dict, set, frozenset)) and len(value) > MOST_KEYS:
            return {"foreign": "too large", "shown": f"a {kind.__name__[:NAMED]} of more than {MOST_KEYS}"}
        if isinstance(value, dict):
            pairs = dict.items(value)
            return {"dict": [[self.pack(key, depth + 1), self.pack(item, depth + 1)] for key, item in pairs]}
        if isinstance(value, (set, frozenset)):
            return {"set": [self.pack(item, depth + 1) for item in value]}
        return {"foreign": kind.__name__[:NAMED], "shown": _show(value), "iterator": hasattr(value, "__next__")}


def pack(value: Any) -> Any:
    """A value as JSON's own types. Tuples, dictionaries, sets and arrays are marked; anything else only leaves its looks.

    >>> pack((1, {"a": 2.5}))
    {'tuple': [1, {'dict': [['a', 2.5]]}]}
    """
    return _Writer().pack(value)


def unpack(value: Any) -> Any:
    """The inverse of :func:`pack`. Raises :class:`ValueError` where the value was not made by it.

    >>> unpack(pack((1, {"a": [2.5, None]})))
    (1, {'a': [2.5, None]})
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [unpack(item) for item in value]
    try:
        if "tuple" in value:
            return tuple(unpack(item) for item in value["tuple"])
        if len(value.get("dict", value.get("set", ()))) > MOST_KEYS:
            raise ValueError(f"more than {MOST_KEYS} keys")
        if "dict" in value:
            return {unpack(key): unpack(item) for key, item in value["dict"]}
        if "set" in value:
            return {unpack(item) for item in value["set"]}
        if "array" in value:
            return _array(value)
        return Foreign(str(value["foreign"])[:NAMED], str(value["shown"])[:SHOWN], bool(value.get("iterator")))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not a packed value: {type(error).__name__}") from error


def _array(value: Any) -> Any:
    import numpy as np

    if len(name := str(value["dtype"])) > NAMED:
        raise ValueError("no kind of number")
    kind = np.dtype(name)
    rows = unpack(value["array"])
    if kind.kind not in "biuf":
        return rows  # of texts, which can be made as wide as one likes, or of objects: judged as the list that it holds
    array = np.array(rows, dtype=kind)
    array.flags.writeable = bool(value.get("writeable", True))
    return array


def dumps(value: Any) -> str:
    """A packed value as one line of text."""
    return json.dumps(pack(value))


def loads(text: str) -> Any:
    """The value of a line of text. Raises :class:`ValueError` for whatever is wrong with it.

    >>> loads("[" * 100_000)
    Traceback (most recent call last):
    ValueError: too deep
    """
    try:
        return unpack(json.loads(text))
    except RecursionError:
        raise ValueError("too deep") from None
    except (OverflowError, MemoryError, TypeError) as error:
        raise ValueError(str(error)) from error
