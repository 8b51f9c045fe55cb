"""Turn answers into numbers, and numbers into intervals."""

from .answers import abstains, contains_answer, exact_match, is_correct, normalise_answer, token_f1
from .brackets import OracleSearch, RandomSearch
from .intervals import Difference, bootstrap_interval, paired_difference, wilson_interval
from .retrieval import (
    SearchScore,
    average_precision,
    by_type,
    compare_by_type,
    evaluate,
    evaluate_search,
    mean_recall,
    ndcg_at_k,
    precision_at_k,
    rank,
    recall_at_k,
    recall_of,
    reciprocal_rank,
)

__all__ = [
    "Difference",
    "OracleSearch",
    "RandomSearch",
    "SearchScore",
    "abstains",
    "average_precision",
    "bootstrap_interval",
    "by_type",
    "compare_by_type",
    "contains_answer",
    "evaluate",
    "evaluate_search",
    "exact_match",
    "is_correct",
    "mean_recall",
    "ndcg_at_k",
    "normalise_answer",
    "paired_difference",
    "precision_at_k",
    "rank",
    "recall_at_k",
    "recall_of",
    "reciprocal_rank",
    "token_f1",
    "wilson_interval",
]
