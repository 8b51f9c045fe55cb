"""Load the two models of the course, and use the embedder.

``COURSE_LM`` and ``COURSE_EMBEDDER`` replace a model by another, by the name or path that transformers knows it by.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import EMBEDDER, LANGUAGE_MODEL, ModelSource, be_offline, prepared_folder, quiet_transformers

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A causal language model with its tokenizer (both as transformers knows them)."""

    model: Any
    tokenizer: Any
    name: str

    def tokenize(self, messages: list[dict[str, str]]) -> list[int]:
        """A conversation as the tokens that the model reads, up to where its answer begins."""
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def count_tokens(self, messages: list[dict[str, str]]) -> int:
        """How many tokens a conversation has."""
        return len(self.tokenize(messages))


@dataclass(frozen=True, eq=False)
class Embedder:
    """A sentence encoder: text in, one unit vector out.

    A transformer gives a vector per token; their mean, scaled to length one, is the text's embedding (Reimers & Gurevych
    2019, arXiv 1908.10084). It gives the same numbers as sentence-transformers, which takes several times longer to import.
    """

    model: Any
    tokenizer: Any
    name: str
    max_tokens: int = 256

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self.model.config.hidden_size)

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has, those that the model would cut off included."""
        return len(self.tokenizer(text, verbose=False).input_ids)

    def encode(self, texts: list[str], batch_size: int = 16, progress: bool = False) -> np.ndarray:
        """Embed texts: an array of shape ``(len(texts), dimension)``, float32, rows of length one.

        Longer texts are cut at ``max_tokens``. Texts are sorted by length first, so that a batch holds little padding.
        """
        import numpy as np
        import torch
        from tqdm import tqdm

        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        starts = range(0, len(texts), batch_size)
        for start in tqdm(starts, desc="embedding", unit="batch", leave=False, disable=not progress):
            rows = order[start : start + batch_size]
            batch = self.tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
            )
            with torch.inference_mode():
                tokens = self.model(**batch).last_hidden_state
            vectors[rows] = unit_mean(tokens, batch["attention_mask"]).numpy()
        return vectors


def unit_mean(tokens: Any, mask: Any) -> Any:
    """The mean of the vectors of each text's tokens, scaled to length one: (n, tokens, width) and a mask (n, tokens) → (n, width).

    >>> import torch
    >>> unit_mean(torch.tensor([[[3.0, 0.0], [0.0, 3.0], [9.0, 9.0]]]), torch.tensor([[1, 1, 0]])).round(decimals=2)
    tensor([[0.7100, 0.7100]])
    """
    import torch

    counted = mask.unsqueeze(-1)
    return torch.nn.functional.normalize((tokens * counted).sum(dim=1) / counted.sum(dim=1), dim=1)


def _locate(variable: str, source: ModelSource) -> tuple[str | Path, str]:
    """Where a model is and what it is called: the one that the person names, or the course's own, which needs no network."""
    if name := os.environ.get(variable):
        return name, name
    be_offline()
    return prepared_folder(source), source.name


@lru_cache(maxsize=1)
def language_model() -> LanguageModel:
    """Load the language model: the course's own, or the one that ``COURSE_LM`` names. Kept for the next call."""
    where, name = _locate("COURSE_LM", LANGUAGE_MODEL)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(where, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32).eval()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return LanguageModel(model, tokenizer, name)


@lru_cache(maxsize=1)
def embedder() -> Embedder:
    """Load the embedder: the course's own, or the one that ``COURSE_EMBEDDER`` names. Kept for the next call."""
    where, name = _locate("COURSE_EMBEDDER", EMBEDDER)
    from transformers import AutoModel, AutoTokenizer

    with quiet_transformers():
        return Embedder(AutoModel.from_pretrained(where).eval(), AutoTokenizer.from_pretrained(where), name)
