"""Traffic for the answer cache, made from a dataset: who asks what in which words, and when pages change meanwhile.

What people ask about follows Zipf's law, and so do the wordings of one question: the dataset's question first, then its
paraphrases. Half of the questions are not typed as the dataset has them: in lower case, without the question mark, with a
greeting, "can you tell me", "please" or thanks. That share is an assumption: people do not type byte-identical questions, and
nobody has counted how many do. Near misses, which sound alike and have another answer, are each asked several times.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, TypeAlias

from eval.datasets.cases import QUESTIONS_FILE, Case, Dataset, Quote, is_quote, read_rows
from eval.errors import DatasetError
from indexing.documents import EVERYONE, AccessLabel

NEAR_MISS_TIMES: Final = 5
"""How often each near miss is asked."""

_NEAR_MISS_SHARE: Final = 0.25
"""Near misses are at most this share of all questions: of few questions, only those of the most popular rows are asked."""

_TEAMS: Final = ("team:blue", "team:green", "team:red")
LABEL_SETS: Final[tuple[tuple[AccessLabel, ...], ...]] = (
    (EVERYONE,),
    (EVERYONE, "team:blue"),
    (EVERYONE, "team:green", "team:red"),
    (EVERYONE, *_TEAMS),
)
"""What users may read; they have these sets by turns."""

_OPENINGS: Final = ("Hi, ", "Hello, ", "Quick question: ", "Can you tell me ", "Could you please tell me ", "Do you know ")
_CLOSINGS: Final = (", please", ", thanks", ", thank you")
_STATUSES: Final = ("A", "M", "D")


@dataclass(frozen=True, slots=True)
class TrafficSettings:
    """What traffic is made.

    `distinct` is how many of the dataset's rows are asked about, `None` for all. `zipf` is the exponent of both laws.
    `retyped_share` in [0, 1] is how many questions are not typed as the dataset has them. `syncs` is how many times the edits
    are taken in.
    """

    questions: int = 5_000
    distinct: int | None = None
    zipf: float = 0.8
    paraphrases: bool = True
    near_misses: bool = True
    users: int = 20
    retyped_share: float = 0.5
    syncs: int = 40
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Asking:
    """One question as a user types it. `case` is what it asks, and `family` the row, near misses included."""

    text: str
    case: Case
    family: str
    user: int
    labels: tuple[AccessLabel, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """A page's new text; `None` where it goes away. `before` likewise where it was not there."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Sync:
    """Pages that have changed, in time order, and are now indexed again."""

    edits: tuple[Edit, ...]


Event: TypeAlias = Asking | Sync


@dataclass(frozen=True, slots=True)
class _Topic:
    """What is asked: a case, and its wordings, the commonest first."""

    case: Case
    family: str
    wordings: tuple[str, ...]


def make_traffic(dataset: Dataset, edits: Sequence[Edit], settings: TrafficSettings) -> list[Event]:
    """Questions and edits in time order; the same settings give the same traffic.

    Raises:
        DatasetError: A row's paraphrases or near misses are not usable.
    """
    draw = random.Random(settings.seed)  # noqa: S311 - no secret hangs on it
    topics, near = _topics(dataset, settings)
    order = list(zip(topics, near, strict=True))
    draw.shuffle(order)
    order = order[: settings.distinct]
    popular = [topic for topic, _ in order]
    room = int(settings.questions * _NEAR_MISS_SHARE)
    repeated = [one for _, some in order for one in some for _ in range(NEAR_MISS_TIMES)][:room]
    asked = [
        *repeated,
        *draw.choices(popular, cum_weights=_zipf(len(popular), settings.zipf), k=settings.questions - len(repeated)),
    ]
    draw.shuffle(asked)
    askings = [_ask(topic, settings, draw) for topic in asked]
    return list(_interleave(askings, edits, settings.syncs))


def label_page(path: str) -> tuple[AccessLabel, ...]:
    """Who may read a page: seven in ten are for everyone, the others for one team each, by a hash of the path."""
    drawn = random.Random(path).random()  # noqa: S311 - as above
    return (EVERYONE,) if drawn < 0.7 else (_TEAMS[int((drawn - 0.7) * 10)],)  # noqa: PLR2004 - as the docstring says


