"""OpenAI's chat completions as this course speaks them: what is understood, what is refused, and the form of every reply.

The forms follow the public reference, https://platform.openai.com/docs/api-reference/chat. A request's last message is the question; earlier
ones are accepted and not used, because each question is searched for by itself. Answers are always the most probable ones:
``temperature`` and its like change nothing. What would change the form of an answer (tools, several choices, JSON mode) is refused.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from ..folders import FolderAnswer


class ApiError(Exception):
    """An error in OpenAI's form. ``code`` is for programs, ``message`` for people."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param

    @property
    def body(self) -> dict[str, Any]:
        """The reply.

        >>> ApiError(404, "model_not_found", "There is no such model.").body["error"]["type"]
        'invalid_request_error'
        """
        kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        kind = kinds.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True)
class ChatRequest:
    """What a client asks: the question, the most tokens of the answer (``None``: as many as the server allows), and how it is sent."""

    question: str
    max_tokens: int | None = None
    stream: bool = False
    with_usage: bool = False
    stop: tuple[str, ...] = ()


def parse_chat(body: bytes, model: str, longest: int) -> ChatRequest:
    """Read the body of a request for ``model``; a question has at most ``longest`` characters. Raises :class:`ApiError`.

    >>> parse_chat(b'{"model": "m", "messages": [{"role": "user", "content": "How hot?"}]}', "m", 100).question
    'How hot?'
    """
    try:
        data = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ApiError(400, "invalid_json", "The body is not JSON in UTF-8.") from None
    if not isinstance(data, dict):
        raise ApiError(400, "invalid_type", "The body must be a JSON object.")
    if not isinstance(data.get("model"), str):
        raise ApiError(400, "missing_required_parameter", "Name the model.", "model")
    if data["model"] != model:
        shown = data["model"][:80]
        raise ApiError(404, "model_not_found", f"There is no model {shown!r} here. There is: {model}.", "model")
    _refuse_what_is_not_there(data)
    question = _question(data.get("messages"))
    if len(question) > longest:
        raise ApiError(
            400,
            "context_length_exceeded",
            f"The question has {len(question):,} characters; at most {longest:,} are read.",
            "messages",
        )
    options = data.get("stream_options")
    return ChatRequest(
        question,
        _max_tokens(data),
        data.get("stream") is True,
        isinstance(options, dict) and options.get("include_usage") is True,
        _stop(data.get("stop")),
    )


def _refuse_what_is_not_there(data: dict[str, Any]) -> None:
    wanted = {"tools": None, "functions": None, "logprobs": False, "audio": None, "n": 1}
    for name, only in wanted.items():
        if data.get(name) not in (only, None, [], False):
            raise ApiError(400, "unsupported_parameter", f"{name} is not supported here.", name)
    form = data.get("response_format")
    if form is not None and not (isinstance(form, dict) and form.get("type") == "text"):
        raise ApiError(400, "unsupported_parameter", "response_format can only be text here.", "response_format")


def _max_tokens(data: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = data.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ApiError(400, "invalid_value", f"{name} must be a whole number of at least 1.", name)
        return value
    return None


def _stop(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(values, list) or len(values) > 4 or not all(isinstance(one, str) and 0 < len(one) <= 100 for one in values):
        raise ApiError(400, "invalid_value", "stop must be a text, or up to four of at most 100 characters.", "stop")
    return tuple(values)


def _question(messages: Any) -> str:
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "missing_required_parameter", "messages must be a list that ends with the question.", "messages")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ApiError(400, "invalid_type", "Each message must be an object with a role and a content.", "messages")
    last = messages[-1]
    if last["role"] != "user":
        raise ApiError(400, "invalid_value", "The last message must be the user's question.", "messages")
    content = last.get("content")
    if isinstance(content, list):
        if not all(
            isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in content
        ):
            raise ApiError(400, "unsupported_content", "Only text is understood here.", "messages")
        content = "\n".join(part["text"] for part in content)
    if not isinstance(content, str) or not content.strip():
        raise ApiError(400, "invalid_value", "The question is empty.", "messages")
    return content


@dataclass(frozen=True)
class Reply:
    """The forms of one reply, which share an id and a time."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: FolderAnswer, text: str) -> dict[str, Any]:
        """A ``chat.completion``; ``text`` is the answer's, or less where a stop sequence ended it."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": _finish(answer, text),
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage(answer), **extra(answer)}

    def first(self) -> dict[str, Any]:
        """The first ``chat.completion.chunk``."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> dict[str, Any]:
        """A chunk with more words."""
        return self._chunk({"content": text})

    def last(self, answer: FolderAnswer, text: str) -> dict[str, Any]:
        """The chunk after the last word; it carries the sources."""
        return {**self._chunk({}, _finish(answer, text)), **extra(answer)}

    def counted(self, answer: FolderAnswer) -> dict[str, Any]:
        """The chunk with the tokens, for those who ask for it."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage(answer)}

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def _finish(answer: FolderAnswer, text: str) -> str:
    return "length" if answer.cut_off and text == answer.text and not answer.abstained else "stop"


def usage(answer: FolderAnswer) -> dict[str, int]:
    """Tokens of prompt and answer."""
    tokens_in, tokens_out = answer.cost.tokens_in, answer.cost.tokens_out
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}


def extra(answer: FolderAnswer) -> dict[str, Any]:
    """What OpenAI's form has no place for: the retrieved sources, and whether the assistant abstained and why."""
    return {
        "sources": [one.as_dict() for one in answer.shown],
        "abstained": answer.abstained,
        "abstained_because": answer.reason or None,
    }


class StopText:
    """Lets a text through up to the first of some stop sequences, which may begin in one piece and end in another.

    >>> stop = StopText(("HALT",))
    >>> [stop.feed("It is hot. HA"), stop.feed("LT and more"), stop.rest(), stop.met]
    ['It is hot.', ' ', '', True]
    """

    def __init__(self, sequences: tuple[str, ...]) -> None:
        self.sequences, self.held, self.met = sequences, "", False
        self._keep = max((len(one) for one in sequences), default=1) - 1

    def feed(self, piece: str) -> str:
        """What may be sent now."""
        if self.met:
            return ""
        self.held += piece
        found = [at for one in self.sequences if (at := self.held.find(one)) >= 0]
        if found:
            self.met = True
            return self.held[: min(found)]
        cut = len(self.held) - self._keep
        ready, self.held = (self.held[:cut], self.held[cut:]) if cut > 0 else ("", self.held)
        return ready

    def rest(self) -> str:
        """What was held back when the text has ended."""
        return "" if self.met else self.held
