"""The whole of RAG on one page: retrieve → prompt → generate → cite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .generation.citations import parse_citations, strip_citations
from .generation.generate import Chat, generate_counted
from .generation.prompts import GROUNDED, Prompt, Style, build_prompt
from .ledger import Entry, record, stage
from .retrieval.fusion import Searcher
from .retrieval.records import Filter, Text


@dataclass(frozen=True)
class Answer:
    """An answer with everything it came from.

    ``text`` is what the model wrote, ``words`` the same without citation marks. ``passages`` were in the prompt, ``cited`` are those of
    them that the answer names. ``cost`` is its entry in the ledger.
    """

    question: str
    text: str
    passages: tuple[Text, ...]
    cited: tuple[Text, ...]
    prompt: Prompt = field(repr=False)
    cost: Entry = field(repr=False)

    @property
    def words(self) -> str:
        """The answer without its citation marks."""
        return strip_citations(self.text)


@dataclass
class Assistant:
    """Answers questions from what a search finds.

    ``k`` passages are searched for, among those that pass the filter ``where``; ``budget`` bounds the prompt in tokens.
    """

    search: Searcher
    lm: Chat
    k: int = 3
    where: Filter | None = None
    style: Style = GROUNDED
    budget: int = 1200
    max_new_tokens: int = 48

    def ask(self, question: str) -> Answer:
        """Answer one question; the ledger has every stage of it."""
        with record() as cost:
            hits = self.search.search(question, self.k, self.where)
            prompt = self.prompt(question, [hit.passage for hit in hits])
            with stage("generate"):
                (made,) = generate_counted(self.lm, [prompt.messages], self.max_new_tokens)
        cost.tokens_in, cost.tokens_out = made.tokens_in, made.tokens_out
        return self.answer(question, prompt, made.text, cost)

    def ask_many(self, questions: Sequence[str], progress: bool = False) -> list[Answer]:
        """Answer many questions, several at a time: the same answers in less time."""
        found = self.search.search_many(questions, self.k, self.where)
        return self.read_many(questions, [[hit.passage for hit in hits] for hits in found], progress)

    def read_many(self, questions: Sequence[str], passages: Sequence[Sequence[Text]], progress: bool = False) -> list[Answer]:
        """Answer questions from given passages, as if a search had found them."""
        prompts = [self.prompt(question, shown) for question, shown in zip(questions, passages, strict=True)]
        made = generate_counted(self.lm, [prompt.messages for prompt in prompts], self.max_new_tokens, progress=progress)
        return [
            self.answer(question, prompt, one.text, Entry({"generate": one.ms}, one.tokens_in, one.tokens_out))
            for question, prompt, one in zip(questions, prompts, made, strict=True)
        ]

    def prompt(self, question: str, passages: Sequence[Text]) -> Prompt:
        """The prompt for a question and its passages."""
        with stage("prompt"):
            return build_prompt(question, passages, self.lm.count_tokens, style=self.style, budget=self.budget)

    @staticmethod
    def answer(question: str, prompt: Prompt, text: str, cost: Entry) -> Answer:
        """What the model wrote, with its citations read."""
        cited = tuple(prompt.passages[number - 1] for number in parse_citations(text, len(prompt.passages)))
        return Answer(question, text, prompt.passages, cited, prompt, cost)
