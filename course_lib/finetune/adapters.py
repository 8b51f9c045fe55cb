"""Adapters as files: what training made, with everything that is needed to make it again.

A folder holds the weights as PEFT writes them (``adapter_model.safetensors``, ``adapter_config.json``), in half precision, and
``about.json``: hashes, seed, recipe, what it was trained on, and the command. A hash shows damage; it does not show who made a file.
What else was trained with it lies in ``head.safetensors``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..models.files import file_hash
from .lora import Model, twin
from .recipe import Run

SHIPPED = Path(__file__).resolve().parent.parent / "adapters"
WEIGHTS, CONFIG, ABOUT, CARD = "adapter_model.safetensors", "adapter_config.json", "about.json", "README.md"
HEAD = "head.safetensors"
ROOM = 20_000_000
"""Bytes that stay free on the disk after a model or an adapter was written."""


@contextmanager
def whole_folder(folder: Path | str, what: str, need: int = 0, replace: bool = False) -> Iterator[Path]:
    """An empty folder to write to, which becomes ``folder`` when the block has ended well; after any error nothing has changed.

    What is in the way goes only where ``replace`` says so, and only if the course wrote all of it. ``what`` names what is written, for
    the messages, and ``need`` is its size in bytes. Raises :class:`CourseError` where something is in the way, or there is no room.
    """
    from safetensors import SafetensorError

    folder = Path(folder).expanduser().absolute()
    try:
        if os.path.lexists(folder) and not _may_go(folder, replace):
            todo = "name a folder that is not there yet"
            raise CourseError(
                f"{folder} is there already" + (", and holds what the course did not write." if replace else "."),
                f"{todo}." if replace else f"{todo}, or add --replace (replace=True in Python).",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free
        if free < need + ROOM:
            raise CourseError(
                f"{what} needs {(need + ROOM) / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free in {folder.parent}.",
                "make room, or name a folder on another disk. Nothing was changed.",
            )
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
            new = Path(name) / "new"
            new.mkdir()
            yield new
            if os.path.lexists(folder):
                os.replace(folder, Path(name) / "old")
            os.replace(new, folder)
    except (OSError, RuntimeError, SafetensorError) as error:  # safetensors reports a full disk as an error of its own
        raise CourseError(
            f"{what} could not be written to {folder}: {str(error).splitlines()[0]}.", "make room, or choose another folder."
        ) from error


def _may_go(folder: Path, replace: bool) -> bool:
    """Whether a folder is empty, or holds only what the course wrote and may be replaced."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    if not names:
        return True
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return replace and "weights_sha256" in about and names <= {WEIGHTS, CONFIG, HEAD, ABOUT, CARD, *about.get("files", ())}
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def config_hash(config: Mapping[str, Any]) -> str:
    """The SHA-256 of a configuration's content, however its file is laid out.

    >>> config_hash({"r": 8, "bias": "none"}) == config_hash({"bias": "none", "r": 8})
    True
    """
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def save_adapter(
    run: Run, folder: Path | str, about: Mapping[str, Any] | None = None, head: Mapping[str, Any] | None = None
) -> Path:
    """Write the adapter of a run to a folder, whole or not at all; an adapter that stood there before is replaced.

    ``about`` adds to what is known of it: the command, the data, the licence. ``head`` holds tensors that were trained beside the adapter.
    Raises :class:`CourseError` where it cannot be written, or something else is in the way.
    """
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    model = run.lm.model
    tensors = {
        name: tensor.detach().to(torch.float16).contiguous()
        for name, tensor in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }
    config = model.peft_config["default"].to_dict() | {"base_model_name_or_path": run.lm.name, "inference_mode": True}
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    text = json.dumps(config, indent=1, sort_keys=True, default=str)
    with whole_folder(folder, "The adapter", replace=True) as new:
        save_file(tensors, new / WEIGHTS, metadata={"format": "pt"})
        if head:
            halves = {name: one.detach().to(torch.float16).contiguous() for name, one in head.items()}
            save_file(halves, new / HEAD, metadata={"format": "pt"})
        (new / CONFIG).write_text(text + "\n", encoding="utf-8")
        whole = {
            "model": run.lm.name,
            "weights_sha256": file_hash(new / WEIGHTS),
            **({"head_sha256": file_hash(new / HEAD)} if head else {}),
            "config_sha256": config_hash(json.loads(text)),
            "recipe": asdict(run.recipe),
            "steps": len(run.steps),
            "seconds": round(run.seconds),
            "dev_loss": min(run.dev_losses, default=None),
            **(about or {}),
        }
        (new / ABOUT).write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Path(folder).expanduser()