def read_edits(file: Path) -> list[Edit]:
    """The edits of a file, oldest first: JSON lines with `status` (A, M, D), `path` below `docs/`, `before` and `after`.

    Raises:
        DatasetError: The file cannot be read, or a line is not of this form.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
        rows = [(number, json.loads(line)) for number, line in enumerate(lines, start=1) if line.strip()]
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read as JSON lines: {error}. Name another file with --edits.") from error
    rows.sort(key=lambda row: str(row[1].get("date", "")) if isinstance(row[1], dict) else "")
    return [_edit(file, number, row) for number, row in rows]


def first_texts(edits: Sequence[Edit]) -> dict[str, str | None]:
    """What stood on each edited page before all edits; `None` where there was no page."""
    texts: dict[str, str | None] = {}
    for edit in edits:
        texts.setdefault(edit.path, edit.before)
    return texts


def _edit(file: Path, number: int, row: object) -> Edit:
    match row:
        case {"status": "A" | "M" | "D" as status, "path": str(path), "before": before, "after": after}:
            texts = (None if status == "A" else before, None if status == "D" else after)
            whole = isinstance(texts[0], str) != (status == "A") and isinstance(texts[1], str) != (status == "D")
            if whole and not Path(path).is_absolute() and ".." not in Path(path).parts:
                return Edit(path, *texts)
    raise DatasetError(
        f"{file}:{number}: an edit has a `status` of {', '.join(_STATUSES)}, a `path` below docs/, and the text `before` and "
        "`after`. Correct this line."
    )


def _topics(dataset: Dataset, settings: TrafficSettings) -> tuple[list[_Topic], list[list[_Topic]]]:
    """What the rows ask, and for each row what its near misses ask."""
    rows = {row["id"]: row for _, row in read_rows(dataset.folder / QUESTIONS_FILE)}
    topics, near = [], []
    for case in dataset.cases:
        row = rows[case.id]
        paraphrases = row.get("paraphrases", []) if settings.paraphrases else []
        topics.append(_Topic(case, case.id, (case.question, *paraphrases)))
        found = row.get("near_misses", []) if settings.near_misses else []
        near.append([_near_miss(dataset, case, number, one) for number, one in enumerate(found)])
    return topics, near


def _near_miss(dataset: Dataset, case: Case, number: int, row: Mapping[str, Any]) -> _Topic:
    match row:
        case {"question": str(question), "answer": str(answer), "evidence": list(evidence)} if all(map(is_quote, evidence)):
            quotes = tuple(Quote(one["doc"], one["quote"]) for one in evidence)
            own = Case(f"{case.id}/{number}", case.line, question, answer, (), quotes, case.type, case.unreviewed)
            return _Topic(own, case.id, (question,))
    raise DatasetError(
        f"{dataset.folder / QUESTIONS_FILE}:{case.line}: each of 'near_misses' must have a question, an answer and evidence, "
        "whose pieces are objects with the texts 'doc' and 'quote'. Correct this line."
    )


def _zipf(count: int, exponent: float) -> list[float]:
    """Cumulated weights by rank."""
    return list(accumulate(rank**-exponent for rank in range(1, count + 1)))


def _ask(topic: _Topic, settings: TrafficSettings, draw: random.Random) -> Asking:
    (text,) = draw.choices(topic.wordings, cum_weights=_zipf(len(topic.wordings), settings.zipf))
    if draw.random() < settings.retyped_share:
        text = retype(text, draw)
    user = draw.randrange(settings.users)
    return Asking(text, topic.case, topic.family, user, LABEL_SETS[user % len(LABEL_SETS)])


def retype(text: str, draw: random.Random) -> str:
    """A question as somebody else types it: one thing is other about it, or two."""
    for way in draw.sample((_lower, _unmarked, _opened, _closed), draw.choice((1, 2))):
        text = way(text, draw)
    return text


def _lower(text: str, _: random.Random) -> str:
    return text.lower()


def _unmarked(text: str, _: random.Random) -> str:
    return text.rstrip("?!. ") or text


def _opened(text: str, draw: random.Random) -> str:
    first = text.split(maxsplit=1)[0]
    begins_a_sentence = first[1:].islower() and len(first) > 1
    return draw.choice(_OPENINGS) + (text[:1].lower() + text[1:] if begins_a_sentence else text)


def _closed(text: str, draw: random.Random) -> str:
    return (text.rstrip("?!. ") or text) + draw.choice(_CLOSINGS)


def _interleave(askings: Sequence[Asking], edits: Sequence[Edit], syncs: int) -> Iterator[Event]:
    """Edits in equal groups, the groups evenly among the questions."""
    count = min(syncs, len(edits))
    done = 0
    for number, asking in enumerate(askings):
        due = (number * (count + 1)) // len(askings) if count else 0
        while done < due:
            yield Sync(tuple(edits[done * len(edits) // count : (done + 1) * len(edits) // count]))
            done += 1
        yield asking
