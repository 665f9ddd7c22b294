"""An embedder without a model: words are hashed into a vector, so texts with common words are close. For tests that embed."""

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from indexing.embedding import EmbedderSpec


class FakeEmbedder:
    """Deterministic. `embedded` lists every passage that was ever sent to it, in order."""

    def __init__(self, dimension: int = 16, revision: str = "1") -> None:
        self._spec = EmbedderSpec("fake-hashing", revision, dimension, "numpy-fp32")
        self.embedded: list[str] = []

    @property
    def spec(self) -> EmbedderSpec:
        return self._spec

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        rows = [self._row(text) for text in texts]
        return np.stack(rows) if rows else np.empty((0, self._spec.dimension), dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return self._row(text)

    def _row(self, text: str) -> NDArray[np.float32]:
        row = np.zeros(self._spec.dimension, dtype=np.float32)
        for word in ["", *re.findall(r"\w+", text.lower())]:  # the empty word keeps a text without words from being zero
            digest = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
            row[digest % len(row)] += 1.0 if digest >> 63 else -1.0
            row[(digest >> 20) % len(row)] += 0.5
        length = np.linalg.norm(row)
        return row / length if length else np.eye(1, len(row), dtype=np.float32)[0]
