"""A dataset: a folder with `docs/` and `questions.jsonl`, checked before any work is done on it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeGuard

from eval.datasets.quotes import normalised_quote
from eval.errors import DatasetError

QUESTIONS_FILE: Final = "questions.jsonl"
DOCS_FOLDER: Final = "docs"

UNFINDABLE_SHARE: Final = 0.2
"""A dataset is refused when the quotes of more answerable questions than this cannot be found on their pages."""

_SHOWN_PROBLEMS: Final = 20
_STRINGS: Final = ("id", "question", "answer", "type")


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of gold evidence: the page's path below `docs/`, and words that stand on it."""

    doc: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """A question with its gold answer and evidence. `line` is its line in `questions.jsonl`, from 1.

    `must_include` are the words without which an answer is wrong; empty when the dataset does not name any. `unreviewed` says
    that no person has looked at it since it was generated.
    """

    id: str
    line: int
    question: str
    answer: str
    must_include: tuple[str, ...]
    evidence: tuple[Quote, ...]
    type: str
    unreviewed: bool

    @property
    def answerable(self) -> bool:
        """Whether the documents hold an answer."""
        return bool(self.evidence)

    @property
    def quotes(self) -> list[str]:
        """The words of the evidence."""
        return [quote.text for quote in self.evidence]

    @property
    def gold_documents(self) -> frozenset[str]:
        """The pages that hold the evidence."""
        return frozenset(quote.doc for quote in self.evidence)


@dataclass(frozen=True, slots=True)
class Excluded:
    """A row that is not asked, and why."""

    id: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """The rows to ask, those left out, and hashes of what was read: SHA-256 of the documents, and of documents and questions."""

    name: str
    folder: Path
    cases: tuple[Case, ...]
    excluded: tuple[Excluded, ...]
    docs_hash: str
    data_hash: str

    @property
    def docs(self) -> Path:
        """The folder of documents, links resolved."""
        return (self.folder / DOCS_FOLDER).resolve()

    @property
    def row_count(self) -> int:
        """All rows that were taken in, asked or excluded."""
        return len(self.cases) + len(self.excluded)


def load_dataset(folder: Path, limit: int | None = None) -> Dataset:
    """Read and check a dataset, except for its quotes, which need the parsed pages: `exclude_unfindable`.

    Args:
        folder: Holds `docs/` and `questions.jsonl`.
        limit: Take this many rows from the top; all are checked.

    Raises:
        DatasetError: A file is missing or a row is not usable; every problem is named with its file and line.
    """
    docs, questions = folder / DOCS_FOLDER, folder / QUESTIONS_FILE
    for path, there in ((folder, folder.is_dir()), (docs, docs.is_dir()), (questions, questions.is_file())):
        if not there:
            raise DatasetError(f"{path} is missing. A dataset is a folder with {DOCS_FOLDER}/ and {QUESTIONS_FILE}.")
    pages = {file.relative_to(docs.resolve()).as_posix(): file for file in sorted(docs.resolve().rglob("*")) if file.is_file()}
    problems: list[str] = []
    rows = list(_rows(questions, problems))
    seen: dict[str, int] = {}
    for line, row in rows:
        problems += [f"{questions}:{line}: {problem}" for problem in _row_problems(row, pages)]
        identity = row.get("id")
        if isinstance(identity, str) and seen.setdefault(identity, line) != line:
            problems.append(f"{questions}:{line}: the id {identity!r} was given on line {seen[identity]} already")
    _refuse(problems, questions)
    cases, excluded = _split(rows[:limit])
    if not any(case.answerable for case in cases):
        raise DatasetError(
            f"{questions} has no answerable question among the {len(rows[:limit])} rows that were read. "
            "Add questions with evidence, or read more rows."
        )
    docs_hash = _hash_files(pages)
    data_hash = hashlib.sha256(docs_hash.encode() + questions.read_bytes()).hexdigest()
    return Dataset(folder.resolve().name, folder, cases, excluded, docs_hash, data_hash)


def exclude_unfindable(dataset: Dataset, pages: Mapping[str, str]) -> Dataset:
    """Leave out the cases whose evidence is not on the page it names.

    Args:
        dataset: The dataset.
        pages: Path below `docs/` -> the page as `normalised_page` gives it; pages that no parser reads are absent.

    Raises:
        DatasetError: That is so for more than `UNFINDABLE_SHARE` of the answerable questions.
    """
    unfindable = [found for case in dataset.cases if (found := _unfindable(case, pages))]
    answerable = sum(case.answerable for case in dataset.cases)
    if len(unfindable) > UNFINDABLE_SHARE * answerable or len(unfindable) == answerable:
        questions = dataset.folder / QUESTIONS_FILE
        named = [f"{questions}:{one.line}: {one.reason}" for one in unfindable]
        _refuse([f"the evidence of {len(unfindable)} of {answerable} answerable questions is not on its page", *named], questions)
    left_out = {one.id for one in unfindable}
    cases = tuple(case for case in dataset.cases if case.id not in left_out)
    return replace(dataset, cases=cases, excluded=(*dataset.excluded, *unfindable))


