"""The model in two halves: the frozen layers below, whose output is computed once and kept, and the trained ones above."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import CourseError
from .examples import Example

MULTIPLE = 16
LARGE = 1 << 30
"""Above so many bytes (1 GB) hidden states are kept in a file, mapped into memory, instead of in memory."""


def causal_model(model: Any) -> Any:
    """The transformers model inside a PEFT one, or the model itself."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not hasattr(getattr(inner, "model", None), "layers"):
        raise CourseError(
            f"{type(inner).__name__} has no list of layers that the trainer knows.", "use a model built as Llama is."
        )
    return inner


def with_layers(body: Any, layers: Sequence[Any], norm: Any) -> Any:
    """A decoder that runs some layers of another one, and shares them with it."""
    import torch

    part = copy.copy(body)
    part._modules = dict(body._modules)
    part.layers, part.norm = torch.nn.ModuleList(layers), norm
    return part


def split(model: Any, trained: int) -> tuple[Any, Any]:
    """Its frozen layers and its top ``trained`` ones, as two decoders: tokens → hidden states → last hidden states."""
    import torch

    body = causal_model(model).model
    cut = len(body.layers) - trained
    return with_layers(body, body.layers[:cut], torch.nn.Identity()), with_layers(body, body.layers[cut:], body.norm)


def padded(rows: Sequence[Any]) -> Any:
    """Rows of different length as one tensor, zeros behind the shorter ones, up to a multiple of 16.

    No attention mask is needed then: a token looks back only, and padding stands behind all of them. The multiple keeps the number of
    different shapes small: for each shape the matrix library keeps memory of its own.
    """
    import torch

    out = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    return torch.nn.functional.pad(out, (*(0, 0) * (out.dim() - 2), 0, -out.shape[1] % MULTIPLE))


class HiddenStates:
    """What comes out of the frozen layers for each example, computed once: ``states[i]`` has shape (tokens, width), float32.

    They need 4 · width bytes a token (2.3 kB for the course's model). More than ``large`` bytes go to a temporary file.
    """

    def __init__(
        self, bottom: Any, examples: Sequence[Example], batch_size: int = 16, large: int = LARGE, progress: bool = False
    ):
        import torch
        from tqdm import tqdm

        width = int(bottom.config.hidden_size)
        ends = [0]
        for example in examples:
            ends.append(ends[-1] + len(example))
        self.bounds = list(zip(ends, ends[1:], strict=False))
        self.bytes = 4 * width * ends[-1]
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if self.bytes > large:
            self._folder = tempfile.TemporaryDirectory(prefix="hidden-states-", ignore_cleanup_errors=True)
            path = Path(self._folder.name) / "states.f32"
            self.all = torch.from_file(str(path), shared=True, size=ends[-1] * width, dtype=torch.float32).view(-1, width)
        else:
            self.all = torch.empty(ends[-1], width)
        order = sorted(range(len(examples)), key=lambda at: len(examples[at]))
        starts = range(0, len(order), batch_size)
        with torch.no_grad():
            for start in tqdm(starts, desc="frozen layers, once", unit="batch", leave=False, disable=not progress):
                rows = order[start : start + batch_size]
                tokens = padded([torch.tensor(examples[row].tokens) for row in rows])
                if len(bottom.layers):
                    out = bottom(input_ids=tokens, use_cache=False).last_hidden_state
                else:
                    out = bottom.embed_tokens(tokens)
                for row, states in zip(rows, out, strict=True):
                    first, last = self.bounds[row]
                    self.all[first:last] = states[: last - first]

    def __getitem__(self, row: int) -> Any:
        """The states of one example."""
        first, last = self.bounds[row]
        return self.all[first:last]
