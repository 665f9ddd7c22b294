"""The naive prompt for one question: what the usual pipeline would have sent, counted and priced, and written out on demand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, TypeAlias

from app.costs.pricing import Price, Usage, price_usage
from app.costs.receipts import NaivePrompt
from indexing.documents import Chunk
from indexing.tokens import TokenCounter
from retrieval.passages import Passage
from retrieval.recent import Recent

WINDOWS: Final = 5
WINDOW_TOKENS: Final = 512

INSTRUCTIONS: Final = (
    "Context information is below.\n---------------------\n{context}\n---------------------\n"
    "Given the context information and not prior knowledge, answer the query.\nQuery: {question}\nAnswer: "
)
"""The plain instructions. Source: the wording of LlamaIndex's default question-answering prompt."""

_REMEMBERED_PAGES: Final = 4_000

PageReader: TypeAlias = Callable[[Sequence[str]], Mapping[str, Sequence[Chunk]]]
"""Reads all chunks of documents: ids -> chunks in reading order, for each document that is still there."""

_Span: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Page:
    """Where each chunk stands among the tokens of its page."""

    chunks: Mapping[str, _Span]
    tokens: int


class NaiveBaseline:
    """Measures the naive prompt for a question.

    The prompt holds plain instructions, the question, and five windows: going down the passages by cosine (those found by
    words alone come last, by rank), each passage becomes a 512-token window of its page, centred on it and moved inside the
    page. A passage that already lies in a window adds none, since the naive pipeline holds every text once; for the same
    reason, overlapping windows of a page are counted as one stretch.

    Pages are tokenised for real, chunk by chunk, once in a generation; a window is then an interval of its page's tokens.
    Blank lines between chunks and marks between windows are not counted, in the baseline's disfavour: a saving is rather
    understated. The cost assumes an answer of `output_tokens`.

    Safe to use from several threads.
    """

    def __init__(self, counter: TokenCounter, price: Price | None, output_tokens: int) -> None:
        self._counter = counter
        self._price = price
        self._output_tokens = output_tokens
        self._instructions_tokens = counter.count(INSTRUCTIONS.format(context="", question=""))
        self._remembered: Recent[tuple[str, str], _Page] = Recent(_REMEMBERED_PAGES)

    def measure(self, question: str, passages: Sequence[Passage], generation: str, read: PageReader) -> NaivePrompt:
        """Count and price the naive prompt.

        Args:
            question: The question as asked.
            passages: What retrieval found, in any order.
            generation: The generation that was searched; what is remembered of a page holds within it.
            read: Reads the pages that are not remembered.
        """
        windows = self._windows(passages, generation, read)
        tokens = self._instructions_tokens + self._counter.count(question) + sum(map(_covered, windows.values()))
        return NaivePrompt(tokens, price_usage(Usage(tokens, self._output_tokens), self._price))

    def write(self, question: str, passages: Sequence[Passage], generation: str, read: PageReader) -> str:
        """Write the naive prompt out, to be sent for real. Takes what `measure` takes.

        The windows are those that `measure` counts, best page first. Where one begins or ends inside a chunk, the chunk is cut
        between two words, in proportion to its tokens.
        """
        windows = self._windows(passages, generation, read)
        pages, texts = self._pages(list(windows), generation, read), read(list(windows))
        context = "\n\n".join(
            _cut(texts[document], pages[document], stretch)
            for document, spans in windows.items()
            for stretch in _stretches(spans)
            if document in texts
        )
        return INSTRUCTIONS.format(context=context, question=question)

    def _windows(self, passages: Sequence[Passage], generation: str, read: PageReader) -> dict[str, list[_Span]]:
        """The windows of each page, in the order in which its pages come up."""
        windows: dict[str, list[_Span]] = {}
        taken = 0
        ordered = _by_cosine(passages)
        pages = self._pages([passage.chunk.document_id for passage in ordered[:WINDOWS]], generation, read)
        for passage in ordered:
            if taken == WINDOWS:
                break
            document = passage.chunk.document_id
            if document not in pages:
                pages |= self._pages([document], generation, read)
            page = pages[document]
            start, end = page.chunks[passage.chunk.id]
            of_page = windows.setdefault(document, [])
            if not any(low <= start and end <= high for low, high in of_page):
                of_page.append(_centred(start, end, page.tokens))
                taken += 1
        return windows

    def _pages(self, documents: Sequence[str], generation: str, read: PageReader) -> dict[str, _Page]:
        known = self._remembered.get_all((generation, document) for document in documents)
        pages = {document: page for (_, document), page in known.items()}
        missing = sorted(set(documents) - pages.keys())
        if missing:
            fresh = {document: self._tokenise(chunks) for document, chunks in read(missing).items()}
            self._remembered.add_all({(generation, document): page for document, page in fresh.items()})
            pages |= fresh
        return pages

    def _tokenise(self, chunks: Sequence[Chunk]) -> _Page:
        counts = self._counter.count_many([chunk.text for chunk in chunks])
        ends = accumulate(counts)
        spans = {chunk.id: (end - count, end) for chunk, count, end in zip(chunks, counts, ends, strict=True)}
        return _Page(spans, sum(counts))


def _by_cosine(passages: Sequence[Passage]) -> list[Passage]:
    return sorted(passages, key=lambda passage: (2.0 if passage.cosine is None else -passage.cosine, passage.rank))


def _centred(start: int, end: int, page_tokens: int) -> _Span:
    low = max(0, min((start + end - WINDOW_TOKENS) // 2, page_tokens - WINDOW_TOKENS))
    return low, min(page_tokens, low + WINDOW_TOKENS)


def _covered(spans: Sequence[_Span]) -> int:
    return sum(high - low for low, high in _stretches(spans))


def _stretches(spans: Sequence[_Span]) -> list[_Span]:
    """The spans in order, with those that overlap or touch made one."""
    stretches: list[_Span] = []
    for low, high in sorted(spans):
        if stretches and low <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], high))
        else:
            stretches.append((low, high))
    return stretches


def _cut(chunks: Sequence[Chunk], page: _Page, stretch: _Span) -> str:
    """The text of a stretch of a page."""
    low, high = stretch
    parts = []
    for chunk in chunks:
        start, end = page.chunks[chunk.id]
        if start < high and low < end:
            parts.append(_part(chunk.text, (max(low, start) - start) / (end - start), (min(high, end) - start) / (end - start)))
    return "\n\n".join(parts)


def _part(text: str, low: float, high: float) -> str:
    """A text from one share of its length to another, both in [0, 1], with the words at either end whole or left out."""
    start, end = round(low * len(text)), round(high * len(text))
    while 0 < start < end and not text[start - 1].isspace():
        start += 1
    while start < end < len(text) and not text[end].isspace():
        end -= 1
    return text[start:end].strip()
