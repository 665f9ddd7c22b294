"""A starting set of questions from a customer's own documents, for a person to review."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from app.bootstrap import build_sources, open_sync_tools
from app.home import prepare_home
from app.settings import Settings
from eval.errors import DatasetError
from indexing.chunking import chunk_document
from indexing.documents import DEFAULT_TENANT, EVERYONE, Chunk, Document, UnitKind
from indexing.plain_text import plain_text
from indexing.sources import Skipped
from indexing.words import terms

_PER_PAGE: Final = 3
_SHORTEST_WORDS: Final = 6
_LONGEST_WORDS: Final = 45
_OPENERS: Final = re.compile(r"^(it|they|this|that|these|those|he|she|such|however|also|then|and|but|or|so)\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\$?\d[\d,.:]*(?:\s?(?:%|percent|days?|weeks?|months?|years?|hours?|minutes?))?")


def make_questions(settings: Settings, path: Path) -> list[dict[str, Any]]:
    """Draft questions from the headings and sentences of documents.

    At most three sections of a page give one each: the sentence that says most of what the heading names is the evidence, and
    where it holds a number, the number is what an answer must include. Every row is marked `"review": true`.

    Returns:
        Rows of `questions.jsonl`; `doc` is relative to `path`.

    Raises:
        SourceError: `path` is not there.
        DatasetError: Nothing in it gives a question.
    """
    prepare_home(settings.home)
    with open_sync_tools(settings) as tools:
        rows: list[dict[str, Any]] = []
        raws = (item for source in build_sources(settings, [path], (), None) for item in source.documents())
        for raw, parsed in tools.parser.parse(item for item in raws if not isinstance(item, Skipped)):
            if isinstance(parsed, Skipped):
                continue
            document = Document(
                raw.path, DEFAULT_TENANT, "", raw.path, raw.uri, parsed.title, parsed.markdown, None, (EVERYONE,), ""
            )
            rows += _page_rows(chunk_document(document, tools.counter))
    if not rows:
        raise DatasetError(f"{path} holds no page with a heading and a sentence below it to make a question of.")
    return [{"id": f"draft-{number:04d}", **row} for number, row in enumerate(rows, start=1)]


def write_questions(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Write the rows as JSON lines.

    Raises:
        DatasetError: The file is there already, or cannot be written: what a person has reviewed is never overwritten.
    """
    try:
        with out.open("x", encoding="utf-8") as stream:
            stream.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    except OSError as error:
        raise DatasetError(f"{out} cannot be written ({error.strerror}). Name another file with --out.") from error


def _page_rows(chunks: Sequence[Chunk]) -> Iterator[dict[str, Any]]:
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
        yield _row(chunk, best)


def _sentences(chunk: Chunk) -> Iterator[str]:
    for position, unit in enumerate(chunk.units):
        text = plain_text(chunk.unit_text(position)).replace("\n", " ")
        fits = _SHORTEST_WORDS <= len(text.split()) <= _LONGEST_WORDS
        if unit.kind is UnitKind.SENTENCE and fits and not text.endswith(("?", ":")) and not _OPENERS.match(text):
            yield text


def _telling(text: str, chunk: Chunk) -> tuple[int, int, int]:
    """What its heading names first, then a number, then how much it says."""
    own = set(terms(text))
    return len(own & set(terms(chunk.heading_path[-1]))), int(bool(_NUMBER.search(text))), len(own)


def _row(chunk: Chunk, sentence: str) -> dict[str, Any]:
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
        "evidence": [{"doc": chunk.document_path, "quote": sentence}],
        "type": "number" if number else "fact",
        "paraphrases": [],
        "near_misses": [],
        "followups": [],
        "review": True,
    }
