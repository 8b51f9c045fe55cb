"""JupyterLab for the learner, and a kernel without a window for ``course check``. Both run this environment's Python."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager

from .errors import CourseError
from .places import cache_folder
from .workspace import atomic_write, fingerprint

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8888, 8987
PATIENCE = 20.0  # seconds for JupyterLab to end its kernels

SETTINGS: dict[str, dict[str, Any]] = {
    "labconfig/page_config.json": {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}},
}


class ThisPython(KernelSpecManager):
    """Knows one kernel, ``python3``: the Python that runs the course, whatever kernels are installed for other things."""

    def _kernel_dirs_default(self) -> list[str]:
        return []


# --- ports ----------------------------------------------------------------------------------------------------------


def port_problem(port: int) -> str | None:
    """Why a port cannot be used, or ``None``."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as JupyterLab does: a port just left is free
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return "is reserved for the system"
        except OSError:
            return "is in use"
    return None


def free_port(first: int = FIRST_PORT, last: int = LAST_PORT) -> int:
    """The first free port from ``first`` on. Raises :class:`CourseError` where there is none."""
    for port in range(first, last + 1):
        if port_problem(port) is None:
            return port
    raise CourseError(f"No port from {first} to {last} is free.", "close some programs, or name a port with --port.")


def choose_port(given: int | None) -> int:
    """The port asked for, else the first free one. Raises :class:`CourseError` that names a free port."""
    if given is None:
        return free_port()
    if problem := port_problem(given):
        raise CourseError(f"Port {given} {problem}.", f"take a free one: --port {free_port()}")
    return given


# --- JupyterLab -----------------------------------------------------------------------------------------------------


def _settings_folder() -> Path:
    """A configuration of the course's own, so that nobody's password, port or extension setting gets in the way."""
    folder = cache_folder() / "jupyter"
    try:
        (folder / "labconfig").mkdir(parents=True, exist_ok=True)
        for name, content in SETTINGS.items():
            atomic_write(folder / name, json.dumps(content).encode())
    except OSError as error:
        raise CourseError(
            f"The course may not write to {folder} ({error}).", "set COURSE_CACHE to a folder of your own and start again."
        ) from error
    return folder


def lab_environment() -> dict[str, str]:
    """The environment of JupyterLab: the course's configuration, the learner's own looks (theme, shortcuts)."""
    from jupyter_core.paths import jupyter_config_dir

    looks = os.environ.get("JUPYTERLAB_SETTINGS_DIR") or str(Path(jupyter_config_dir()) / "lab" / "user-settings")
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])  # `course` in its terminals
    return os.environ | {"JUPYTER_CONFIG_DIR": str(_settings_folder()), "JUPYTERLAB_SETTINGS_DIR": looks, "PATH": path}


def lab_command(folder: Path, notebook: str, port: int, browser: bool) -> list[str]:
    """How JupyterLab is started: on this machine only, with a token, without news, update checks or a look at the network."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.ip={HOST}", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{notebook}"]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command += ["--LabApp.extension_manager=readonly", "--log-level=ERROR", "--LabApp.log_level=ERROR"]
    command += [
        "--ServerApp.kernel_spec_manager_class=course_lib.jupyter.ThisPython",
        "--KernelManager.transport_encryption=auto",
    ]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container: JupyterLab would refuse
    return command


@contextmanager
def _stop_signals_interrupt() -> Iterator[None]:
    """Let a closed terminal or a ``kill`` stop JupyterLab as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def serve(folder: Path, notebook: str, port: int, browser: bool) -> None:
    """Run JupyterLab until it is stopped, with Ctrl-C or from its own menu. Raises :class:`CourseError` if it fails.

    It runs in a session of its own, so that Ctrl-C reaches this process alone, which then asks it to end: it shuts its
    kernels down and asks no question.
    """
    command, environment = lab_command(folder, notebook, port, browser), lab_environment()
    with _stop_signals_interrupt():
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, start_new_session=os.name == "posix"
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            _end(process)
            return
    if code:
        raise CourseError(f"JupyterLab stopped by itself (code {code}).", "see its message above, then run: course doctor")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask JupyterLab to end, and wait; kernels that lose their server end by themselves."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would cut the tidying short
    try:
        process.terminate()
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


