"""Follow-up questions with the questions before them and their written-out forms, as datasets carry them.

`handbook-18f/questions.jsonl` has them beside their parent questions, with quotes as evidence. `mtrag` has whole conversations:
`followups.jsonl` their turns with written-out forms, whose gold passages stand in `groundedness-mtrag/faithfulness.jsonl` for the
same turns; `questions.jsonl` more turns with gold passages and without written-out forms.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.datasets.json_lines import read_json_lines

TUNED, OTHER = "tuned", "other"


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question that follows others. `earlier` are they, oldest first, at least one.

    `written_out` is the question made to stand alone, `None` where the dataset has no such form. `quotes` hold the answer, or
    where the dataset marks passages as wholes, `pages`; one of the two is empty.
    """

    id: str
    earlier: tuple[str, ...]
    question: str
    written_out: str | None
    quotes: tuple[str, ...]
    pages: frozenset[str]

    @property
    def half(self) -> str:
        """Which half of the questions it belongs to, by a hash of its id."""
        return TUNED if hashlib.sha256(self.id.encode()).digest()[-1] % 2 == 0 else OTHER


def handbook_followups(questions: Path) -> list[FollowUp]:
    """The answerable follow-ups of a handbook's questions."""
    return [
        FollowUp(
            id=f"{row['id']}/{number}",
            earlier=(row["question"],),
            question=followup["question"],
            written_out=followup["standalone"],
            quotes=tuple(piece["quote"] for piece in followup["evidence"]),
            pages=frozenset(),
        )
        for row in read_json_lines(questions)
        for number, followup in enumerate(row.get("followups", ()))
        if followup["evidence"]
    ]


def mtrag_followups(data: Path) -> list[FollowUp]:
    """The turns of MTRAG with a written-out form, as far as gold passages are known for them; first turns are left out."""
    gold: dict[tuple[str, ...], frozenset[str]] = {}
    for row in read_json_lines(data / "groundedness-mtrag" / "faithfulness.jsonl"):
        turns = (*_user_turns(row["history"]), row["question"])
        gold[_folded(turns)] = frozenset(mtrag_page(passage["doc"]) for passage in row["context"])
    return [
        FollowUp(row["id"], tuple(row["user_turns"][:-1]), row["last_turn"], row["rewrite"], (), pages)
        for row in read_json_lines(data / "mtrag" / "followups.jsonl")
        if len(row["user_turns"]) > 1 and (pages := gold.get(_folded(row["user_turns"])))
    ]


def mtrag_turns(data: Path) -> list[FollowUp]:
    """The later turns of MTRAG-UN with gold passages; nobody has written them out."""
    return [
        FollowUp(
            id=row["id"],
            earlier=tuple(_user_turns(row["history"])),
            question=row["question"],
            written_out=None,
            quotes=(),
            pages=frozenset(mtrag_page(piece["doc"]) for piece in row["evidence"]),
        )
        for row in read_json_lines(data / "mtrag" / "questions.jsonl")
        if row["evidence"] and any(turn["role"] == "user" for turn in row["history"])
    ]


def write_mtrag_pages(data: Path, folder: Path) -> None:
    """Write each passage of MTRAG as a page of its own, under its title where it has one."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in read_json_lines(data / "mtrag" / "docs.jsonl"):
        title = f"# {row['title']}\n\n" if row["title"] else ""
        (folder / mtrag_page(row["id"])).write_text(title + row["text"], encoding="utf-8")


def mtrag_page(passage: str) -> str:
    """The page's name for a passage's id; without letters or digits of the id, which would be searched as its title."""
    digits = hashlib.sha256(passage.encode()).hexdigest()[:12]
    return f"{digits.translate(str.maketrans('0123456789', 'ghijklmnop'))}.md"


def _user_turns(history: Sequence[dict[str, str]]) -> Iterator[str]:
    return (turn["text"] for turn in history if turn["role"] == "user")


def _folded(turns: Sequence[str]) -> tuple[str, ...]:
    return tuple(turn.strip().lower() for turn in turns)
