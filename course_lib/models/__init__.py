"""The two models of the course: a language model and an embedder, both on this machine."""

from .files import EMBEDDER, LANGUAGE_MODEL, SOURCES, ModelSource, file_hash, prepare, problem_with
from .load import Embedder, LanguageModel, embedder, language_model

__all__ = [
    "EMBEDDER",
    "LANGUAGE_MODEL",
    "SOURCES",
    "Embedder",
    "LanguageModel",
    "ModelSource",
    "embedder",
    "file_hash",
    "language_model",
    "prepare",
    "problem_with",
]
