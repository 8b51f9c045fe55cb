"""The room over HTTP: two doors for seats (``/join``, ``/tell``), and a page that this machine alone may see."""

from __future__ import annotations

import ipaddress
import json
import math
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

from ..errors import CourseError
from ..exercises.seat import is_local
from .state import Refused, Room

HERE = Path(__file__).resolve().parent
FILES = {"/": ("page.html", "text/html"), "/room.css": ("room.css", "text/css"), "/room.js": ("room.js", "text/javascript")}
MOST_BYTES = 16_384  # of a message; the whole course, passed, is a fifth of that
OPEN, OPEN_EACH = 256, 64  # connections at once, in all and from one address
LONGEST = 10.0  # seconds for a connection, however slowly somebody sends
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RoomServer(ThreadingHTTPServer):
    """A room on a port. ``serve_forever`` runs it; ``close`` ends it from another thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = sys.platform != "win32"  # there it would let two programs share a port

    def __init__(self, room: Room, host: str = "127.0.0.1", port: int = 0) -> None:
        self.room, self.address = room, host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._open: dict[socket.socket, tuple[str, float]] = {}
        self._gate = threading.Lock()
        try:
            super().__init__((host, port), Answer)
        except (OSError, OverflowError) as error:
            raise CourseError(
                f"The room cannot listen on {host}, port {port} ({error}).",
                "name another port with --port, or an address of this machine with --listen.",
            ) from error

    def server_bind(self) -> None:
        """Bind, without asking a name server what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.address, int(self.server_address[1])

    def reached_at(self) -> list[str]:
        """The addresses under which seats reach this room: those of the machine's interfaces, where it listens on all of them."""
        if self.address not in ("0.0.0.0", "::"):
            hosts = [self.address]
        else:
            import psutil

            found = [one.address for each in psutil.net_if_addrs().values() for one in each if one.family == socket.AF_INET]
            hosts = [host for host in found if is_local(host) and not host.startswith("127.")] or ["127.0.0.1"]
        return [f"[{host}]:{self.server_port}" if ":" in host else f"{host}:{self.server_port}" for host in hosts]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Nobody from outside the local network."""
        return is_local(client_address[0])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Open a thread for a connection, unless too many are open."""
        address = str(client_address[0])
        with self._gate:
            mine = sum(other == address for other, _ in self._open.values())
            full = len(self._open) >= OPEN or mine >= OPEN_EACH
            if not full:
                self._open[request] = (address, time.monotonic())
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        with self._gate:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Twice a second and after each request: end connections that last too long."""
        now = time.monotonic()
        with self._gate:
            late = [request for request, (_, since) in self._open.items() if now - since > LONGEST]
        for request in late:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is nothing to tell; anything else is a mistake of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop serving and let the port go."""
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    """One request. Nothing that a client sent is ever sent back."""

    server: RoomServer
    timeout = 5.0
    server_version = "room"
    sys_version = ""

    def do_GET(self) -> None:
        """The page and what it shows, for this machine."""
        try:
            self._only_here()
            if self.path == "/state":
                shown = self.server.room.snapshot() | {"addresses": self.server.reached_at()}
                self._send(200, json.dumps(shown).encode(), "application/json")
            elif self.path in FILES:
                name, kind = FILES[self.path]
                self._send(200, (HERE / name).read_bytes(), kind)
            else:
                raise Refused(404, "There is no such page.")
        except Refused as refused:
            self._refuse(refused)

    def do_POST(self) -> None:
        """What seats say, and the facilitator's one button."""
        room = self.server.room
        try:
            content = self._content()
            said: dict[str, Any] = {}
            if self.path == "/join":
                address = str(self.client_address[0])
                said["seat"] = room.join(content.get("seat"), content.get("code"), content.get("key"), address)
            elif self.path == "/tell":
                room.tell(content.get("seat"), content.get("key"), content.get("exercises"))
            elif self.path == "/free":
                self._only_here()
                if self.headers.get("X-Room") != "free":  # a header that no other site's page may send
                    raise Refused(403, "Only the page of the room may do that.")
                room.free(content.get("seat"))
            else:
                raise Refused(404, "There is no such door.")
            self._send(200, json.dumps(said).encode(), "application/json")
        except Refused as refused:
            self._refuse(refused)

    def _content(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()) or "Transfer-Encoding" in self.headers:
            raise Refused(411, "A message must say how long it is.")
        if len(length) > 9 or int(length) > MOST_BYTES:
            raise Refused(413, f"A message has at most {MOST_BYTES} bytes.")
        try:
            content = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise Refused(400, "A message is a JSON object.")
        return content

    def _only_here(self) -> None:
        """The page is for the person at this machine: not for others in the network, nor for pages of other sites."""
        mine, peer = str(self.connection.getsockname()[0]), str(self.client_address[0])
        try:
            named = urlsplit(f"//{self.headers.get('Host')}").hostname
            same = ipaddress.ip_address(peer).is_loopback or peer == mine
        except ValueError:
            named, same = None, False
        if not same or named not in ("localhost", "127.0.0.1", "::1", mine):
            raise Refused(403, "The page of the room is shown on the facilitator's machine only.")

    def _send(self, status: int, body: bytes, kind: str, wait: float = 0.0) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if wait:
            self.send_header("Retry-After", str(math.ceil(wait)))
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, refused: Refused) -> None:
        said = json.dumps({"error": refused.error, "todo": refused.todo}).encode()
        self._send(refused.status, said, "application/json", refused.wait)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses by itself, without its page that quotes the request."""
        self.close_connection = True
        self.command = self.command or "GET"
        if not hasattr(self, "request_version"):
            self.request_version = "HTTP/1.0"
        self._send(code, b"{}", "application/json")

    def log_message(self, format: str, *args: Any) -> None:
        """No log: who asks how often is nobody's business, and a flood would fill it."""
