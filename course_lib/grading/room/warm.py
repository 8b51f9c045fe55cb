"""The warm parent: it has the imports, and forks a child for each exercise that is asked for. It never runs learner code.

Orders come as JSON over a socket on standard input, each with the connection that the child shall serve. Between the two stands a
keeper, which waits for the child, ends it when time is up or the other side hangs up, and says how it ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any

from . import isolate, kernel


def descendants() -> list[int]:
    """All processes below this one (Linux; elsewhere none are known)."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", encoding="latin-1") as stream:
                    state, parent = stream.read().rsplit(")", 1)[1].split()[:2]
            except (OSError, ValueError):
                continue
            if state != "Z":
                below.setdefault(int(parent), []).append(int(name))
    found, look = [], [os.getpid()]
    while look:
        more = below.get(look.pop(), [])
        found += more
        look += more
    return found


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to whoever still takes it."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue


def end_descendants(patience: float = 2.0) -> None:
    """Kill everything below this process, orphans too, which come back to a subreaper.

    All are stopped before any is killed, or those left would fork into the room that the killed ones leave.
    """
    until = time.monotonic() + patience
    while time.monotonic() < until:
        stopped: set[int] = set()
        while (left := set(descendants()) - stopped) and time.monotonic() < until:
            signal_all(sorted(left), signal.SIGSTOP)
            stopped |= left
        signal_all(sorted(stopped), signal.SIGKILL)
        time.sleep(0.002)
        reap()
        if not descendants():
            return


def reap() -> None:
    """Collect what has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def hung_up(channel: socket.socket) -> bool:
    """Whether the other side closed the connection."""
    poll = select.poll()
    flag = getattr(select, "POLLRDHUP", select.POLLHUP)
    poll.register(channel, flag | select.POLLHUP)
    return bool(poll.poll(20))


def serve(order: dict[str, Any], channel: socket.socket, shell: Any) -> None:
    """The child: give everything up, then run cells."""
    os.setsid()
    if order["namespaces"]:
        isolate.own_disks(order["disks"], order["disk"])
    else:
        order["folder"] = order["own_folder"]
    isolate.limit(order["limits"])
    isolate.drop_rights(order["uid"])
    isolate.filter_calls()
    os.chdir(order["folder"])
    os.environ["HOME"] = os.environ["TMPDIR"] = order["folder"]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    kernel.Kernel(shell, channel).serve()


def keep(order: dict[str, Any], channel: socket.socket, shell: Any) -> None:
    """The keeper of one exercise."""
    isolate.prctl(isolate.SUBREAPER, 1)
    if order["namespaces"]:
        isolate.own_namespaces()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            serve(order, channel, shell)
            code = 0
        except BaseException as error:
            try:
                channel.sendall(
                    (json.dumps({"kind": "broken", "says": f"{type(error).__name__}: {error}"[:300]}) + "\n").encode()
                )
            except OSError:
                pass
        finally:
            os._exit(code)
    until, status = time.monotonic() + order["wall"], 0
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if hung_up(channel) or time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
    if not order["namespaces"]:
        end_descendants()
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    try:
        channel.settimeout(1)
        channel.sendall(b"\n" + json.dumps({"kind": "ended", "code": code}).encode() + b"\n")
    except OSError:
        pass


def main(reach: Sequence[str] = ()) -> None:
    """Obey orders until the other side hangs up. ``reach``: the folders that the room's own user must be able to read."""
    control = socket.socket(fileno=os.dup(0))
    isolate.reach(list(reach))
    isolate.guard_warm_parent()
    shell = kernel.make_shell()
    import numpy  # noqa: F401  # warm for those that need it

    control.sendall(b'{"kind": "warm"}\n')
    while True:
        text, handles, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not text or not handles:
            break
        reap()
        channel = socket.socket(fileno=handles[0])
        if os.fork() == 0:
            control.close()
            os.close(0)
            os.open(os.devnull, os.O_RDONLY)
            try:
                keep(json.loads(text), channel, shell)
            except BaseException as error:
                try:
                    says = f"{type(error).__name__}: {error}"[:300]
                    channel.sendall((json.dumps({"kind": "broken", "says": says}) + "\n").encode())
                except OSError:
                    pass
            finally:
                os._exit(0)
        channel.close()
    end_descendants()


def cold(port: int, secret: str) -> None:
    """Without fork: one process for one exercise. It connects to the other side, shows the secret, and gets its order."""
    channel = socket.create_connection(("127.0.0.1", port))
    channel.sendall(secret.encode() + b"\n")
    order = json.loads(channel.makefile("r", encoding="utf-8", buffering=1).readline())
    isolate.limit(order["limits"])
    os.chdir(order["own_folder"])
    kernel.Kernel(kernel.make_shell(), channel).serve()
