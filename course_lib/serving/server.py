"""An assistant behind an OpenAI-compatible address, on this machine only unless told otherwise."""

from __future__ import annotations

import hmac
import ipaddress
import json
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from ..errors import CourseError
from ..folders import FolderAnswer, FolderAssistant
from ..folders.assistant import QuestionError
from .protocol import ApiError, ChatRequest, Reply, StopText, parse_chat

LOOK_AGAIN = 2.0  # seconds between two looks at whether the folder has changed
DRAINED = 16_000_000  # of a body that is too long, so many bytes are read and thrown away, so that the client hears why


@dataclass(frozen=True)
class Limits:
    """What the server takes: characters of a question, bytes of a body, tokens of an answer, requests that wait, seconds of waiting,
    open connections, seconds that a connection may be silent."""

    question: int = 4_000
    body: int = 1_000_000
    tokens: int = 48
    waiting: int = 16
    patience: float = 120.0
    connections: int = 64
    silence: float = 30.0


@dataclass(frozen=True)
class Settings:
    """Where to serve and to whom. An empty key lets everybody in who reaches the port."""

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str = field(default="", repr=False)
    model: str = "open-book"
    limits: Limits = Limits()


class Gone(Exception):
    """The client has left."""


class Gate:
    """One request at a time, in the order of arrival, and only so many that wait: the model uses the whole machine for each."""

    def __init__(self, waiting: int) -> None:
        self._waiting, self._line, self._moved = waiting, deque[object](), threading.Condition()
        self.closed = False

    @contextmanager
    def enter(self, patience: float, gone: Callable[[], bool]) -> Iterator[None]:
        """Wait for one's turn. Raises :class:`ApiError` 429 where the line is full or does not move, :class:`Gone`."""
        ticket, until = object(), time.monotonic() + patience
        with self._moved:
            if len(self._line) > self._waiting:
                raise ApiError(
                    429, "rate_limit_exceeded", f"{self._waiting} requests are waiting already. Try again in a few seconds."
                )
            self._line.append(ticket)
        try:
            with self._moved:
                while self._line[0] is not ticket and not self.closed:
                    self._moved.wait(0.25)
                    if gone():
                        raise Gone
                    if time.monotonic() > until:
                        raise ApiError(
                            429, "rate_limit_exceeded", f"It was not your turn within {patience:g} s. Try again later."
                        )
            if self.closed:
                raise ApiError(503, "shutting_down", "The server is stopping.")
            yield
        finally:
            with self._moved:
                self._line.remove(ticket)
                self._moved.notify_all()

    def close(self) -> None:
        """Send everybody away who waits."""
        with self._moved:
            self.closed = True
            self._moved.notify_all()


