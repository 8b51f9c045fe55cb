"""An answer as it comes over the wire: server-sent events, as OpenAI's chat completions stream them.

Each event is a line ``data: …`` with a JSON object, and a blank line after it; ``data: [DONE]`` is the last. A line that begins with a
colon is a comment (https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

DONE = "[DONE]"


def read_events(lines: Iterable[str]) -> Iterator[dict[str, Any] | None]:
    """The JSON objects of a stream, one for each event; ``None`` where it says that it is done, and then nothing more.

    Raises ``ValueError`` where an event is not a JSON object.

    >>> list(read_events(['data: {"a": 1}', "", ": still here", "data: [DONE]", 'data: {"a": 2}']))
    [{'a': 1}, None]
    """
    for line in lines:
        name, _, value = line.partition(":")
        if name != "data":  # a blank line, a comment, another field
            continue
        value = value.strip()
        if value == DONE:
            yield None
            return
        event = json.loads(value)
        if not isinstance(event, dict):
            raise ValueError("an event is not an object")
        yield event


def event_text(event: dict[str, Any]) -> str:
    """The words that an event adds to the answer; empty where it adds none.

    >>> event_text({"choices": [{"delta": {"content": " dry"}}]}), event_text({"choices": []})
    (' dry', '')
    """
    choices = event.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    delta = first.get("delta") if isinstance(first, dict) else None
    text = delta.get("content") if isinstance(delta, dict) else None
    return text if isinstance(text, str) else ""


def join_stream(lines: Iterable[str]) -> tuple[str, bool]:
    """The text of a streamed answer, and whether the stream was complete: one that breaks off is not an answer.

    >>> join_stream(['data: {"choices": [{"delta": {"content": "Wipe it"}}]}', ""])
    ('Wipe it', False)
    """
    parts: list[str] = []
    for event in read_events(lines):
        if event is None:
            return "".join(parts), True
        parts.append(event_text(event))
    return "".join(parts), False
