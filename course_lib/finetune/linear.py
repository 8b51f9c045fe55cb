"""The linear layers of the trained half, made for a CPU: one matrix product forward and one backward, and few numbers kept.

A LoRA layer as PEFT computes it takes three products forward and six backward. But it gives the same as one layer with the merged
weight ``W' = W + (alpha / rank) · B A``, and ``W'`` is made once a step, not once a token. So each layer runs as ``y = W' x``; the
gradients of ``A`` and ``B`` follow from ``x`` and the gradient ``g`` of ``y``: with ``u = A x``, they are ``g uᵀ`` and ``(Bᵀ g) xᵀ``,
both times ``alpha / rank``. Nothing is left out: a test compares every gradient with those of the plain computation.

Where the processor multiplies bfloat16 much faster than float32, the products can be made in that, attention included, and what lies
between two products of a feed-forward block stays in it. Sums, norms and everything trained stay float32.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from typing import Any

import torch

FASTER = 1.5
"""From so many times the speed of float32 on, ``auto`` takes bfloat16."""
ATTENTION = "causal_in_bfloat16"
BETWEEN = ("gate_proj", "up_proj")
"""What these give goes into the next product of the feed-forward block, so it need not be widened to float32."""


class _Linear(torch.autograd.Function):
    """``y = W' x`` for rows ``x`` of shape (n, in); ``a`` (rank, in) and ``b`` (out, rank) get the gradients of a LoRA, or are None.

    ``y`` has the type ``out``.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, a: Any, b: Any, scaling: float, out: torch.dtype) -> Any:  # type: ignore[override]
        """One product."""
        low = x.to(weight.dtype)
        ctx.scaling, ctx.like = scaling, x.dtype
        ctx.save_for_backward(low if a is not None else None, weight, a, b)
        return (low @ weight.T).to(out)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]
        """One product for ``x``, and thin ones for ``a`` and ``b``."""
        x, weight, a, b = ctx.saved_tensors
        low = g.to(weight.dtype)
        to_x = (low @ weight).to(ctx.like) if ctx.needs_input_grad[0] else None
        if a is None:
            return to_x, None, None, None, None, None
        to_a = ((low @ b.to(low.dtype)).T @ x).to(a.dtype) * ctx.scaling
        to_b = (low.T @ (x @ a.to(low.dtype).T)).to(b.dtype) * ctx.scaling
        return to_x, None, to_a, to_b, None, None


class _Fast:
    """Stands in for the ``forward`` of one linear layer, PEFT's or a plain one."""

    def __init__(self, layer: Any, dtype: torch.dtype, out: torch.dtype) -> None:
        self.dtype, self.out, self.version = dtype, out, -1
        self.weight: Any = None
        self.frozen: Any = getattr(layer, "base_layer", layer).weight
        self.a: Any = layer.lora_A["default"].weight if hasattr(layer, "lora_A") else None
        self.b: Any = layer.lora_B["default"].weight if hasattr(layer, "lora_B") else None
        self.scaling = layer.scaling["default"] if self.a is not None else 0.0

    def __call__(self, x: Any) -> Any:
        rows = _Linear.apply(x.reshape(-1, x.shape[-1]), self.current(), self.a, self.b, self.scaling, self.out)
        return rows.view(*x.shape[:-1], -1)

    def current(self) -> Any:
        """The merged weight, made anew whenever the optimizer has changed a matrix."""
        version = 0 if self.a is None else self.a._version + self.b._version
        if version != self.version:
            with torch.no_grad():
                whole = self.frozen if self.a is None else torch.addmm(self.frozen, self.b, self.a, alpha=self.scaling)
                self.weight, self.version = whole.to(self.dtype), version
        return self.weight


class _TokenLoss(torch.autograd.Function):
    """The loss behind the output matrix, and in the same sweep its gradient: the scores of a few tokens at a time, never of all."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, wanted: Any, counted: Any, rows: int) -> Any:  # type: ignore[override]
        """``softmax − 1 at the wanted token`` is the gradient of a token's loss with respect to its scores."""
        total, to_x = x.new_zeros(()), torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            scores = (x[part].to(weight.dtype) @ weight.T).to(x.dtype)
            wanted_scores, peak = scores.gather(1, wanted[part, None]), scores.amax(1, keepdim=True)
            whole = scores.sub_(peak).exp_().sum(1, keepdim=True)
            total += counted[part] @ (whole.log() + peak - wanted_scores)[:, 0]
            if to_x is not None:
                scores.mul_(counted[part, None] / whole)
                scores[torch.arange(len(scores)), wanted[part]] -= counted[part]
                to_x[part] = (scores.to(weight.dtype) @ weight).to(x.dtype)
        ctx.save_for_backward(to_x)
        return total

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]
        """It was made on the way forward."""
        return g * ctx.saved_tensors[0], None, None, None, None


