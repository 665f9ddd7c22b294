"""What every embedder must do. Subclass it with an `embedder` fixture."""

import numpy as np

from indexing.embedding import Embedder

TEXTS = [
    "Annual leave is 25 days.",
    "Travel > Per diem\nThe per diem is 60 euros. " * 12,
    "",
    "Annual leave is 25 days.",
    "ü 你好",
]


class EmbedderContract:
    def test_rows_are_float32_of_length_one_in_the_order_of_the_texts(self, embedder: Embedder) -> None:
        rows = embedder.embed_documents(TEXTS)
        assert rows.shape == (len(TEXTS), embedder.spec.dimension)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)
        alone = np.stack([embedder.embed_documents([text])[0] for text in TEXTS])
        # In a batch a text is padded, which moves the last bits; nothing else may move.
        assert ((rows * alone).sum(axis=1) > 0.999).all()

    def test_equal_texts_have_equal_vectors_and_others_differ(self, embedder: Embedder) -> None:
        rows = embedder.embed_documents(TEXTS)
        assert rows[0] @ rows[3] > 0.9999
        assert rows[0] @ rows[1] < 0.9

    def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        assert embedder.embed_documents([]).shape == (0, embedder.spec.dimension)

    def test_a_query_lies_nearest_to_the_passage_with_its_words(self, embedder: Embedder) -> None:
        query = embedder.embed_query("how many days of annual leave")
        assert query.shape == (embedder.spec.dimension,)
        assert query.dtype == np.float32
        assert abs(float(np.linalg.norm(query)) - 1.0) < 1e-6
        assert int(np.argmax(embedder.embed_documents(TEXTS[:3]) @ query)) == 0

    def test_the_spec_names_the_model_and_stays_the_same(self, embedder: Embedder) -> None:
        before = embedder.spec
        embedder.embed_documents(["x"])
        assert embedder.spec == before
        assert before.key == f"{before.model}@{before.revision}/{before.variant}/{before.dimension}"
