"""Find passages."""

from .dense import DenseIndex, Hit, top_k

__all__ = ["DenseIndex", "Hit", "top_k"]
