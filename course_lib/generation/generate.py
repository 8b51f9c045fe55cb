"""Ask the language model: messages in, text out, the same text every time."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

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


class RemoteChat(Protocol):
    """A model that is not on this machine, such as :class:`~course_lib.generation.remote.RemoteModel`."""

    @property
    def name(self) -> str:
        """What it is called."""

    def count_tokens(self, messages: list[Message]) -> int:
        """How many tokens a conversation has, as nearly as can be known."""

    def complete(self, messages: list[Message], max_new_tokens: int) -> Generated:
        """The answer to one conversation."""


@runtime_checkable
class StreamingChat(RemoteChat, Protocol):
    """A remote model that gives its words as they come."""

    def stream(
        self, messages: list[Message], max_new_tokens: int, stop: Callable[[], bool] = ...
    ) -> Generator[str, None, Generated]:
        """The answer to one conversation, piece by piece."""


Chat = LanguageModel | RemoteChat


def generate(
    lm: Chat,
    conversations: list[list[Message]],
    max_new_tokens: int = 48,
    batch_size: int = 8,
    progress: bool = False,
) -> list[str]:
    """Let the model answer each conversation, in order; always the most probable next token, so that the result is fixed."""
    return [made.text for made in generate_counted(lm, conversations, max_new_tokens, batch_size, progress)]


def generate_counted(
    lm: Chat,
    conversations: list[list[Message]],
    max_new_tokens: int = 48,
    batch_size: int = 8,
    progress: bool = False,
) -> list[Generated]:
    """:func:`generate`, with the tokens and the time of each answer.

    Conversations are sorted by length first, so that those in a batch need little padding.
    """
    from tqdm import tqdm

    if not isinstance(lm, LanguageModel):
        bar = tqdm(conversations, desc="answering", unit="answer", leave=False, disable=not progress)
        return [lm.complete(messages, max_new_tokens) for messages in bar]
    import torch

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


def generate_stream(
    lm: Chat, messages: list[Message], max_new_tokens: int = 48, stop: Callable[[], bool] = lambda: False
) -> Generator[str, None, Generated]:
    """:func:`generate` for one conversation, piece by piece; the pieces joined are the answer, which is the return value too.

    ``stop`` is asked after every token, and so is whether somebody still reads: a generator that is closed ends the work.
    """
    if not isinstance(lm, LanguageModel):
        if isinstance(lm, StreamingChat):
            return (yield from lm.stream(messages, max_new_tokens, stop))
        whole = lm.complete(messages, max_new_tokens)
        yield whole.text
        return whole
    import queue
    import threading

    import torch
    from transformers import StoppingCriteriaList

    began, prompt = time.perf_counter(), lm.tokenize(messages)
    tokens: queue.Queue[int | BaseException | None] = queue.Queue()
    left = threading.Event()

    class Streamer:
        def __init__(self) -> None:
            self.first = True

        def put(self, value: Any) -> None:
            if self.first:  # the prompt comes first
                self.first = False
                return
            for token in value.flatten().tolist():
                tokens.put(int(token))

        def end(self) -> None:
            pass

    def over(ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((ids.shape[0],), left.is_set() or stop(), dtype=torch.bool)

    def work() -> None:
        try:
            with torch.inference_mode():
                ids = torch.tensor([prompt])
                lm.model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=max_new_tokens,
                    do_sample=False,
                    pad_token_id=lm.tokenizer.pad_token_id,
                    streamer=Streamer(),
                    stopping_criteria=StoppingCriteriaList([over]),
                )
            tokens.put(None)
        except BaseException as error:
            tokens.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    made: list[int] = []
    sent = ""
    try:
        while (token := tokens.get()) is not None:
            if isinstance(token, BaseException):
                raise token
            made.append(token)
            text = lm.tokenizer.decode(made, skip_special_tokens=True).strip()
            if text.startswith(sent) and len(text) > len(sent) and not text.endswith("\ufffd"):  # else half of a character
                yield text[len(sent) :]
                sent = text
    finally:
        left.set()
        thread.join()
    text = lm.tokenizer.decode(made, skip_special_tokens=True).strip()
    if text.startswith(sent) and len(text) > len(sent):
        yield text[len(sent) :]
    return Generated(text, len(prompt), len(made), (time.perf_counter() - began) * 1000)


def next_tokens(lm: LanguageModel, text: str, k: int = 5) -> list[tuple[str, float]]:
    """The ``k`` tokens that the model finds most likely after a text, each with its probability, best first."""
    import torch

    batch = lm.tokenizer(text, return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        probabilities = lm.model(**batch).logits[0, -1].softmax(dim=-1)
    values, tokens = probabilities.topk(k)
    return [(lm.tokenizer.decode(token), float(value)) for value, token in zip(values, tokens, strict=True)]
