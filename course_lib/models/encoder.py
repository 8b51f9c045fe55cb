"""The embedder in two halves: lower layers, whose output for a text can be kept, and upper layers that read on from there."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from ..errors import CourseError
from .load import Embedder


class Halves:
    """An embedder built as BERT is, with its ``upper`` top layers apart. A LoRA on them stays where it is.

    ``states`` of a text are what the lower layers make of its tokens: shape (tokens, width), float32. With all layers above they
    are the embeddings of its words at their places.

    Raises :class:`CourseError` for a model that is built in another way or has fewer layers.
    """

    def __init__(self, embedder: Embedder, upper: int) -> None:
        model = embedder.model.get_base_model() if hasattr(embedder.model, "get_base_model") else embedder.model
        layers = getattr(getattr(model, "encoder", None), "layer", None)
        if layers is None or not hasattr(model, "embeddings"):
            raise CourseError(
                f"{embedder.name} is not built as BERT is: its layers cannot be told apart.",
                "unset COURSE_EMBEDDER, or name a BERT-like model.",
            )
        if not 1 <= upper <= len(layers):
            raise CourseError(
                f"{embedder.name} has {len(layers)} layers: {upper} cannot be apart.", f"choose 1 to {len(layers)}."
            )
        self.embedder, self.model, cut = embedder, model, len(layers) - upper
        self._below, self._above = _part(model.encoder, layers[:cut]), _part(model.encoder, layers[cut:])

    def lower(self, texts: Sequence[str], batch_size: int = 16, progress: bool = False) -> list[Any]:
        """The states of each text, cut at the embedder's ``max_tokens``; without gradients."""
        import torch
        from tqdm import tqdm

        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        kept: list[Any] = [None] * len(texts)
        starts = range(0, len(order), batch_size)
        with torch.no_grad():
            for start in tqdm(starts, desc="lower layers, once", unit="batch", leave=False, disable=not progress):
                rows = order[start : start + batch_size]
                batch = self.embedder.tokenizer(
                    [texts[row] for row in rows],
                    padding=True,
                    truncation=True,
                    max_length=self.embedder.max_tokens,
                    return_tensors="pt",
                )
                mask = batch["attention_mask"].bool()
                states = self._run(self._below, self.model.embeddings(input_ids=batch["input_ids"]), mask)
                for row, one, on in zip(rows, states, mask, strict=True):
                    kept[row] = one[on]
        return kept

    def upper(self, states: Sequence[Any]) -> tuple[Any, Any]:
        """What the upper layers make of some texts' states: (n, tokens, width), and the mask (n, tokens) of what is no padding."""
        import torch

        together = torch.nn.utils.rnn.pad_sequence(list(states), batch_first=True)
        lengths = torch.tensor([len(one) for one in states])
        mask = torch.arange(together.shape[1]) < lengths[:, None]
        return self._run(self._above, together, mask), mask

    def _run(self, part: Any, states: Any, mask: Any) -> Any:
        from transformers.masking_utils import create_bidirectional_mask

        return part(states, attention_mask=create_bidirectional_mask(self.model.config, states, mask)).last_hidden_state


def _part(encoder: Any, layers: Any) -> Any:
    """An encoder that runs some layers of another one, and shares them with it."""
    part = copy.copy(encoder)
    part._modules = dict(encoder._modules)
    part.layer = layers
    return part
