"""A starting set of questions from a customer's own documents, for a person to review."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from app.bootstrap import build_sources, open_sync_tools
from app.home import prepare_home
from app.settings import Settings
from eval.datasets.sentences import counted_rarity
from eval.errors import DatasetError
from eval.questions.writing import QuestionWriter, WrittenQuestion
from indexing.chunking import chunk_document
from indexing.documents import DEFAULT_TENANT, EVERYONE, Chunk, Document, UnitKind
from indexing.language import ENGLISH
from indexing.plain_text import plain_text
from indexing.planning import Progress
from indexing.sources import Skipped

HEADING: Final = "heading"
"""How a row was made where no model wrote it."""

_PER_PAGE: Final = 3
_SHORTEST_WORDS: Final = 6
_LONGEST_WORDS: Final = 45
_OPENERS: Final = re.compile(r"^(it|they|this|that|these|those|he|she|such|however|also|then|and|but|or|so)\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\$?\d[\d,.:]*(?:\s?(?:%|percent|days?|weeks?|months?|years?|hours?|minutes?))?")


def make_questions(
    settings: Settings, path: Path, progress: Progress, writer: QuestionWriter | None = None
) -> Iterator[dict[str, Any]]:
    """Draft questions from documents, one after the other.

    At most three sections of a page give one each. The writer's model writes it; without a writer, and where what it wrote is of
    no use, the sentence that says most of what the heading names is the evidence. Where the answer holds a number, the number is
    what an answer must include. Every row is marked `"review": true`, and says under `made_by` how it was made.

    Args:
        settings: The product's settings.
        path: A folder of documents, or one document.
        progress: Is told how many of the questions are there, under `ask`.
        writer: As `open_question_writer` gives it.

    Returns:
        Rows of `questions.jsonl`, each made when it is taken; `doc` is relative to `path`.

    Raises:
        SourceError: `path` is not there.
        DatasetError: Nothing in it gives a question.
        BudgetExhaustedError: While rows are taken: a limit leaves no room for another call.
        LedgerError: While rows are taken: what a call costs cannot be set aside or written down.
    """
    sections = _sections(settings, path)
    if not sections:
        raise DatasetError(f"{path} holds no page with a heading and a sentence below it to make a question of.")
    return _rows(sections, progress, writer)


def write_questions(rows: Iterable[dict[str, Any]], out: Path) -> None:
    """Write rows as JSON lines, each as it comes, so that what is there is kept whatever ends the rows.

    Raises:
        DatasetError: The file is there already, or cannot be written: what a person has reviewed is never overwritten.
    """
    try:
        with out.open("x", encoding="utf-8") as stream:
            try:
                for row in rows:
                    stream.write(f"{json.dumps(row, ensure_ascii=False)}\n")
                    stream.flush()
            finally:
                if not stream.tell():  # an empty file would only stand in the way of the next try
                    out.unlink()
    except OSError as error:
        raise DatasetError(f"{out} cannot be written ({error.strerror}). Name another file with --out.") from error


def _sections(settings: Settings, path: Path) -> list[tuple[Chunk, str]]:
    """The sections that give a question, each with the sentence that says most of what its heading names."""
    prepare_home(settings.home)
    sections: list[tuple[Chunk, str]] = []
    with open_sync_tools(settings) as tools:
        raws = (item for source in build_sources(settings, [path], (), None) for item in source.documents())
        for raw, parsed in tools.parser.parse(item for item in raws if not isinstance(item, Skipped)):
            if isinstance(parsed, Skipped):
                continue
            document = Document(
                raw.path, DEFAULT_TENANT, "", raw.path, raw.uri, parsed.title, parsed.markdown, None, (EVERYONE,), ""
            )
            sections += _page_sections(chunk_document(document, tools.counter, tools.language))
    return sections


def _page_sections(chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, str]]:
    made = 0
    seen: set[tuple[str, ...]] = set()
    for chunk in chunks:
        if not chunk.heading_path or chunk.heading_path in seen or made == _PER_PAGE:
            continue
        best = max(_sentences(chunk), key=lambda text: _telling(text, chunk), default=None)
        if best is None:
            continue
        seen.add(chunk.heading_path)
        made += 1
        yield chunk, best


def _rows(sections: Sequence[tuple[Chunk, str]], progress: Progress, writer: QuestionWriter | None) -> Iterator[dict[str, Any]]:
    rarity = counted_rarity([chunk.text for chunk, _ in sections])
    progress.update("ask", 0, len(sections))
    for number, (chunk, sentence) in enumerate(sections, start=1):
        row = _heading_row(chunk, sentence)
        written = writer.write(chunk, row["question"], rarity) if writer else None
        if written:
            row |= _written_fields(written, chunk.document_path)
        yield {"id": f"draft-{number:04d}", **row}
        progress.update("ask", number, len(sections))


def _written_fields(written: WrittenQuestion, doc: str) -> dict[str, Any]:
    """What a model's question puts in the place of the heading's."""
    asked = {match.group().rstrip(".,:") for match in _NUMBER.finditer(written.question)}
    numbers = [match.group().rstrip(".,:") for match in _NUMBER.finditer(written.answer)]
    told = [number for number in numbers if number not in asked][:1]
    return {
        "question": written.question,
        "answer": written.answer,
        "must_include": told,
        "evidence": _evidence(doc, written.quotes),
        "type": "number" if told else "fact",
        "paraphrases": list(written.paraphrases),
        "near_misses": [
            {"question": one.question, "answer": one.answer, "evidence": _evidence(doc, one.quotes)}
            for one in written.near_misses
        ],
        "made_by": f"model {written.model}",
    }


def _evidence(doc: str, quotes: Sequence[str]) -> list[dict[str, str]]:
    return [{"doc": doc, "quote": quote} for quote in quotes]


def _sentences(chunk: Chunk) -> Iterator[str]:
    for position, unit in enumerate(chunk.units):
        text = plain_text(chunk.unit_text(position)).replace("\n", " ")
        fits = _SHORTEST_WORDS <= len(text.split()) <= _LONGEST_WORDS
        if unit.kind is UnitKind.SENTENCE and fits and not text.endswith(("?", ":")) and not _OPENERS.match(text):
            yield text


def _telling(text: str, chunk: Chunk) -> tuple[int, int, int]:
    """What its heading names first, then a number, then how much it says."""
    own = set(ENGLISH.terms(text))
    return len(own & set(ENGLISH.terms(chunk.heading_path[-1]))), int(bool(_NUMBER.search(text))), len(own)


def _heading_row(chunk: Chunk, sentence: str) -> dict[str, Any]:
    heading = plain_text(chunk.heading_path[-1]).strip()
    number = _NUMBER.search(sentence)
    if heading.endswith("?"):
        question = heading
    elif number:
        question = f"{chunk.title}: what number, date or limit does it give for {heading!r}?"
    else:
        question = f"{chunk.title}: what does it say about {heading!r}?"
    return {
        "question": question,
        "answer": sentence,
        "must_include": [number.group().rstrip(".,:")] if number else [],
        "evidence": _evidence(chunk.document_path, [sentence]),
        "type": "number" if number else "fact",
        "paraphrases": [],
        "near_misses": [],
        "followups": [],
        "made_by": HEADING,
        "review": True,
    }
