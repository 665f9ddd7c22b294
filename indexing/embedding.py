"""The embedding model and the cache of its vectors, as ports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EmbedderSpec:
    """What decides a vector besides the text. All of it is part of the embedding cache's key.

    `revision` identifies the weights (a commit or a content hash), `variant` the arithmetic, such as `torch-bf16`.
    """

    model: str
    revision: str
    dimension: int
    variant: str

    @property
    def key(self) -> str:
        """One line that names the model, its weights, its arithmetic and its dimension."""
        return f"{self.model}@{self.revision}/{self.variant}/{self.dimension}"


class Embedder(Protocol):
    """Turns texts into vectors. Knowing `spec` loads no model; the first embedding does, once."""

    @property
    def spec(self) -> EmbedderSpec:
        """The model's identity. Cheap: nothing heavy is imported for it."""

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed passages.

        Returns:
            Shape `(len(texts), spec.dimension)`, float32, each row of length 1, in the order of `texts`.

        Raises:
            EmbeddingError: The model cannot be loaded or gave values that are not finite.
        """

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed one search query: shape `(spec.dimension,)`, float32, length 1. Raises as `embed_documents`."""


class EmbeddingCache(Protocol):
    """Vectors by the hash of the embedded text, for one `EmbedderSpec`. Losing it costs time, never correctness."""

    def get_many(self, embedding_hashes: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known: hash -> shape `(dimension,)`, float32. Unknown, torn or wrong-sized ones are absent."""

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep vectors. Durable when it returns, so that an interrupted sync pays for none of them again."""
