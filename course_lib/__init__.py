"""Open Book, Closed Book: RAG and fine-tuning, measured on your own laptop."""

from .exercises import check, hint, progress, quiz, recall

__all__ = ["__version__", "check", "hint", "progress", "quiz", "recall"]
__version__ = "0.1.0"
