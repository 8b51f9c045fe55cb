"""What a search finds and what it may be told to leave out: texts with metadata, and filters over metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Value = str | int | float | bool | None
Metadata = Mapping[str, Value | Sequence[str]]
Filter = Mapping[str, Value | Sequence[Value]]
"""For each named field, the value or one of the values that a text must have: ``{"audience": "customer", "products": ["a", "b"]}``."""


class Text(Protocol):
    """Anything that can be searched and put into a prompt: a :class:`~course_lib.corpus.Passage`, or a :class:`Record`."""

    @property
    def id(self) -> str:
        """A name that no other text has."""

    @property
    def title(self) -> str:
        """What the text is about; may be empty."""

    @property
    def text(self) -> str:
        """The words."""

    @property
    def metadata(self) -> Metadata:
        """What a filter may ask for."""


@dataclass(frozen=True)
class Record:
    """A text by itself, without a document around it: what a store keeps, and what searches over your own data take.

    >>> Record("faq#1", "Fill the tank first.", title="Start")
    Record(id='faq#1', text='Fill the tank first.', title='Start', metadata={})
    """

    id: str
    text: str
    title: str = ""
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """A found text with its score. Scores of different searches do not compare."""

    passage: Any  # a Text; Any, because those who search passages may ask them for more
    score: float


def titled(text: Text) -> str:
    """A text with its title in front: what is embedded and counted, so that a passage can be found by what only its title says.

    >>> titled(Record("a", "Wipe it.", title="Kettle › Care"))
    'Kettle › Care\\nWipe it.'
    """
    return f"{text.title}\n{text.text}" if text.title else text.text


def check_filter(where: Filter | None) -> None:
    """Raise ``TypeError`` for a filter that is not a dictionary of fields with plain values.

    >>> check_filter({"audience": {"not": "staff"}})
    Traceback (most recent call last):
    TypeError: a filter names values, such as {"audience": "customer"} or {"products": ["a", "b"]}; it cannot hold {'not': 'staff'}
    """
    if where is not None and not isinstance(where, Mapping):
        raise TypeError(f'a filter is a dictionary such as {{"audience": "customer"}}, not {where!r}')
    for name, wanted in (where or {}).items():
        values = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        for value in values:
            if not isinstance(name, str) or not (value is None or isinstance(value, (str, int, float, bool))):
                example = '{"audience": "customer"} or {"products": ["a", "b"]}'
                raise TypeError(f"a filter names values, such as {example}; it cannot hold {value!r}")


def matches(metadata: Metadata, where: Filter | None) -> bool:
    """Whether a text's metadata passes a filter: each field that the filter names has the value, or one of the values, wanted.

    A field that holds several values passes if one of them is wanted. A field that is missing never passes, not even where
    ``None`` is wanted; an empty list of wanted values lets nothing through. Values compare as in JSON: ``1`` equals ``1.0``
    and differs from ``True`` and from ``"1"``.

    >>> matches({"audience": "customer", "products": ["a", "b"]}, {"products": ["b", "c"]}), matches({}, {"audience": "customer"})
    (True, False)
    """
    check_filter(where)
    for name, wanted in (where or {}).items():
        if name not in metadata:
            return False
        held = metadata[name]
        held_values = held if isinstance(held, (list, tuple)) else [held]
        wanted_values = wanted if isinstance(wanted, (list, tuple)) else [wanted]
        if not any(_equal(one, other) for one in held_values for other in wanted_values):
            return False
    return True


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
