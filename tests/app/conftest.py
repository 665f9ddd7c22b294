"""Stand-ins for the parts of the flow that these tests are not about."""

from collections.abc import Callable, Sequence

import pytest

from indexing.documents import Chunk, Unit, UnitKind


class WordCounter:
    """Counts words: easy to reckon with."""

    name = "words"

    def count(self, text: str) -> int:
        return len(text.split())

    def count_many(self, texts: list[str]) -> list[int]:
        return [self.count(text) for text in texts]


def build_chunk(document: str, ordinal: int, sentences: Sequence[str], **changes: object) -> Chunk:
    """A chunk made of sentences."""
    text = " ".join(sentences)
    units, start = [], 0
    for line, sentence in enumerate(sentences, start=10 * ordinal + 1):
        units.append(Unit(start, start + len(sentence), UnitKind.SENTENCE, (line, line)))
        start += len(sentence) + 1
    fields: dict[str, object] = {
        "id": f"{document}-{ordinal}",
        "tenant": "default",
        "document_id": document,
        "document_path": f"{document}.md",
        "uri": f"docs/{document}.md",
        "title": document.capitalize(),
        "heading_path": ("Rules",),
        "ordinal": ordinal,
        "first_unit": 0,
        "text": text,
        "units": tuple(units),
        "labels": ("everyone",),
        "embedding_text": text,
        "words_text": text,
    }
    return Chunk(**{**fields, **changes})  # type: ignore[arg-type] # the fields above have the right types


@pytest.fixture
def counter() -> WordCounter:
    return WordCounter()


@pytest.fixture
def make_chunk() -> Callable[..., Chunk]:
    return build_chunk
