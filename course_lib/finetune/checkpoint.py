"""The state of a training run on the disk: never half written, and refused where it belongs to another run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ..errors import CourseError

NAME = "checkpoint.pt"


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write a state, under another name first; the old one stays until the new one is whole.

    Raises :class:`CourseError` where it cannot be written.
    """
    import torch

    path = folder / NAME
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        with contextlib.suppress(OSError):
            partial.unlink()
        raise CourseError(
            f"The checkpoint could not be written to {folder}: {str(error).splitlines()[0]}.",
            "make room, or choose another folder. What was written before is still there, and the same call goes on from it.",
        ) from error


def read(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The state in a folder, or ``None`` where there is none yet.

    Raises :class:`CourseError` where it is damaged, or belongs to a run with another ``fingerprint``.
    """
    import torch

    path = folder / NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, weights_only=True)
        held = state["fingerprint"]
    except Exception as error:  # torch raises whatever its unpickler and its zip reader raise
        raise CourseError(f"The checkpoint {path} is damaged.", "delete it; the run then begins anew.") from error
    if held != fingerprint:
        raise CourseError(
            f"{folder} holds a run with other examples, another model or another recipe.",
            "choose another folder, or delete that one.",
        )
    return dict(state)
