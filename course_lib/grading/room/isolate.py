"""How a process in the room gives up what it does not need: limits, namespaces of its own, rights. Linux has them all."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import Any

NEW_MOUNTS, NEW_IPC, NEW_PIDS = 0x20000, 0x08000000, 0x20000000
NO_SUID, NO_DEV, NO_EXEC, PRIVATE = 2, 4, 8, 0x44000  # PRIVATE: MS_REC | MS_PRIVATE
PDEATHSIG, DUMPABLE, CAPBSET_DROP, SUBREAPER, NO_NEW_PRIVS, AMBIENT, SECCOMP = 1, 4, 24, 36, 38, 47, 22


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _ask(done: int, what: str) -> None:
    if done:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option: int, *values: int) -> int:
    """Linux's ``prctl``; elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return -1
    return int(_libc().prctl(option, *[ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]))


def guard_warm_parent() -> None:
    """Nobody of the same user may look into this process, and orphans come back to it."""
    prctl(DUMPABLE, 0)
    prctl(SUBREAPER, 1)


def own_namespaces() -> None:
    """Processes forked from here on live in a namespace that dies with the first of them. Raises :class:`OSError`."""
    _ask(_libc().unshare(NEW_PIDS | NEW_MOUNTS | NEW_IPC), "unshare")
    _ask(_libc().mount(b"none", b"/", None, PRIVATE, None), "private mounts")


def own_disks(folders: list[str], size: int) -> None:
    """A fresh disk in memory of so many bytes over each of ``folders``, and a view of one's own processes only."""
    options = f"size={size},mode=1777,nr_inodes=4096".encode()
    for place in folders:
        if os.path.isdir(place):
            _ask(_libc().mount(b"tmpfs", place.encode(), b"tmpfs", NO_SUID | NO_DEV, options), f"disk on {place}")
    if _libc().mount(b"proc", b"/proc", b"proc", NO_SUID | NO_DEV | NO_EXEC, None):
        _ask(_libc().mount(b"tmpfs", b"/proc", b"tmpfs", NO_SUID | NO_DEV | NO_EXEC, b"size=4k"), "empty /proc")


def reach(folders: list[str]) -> None:
    """As root: let other users reach ``folders`` that lie below a closed one, which is replaced by one that has nothing else in it.

    Only this process and those that it starts see the change. Raises :class:`OSError` where that is not allowed.
    """
    closed: dict[str, list[str]] = {}
    for folder in folders:
        parents = [folder[:place] for place in range(1, len(folder)) if folder[place] == "/"]
        if shut := [parent for parent in parents if not os.stat(parent).st_mode & 1]:
            closed.setdefault(shut[0], []).append(folder)
    if not closed:
        return
    _ask(_libc().unshare(NEW_MOUNTS), "unshare")
    _ask(_libc().mount(b"none", b"/", None, PRIVATE, None), "private mounts")
    for parent, needed in closed.items():
        handles = {folder: os.open(folder, os.O_PATH) for folder in needed}  # type: ignore[attr-defined, unused-ignore]
        _ask(_libc().mount(b"tmpfs", parent.encode(), b"tmpfs", NO_SUID | NO_DEV, b"size=64k,mode=755"), f"open {parent}")
        for folder, handle in handles.items():
            if os.path.isfile(f"/proc/self/fd/{handle}"):
                os.makedirs(os.path.dirname(folder), exist_ok=True)
                open(folder, "x").close()
            else:
                os.makedirs(folder, exist_ok=True)
            _ask(_libc().mount(f"/proc/self/fd/{handle}".encode(), folder.encode(), None, 4096, None), f"reach {folder}")
            os.close(handle)


# System calls that no answer needs: other namespaces and mounts, other processes' memory, memory that no limit counts, what stays
# in the system when its process has ended (System V's and POSIX's queues and semaphores).
CALLS = {
    "x86_64": (
        0xC000003E,
        (29, 64, 68, 101, 155, 161, 165, 166, 240, 248, 249, 250, 272, 298, 304, 308, 310, 311, 319, 321,
         323, 425, 428, 429, 430, 432, 438, 442, 447),
        {"clone": 56, "clone3": 435, "socket": 41},
    ),
    "aarch64": (
        0xC00000B7,
        (39, 40, 41, 51, 97, 117, 180, 186, 190, 194, 217, 218, 219, 241, 265, 268, 270, 271, 279, 280,
         282, 425, 428, 429, 430, 432, 438, 442, 447),
        {"clone": 220, "clone3": 435, "socket": 198},
    ),
}  # fmt: skip
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # REFUSE carries the error's number


def filter_calls() -> bool:
    """Refuse system calls that no answer needs, and any network, for good (Linux on common processors). Returns whether it did.

    The filter is a program of ``(code, jump if true, jump if false, value)``; see the kernel's documentation of seccomp.
    """
    if not sys.platform.startswith("linux") or os.uname().machine not in CALLS:
        return False
    machine, refused, named = CALLS[os.uname().machine]
    deny, missing = (RETURN, 0, 0, REFUSE | 1), (RETURN, 0, 0, REFUSE | 38)  # EPERM; ENOSYS, at which libraries take the old call
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, machine), deny, (LOAD, 0, 0, 0), (AT_LEAST, 0, 1, 0x40000000), deny]
    for number in refused:
        program += [(EQUAL, 0, 1, number), deny]
    program += [(EQUAL, 0, 1, named["clone3"]), missing]
    program += [(EQUAL, 0, 4, named["clone"]), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, 0x7E020000), deny, (RETURN, 0, 0, ALLOW)]
    program += [(EQUAL, 0, 4, named["socket"]), (LOAD, 0, 0, 16), (EQUAL, 1, 0, 1), deny, (RETURN, 0, 0, ALLOW)]  # 1: AF_UNIX
    program += [(RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    return prctl(NO_NEW_PRIVS, 1) == 0 and prctl(SECCOMP, 2, ctypes.addressof(pointer)) == 0


def limit(limits: dict[str, int]) -> None:
    """Set limits by the names of ``resource``, such as ``{"RLIMIT_CPU": 10}``; those that a system lacks are left out."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in limits.items():
        if (number := getattr(resource, name, None)) is not None:
            hard = resource.getrlimit(number)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            try:
                resource.setrlimit(number, (value, value))
            except (ValueError, OSError):
                continue  # macOS refuses some


def drop_rights(uid: int | None) -> None:
    """Become the user ``uid`` (where this process is root), and give up every capability for good."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
    if sys.platform.startswith("linux"):
        prctl(AMBIENT, 4)
        for capability in range(64):
            prctl(CAPBSET_DROP, capability)
    if uid is not None:
        os.setresuid(uid, uid, uid)
    if sys.platform.startswith("linux"):
        header, empty = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        _ask(_libc().capset(header, empty), "capset")
        prctl(NO_NEW_PRIVS, 1)
        prctl(DUMPABLE, 1)
