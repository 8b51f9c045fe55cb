"""The same pipeline with another model: any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from ..errors import CourseError
from .events import event_text, read_events
from .generate import Generated, Message

MOST_BYTES = 8_000_000


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class RemoteModel:
    """A model behind an OpenAI-compatible address such as ``http://127.0.0.1:8000/v1``.

    ``name`` is the model's name there; empty: the first that the server lists. Questions and passages are sent to that server.
    ``timeout`` is in seconds, for a whole answer. The key goes into no message and no representation of this object.
    """

    base_url: str
    name: str = ""
    api_key: str = field(default="", repr=False)
    timeout: float = 60.0

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CourseError(f"{self.base_url!r} is not the address of a server.", "give one such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password:
            raise CourseError("The address holds a password.", "give the key by itself, as api_key or in COURSE_API_KEY.")
        if any(character < " " or character > "~" for character in self.api_key):
            raise CourseError("The key holds a character that no key has.", "copy it again, without line breaks.")
        if not self.name:
            object.__setattr__(self, "name", self._first_model())

    def count_tokens(self, messages: list[Message]) -> int:
        """An upper estimate: nobody outside knows the server's tokens. Three bytes to a token, four tokens for each message's marks.

        >>> RemoteModel("http://127.0.0.1:9/v1", "m").count_tokens([{"role": "user", "content": "How hot is it?"}])
        9
        """
        return sum(4 + -(-len(message["content"].encode("utf-8", "replace")) // 3) for message in messages)

    def complete(self, messages: list[Message], max_new_tokens: int) -> Generated:
        """The answer to one conversation. Raises :class:`CourseError` that says what the server did instead."""
        began = time.perf_counter()
        reply = self._call("chat/completions", self._body(messages, max_new_tokens, stream=False))
        return self._generated(messages, self._text_of(reply), reply.get("usage"), began)

    def stream(
        self, messages: list[Message], max_new_tokens: int, stop: Callable[[], bool] = lambda: False
    ) -> Generator[str, None, Generated]:
        """:meth:`complete`, piece by piece as the server sends it; the pieces joined are the answer, which is the return value too.

        ``stop`` is asked after every event; then, and where the generator is closed, the connection ends, and with it the server's work.
        A server that does not stream gives its answer in one piece. Raises as :meth:`complete` does, also in the middle.
        """
        began, deadline = time.perf_counter(), time.monotonic() + self.timeout
        text, sent, ended = "", "", False
        usage: Any = None
        with self._opened("chat/completions", self._body(messages, max_new_tokens, stream=True)) as response:
            if "event-stream" not in response.headers.get("Content-Type", ""):
                reply = self._object(_read(response, deadline))
                text = self._text_of(reply)
                if text.strip():
                    yield text.strip()
                return self._generated(messages, text, reply.get("usage"), began)
            try:
                for event in read_events(_lines(response, deadline)):
                    if event is None:
                        ended = True
                        break
                    if event.get("error"):
                        raise CourseError(
                            f"{self._host} could not go on. It says: {_words(event)}", "ask again; look at the server's log."
                        )
                    text += event_text(event)
                    usage = event.get("usage") or usage
                    ended = ended or _finished(event)
                    if (ready := text.strip()) != sent:  # what is blank at the end waits: it may be the end
                        yield ready[len(sent) :]
                        sent = ready
                    if stop():
                        ended = True
                        break
            except (ValueError, RecursionError):
                raise CourseError(
                    f"{self._host} sent an event that is not JSON.", "check the address: it usually ends in /v1"
                ) from None
            if not ended:
                raise HTTPException("its answer broke off")
        return self._generated(messages, text, usage, began)

    def _body(self, messages: list[Message], max_new_tokens: int, stream: bool) -> dict[str, Any]:
        body = {"model": self.name, "messages": messages, "max_tokens": max_new_tokens, "temperature": 0, "stream": stream}
        return body | ({"stream_options": {"include_usage": True}} if stream else {})

    def _text_of(self, reply: dict[str, Any]) -> str:
        try:
            text = reply["choices"][0]["message"]["content"]
            if not isinstance(text, str):
                raise TypeError
        except (KeyError, IndexError, TypeError):
            raise CourseError(
                f"{self._host} answered, but not with a chat completion.", "check the address: it usually ends in /v1"
            ) from None
        return text

    def _generated(self, messages: list[Message], text: str, usage: Any, began: float) -> Generated:
        text, usage = text.strip(), usage if isinstance(usage, dict) else {}
        counted = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        tokens_in = counted[0] if isinstance(counted[0], int) else self.count_tokens(messages)
        tokens_out = counted[1] if isinstance(counted[1], int) else -(-len(text.encode("utf-8", "replace")) // 3)
        return Generated(text, tokens_in, tokens_out, (time.perf_counter() - began) * 1000)

    def _first_model(self) -> str:
        reply = self._call("models")
        try:
            return str(reply["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            raise CourseError(f"{self._host} lists no models.", "name one: --model NAME, or name= in Python.") from None

    @property
    def _host(self) -> str:
        return urllib.parse.urlsplit(self.base_url).netloc

    def _call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout
        with self._opened(path, body) as response:
            return self._object(_read(response, deadline))

    def _object(self, raw: bytes) -> dict[str, Any]:
        try:
            reply = json.loads(raw)
        except (ValueError, RecursionError):
            raise CourseError(
                f"{self._host} answered with something that is not JSON.", "check the address: it usually ends in /v1"
            ) from None
        if not isinstance(reply, dict):
            raise CourseError(f"{self._host} answered with JSON of another form.", "check the address: it usually ends in /v1")
        return reply

    @contextmanager
    def _opened(self, path: str, body: dict[str, Any] | None) -> Iterator[Any]:
        """The server's response, to be read; whatever goes wrong until the block ends is said as what the server did."""
        headers = {"Accept": "application/json", "User-Agent": "open-book-closed-book"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
            if body.get("stream"):
                headers["Accept"] = "text/event-stream, application/json"
        request = urllib.request.Request(f"{self.base_url.rstrip('/')}/{path}", data=data, headers=headers)
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if _is_here(urllib.parse.urlsplit(self.base_url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=self.timeout) as response:
                yield response
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, _message(error)) from None
        except TimeoutError:
            raise self._late() from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise self._late() from None
            raise self._unreachable(error.reason) from None
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from None

    def _late(self) -> CourseError:
        return CourseError(f"{self._host} did not answer within {self.timeout:g} s.", "ask again, or allow more with --timeout.")

    def _unreachable(self, reason: object) -> CourseError:
        if isinstance(reason, ConnectionRefusedError):
            return CourseError(f"{self._host} refused the connection.", "start the server, or check host and port.")
        if isinstance(reason, socket.gaierror):
            return CourseError(f"There is no host {self._host}.", "check the address and your network.")
        return CourseError(
            f"{self._host} cannot be reached ({reason or type(reason).__name__}).", "check the address and your network."
        )

    def _refused(self, code: int, message: str) -> CourseError:
        said = f" It says: {message}" if message else ""
        if code in (401, 403):
            key = "The key was refused" if self.api_key else "A key is asked for"
            return CourseError(f"{key} by {self._host} ({code}).{said}", "put the right one into COURSE_API_KEY.")
        if code == 404:
            return CourseError(
                f"{self._host} knows no model {self.name!r}, or no such address (404).{said}", "check --model and --base-url."
            )
        if code == 429:
            return CourseError(f"{self._host} is busy, or your allowance is used up (429).{said}", "wait a little and ask again.")
        if 300 <= code < 400:
            return CourseError(
                f"{self._host} sends you elsewhere ({code}).", "give the address that it leads to, if you trust it."
            )
        return CourseError(
            f"{self._host} could not answer ({code}).{said}", "ask again; if it stays so, look at the server's log."
        )


def remote_from_environment(base_url: str, name: str = "", timeout: float = 60.0) -> RemoteModel:
    """A :class:`RemoteModel` whose key is in the variable ``COURSE_API_KEY``, where other users of the machine cannot see it."""
    return RemoteModel(base_url, name, os.environ.get("COURSE_API_KEY", ""), timeout)


def _is_here(host: str) -> bool:
    """Whether a host is this machine: then no proxy can know it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _blocks(response: Any, deadline: float) -> Iterator[bytes]:
    """What a server sends, as it comes, up to its end. Raises ``TimeoutError`` after the deadline, ``HTTPException`` where it breaks off."""
    count = 0
    while block := response.read1(65536):
        count += len(block)
        if count > MOST_BYTES:
            raise HTTPException("its answer does not end")
        if time.monotonic() > deadline:
            raise TimeoutError
        yield block
    if response.length:  # fewer bytes than it had announced
        raise HTTPException("it broke off")


def _read(response: Any, deadline: float) -> bytes:
    return b"".join(_blocks(response, deadline))


def _lines(response: Any, deadline: float) -> Iterator[str]:
    """The lines of a stream, each as soon as it is complete."""
    held = b""
    for block in _blocks(response, deadline):
        *lines, held = (held + block).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
    yield held.decode("utf-8", "replace")


def _finished(event: dict[str, Any]) -> bool:
    """Whether an event says that the answer ends here; some servers say no other end."""
    choices = event.get("choices")
    return bool(isinstance(choices, list) and choices and isinstance(choices[0], dict) and choices[0].get("finish_reason"))


def _message(error: urllib.error.HTTPError) -> str:
    """What a server says about an error, in one line without control characters."""
    try:
        content = json.loads(error.read(65536))
    except (OSError, ValueError, HTTPException, RecursionError):
        return ""
    return _words(content)


def _words(content: Any) -> str:
    """The message in an error's body, on one line."""
    inner = content.get("error", content.get("message", content.get("detail", ""))) if isinstance(content, dict) else ""
    text = inner.get("message", "") if isinstance(inner, dict) else inner
    return "".join(character if character.isprintable() else " " for character in str(text))[:300].strip()
