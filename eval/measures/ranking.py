"""How well a ranking puts the relevant pages first. Relevance is binary; a ranking names each page once."""

import math
from collections.abc import Collection, Iterable, Sequence


def first_occurrences(documents: Iterable[str]) -> list[str]:
    """The ranking of pages that a ranking of their passages amounts to: each page at the rank of its best passage."""
    return list(dict.fromkeys(documents))


def recall_at(k: int, ranking: Sequence[str], relevant: Collection[str]) -> float:
    """The share of the relevant that are among the first `k`. `relevant` must not be empty."""
    return len(set(ranking[:k]) & set(relevant)) / len(set(relevant))


def ndcg_at(k: int, ranking: Sequence[str], relevant: Collection[str]) -> float:
    """The discounted gain of the first `k`, relative to that of the best ranking; the gain of a relevant page is 1.

    Source:
        Jarvelin and Kekalainen, ACM TOIS 20(4), 2002, with the discount log2(rank + 1) as in trec_eval.
    """
    gain = sum(1 / math.log2(rank + 1) for rank, page in enumerate(ranking[:k], start=1) if page in relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(set(relevant))) + 1))
    return gain / best


def reciprocal_rank_at(k: int, ranking: Sequence[str], relevant: Collection[str]) -> float:
    """One by the rank of the first relevant page; 0 when none is among the first `k`."""
    return next((1 / rank for rank, page in enumerate(ranking[:k], start=1) if page in relevant), 0.0)
