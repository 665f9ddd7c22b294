"""An embedding cache in memory, for tests of what uses one."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


class FakeEmbeddingCache:
    def __init__(self) -> None:
        self.vectors: dict[str, NDArray[np.float32]] = {}

    def get_many(self, embedding_hashes: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        return {key: self.vectors[key] for key in embedding_hashes if key in self.vectors}

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        self.vectors.update({key: vector.copy() for key, vector in vectors.items()})


class ForgetfulEmbeddingCache:
    """What a refused or broken cache looks like: nothing is ever known."""

    def get_many(self, embedding_hashes: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:  # noqa: ARG002 - the port's signature
        return {}

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        pass