# --- a notebook without a window ------------------------------------------------------------------------------------


@dataclass
class Run:
    """What happened in a notebook: ``raised`` has a sentence per cell that raised, ``stopped`` says why it did not end."""

    raised: list[str] = field(default_factory=list)
    stopped: str | None = None


def _title(number: int, source: str) -> str:
    first = next((line.strip() for line in source.splitlines() if line.strip() and not line.strip().startswith("#")), "")
    return f"code cell {number} ({first[:60]})" if first else f"code cell {number}"


def read_notebook(path: Path) -> Any:
    """Read a notebook. Raises :class:`CourseError` that names the file if it is none."""
    import nbformat

    try:
        content = path.read_bytes()
        fingerprint(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells of old editors have no ids; nothing here needs them
            return nbformat.reads(content.decode("utf-8"), as_version=4)
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error}).", "change its permissions and start again.") from error
    except Exception as error:  # nbformat has many ways to say that a file is not a notebook
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise CourseError(
            f"{path} cannot be read as a notebook ({reason.splitlines()[0] if reason else 'no reason given'}).",
            f"put the lab back, your file is kept in backups: course reset {path.stem[:2]}",
        ) from error


async def _execute(client: Any, environment: dict[str, str]) -> None:
    """Run the cells; Ctrl-C cancels this, and the kernel is shut down on the way out."""

    from nbclient.exceptions import DeadKernelError

    def refuse(*_: Any) -> None:
        raise RuntimeError  # nbclient then leaves signals alone; its own handler makes Ctrl-C look like a kernel that died

    asyncio.get_running_loop().add_signal_handler = refuse  # type: ignore[method-assign, assignment]
    task = asyncio.current_task()
    try:
        await client.async_execute(env=environment, stderr=subprocess.DEVNULL)  # the kernel's own; what cells print is captured
    except DeadKernelError:
        if task and task.cancelling():  # nbclient says so of a cancelled task too
            raise asyncio.CancelledError from None
        raise


def run_notebook(
    path: Path, cwd: Path, environment: dict[str, str], timeout: float, on_cell: Callable[[int, int], None] = lambda n, of: None
) -> Run:
    """Run every cell of a notebook in a fresh kernel, errors or not; the file is only read.

    ``timeout`` is in seconds, for the whole notebook. Raises :class:`CourseError` if it is no notebook or no kernel starts.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook, end, now = read_notebook(path), time.monotonic() + timeout, "the start"
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]
    titles = {index: _title(number, notebook.cells[index].source) for number, index in enumerate(code, start=1)}

    def starts(cell: Any, cell_index: int) -> None:
        nonlocal now
        if cell_index in titles:
            now = titles[cell_index]
            on_cell(code.index(cell_index) + 1, len(code))

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        allow_errors=True,
        timeout_func=lambda cell: max(1, int(end - time.monotonic())),
        on_cell_start=starts,
        resources={"metadata": {"path": str(cwd)}},
    )
    client.create_kernel_manager().kernel_spec_manager = ThisPython()
    client.log.setLevel("CRITICAL")
    result = Run()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asyncio.run(_execute(client, environment))
    except CellTimeoutError:
        result.stopped = f"Stopped after {timeout:g} s, at {now}. For more time: --timeout"
    except DeadKernelError:
        result.stopped = f"Python died at {now}: too little memory is the usual reason."
    except RuntimeError as error:
        raise CourseError(f"No notebook kernel could be started ({error}).", "run: course doctor") from error
    for index, title in titles.items():
        for output in notebook.cells[index].get("outputs", []):
            if output.output_type == "error" and not (result.stopped and title == now):
                says = str(output.evalue).splitlines()
                result.raised.append(f"C{title[1:]} raised {output.ename}{': ' + says[0] if says else ''}")
    return result
