"""What every embedding cache must do. Subclass it with a `cache` fixture for vectors of dimension 4."""

from hashlib import sha256

import numpy as np

from indexing.embedding import EmbeddingCache

HASHES = [sha256(f"text {n}".encode()).hexdigest() for n in range(3)]
VECTORS = {key: np.array([n, 0.25, -1.5, 3e-8], dtype=np.float32) for n, key in enumerate(HASHES)}


class EmbeddingCacheContract:
    def test_gives_back_exactly_what_was_kept_and_nothing_else(self, cache: EmbeddingCache) -> None:
        cache.put_many({key: VECTORS[key] for key in HASHES[:2]})
        found = cache.get_many(HASHES)
        assert set(found) == set(HASHES[:2])
        for key, vector in found.items():
            np.testing.assert_array_equal(vector, VECTORS[key])
            assert vector.dtype == np.float32

    def test_knows_nothing_at_first_and_nothing_is_asked_of_nothing(self, cache: EmbeddingCache) -> None:
        assert dict(cache.get_many(HASHES)) == {}
        cache.put_many({})
        assert dict(cache.get_many([])) == {}

    def test_keeping_again_is_no_error(self, cache: EmbeddingCache) -> None:
        cache.put_many(VECTORS)
        cache.put_many(VECTORS)
        assert set(cache.get_many(HASHES)) == set(HASHES)
