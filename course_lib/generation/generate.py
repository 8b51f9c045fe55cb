"""Ask the language model: messages in, text out, the same text every time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..models import LanguageModel

Message = dict[str, str]

SUPPORT_DESK = "You are the support assistant of Quillfeather, a maker of home appliances. Answer the customer's question in one short sentence."
"""The system message of the closed-book exam."""


def chat_messages(question: str, system: str = SUPPORT_DESK) -> list[Message]:
    """The conversation that a chat model expects: what it is told to be, then what the person says.

    >>> chat_messages(" How hot is it? ", system="Be brief.")
    [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'How hot is it?'}]

    Raises ``ValueError`` where the question is empty.
    """
    if not question.strip():
        raise ValueError("the question is empty")
    return [{"role": "system", "content": system}, {"role": "user", "content": question.strip()}]


@dataclass(frozen=True)
class Generated:
    """An answer with the tokens it took: ``tokens_in`` of the prompt, ``tokens_out`` made, the one that ends the answer included.

    ``ms`` is the time of its batch divided by the batch's size: what it cost, not how long a person waited.
    """

    text: str
    tokens_in: int
    tokens_out: int
    ms: float


def generate(
    lm: LanguageModel,
    conversations: list[list[Message]],
    max_new_tokens: int = 48,
    batch_size: int = 8,
    progress: bool = False,
) -> list[str]:
    """Let the model answer each conversation, in order; always the most probable next token, so that the result is fixed."""
    return [made.text for made in generate_counted(lm, conversations, max_new_tokens, batch_size, progress)]


def generate_counted(
    lm: LanguageModel,
    conversations: list[list[Message]],
    max_new_tokens: int = 48,
    batch_size: int = 8,
    progress: bool = False,
) -> list[Generated]:
    """:func:`generate`, with the tokens and the time of each answer.

    Conversations are sorted by length first, so that those in a batch need little padding.
    """
    import torch
    from tqdm import tqdm

    prompts = [lm.tokenize(messages) for messages in conversations]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers: dict[int, Generated] = {}
    starts = range(0, len(prompts), batch_size)
    for start in tqdm(starts, desc="answering", unit="batch", leave=False, disable=not progress):
        began = time.perf_counter()
        rows = order[start : start + batch_size]
        batch = lm.tokenizer.pad({"input_ids": [prompts[row] for row in rows]}, padding=True, return_tensors="pt")
        with torch.inference_mode():
            output = lm.model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=lm.tokenizer.pad_token_id,
            )
        ms = (time.perf_counter() - began) * 1000 / len(rows)
        for row, tokens in zip(rows, output[:, batch["input_ids"].shape[1] :].tolist(), strict=True):
            ends = [at for at, token in enumerate(tokens) if token == lm.tokenizer.eos_token_id]
            made = tokens[: ends[0] + 1] if ends else tokens
            text = lm.tokenizer.decode(made, skip_special_tokens=True).strip()
            answers[row] = Generated(text, len(prompts[row]), len(made), ms)
    return [answers[row] for row in range(len(prompts))]


def next_tokens(lm: LanguageModel, text: str, k: int = 5) -> list[tuple[str, float]]:
    """The ``k`` tokens that the model finds most likely after a text, each with its probability, best first."""
    import torch

    batch = lm.tokenizer(text, return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        probabilities = lm.model(**batch).logits[0, -1].softmax(dim=-1)
    values, tokens = probabilities.topk(k)
    return [(lm.tokenizer.decode(token), float(value)) for value, token in zip(values, tokens, strict=True)]
