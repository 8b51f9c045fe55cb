"""Ask the language model."""

from .generate import chat_messages, generate

__all__ = ["chat_messages", "generate"]
