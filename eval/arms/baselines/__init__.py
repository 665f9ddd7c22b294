"""The naive pipelines that every saving is measured against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.tokens import TokenCounter

EmbedTexts = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts -> vectors of length 1, float32, `(len(texts), dimension)`, in order."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as every pipeline gets it: its path below `docs/`, and its Markdown without front matter."""

    path: str
    markdown: str


@dataclass(frozen=True, slots=True)
class NaiveContext:
    """What a naive pipeline would send: the text, its tokens, and the pages of its whole ranking, passage by passage."""

    text: str
    tokens: int
    ranking: tuple[str, ...]


class NaivePipeline(Protocol):
    """Chunks pages its own way, and finds some for a question."""

    def context(self, question: str, vector: NDArray[np.float32]) -> NaiveContext:
        """What is sent for a question with this vector, shape `(dimension,)`, float32, of length 1."""

    def configuration(self) -> dict[str, str | int]:
        """What decides its results, for `run.json`."""


BuildPipeline = Callable[[Sequence[Page], EmbedTexts, TokenCounter], NaivePipeline]
