"""Adapters as files: what training made, with everything that is needed to make it again.

A folder holds the weights as PEFT writes them (``adapter_model.safetensors``, ``adapter_config.json``), in half precision, and
``about.json``: hash, seed, recipe, what it was trained on, and the command. What else was trained with it lies in ``head.safetensors``.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..models.files import file_hash
from .lora import Model, quiet_peft, twin
from .recipe import Run

SHIPPED = Path(__file__).resolve().parent.parent / "adapters"
WEIGHTS, CONFIG, ABOUT = "adapter_model.safetensors", "adapter_config.json", "about.json"
HEAD = "head.safetensors"


def save_adapter(
    run: Run, folder: Path | str, about: Mapping[str, Any] | None = None, head: Mapping[str, Any] | None = None
) -> Path:
    """Write the adapter of a run to a folder, whole or not at all; what stood there before is replaced.

    ``about`` adds to what is known of it: the command, the data. ``head`` holds tensors that were trained beside the adapter.
    Raises :class:`CourseError` where it cannot be written.
    """
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder, model = Path(folder), run.lm.model
    tensors = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in get_peft_model_state_dict(model).items()}
    config = model.peft_config["default"].to_dict() | {"base_model_name_or_path": run.lm.name, "inference_mode": True}
    config = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
            new = Path(name) / "new"
            new.mkdir()
            save_file(tensors, new / WEIGHTS, metadata={"format": "pt"})
            if head:
                halves = {name: one.detach().to(torch.float16).contiguous() for name, one in head.items()}
                save_file(halves, new / HEAD, metadata={"format": "pt"})
            (new / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")
            whole = {
                "model": run.lm.name,
                "weights_sha256": file_hash(new / WEIGHTS),
                **({"head_sha256": file_hash(new / HEAD)} if head else {}),
                "recipe": asdict(run.recipe),
                "steps": len(run.steps),
                "seconds": round(run.seconds),
                "dev_loss": min(run.dev_losses, default=None),
                **(about or {}),
            }
            (new / ABOUT).write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            if folder.exists():
                os.replace(folder, Path(name) / "old")
            os.replace(new, folder)
    except (OSError, RuntimeError) as error:  # safetensors reports a full disk as an error of its own
        raise CourseError(
            f"The adapter could not be written to {folder}: {error}.", "make room, or choose another folder."
        ) from error
    return folder


def adapter_about(name: str | Path) -> dict[str, Any]:
    """What is known of an adapter: one that ships with the course, by name, or any, by its folder.

    Raises :class:`CourseError` where it is missing, or damaged.
    """
    folder = _folder(name)
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        right = about["weights_sha256"] == file_hash(folder / WEIGHTS)
        if not right or about.get("head_sha256") != (file_hash(folder / HEAD) if (folder / HEAD).exists() else None):
            raise ValueError("its weights do not match their hash")
    except (OSError, ValueError, KeyError, TypeError) as error:
        there = (
            ", ".join(sorted(path.name for path in SHIPPED.iterdir() if (path / ABOUT).exists())) if SHIPPED.exists() else "none"
        )
        raise CourseError(
            f"The adapter {folder.name} cannot be used: {error}.",
            f"reinstall the course, or train it again. Adapters that ship with the course: {there}.",
        ) from error
    return dict(about)


def load_adapter(lm: Model, name: str | Path) -> Model:
    """A language model or an embedder with an adapter, by the name it ships under or by its folder; ``lm`` stays as it is.

    Raises :class:`CourseError` where the adapter is missing or damaged, or belongs to another model.
    """
    from peft import PeftModel

    about, folder = adapter_about(name), _folder(name)
    if about["model"] != lm.name:
        raise CourseError(
            f"The adapter {folder.name} was trained for {about['model']}, not for {lm.name}.", "load that model first."
        )
    with quiet_peft():
        model = PeftModel.from_pretrained(twin(lm.model), str(folder))
    return replace(lm, model=model.float().eval())


def load_head(name: str | Path) -> dict[str, Any]:
    """The tensors that were trained beside an adapter, float32, by name.

    Raises :class:`CourseError` where the adapter is missing or damaged, or has none.
    """
    from safetensors.torch import load_file

    if "head_sha256" not in adapter_about(name):
        raise CourseError(f"The adapter {_folder(name).name} has no head.", "choose an adapter of a reranker.")
    return {key: tensor.float() for key, tensor in load_file(_folder(name) / HEAD).items()}


def _folder(name: str | Path) -> Path:
    """A shipped adapter's folder by its name; any other folder by its path."""
    return SHIPPED / name if isinstance(name, str) and Path(name).name == name and (SHIPPED / name).is_dir() else Path(name)