def adapter_about(name: str | Path) -> dict[str, Any]:
    """What is known of an adapter: one that ships with the course, by name, or any, by its folder. Its hashes are checked.

    Raises :class:`CourseError` where it is missing, or damaged.
    """
    folder = adapter_folder(name)
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        right = about["weights_sha256"] == file_hash(folder / WEIGHTS)
        if not right or about.get("head_sha256") != (file_hash(folder / HEAD) if (folder / HEAD).exists() else None):
            raise ValueError("its weights do not match their hash")
        if about.get("config_sha256", config_hash(config)) != config_hash(config):
            raise ValueError("its configuration does not match its hash")
        if not isinstance(about["model"], str) or not isinstance(config, dict):
            raise TypeError(f"{ABOUT} or {CONFIG} has another form")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            f"The adapter {folder.name} cannot be used: {_why(error)}.",
            "reinstall the course, or train it again; save_adapter writes the folder that is wanted here. "
            f"Adapters that ship with the course: {', '.join(shipped_adapters()) or 'none'}.",
        ) from error
    return dict(about)


def shipped_adapters() -> list[str]:
    """The names of the adapters that ship with the course."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{ABOUT}"))


def _why(error: Exception) -> str:
    """An error in words, where a program's own would not be understood."""
    if isinstance(error, FileNotFoundError):
        file = Path(error.filename or "")
        return f"there is no {file.name} in it" if file.parent.is_dir() else "there is no such folder"
    if isinstance(error, KeyError):
        return f"{ABOUT} does not say its {error.args[0]}"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return f"{ABOUT} or {CONFIG} is not JSON"
    return str(error)


def check_base(about: Mapping[str, Any], name: str | Path, base: str) -> None:
    """Raises :class:`CourseError` where an adapter was trained for another model than ``base``."""
    if about["model"] != base:
        raise CourseError(
            f"The adapter {adapter_folder(name).name} was trained for {about['model']}, not for {base}.",
            "load that model first (COURSE_LM names it).",
        )


def load_adapter(lm: Model, name: str | Path) -> Model:
    """A language model or an embedder with an adapter, by the name it ships under or by its folder; ``lm`` stays as it is.

    Raises :class:`CourseError` where the adapter is missing or damaged, or belongs to another model.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    about, folder = adapter_about(name), adapter_folder(name)
    check_base(about, name, lm.name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is missing is an error below
            model = PeftModel.from_pretrained(twin(lm.model), str(folder))
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            if set(file.keys()) != set(
                get_peft_model_state_dict(model, save_embedding_layers=False)
            ):  # PEFT leaves at zero what is missing
                raise ValueError("its matrices are not those that its configuration names")
    except Exception as error:  # whatever PEFT and safetensors make of files that they cannot use
        raise CourseError(
            f"The adapter {folder.name} does not fit {lm.name}: {str(error).strip().splitlines()[0]}",
            "check that it was trained for this very model, and train it again where you cannot know.",
        ) from error
    return replace(lm, model=model.float().eval())


def load_head(name: str | Path) -> dict[str, Any]:
    """The tensors that were trained beside an adapter, float32, by name.

    Raises :class:`CourseError` where the adapter is missing or damaged, or has none.
    """
    from safetensors.torch import load_file

    if "head_sha256" not in adapter_about(name):
        raise CourseError(f"The adapter {adapter_folder(name).name} has no head.", "choose an adapter of a reranker.")
    return {key: tensor.float() for key, tensor in load_file(adapter_folder(name) / HEAD).items()}


def adapter_folder(name: str | Path) -> Path:
    """A shipped adapter's folder by its name; any other folder by its path."""
    if isinstance(name, str) and name and Path(name).name == name and (SHIPPED / name).is_dir():
        return SHIPPED / name
    return Path(name).expanduser()
