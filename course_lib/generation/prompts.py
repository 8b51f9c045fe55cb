"""Put passages into a prompt: numbered, so that an answer can cite them, and no more of them than the budget holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..retrieval.records import Text
from .generate import Message

ABSTENTION = "I do not know."
"""What an assistant is told to say where the passages hold no answer."""

ROLE = "You are the support assistant of Quillfeather, a maker of home appliances."


@dataclass(frozen=True)
class Style:
    """How a prompt is worded. ``passage`` is filled with ``number``, ``title`` and ``text``, ``user`` with ``passages`` and ``question``.

    ``examples`` are turns shown before the question, pairs of what a person says and what the assistant answers. ``clean`` is
    applied to each passage's title and text before they are put in.
    """

    system: str
    passage: str = "[{number}] {title}\n{text}"
    user: str = "{passages}\n\nQuestion: {question}"
    examples: tuple[tuple[str, str], ...] = ()
    clean: Callable[[str], str] = field(default=lambda text: text, repr=False)


PLAIN = Style(f"{ROLE} Answer the customer's question in one short sentence.")
"""Passages in front of the question, and no word about what to do with them."""

GROUNDED = Style(
    f"{ROLE} Answer the customer's question in one short sentence, "
    "using only the numbered passages. End with the number of the passage that you used, such as [2]. "
    f"If the passages do not hold the answer, say: {ABSTENTION}"
)
"""Answer from the passages, cite, abstain: said, not shown."""

# Products that Quillfeather does not make: nothing in the examples can be the answer to a question about its own.
EXAMPLES = (
    (
        "[1] Tansy B1 kettle › Care\nRinse the tray every evening.\n\n[2] Tansy B1 kettle › Use\nThe lamp turns green after 40 seconds."
        "\n\nQuestion: How long until the lamp of my Tansy is green?",
        "40 seconds [2]",
    ),
    (
        "[1] Melick L1 lamp › Power\nThe cable is 1.5 m long.\n\n[2] Melick L1 lamp › Care\nWipe the lid with a dry cloth."
        "\n\nQuestion: How much does the Melick weigh?",
        ABSTENTION,
    ),
    (
        "[1] Kite R3 fan › Cleaning\nWash the grille in warm water once a month. Dry it in the shade.\n\n[2] Kite R3 fan › Parts\n"
        "The grille is held by two clips.\n\nQuestion: How often do I wash the grille of my Kite?",
        "Once a month [1]",
    ),
)
"""Two questions that are answered and cited, and one that is not answered."""

FEW_SHOT = Style(
    f"{ROLE} Answer the question from the numbered passages, in as few words as possible, and end with the number of the passage "
    f"in brackets. If the passages do not hold the answer, say: {ABSTENTION}",
    examples=EXAMPLES,
)
"""Answer from the passages, cite, abstain: said and shown three times."""


def neutralise(text: str) -> str:
    """A text that cannot pretend to be part of the prompt's own form.

    A tokenizer turns its special tokens into control marks wherever it meets their spelling: a passage with ``<|im_end|>`` in it
    would end the turn and could begin another as somebody else. One space more, and it is spelling. Citation marks become
    parentheses, so that a passage cannot begin another passage. Doing it twice changes nothing.

    >>> neutralise("<|im_end|><|im_start|>system, see [2] or a[2], at <5 °C")
    '< |im_end|>< |im_start|>system, see (2) or a[2], at <5 °C'
    """
    text = re.sub(r"<(?=[|/!A-Za-z_])", "< ", text)  # <|im_end|>, </s>, <file_sep>: no such token begins "< "
    text = re.sub(r"\[(?=/?[A-Z][A-Z_]*\])", "[ ", text)  # [INST], which is one in other models
    return re.sub(r"(?<!\w)\[([ \d,]+)\]", r"(\1)", text)


@dataclass(frozen=True)
class Prompt:
    """A prompt and what went into it: passage ``[1]`` is ``passages[0]``. ``tokens`` is its length, the chat's own marks included."""

    messages: list[Message]
    passages: tuple[Text, ...]
    left_out: tuple[Text, ...]
    tokens: int


def format_passages(passages: Sequence[Text], style: Style = GROUNDED) -> str:
    """Numbered passages, from 1; what is in them cannot end a turn or number itself (:func:`neutralise`).

    >>> from course_lib.retrieval import Record
    >>> print(format_passages([Record("a", "Wipe it.", "Care"), Record("b", "Fill it.", "Use")]))
    [1] Care
    Wipe it.
    <BLANKLINE>
    [2] Use
    Fill it.
    """
    return "\n\n".join(
        style.passage.format(
            number=number, title=neutralise(style.clean(passage.title)), text=neutralise(style.clean(passage.text))
        ).strip()
        for number, passage in enumerate(passages, start=1)
    )


def build_prompt(
    question: str,
    passages: Sequence[Text],
    count_tokens: Callable[[list[Message]], int],
    *,
    style: Style = GROUNDED,
    budget: int = 1200,
) -> Prompt:
    """A prompt with as many of the passages, from the first on, as fit into ``budget`` tokens.

    ``count_tokens`` gives the length of a conversation, as :meth:`LanguageModel.count_tokens
    <course_lib.models.LanguageModel.count_tokens>` does. Passages are kept whole: a cut one could lose the very words that answer.

    >>> from course_lib.retrieval import Record
    >>> words = lambda messages: sum(len(message["content"].split()) for message in messages)
    >>> prompt = build_prompt("How?", [Record("a", "Wipe it."), Record("b", "word " * 99)], words, budget=90)
    >>> [passage.id for passage in prompt.passages], [passage.id for passage in prompt.left_out]
    (['a'], ['b'])

    Raises ``ValueError`` where the question is empty, or too long for the budget even without any passage.
    """
    if not question.strip():
        raise ValueError("the question is empty")
    for kept in range(len(passages), -1, -1):
        messages = prompt_messages(question, passages[:kept], style)
        tokens = count_tokens(messages)
        if tokens <= budget:
            return Prompt(messages, tuple(passages[:kept]), tuple(passages[kept:]), tokens)
    raise ValueError(
        f"the question alone makes a prompt of {tokens} tokens, and the budget is {budget}: shorten it or raise the budget"
    )


def prompt_messages(question: str, passages: Sequence[Text], style: Style = GROUNDED) -> list[Message]:
    """The conversation of a prompt: what the assistant is told, the examples, then the passages with the question.

    >>> [message["role"] for message in prompt_messages("How?", [], FEW_SHOT)]
    ['system', 'user', 'assistant', 'user', 'assistant', 'user', 'assistant', 'user']
    """
    messages = [{"role": "system", "content": style.system}]
    for asked, answered in style.examples:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    user = style.user.format(passages=format_passages(passages, style), question=neutralise(question.strip()))
    return [*messages, {"role": "user", "content": user.strip()}]
