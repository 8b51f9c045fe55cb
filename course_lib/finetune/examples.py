"""Training examples: a conversation as tokens, with a loss mask on the answer only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..models import LanguageModel

Message = dict[str, str]


@dataclass(frozen=True)
class Example:
    """The tokens of a conversation, and for each whether the model is trained to write it.

    ``weights`` says of each trained token how much its loss counts; empty: all count the same.

    >>> Example((5, 6, 7), (False, False, True)).trained
    1

    Raises ``ValueError`` where the lengths differ, where nothing is trained on, where a weight is not above 0, or where the first token
    is trained on: it has none before it from which it could be predicted.
    """

    tokens: tuple[int, ...]
    mask: tuple[bool, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an example that cannot be trained on."""
        if len(self.tokens) != len(self.mask):
            raise ValueError(f"an example needs a mask for each token, not {len(self.mask)} for {len(self.tokens)} tokens")
        if not any(self.mask):
            raise ValueError("nothing in this example is trained on: its answer is empty")
        if self.weights and (len(self.weights) != sum(self.mask) or min(self.weights) <= 0):
            raise ValueError(f"an example with {sum(self.mask)} trained tokens needs as many weights, all above 0")
        if self.mask[0]:
            raise ValueError("the first token cannot be trained on: nothing stands before it")

    def __len__(self) -> int:
        """How many tokens."""
        return len(self.tokens)

    @property
    def trained(self) -> int:
        """How many tokens the model is trained to write."""
        return sum(self.mask)

    @property
    def counted(self) -> tuple[float, ...]:
        """How much each trained token counts in the loss."""
        return self.weights or (1.0,) * self.trained


def loss_mask(prompt: Sequence[int], answer: Sequence[int]) -> list[bool]:
    """For each token of a prompt followed by its answer, whether it counts in the loss: those of the answer only.

    >>> loss_mask([1, 2, 3], [4, 5])
    [False, False, False, True, True]
    """
    return [False] * len(prompt) + [True] * len(answer)


def make_example(
    lm: LanguageModel,
    messages: list[Message],
    answer: str,
    max_tokens: int = 2048,
    weigh: Callable[[int], float] | None = None,
) -> Example:
    """A conversation and the answer to be learned. The mark that ends a turn belongs to the answer: the model learns to stop.

    Prompt and answer become tokens one after the other, as when the model answers, so that training and use see the same tokens.
    ``weigh`` gives the weight of an answer's token from the place, in characters, where it begins in the answer.

    Raises ``ValueError`` where the answer is empty, or where both together have more than ``max_tokens``: an answer that is cut
    off would teach the model to stop in the middle.
    """
    if not answer.strip():
        raise ValueError("the answer is empty")
    prompt = lm.tokenize(messages)
    made = lm.tokenizer(answer, add_special_tokens=False, return_offsets_mapping=weigh is not None)
    wanted = [*made.input_ids, lm.tokenizer.eos_token_id]
    if len(prompt) + len(wanted) > max_tokens:
        raise ValueError(
            f"the example has {len(prompt) + len(wanted)} tokens, more than {max_tokens}: shorten it, or leave it out"
        )
    places = [*(start for start, _ in made.offset_mapping), len(answer)] if weigh else []
    return Example((*prompt, *wanted), tuple(loss_mask(prompt, wanted)), tuple(weigh(at) for at in places) if weigh else ())