def summed_token_loss(x: Any, head: Any, wanted: Any, counted: Any, rows: int = 128) -> Any:
    """The cross-entropy of tokens, each times its weight, summed: in nats.

    ``x``: hidden states (n, width); ``head``: the frozen output matrix as a layer (vocabulary, width); ``wanted``: the right tokens (n,);
    ``counted``: their weights (n,); ``rows``: for so many tokens at a time the scores of the whole vocabulary are held.
    """
    weight = head.forward.current() if isinstance(head.forward, _Fast) else head.weight.detach()
    return _TokenLoss.apply(x, weight, wanted, counted, rows)


@contextlib.contextmanager
def fast_linear(*modules: Any, dtype: torch.dtype) -> Iterator[None]:
    """Within the block, the linear layers in some modules run as described above, and their attention."""
    everything = [pair for one in modules for pair in one.named_modules()]
    layers = [(name, module) for name, module in everything if hasattr(module, "lora_A")]
    inside = {id(module) for _, layer in layers for module in layer.modules()}
    layers += [(name, one) for name, one in everything if isinstance(one, torch.nn.Linear) and id(one) not in inside]
    for name, layer in layers:
        layer.forward = _Fast(layer, dtype, dtype if name.endswith(BETWEEN) else torch.float32)
    configs = {id(module.config): module.config for _, module in everything if hasattr(module, "config")}.values()
    before = [config._attn_implementation for config in configs]
    if dtype == torch.bfloat16:
        _know_attention()
    try:
        for config in configs:
            config._attn_implementation = ATTENTION if dtype == torch.bfloat16 else config._attn_implementation
        yield
    finally:
        for config, name in zip(configs, before, strict=True):
            config._attn_implementation = name
        for _, layer in layers:
            del layer.forward


@functools.cache
def _know_attention() -> None:
    """Tell transformers of the attention below."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, _attention)


def _attention(
    module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float | None = None, dropout: float = 0.0, **_: Any
) -> tuple[Any, None]:
    """Causal attention by plain products in bfloat16: the one of PyTorch for CPUs gains nothing from that type. No padding in front."""
    if mask is not None:
        raise ValueError("this attention looks back only, and knows no other mask")
    groups = query.shape[1] // key.shape[1]
    q, k, v = (one.to(torch.bfloat16) for one in (query, key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)))
    length, scale = q.shape[2], q.shape[-1] ** -0.5 if scaling is None else scaling
    ahead = torch.full((length, length), float("-inf"), dtype=torch.bfloat16).triu(1)
    weights = torch.baddbmm(ahead, (q * scale).flatten(0, 1), k.flatten(0, 1).transpose(1, 2)).softmax(-1)
    out = torch.bmm(weights, v.flatten(0, 1)).view_as(q)
    return out.transpose(1, 2).contiguous(), None


def matrix_rate(dtype: torch.dtype, rows: int = 1024, inner: int = 576, outer: int = 1536, seconds: float = 0.2) -> float:
    """How many floating point operations a second this machine makes in matrix products of the model's shape; the best of several."""
    x, weight = torch.ones(rows, inner, dtype=dtype), torch.ones(outer, inner, dtype=dtype)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end or best == 0.0:
        began = time.perf_counter()
        x @ weight.T
        best = max(best, 2 * rows * inner * outer / (time.perf_counter() - began))
    return best


@functools.cache
def chosen_dtype(precision: str) -> torch.dtype:
    """``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where this machine multiplies it at least 1.5 times as fast.

    >>> chosen_dtype("float32")
    torch.float32

    Raises ``ValueError`` for any other name.
    """
    if precision == "auto":
        rates = {torch.float32: 0.0, torch.bfloat16: 0.0}
        for _ in range(4):  # in turn, so that another program's burst of work slows both
            rates = {dtype: max(rate, matrix_rate(dtype, seconds=0.05)) for dtype, rate in rates.items()}
        return torch.bfloat16 if rates[torch.bfloat16] > FASTER * rates[torch.float32] else torch.float32
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision is float32, bfloat16 or auto, not {precision!r}")
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
