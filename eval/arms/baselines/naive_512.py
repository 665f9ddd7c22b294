"""The pipeline most people write first: windows of 512 tokens, the five nearest."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from llama_index.core.node_parser import SentenceSplitter
from numpy.typing import NDArray

from eval.arms.baselines import EmbedTexts, NaiveContext, Page
from indexing.tokens import TokenCounter

WINDOW_TOKENS: Final = 512
TOP: Final = 5


class Naive512:
    """Windows of at most 512 tokens that end with a sentence, without headings or overlap; the five nearest by cosine."""

    def __init__(self, pages: Sequence[Page], embed: EmbedTexts, counter: TokenCounter) -> None:
        splitter = SentenceSplitter(chunk_size=WINDOW_TOKENS, chunk_overlap=0)
        windows = [(page.path, text) for page in pages for text in splitter.split_text(page.markdown) if text.strip()]
        self._paths = [path for path, _ in windows]
        self._texts = [text for _, text in windows]
        self._vectors = embed(self._texts)
        self._counter = counter

    def context(self, question: str, vector: NDArray[np.float32]) -> NaiveContext:  # noqa: ARG002 - others need the words
        """The five nearest windows, nearest first."""
        order = np.argsort(-(self._vectors @ vector), kind="stable")
        text = "\n\n".join(self._texts[index] for index in order[:TOP])
        return NaiveContext(text, self._counter.count(text), tuple(self._paths[index] for index in order))

    def configuration(self) -> dict[str, str | int]:
        """What decides its results."""
        return {"chunk_tokens": WINDOW_TOKENS, "overlap_tokens": 0, "top": TOP, "chunks": len(self._texts)}
