"""Stored retrieval, replayed with other settings; what was measured is kept in a file and never measured again."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from eval.arms.arms import Asked, whole_selection
from eval.arms.workbench import Workbench
from eval.datasets.cases import Case
from eval.datasets.quotes import missing_quotes
from eval.errors import RunError
from eval.runs.run import weights_hash
from retrieval.context import ContextSettings

SEARCH, PROOF = "search", "proof"
_KEY_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Measured:
    """What settings did on one half of the questions, question by question: whether the evidence was kept, and the tokens."""

    settings: ContextSettings
    retained: tuple[float, ...]
    tokens: tuple[float, ...]

    @property
    def retention(self) -> float:
        """Evidence retention."""
        return sum(self.retained) / len(self.retained)

    @property
    def mean_tokens(self) -> float:
        """Context tokens, the mean."""
        return sum(self.tokens) / len(self.tokens)


SPLIT: Final = "questions of each type in the order of the SHA-256 of their ids, by turns"
"""How questions are divided, in words."""


def split_halves(cases: Iterable[Case]) -> dict[str, str]:
    """The half that each question belongs to, by its id: as `SPLIT` says, so that both halves have as many of each type."""
    ordered = sorted(cases, key=lambda case: (case.type, hashlib.sha256(case.id.encode()).digest()))
    return {case.id: PROOF if place % 2 else SEARCH for place, case in enumerate(ordered)}


class Replayer:
    """Measures settings on the answerable questions of a dataset, by half."""

    def __init__(self, bench: Workbench, stored: Sequence[Asked], file: Path) -> None:
        """Take what is in `file` as measured, and add to it.

        Raises:
            RunError: The file cannot be read or written.
        """
        self._bench = bench
        answerable = [asked for asked in stored if asked.case.answerable]
        half_of = split_halves(asked.case for asked in answerable)
        self._halves = {half: [asked for asked in answerable if half_of[asked.case.id] == half] for half in (SEARCH, PROOF)}
        self._file = file
        self._known = _read(file)
        self.replayed = 0
        self.reused = 0
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = file.open("a", encoding="utf-8")
        except OSError as error:
            raise RunError(f"{file} cannot be written ({error}). Name another folder with --out.") from error

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def count(self, half: str) -> int:
        """The number of questions in a half."""
        return len(self._halves[half])

    def measure(self, settings: ContextSettings, half: str) -> Measured:
        """What settings do on one half; looked up if it was measured before."""
        return self._measured(settings, half, "compressed")

    def measure_whole(self, settings: ContextSettings, half: str) -> Measured:
        """The same with the selected passages sent whole; budget and scales say nothing here."""
        whole = self._measured(ContextSettings(1, settings.selection), half, "whole")
        return replace(whole, settings=settings)

    def _measured(self, settings: ContextSettings, half: str, what: str) -> Measured:
        key = json.dumps([what, half, settings.to_json()], sort_keys=True)
        if key in self._known:
            self.reused += len(self._halves[half])
            retained, tokens = self._known[key]
            return Measured(settings, retained, tokens)
        pack = self._compressed if what == "compressed" else self._whole
        sent = [pack(asked, settings) for asked in self._halves[half]]
        retained = tuple(
            float(not missing_quotes(asked.case.quotes, text)) for asked, (text, _) in zip(self._halves[half], sent, strict=True)
        )
        tokens = tuple(float(count) for _, count in sent)
        self.replayed += len(sent)
        self._known[key] = retained, tokens
        self._stream.write(json.dumps({"key": key, "retained": retained, "tokens": tokens}) + "\n")
        self._stream.flush()
        return Measured(settings, retained, tokens)

    def _compressed(self, asked: Asked, settings: ContextSettings) -> tuple[str, int]:
        context = settings.make_context(asked.evidence, self._bench.weights, self._bench.counter)
        return context.text, context.tokens

    def _whole(self, asked: Asked, settings: ContextSettings) -> tuple[str, int]:
        return whole_selection(asked.evidence, settings, self._bench.counter)


def measurements_file(bench: Workbench, out: Path) -> Path:
    """Where measurements lie: the name changes with whatever could change them, so that nothing stale is reused."""
    cases = sorted(case.id for case in bench.dataset.cases)
    identity = [bench.dataset.data_hash, cases, weights_hash(), bench.embedder.spec.key, bench.index_recipe, _code_hash()]
    return out / f"measured-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:_KEY_DIGITS]}.jsonl"


def _code_hash() -> str:
    """SHA-256 of the retrieval package's source: other code may measure otherwise."""
    sources = sorted((item.name, item.read_bytes()) for item in files("retrieval").iterdir() if item.name.endswith(".py"))
    return hashlib.sha256(b"\0".join(name.encode() + b"\0" + content for name, content in sources)).hexdigest()


def _read(file: Path) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    known: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{file} cannot be read ({error}). Remove it, or name another folder with --out.") from error
    for line in lines:
        try:
            row: dict[str, Any] = json.loads(line)
            known[row["key"]] = tuple(row["retained"]), tuple(row["tokens"])
        except (ValueError, KeyError, TypeError):  # the line that was being written when a run was cut short
            continue
    return known
