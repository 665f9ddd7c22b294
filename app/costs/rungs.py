"""The rungs by which answers are made, as receipts, the ledger and explanations name them."""

from enum import StrEnum


class Rung(StrEnum):
    """A way to produce an answer, with its price: from the cache and from verbatim units for nothing, then by models.

    `abstain` is the end without an answer.
    """

    CACHE = "cache"
    EXTRACTIVE = "extractive"
    SMALL = "small"
    SMALL_WIDE = "small-wide"
    STRONG = "strong"
    ABSTAIN = "abstain"
