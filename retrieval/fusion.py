"""Reciprocal rank fusion."""

from collections.abc import Iterable, Sequence


def reciprocal_rank_fusion(rankings: Iterable[Sequence[str]], k: int = 60) -> list[tuple[str, float]]:
    """Fuse ranked lists into one: each item scores the sum of `1 / (k + rank)` over the lists it stands in, ranks from 1.

    Returns:
        Items with their fused scores, best first; ties in alphabetical order, so that the result is stable.

    Raises:
        ValueError: `k` is negative.

    Source:
        Cormack, Clarke and Buettcher, SIGIR 2009.
    """
    if k < 0:
        raise ValueError(f"k must not be negative, got {k}")
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
