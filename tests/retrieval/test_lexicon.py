import math

from hypothesis import given
from hypothesis import strategies as st

from retrieval.lexicon import inverse_document_frequency


@given(st.integers(0, 10**9), st.data())
def test_rarer_terms_weigh_more_and_none_weighs_nothing(chunks: int, data: st.DataObject) -> None:
    common = data.draw(st.integers(0, chunks))
    rare = data.draw(st.integers(0, common))
    assert inverse_document_frequency(rare, chunks) >= inverse_document_frequency(common, chunks) > 0
    assert math.isfinite(inverse_document_frequency(rare, chunks))


def test_the_formula_is_bm25s() -> None:
    assert inverse_document_frequency(3, 100) == math.log(1 + 97.5 / 3.5)