class AssistantServer(ThreadingHTTPServer):
    """Serves one assistant; ``serve_forever`` runs it, :meth:`stop` ends it."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, assistant: FolderAssistant, settings: Settings, log: Callable[[str], None] = lambda line: None) -> None:
        if not is_loopback(settings.host) and not settings.api_key:
            raise CourseError(
                f"On {settings.host} others can reach the server, and it has no key.",
                "give it one with --api-key or in COURSE_SERVER_KEY, or stay on 127.0.0.1.",
            )
        self.assistant, self.settings, self.log = assistant, settings, log
        self.gate = Gate(settings.limits.waiting)
        self._connections = threading.BoundedSemaphore(settings.limits.connections)
        self._busy, self._idle, self._looked = 0, threading.Condition(), time.monotonic()
        if ":" in settings.host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((settings.host, settings.port), Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise CourseError(
                f"The server cannot start on {settings.host}, port {settings.port} ({why}).",
                "take another --port, or another --host.",
            ) from None

    @property
    def url(self) -> str:
        """The address that clients are given."""
        host = self.server_name
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/v1"

    @property
    def closing(self) -> bool:
        """Whether the server has been told to stop."""
        return self.gate.closed

    def server_bind(self) -> None:
        """As always, but without asking the network for this machine's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or send it away where there are too many."""
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        body = json.dumps(ApiError(503, "too_many_connections", "Too many connections are open. Try again later.").body).encode()
        head = f"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
        with suppress(OSError):
            request.settimeout(0.5)
            request.sendall(head.encode() + body)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handle a connection; its place is free again whatever happens."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news."""

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a request that is being answered: :meth:`stop` waits for it."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def stop(self, patience: float = 5.0) -> None:
        """Take no more requests, let those at work end within some seconds, close the port. Not from a handler's thread."""
        self.gate.close()
        self.server_close()
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, patience)

    def server_close(self) -> None:
        """Close the port. Threads are not waited for: an open connection that asks nothing must not hold the server."""
        self.socket.close()

    def look_at_folder(self) -> None:
        """Take in what has changed in the folder. Where it cannot be read now, what was read before stays."""
        if time.monotonic() - self._looked < LOOK_AGAIN:
            return
        try:
            if self.assistant.refresh():
                self.log(f"the folder has changed: {self.assistant!r}")
        except (CourseError, OSError) as error:
            self.log(f"the folder cannot be read now, what was read before stays: {str(error).splitlines()[0]}")
        finally:
            self._looked = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: AssistantServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "open-book", ""

    def setup(self) -> None:
        """A connection that stays silent is closed."""
        self.timeout = self.server.settings.limits.silence  # type: ignore[misc]
        self._sent = False
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        """One line in the server's window, without signs that would steer a terminal."""
        line = format % args
        self.server.log("".join(one if one.isprintable() else "?" for one in line)[:200])

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """What was asked for and what came of it; never a question, a key or an answer."""
        self.log_message("%s %s %s", self.command or "?", (self.path if hasattr(self, "path") else "?").split("?")[0], int(code))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses, in OpenAI's form."""
        self.close_connection = True
        self._send_error(
            ApiError(int(code), "bad_request" if code < 500 else "server_error", message or "The request is not HTTP.")
        )

    def do_GET(self) -> None:
        """The models."""
        self._answer("GET")

    def do_POST(self) -> None:
        """A question."""
        self._answer("POST")

    def do_HEAD(self) -> None:
        """Nothing that is understood here."""
        self._answer(self.command)

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD

    # --- routes ---

    def _answer(self, method: str) -> None:
        self._sent = False
        with self.server.at_work():
            try:
                body = self._body()  # first of all, so that the connection stays in step
                self._check_caller()
                self._route(method, urlsplit(self.path).path.rstrip("/"), body)
            except ApiError as error:
                self._send_error(error)
            except (Gone, OSError):  # the client left, or was silent for too long
                self.close_connection = True
            except Exception as error:
                self.server.log(f"unexpected: {type(error).__name__}: {str(error)[:200]}")
                self._send_error(ApiError(500, "server_error", "Something went wrong here; the server's window says what."))

    def _route(self, method: str, path: str, body: bytes) -> None:
        if path == "/v1/models" and method == "GET":
            self._send({"object": "list", "data": [self._model()]})
        elif path.startswith("/v1/models/") and method == "GET":
            self._send(self._named_model(path.removeprefix("/v1/models/")))
        elif path == "/v1/chat/completions" and method == "POST":
            self._chat(body)
        elif path in ("/v1/models", "/v1/chat/completions"):
            raise ApiError(405, "method_not_allowed", f"{method} is not understood here.")
        else:
            raise ApiError(404, "unknown_url", "There are /v1/models and /v1/chat/completions here.")

    def _check_caller(self) -> None:
        settings = self.server.settings
        if is_loopback(settings.host):  # a page of a stranger's site can point its own name at this machine
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
            if host != "localhost" and not is_loopback(host):
                raise ApiError(403, "wrong_host", "This server answers to 127.0.0.1 and localhost only.")
        if settings.api_key:
            kind, _, key = self.headers.get("Authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(
                key.strip().encode("utf-8", "replace"), settings.api_key.encode()
            ):
                raise ApiError(401, "invalid_api_key", "The key is missing or wrong. Send it as: Authorization: Bearer KEY")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            raise ApiError(400, "length_required", "Send the body with a Content-Length.")
        given = self.headers.get("Content-Length") or "0"
        if not (given.isascii() and given.isdigit() and len(given) < 16):
            self.close_connection = True
            raise ApiError(400, "bad_request", "Content-Length is not a number.")
        length, most = int(given), self.server.settings.limits.body
        if length > most:
            self._drain(length)
            raise ApiError(
                400, "context_length_exceeded", f"The request has {length:,} bytes; at most {most:,} are read.", "messages"
            )
        body = self.rfile.read(length) if length else b""
        if len(body) < length:
            raise Gone
        return body

    def _drain(self, length: int) -> None:
        self.close_connection = True
        left, until = min(length, DRAINED), time.monotonic() + 5
        while left > 0 and time.monotonic() < until:
            block = self.rfile.read1(min(left, 65536))  # type: ignore[attr-defined]
            if not block:
                return
            left -= len(block)

    def _model(self) -> dict[str, Any]:
        return {"id": self.server.settings.model, "object": "model", "created": 0, "owned_by": "course"}

    def _named_model(self, name: str) -> dict[str, Any]:
        if name != self.server.settings.model:
            raise ApiError(
                404, "model_not_found", f"There is no such model here. There is: {self.server.settings.model}.", "model"
            )
        return self._model()

    # --- answers ---

    def _chat(self, body: bytes) -> None:
        settings = self.server.settings
        if "json" not in self.headers.get("Content-Type", "").lower():  # a form on a stranger's page cannot send this
            raise ApiError(400, "bad_request", "Send the request as application/json.")
        asked = parse_chat(body, settings.model, settings.limits.question)
        with self.server.gate.enter(settings.limits.patience, self._gone):
            self.server.look_at_folder()
            try:
                stop = StopText(asked.stop)
                with closing(
                    self._pieces(asked, stop)
                ) as pieces:  # whatever happens, the model is at rest before the next in line
                    if asked.stream:
                        self._stream(pieces, asked.with_usage)
                    else:
                        self._whole(pieces, stop)
            except QuestionError as error:
                raise ApiError(400, "context_length_exceeded", f"{error.what} {error.todo.capitalize()}", "messages") from None
            except CourseError as error:  # the server that answers for this one did not
                raise ApiError(502, "upstream_error", error.what) from None

    def _pieces(self, asked: ChatRequest, stop: StopText) -> Generator[str | FolderAnswer, None, None]:
        """The words as they come, then the whole answer."""
        limits = self.server.settings.limits
        tokens = min(asked.max_tokens or limits.tokens, limits.tokens)
        made = self.server.assistant.stream(asked.question, tokens, lambda: stop.met or self.server.closing or self._gone())
        try:
            while True:
                piece = stop.feed(next(made))
                if self.server.closing:
                    raise ApiError(503, "shutting_down", "The server is stopping.")
                if piece:
                    yield piece
        except StopIteration as end:
            if self.server.closing and not end.value.abstained:  # it may have been cut short
                raise ApiError(503, "shutting_down", "The server is stopping.") from None
            if rest := stop.rest():
                yield rest
            yield end.value
        finally:
            made.close()

    def _whole(self, pieces: Iterable[str | FolderAnswer], stop: StopText) -> None:
        parts: list[str] = []
        for part in pieces:
            if isinstance(part, FolderAnswer):
                text = "".join(parts) if stop.met else part.text
                self._send(Reply(self.server.settings.model).whole(part, text))
            else:
                parts.append(part)

    def _stream(self, pieces: Iterable[str | FolderAnswer], with_usage: bool) -> None:
        reply, sent = Reply(self.server.settings.model), list[str]()
        for part in pieces:
            if not self._sent:  # not before there are words: until then an error can still be said as one
                self._begin(
                    200, {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "Connection": "close"}
                )
                self._event(reply.first())
            if isinstance(part, str):
                sent.append(part)
                self._event(reply.piece(part))
                continue
            self._event(reply.last(part, "".join(sent)))
            if with_usage:
                self._event(reply.counted(part))
            self._event(None)

    def _event(self, data: dict[str, Any] | None) -> None:
        self.wfile.write(b"data: " + (b"[DONE]" if data is None else json.dumps(data).encode()) + b"\n\n")
        self.wfile.flush()

    def _gone(self) -> bool:
        """Whether the client has closed the connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self._sent = True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, data: dict[str, Any], status: int = 200, more: dict[str, str] | None = None) -> None:
        body = json.dumps(data).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(more or {})}
        if self.close_connection or self.server.closing:
            headers["Connection"] = "close"
            self.close_connection = True
        self._begin(status, headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_error(self, error: ApiError) -> None:
        with suppress(OSError):
            if self._sent:  # in the middle of a stream
                self.close_connection = True
                self._event(error.body)
                return
            more = {429: {"Retry-After": "5"}, 503: {"Retry-After": "5"}, 401: {"WWW-Authenticate": "Bearer"}}.get(error.status)
            self._send(error.body, error.status, more)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("localhost")
    (True, True, False, True)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(server: AssistantServer) -> None:
    """Serve until Ctrl-C or the signal that ends a program, then stop in good order."""
    import signal

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.stop()
        signal.signal(signal.SIGTERM, before)