def read_rows(questions: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file that `load_dataset` has checked, with what they say of other wordings; each with its line, from 1.

    Raises:
        DatasetError: The file is not UTF-8, or the paraphrases or near misses of a row are not usable.
    """
    for line, row in _rows(questions, []):
        paraphrases, near_misses = row.get("paraphrases", []), row.get("near_misses", [])
        if not isinstance(paraphrases, list) or not all(isinstance(text, str) and text.strip() for text in paraphrases):
            _refuse([f"{questions}:{line}: the field 'paraphrases' must be a list of texts that are not empty"], questions)
        if not isinstance(near_misses, list) or not all(
            isinstance(one, dict) and isinstance(one.get("question"), str) and one["question"].strip() for one in near_misses
        ):
            _refuse([f"{questions}:{line}: each of 'near_misses' must be an object with a 'question'"], questions)
        yield line, row


def is_quote(piece: object) -> TypeGuard[dict[str, str]]:
    """Whether a piece of a row's evidence has the form of one: an object with the texts `doc` and `quote`."""
    return isinstance(piece, dict) and all(isinstance(piece.get(name), str) for name in ("doc", "quote"))


def _rows(questions: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = questions.read_text(encoding="utf-8-sig").split("\n")  # some editors put a mark before the first row
    except UnicodeDecodeError as error:
        raise DatasetError(f"{questions} is not UTF-8: {error}. Save it as UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            problems.append(f"{questions}:{number}: not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.append(f"{questions}:{number}: not a JSON object")


def _row_problems(row: Mapping[str, Any], pages: Mapping[str, Path]) -> Iterator[str]:
    for name in _STRINGS:
        if name not in row:
            yield f"the field {name!r} is missing"
        elif not isinstance(row[name], str) or not (row[name].strip() or (name == "answer" and row.get("evidence") == [])):
            yield f"the field {name!r} must be a text that is not empty"
    must_include = row.get("must_include", [])
    if not isinstance(must_include, list) or not all(isinstance(words, str) and words.strip() for words in must_include):
        yield "the field 'must_include' must be a list of texts"
    evidence = row.get("evidence")
    if evidence is None:
        yield "the field 'evidence' is missing (an unanswerable question has an empty list)"
    elif not isinstance(evidence, list):
        yield "the field 'evidence' must be a list"
    else:
        for piece in evidence:
            yield from _evidence_problems(piece, pages)


def _evidence_problems(piece: object, pages: Mapping[str, Path]) -> Iterator[str]:
    if not is_quote(piece):
        yield "each piece of evidence must be an object with the texts 'doc' and 'quote'"
    elif piece["doc"] not in pages:
        yield f"the evidence names {DOCS_FOLDER}/{piece['doc']}, which does not exist"
    elif not normalised_quote(piece["quote"]):
        yield f"the quote {piece['quote']!r} holds neither letters nor digits"


def _refuse(problems: list[str], questions: Path) -> None:
    if not problems:
        return
    shown = "\n  ".join(problems[:_SHOWN_PROBLEMS])
    more = f"\n  ... and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
    raise DatasetError(f"{questions} cannot be used:\n  {shown}{more}\nCorrect these lines and run this again.")


def _split(rows: list[tuple[int, dict[str, Any]]]) -> tuple[tuple[Case, ...], tuple[Excluded, ...]]:
    cases: list[Case] = []
    excluded: list[Excluded] = []
    for line, row in rows:
        if row.get("answerable_from_text") is False:
            excluded.append(Excluded(row["id"], line, "its row says that the text alone does not answer it"))
            continue
        evidence = tuple(Quote(piece["doc"], piece["quote"]) for piece in row["evidence"])
        must_include = tuple(row.get("must_include", ()))
        unreviewed = row.get("review") is True
        fields = (row["question"], row["answer"], must_include, evidence, row["type"], unreviewed)
        cases.append(Case(row["id"], line, *fields))
    return tuple(cases), tuple(excluded)


def _unfindable(case: Case, pages: Mapping[str, str]) -> Excluded | None:
    for quote in case.evidence:
        if quote.doc not in pages:
            return Excluded(case.id, case.line, f"its evidence is in {quote.doc}, which could not be read")
        if normalised_quote(quote.text) not in pages[quote.doc]:
            return Excluded(case.id, case.line, f"its quote is not on the page {quote.doc}: {quote.text!r}")
    return None


def _hash_files(pages: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for path, file in pages.items():
        digest.update(path.encode(errors="surrogateescape") + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
