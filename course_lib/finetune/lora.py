"""LoRA: a frozen layer with a small trained addition (Hu et al. 2021, arXiv 2106.09685), by hand and on the model.

By hand, the layer is ``y = W x + (alpha / rank) · B A x``, with ``A`` of shape (rank, in), ``B`` of shape (out, rank), and ``B`` zero
at first, so that training begins at the untouched model.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CourseError
from ..models import Embedder, LanguageModel

if TYPE_CHECKING:
    import numpy as np

Model = TypeVar("Model", LanguageModel, Embedder)

ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The seven matrices of each layer of the language model, as transformers names them."""
ENCODER_LINEAR = ("query", "key", "value", "dense")
"""The matrices of each layer of the embedder: three called by name, and the three that are all called dense."""


def lora_forward(x: np.ndarray, weight: np.ndarray, a: np.ndarray, b: np.ndarray, alpha: float) -> np.ndarray:
    """What a linear layer with LoRA gives: ``x`` (n, in), ``weight`` (out, in), ``a`` (rank, in), ``b`` (out, rank) → (n, out).

    >>> import numpy as np
    >>> lora_forward(np.ones((1, 2)), np.eye(2), np.ones((1, 2)), np.array([[1.0], [0.0]]), alpha=2)
    array([[5., 1.]])
    """
    return x @ weight.T + (alpha / len(a)) * (x @ a.T @ b.T)


def merged_weight(weight: np.ndarray, a: np.ndarray, b: np.ndarray, alpha: float) -> np.ndarray:
    """One matrix that does the same as the layer with LoRA: ``W + (alpha / rank) · B A``.

    >>> import numpy as np
    >>> merged_weight(np.eye(2), np.ones((1, 2)), np.array([[1.0], [0.0]]), alpha=2)
    array([[3., 2.],
           [0., 1.]])
    """
    return weight + (alpha / len(a)) * (b @ a)


def lora_size(shapes: Sequence[tuple[int, int]], rank: int, layers: int, trained: int) -> tuple[int, int, float]:
    """What LoRA trains, what it leaves frozen, and how large the adapter's file is.

    ``shapes`` are the (out, in) of those matrices of one layer that get an adapter. The model has ``layers`` layers of the same shapes, and
    LoRA is on the top ``trained`` of them. Gives the numbers trained, the numbers of these matrices in all layers, which all stay frozen, and
    the file in megabytes: 2 bytes a number, 1 MB = 1,000,000 bytes, not rounded; the file's short header does not count.

    Raises ``ValueError`` for a rank below 1, or where ``trained`` is not in 1 to ``layers``.

    >>> lora_size([(576, 576), (192, 576)], rank=8, layers=30, trained=10)
    (153600, 13271040, 0.3072)
    """
    if rank < 1:
        raise ValueError(f"the rank is {rank}: it is at least 1")
    if not 1 <= trained <= layers:
        raise ValueError(f"{trained} layers cannot be trained: choose 1 to {layers}")
    numbers = trained * sum(rank * inputs + outputs * rank for outputs, inputs in shapes)
    frozen = layers * sum(outputs * inputs for outputs, inputs in shapes)
    return numbers, frozen, numbers * 2 / 1_000_000


def with_lora(lm: Model, layers: int, rank: int, alpha: float, targets: Sequence[str] = ALL_LINEAR, seed: int = 0) -> Model:
    """A language model or an embedder with an untrained LoRA on its top ``layers``.

    The one given stays as it is, and both share the frozen weights.

    Raises :class:`CourseError` where the model has fewer layers or no such matrices.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    depth = int(lm.model.config.num_hidden_layers)
    if not 1 <= layers <= depth:
        raise CourseError(f"{lm.name} has {depth} layers: LoRA cannot be on the top {layers}.", f"choose 1 to {depth}.")
    pattern, task = ("layer", "FEATURE_EXTRACTION") if isinstance(lm, Embedder) else ("layers", "CAUSAL_LM")
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # any number will do
        target_modules=list(targets),
        layers_to_transform=list(range(depth - layers, depth)),
        layers_pattern=pattern,
        lora_dropout=0.0,
        bias="none",
        task_type=task,
    )
    with torch.random.fork_rng(devices=[]), quiet_peft():
        torch.manual_seed(seed)
        try:
            model = get_peft_model(twin(lm.model), config)
        except ValueError as error:
            raise CourseError(f"LoRA does not fit {lm.name}: {error}", "name matrices that it has: targets=[...].") from error
    return replace(lm, model=model.eval())


@contextlib.contextmanager
def quiet_peft() -> Iterator[None]:
    """Without the warning that PEFT asks transformers for something by a name that is to go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def twin(model: Any) -> Any:
    """A copy of a model whose modules can be changed, with the very same tensors: it takes no memory of its own."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def merged(lm: Model) -> Model:
    """The model with its adapter added into the weights: as fast as one without, and larger than an adapter to store.

    The model given stays as it is; both share what no adapter changes.
    """
    changed = {id(layer.base_layer.weight) for layer in lm.model.modules() if hasattr(layer, "lora_A")}
    kept = {id(tensor): tensor for tensor in (*lm.model.parameters(), *lm.model.buffers()) if id(tensor) not in changed}
    model = copy.deepcopy(lm.model, kept)
    return replace(lm, model=model.merge_and_unload().eval())


def trained_parameters(model: Any) -> dict[str, Any]:
    """The tensors of a model that are trained, by name: those of its adapter."""
    return {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
