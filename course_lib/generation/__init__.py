"""Ask the language model."""

from .citations import attribute, content_words, parse_citations, strip_citations, supporting_span
from .generate import SUPPORT_DESK, Generated, chat_messages, generate, generate_counted, next_tokens
from .prompts import ABSTENTION, FEW_SHOT, GROUNDED, PLAIN, Prompt, Style, build_prompt, format_passages, neutralise

__all__ = [
    "ABSTENTION",
    "FEW_SHOT",
    "GROUNDED",
    "PLAIN",
    "SUPPORT_DESK",
    "Generated",
    "Prompt",
    "Style",
    "attribute",
    "build_prompt",
    "chat_messages",
    "content_words",
    "format_passages",
    "generate",
    "generate_counted",
    "neutralise",
    "next_tokens",
    "parse_citations",
    "strip_citations",
    "supporting_span",
]
