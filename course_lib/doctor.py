"""``course doctor``: is this machine ready for the course, and if not, what to do. One finding per check."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .places import APP, bundled, cache_folder, data_folder

OK, NOTE, FIX = "OK", "NOTE", "FIX"
NEEDED_MEMORY, FREE_MEMORY, NEEDED_DISK = 4e9, 2e9, 1.5e9


@dataclass(frozen=True)
class Finding:
    """``state`` is ``OK``, ``NOTE`` (works, but know this) or ``FIX``; the text then says what to do."""

    state: str
    text: str


def diagnose(folder: Path) -> Iterator[Finding]:
    """All checks, one after the other; ``folder`` is the working copy. A check that breaks is a finding too."""
    checks: list[Callable[[], Iterator[Finding]]] = [
        check_python,
        check_packages,
        check_memory,
        check_disk,
        check_models,
        check_folders,
        check_database,
        check_port,
        lambda: check_workspace(folder),
        check_kernel,
    ]
    for check in checks:
        try:
            yield from check()
        except Exception as error:
            name = getattr(check, "__name__", "check").removeprefix("check_").replace("<lambda>", "working copy")
            yield Finding(FIX, f"{name}: could not be looked at ({type(error).__name__}: {error}). Install the course again.")


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Iterator[Finding]:
    """Python 3.11 to 3.13.

    >>> [finding.state for version in ((3, 10), (3, 11), (3, 14)) for finding in check_python(version)]
    ['FIX', 'OK', 'FIX']
    """
    found = f"Python {version[0]}.{version[1]}"
    if (3, 11) <= version <= (3, 13):
        yield Finding(OK, f"{found} ({sys.executable})")
    else:
        yield Finding(
            FIX, f"{found}: the course was tested with 3.11, 3.12 and 3.13. Install one of them and run start.py with it."
        )


# --- packages -------------------------------------------------------------------------------------------------------


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def known_versions() -> dict[str, str]:
    """Package and version, for each line of ``constraints.txt``."""
    path = bundled("constraints.txt")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.findall(r"^\s*([A-Za-z0-9][\w.-]*)\s*==\s*([^\s;#]+)", text, flags=re.MULTILINE)
    return {_plain(name): version for name, version in found}


def check_packages() -> Iterator[Finding]:
    """Every package that the course depends on directly, against the version that it was tested with."""
    from packaging.requirements import Requirement

    tested = known_versions()
    for line in importlib.metadata.requires(APP) or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        yield _check_package(requirement.name, str(requirement.specifier), tested.get(_plain(requirement.name)))
    if extra := _cuda():
        yield Finding(
            NOTE, f"torch is a build for graphics cards ({extra}): it works as well, and takes some GB more of the disk"
        )


def _check_package(name: str, allowed: str, tested: str | None) -> Finding:
    from packaging.specifiers import SpecifierSet

    install = (
        f'"{sys.executable}" -m pip install "{name}=={tested}"'
        if tested
        else f'"{sys.executable}" -m pip install "{name}{allowed}"'
    )
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(FIX, f"{name} is missing: {install}")
    bare = version.split("+")[0]
    if not SpecifierSet(allowed).contains(bare, prereleases=True):
        return Finding(FIX, f"{name} {version} does not fit the course, which needs {allowed}: {install}")
    if tested and bare != tested.split("+")[0]:
        return Finding(NOTE, f"{name} {version}: the course was tested with {tested}; should it act up: {install}")
    return Finding(OK, f"{name} {version}")


def _cuda() -> str:
    """What shows that torch was built for CUDA, or an empty string."""
    try:
        local = importlib.metadata.version("torch").partition("+")[2]
    except importlib.metadata.PackageNotFoundError:
        return ""
    if local.startswith("cu") and not local.startswith("cpu"):
        return local
    needs = [re.split(r"[^\w.-]", line)[0] for line in importlib.metadata.requires("torch") or []]
    for name in needs:
        if name.startswith(("nvidia-", "cuda-")):
            try:
                return f"{name} {importlib.metadata.version(name)}"
            except importlib.metadata.PackageNotFoundError:
                continue
    return ""


# --- the machine ----------------------------------------------------------------------------------------------------


def check_memory() -> Iterator[Finding]:
    """4 GB in all; less than 2 GB free is worth a note."""
    import psutil

    memory = psutil.virtual_memory()
    yield memory_finding(min(memory.total, _container_limit()), memory.available)


def memory_finding(total: float, available: float) -> Finding:
    """What to say of so many bytes.

    >>> memory_finding(3e9, 2.5e9).state, memory_finding(8e9, 1e9).state, memory_finding(8e9, 4e9).text
    ('FIX', 'NOTE', '8.0 GB of memory, 4.0 GB free')
    """
    available = min(total, available)
    has = f"{total / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB free"
    if total < NEEDED_MEMORY:
        return Finding(FIX, f"{has}: the training labs need 4 GB. Use a machine (or a container) with more.")
    if available < FREE_MEMORY:
        return Finding(NOTE, f"{has}: close other programs before a training lab")
    return Finding(OK, has)


def _container_limit() -> float:
    """The memory that a container may use, where there is such a limit."""
    try:
        return float(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return float("inf")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def check_disk() -> Iterator[Finding]:
    """Room for the models, as long as they are not there yet."""
    from .models import SOURCES, problem_with

    ready = all(problem_with(source) is None for source in SOURCES)
    yield disk_finding(shutil.disk_usage(_existing(cache_folder())).free, ready, cache_folder())


def disk_finding(free: float, ready: bool, cache: Path) -> Finding:
    """What to say of so many free bytes.

    >>> [disk_finding(free, ready, Path("cache")).state for free, ready in ((1e9, True), (1e9, False), (2e9, False))]
    ['OK', 'FIX', 'OK']
    """
    has = f"{free / 1e9:.1f} GB of disk free at {cache}"
    if ready or free >= NEEDED_DISK:
        return Finding(OK, has)
    return Finding(FIX, f"{has}: preparing the models needs 1.5 GB. Free some, or set COURSE_CACHE to a folder on another disk.")


def check_models() -> Iterator[Finding]:
    """Both models, every file hashed; or the ones chosen instead."""
    from .models import EMBEDDER, LANGUAGE_MODEL, problem_with

    for source, variable in ((LANGUAGE_MODEL, "COURSE_LM"), (EMBEDDER, "COURSE_EMBEDDER")):
        named = f"{source.key} {source.name}"
        if other := os.environ.get(variable):
            yield Finding(NOTE, f"{source.key} {other}, as {variable} says: the numbers in the labs are those of {source.name}")
        elif (problem := problem_with(source, thorough=True)) is None:
            yield Finding(OK, f"{named}: ready, every file matches its hash (made from sha256 {source.sha256[:12]}…)")
        elif not source.folder.exists():
            yield Finding(NOTE, f"{named}: {problem}. course lab does it, or now: course prepare (sha256 {source.sha256[:12]}…)")
        else:
            yield Finding(FIX, f"{named}: {problem}. To rebuild it: course prepare (sha256 {source.sha256[:12]}…)")


def check_folders() -> Iterator[Finding]:
    """The cache and the progress folder can be written to."""
    for what, variable, folder in (("cache", "COURSE_CACHE", cache_folder()), ("progress", "COURSE_DATA", data_folder())):
        try:
            there = _existing(folder)
            with tempfile.TemporaryFile(dir=there):
                yield Finding(OK, f"{what} folder {folder} can be written to")
        except OSError as error:
            yield Finding(
                FIX, f"{what} folder {folder} cannot be written to ({error.strerror}): set {variable} to a folder of your own"
            )


def check_database() -> Iterator[Finding]:
    """A PostgreSQL with pgvector for lab 05: the one that COURSE_DSN names, or the embedded one, started for a moment."""
    from .errors import CourseError
    from .retrieval.stores import EmbeddedServer
    from .retrieval.stores.postgres import connect, place

    dsn = os.environ.get("COURSE_DSN")
    try:
        if dsn:
            with connect(dsn, patience=5) as connection:
                has = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'vector'").fetchone() is not None
            lacks = f"PostgreSQL at {place(dsn)} lacks pgvector. Have its administrator install it, or unset COURSE_DSN."
            yield Finding(OK, f"PostgreSQL at {place(dsn)} answers and has pgvector") if has else Finding(FIX, lacks)
            return
        with tempfile.TemporaryDirectory() as folder:
            server = EmbeddedServer(Path(folder) / "server", say=lambda sentence: None)
            try:
                server.start()
                yield Finding(OK, f"PostgreSQL {server.status().version} with pgvector starts on this machine (embedded)")
            finally:
                server.close()
                shutil.rmtree(server.folder, ignore_errors=True)  # as root it lies elsewhere
    except (CourseError, ImportError) as error:
        said = " ".join(str(error).split())
        yield Finding(
            FIX if dsn else NOTE, f"PostgreSQL for lab 05: {said}" + ("" if dsn else " Until then lab 05 runs in memory.")
        )


def check_port() -> Iterator[Finding]:
    """JupyterLab's usual port."""
    from .jupyter import FIRST_PORT, port_problem

    problem = port_problem(FIRST_PORT)
    if problem:
        yield Finding(NOTE, f"port {FIRST_PORT} {problem}: course lab takes the next free one")
    else:
        yield Finding(OK, f"port {FIRST_PORT} is free")


def check_workspace(folder: Path) -> Iterator[Finding]:
    """The learner's copies of the labs."""
    notebooks = (
        [path for path in folder.glob("[0-9][0-9]_*.ipynb") if not path.name.endswith(".new.ipynb")] if folder.is_dir() else []
    )
    if notebooks:
        yield Finding(OK, f"working copy {folder} with {len(notebooks)} {'lab' if len(notebooks) == 1 else 'labs'}")
    else:
        yield Finding(NOTE, f"no working copy at {folder} yet: course lab makes it")


def check_kernel() -> Iterator[Finding]:
    """What runs the cells of a notebook can be imported."""
    try:
        kernel = importlib.import_module("ipykernel.kernelapp")
    except Exception as error:
        yield Finding(
            FIX, f'the notebook kernel cannot be started ({error}): "{sys.executable}" -m pip install --force-reinstall ipykernel'
        )
    else:
        yield Finding(
            OK,
            f"notebook kernel: ipykernel {importlib.metadata.version('ipykernel')} in {Path(kernel.__file__ or '').parents[1]}",
        )
