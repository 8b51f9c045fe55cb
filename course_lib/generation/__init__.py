"""Ask the language model."""

from .generate import SUPPORT_DESK, chat_messages, generate, next_tokens

__all__ = ["SUPPORT_DESK", "chat_messages", "generate", "next_tokens"]
