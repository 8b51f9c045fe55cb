"""Find passages."""

from .dense import DenseIndex, top_k
from .fusion import HybridIndex, Searcher, hybrid, reciprocal_rank_fusion
from .lexical import BM25Index, tokenize
from .records import Filter, Hit, Record, Text
from .rerank import RerankedIndex, Reranker

__all__ = [
    "BM25Index",
    "DenseIndex",
    "Filter",
    "Hit",
    "HybridIndex",
    "Record",
    "RerankedIndex",
    "Reranker",
    "Searcher",
    "Text",
    "hybrid",
    "reciprocal_rank_fusion",
    "tokenize",
    "top_k",
]
