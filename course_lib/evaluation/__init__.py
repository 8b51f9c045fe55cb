"""Turn answers into numbers, and numbers into intervals."""

from .answers import abstains, contains_answer, exact_match, is_correct, normalise_answer, token_f1
from .intervals import bootstrap_interval, wilson_interval
from .retrieval import mean_recall, recall_at_k

__all__ = [
    "abstains",
    "bootstrap_interval",
    "contains_answer",
    "exact_match",
    "is_correct",
    "mean_recall",
    "normalise_answer",
    "recall_at_k",
    "token_f1",
    "wilson_interval",
]
