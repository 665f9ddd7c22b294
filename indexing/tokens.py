"""Counting tokens the way the generators' tokenizer does."""

from typing import Protocol


class TokenCounter(Protocol):
    """Counts tokens. One counter serves chunk sizes, context budgets and the naive baseline alike."""

    @property
    def name(self) -> str:
        """The tokenizer's name, such as `o200k_base`; recorded beside every figure made with it."""

    def count(self, text: str) -> int:
        """The number of tokens of `text`; special-token markers in it count as plain text."""

    def count_many(self, texts: list[str]) -> list[int]:
        """`count` of each text, in order."""
