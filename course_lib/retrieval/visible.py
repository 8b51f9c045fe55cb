"""What may be found: by the day on which it holds, and by who is asking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

EVERYBODY = "customer"
"""The audience of what anyone may read."""


def valid_on(documents: Sequence[Mapping[str, Any]], day: str) -> list[str]:
    """The ids of the documents that hold on a day, in the order given.

    Each document has an ``id``, a ``valid_from`` and a ``valid_to``: days as ``"YYYY-MM-DD"``, both included, ``None`` for no
    bound. Days in this form are ordered as text is.

    >>> valid_on([{"id": "old", "valid_from": None, "valid_to": "2025-12-31"}], "2025-12-31")
    ['old']
    """
    return [
        str(one["id"])
        for one in documents
        if (one["valid_from"] is None or one["valid_from"] <= day) and (one["valid_to"] is None or day <= one["valid_to"])
    ]


def may_see(metadata: Mapping[str, Any], groups: Collection[str]) -> bool:
    """Whether somebody who belongs to some groups may see a text. Where nothing is said about its audience, nobody may.

    ``audience`` is a name or a list of names; one of them is enough, and ``customer`` lets everybody in.

    >>> may_see({"audience": "customer"}, []), may_see({"audience": ["staff"]}, ["staff"]), may_see({}, ["staff"])
    (True, True, False)
    """
    audience = metadata.get("audience") or []
    names = [audience] if isinstance(audience, str) else audience
    return any(name == EVERYBODY or name in groups for name in names)
