"""What answers the traffic: the product with its cache, and what it is compared with."""

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.answering.service import AnswerService
from app.answers.answers import Answered
from app.answers.questions import Question
from app.caching.cache import HitKind, hit_kind
from eval.callers import eval_caller
from eval.replay.traffic import Asking, Edit, label_page
from indexing.documents import DEFAULT_TENANT, EVERYONE, AccessLabel, AccessScope
from indexing.embedding import Embedder, EmbedderSpec

SIMILAR: Final = "similar"
"""How a similarity cache finds an answer; the product's ways are those of `HitKind`."""

PERFECT: Final = "perfect"

_NO_WORDS: Final = re.compile(r"\A---\n.*?\n---\n|\{%.*?%\}", re.DOTALL)
"""Front matter and template directives, which no reader sees."""
_FIRST_ROWS: Final = 1024


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that was given, and what it took.

    `kind` says how it was found, `None` for one that was made. `source` is the number of the question that it was made for, and
    `pages` the pages that it cites with the digests of their words at that time; `edition` counts the syncs up to then.
    `answered` is false for an abstention. `ms` is the time from question to answer without the model's own.
    """

    kind: str | None
    source: int
    pages: Mapping[str, str]
    edition: int
    answered: bool
    cost_usd: Decimal | None
    tokens: int
    ms: float


class Pages:
    """The pages as they are now, in a folder of their own, and who may read them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[str, str] = {}
        self.edition = 0
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self._read(file.relative_to(folder).as_posix())

    def write(self, edits: Sequence[Edit]) -> None:
        """Change pages as edits say, in their order."""
        for edit in edits:
            file = self._folder / edit.path
            if edit.after is None:
                file.unlink(missing_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(edit.after, encoding="utf-8")
            self._read(edit.path)
        self.edition += 1

    def digest(self, path: str) -> str:
        """What stands for the words of a page that its readers see; empty when it is gone."""
        return self._digests.get(path, "")

    def readable(self, path: str, labels: Sequence[AccessLabel]) -> bool:
        """Whether a reader with these labels may read a page."""
        return not set(labels).isdisjoint(label_page(path))

    def carried(self) -> frozenset[AccessLabel]:
        """The labels that some page has."""
        return frozenset(label for path in self._digests for label in label_page(path)) | {EVERYONE}

    def _read(self, path: str) -> None:
        file = self._folder / path
        if not file.is_file():
            self._digests.pop(path, None)
            return
        text = _NO_WORDS.sub("", file.read_text(encoding="utf-8", errors="replace"))
        self._digests[path] = hashlib.sha256(" ".join(re.findall(r"\w+", text)).encode()).hexdigest()


class TimedEmbedder:
    """`Embedder` that embeds each question once, and remembers how long that took, so that every arm pays for it alike."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, tuple[NDArray[np.float32], float]] = {}
        self.owed_ms = 0.0

    @property
    def spec(self) -> EmbedderSpec:
        """The model's."""
        return self._embedder.spec

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As the model."""
        return self._embedder.embed_documents(texts)

    def embedding_ms(self, text: str) -> float:
        """How long embedding a text took that has been embedded."""
        return self._known[text][1]

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """As the model. What a repeated text would have taken is added to `owed_ms`."""
        known = self._known.get(text)
        if known is None:
            began = time.perf_counter()
            vector = self._embedder.embed_query(text)
            self._known[text] = vector, (time.perf_counter() - began) * 1000
            return vector
        self.owed_ms += known[1]
        return known[0]


class ServiceArm:
    """The product itself."""

    def __init__(self, service: AnswerService, embedder: TimedEmbedder, pages: Pages) -> None:
        self._service = service
        self._embedder = embedder
        self._pages = pages
        self._made: dict[str, Given] = {}

    def ask(self, number: int, asking: Asking) -> Given:
        """Ask one question."""
        scope = AccessScope(DEFAULT_TENANT, frozenset(asking.labels) & self._pages.carried())
        self._embedder.owed_ms = 0.0
        began = time.perf_counter()
        answer = self._service.ask(Question(asking.text), eval_caller((), f"user {asking.user}").reading(scope))
        ms = (time.perf_counter() - began) * 1000 + self._embedder.owed_ms
        receipt = answer.receipt
        tokens = receipt.input_tokens + receipt.output_tokens
        kind = hit_kind(answer)
        if kind:
            return replace(self._made[answer.id], kind=kind, cost_usd=receipt.cost_usd, tokens=tokens, ms=ms)
        cited = {one.document for one in answer.citations} if isinstance(answer, Answered) else ()
        pages = {path: self._pages.digest(path) for path in sorted(cited)}
        answered = isinstance(answer, Answered)
        given = Given(None, number, pages, self._pages.edition, answered, receipt.cost_usd, tokens, ms)
        self._made[answer.id] = given
        return given


class Rival(Protocol):
    """A cache in front of the product without a cache. `embeds` says whether it embeds the question to find an answer."""

    @property
    def embeds(self) -> bool:
        """As above."""

    def find(self, asking: Asking, vector: NDArray[np.float32], fresh: Given) -> Given | None:
        """The answer that it gives, `None` for a miss; `fresh` is what would be made, which no real cache knows."""

    def keep(self, asking: Asking, vector: NDArray[np.float32], made: Given) -> None:
        """Take in an answer that was made."""


@dataclass(slots=True)
class NoCache:
    """Finds nothing."""

    embeds: bool = False

    def find(self, asking: Asking, vector: NDArray[np.float32], fresh: Given) -> Given | None:  # noqa: ARG002 - the port's
        """Nothing."""
        return None

    def keep(self, asking: Asking, vector: NDArray[np.float32], made: Given) -> None:
        """Keep nothing."""


@dataclass(slots=True)
class ExactOnly:
    """The same text, byte for byte, of somebody with the same rights; pages that change are nothing to it."""

    embeds: bool = False
    _known: dict[tuple[str, tuple[AccessLabel, ...]], Given] = field(default_factory=dict)

    def find(self, asking: Asking, vector: NDArray[np.float32], fresh: Given) -> Given | None:  # noqa: ARG002 - the port's
        """As the port."""
        return self._known.get((asking.text, asking.labels))

    def keep(self, asking: Asking, vector: NDArray[np.float32], made: Given) -> None:  # noqa: ARG002 - the port's
        """As the port."""
        self._known[asking.text, asking.labels] = replace(made, kind=HitKind.EXACT)


class Similarity:
    """The usual semantic cache: the nearest question, if it is near enough. It knows neither rights nor changes of pages."""

    embeds = True

    def __init__(self, threshold: float, dimension: int) -> None:
        self._threshold = threshold
        self._matrix = np.empty((_FIRST_ROWS, dimension), np.float32)
        self._kept: list[Given] = []

    def find(self, asking: Asking, vector: NDArray[np.float32], fresh: Given) -> Given | None:  # noqa: ARG002 - the port's
        """As the port."""
        if not self._kept:
            return None
        cosines = self._matrix[: len(self._kept)] @ vector
        nearest = int(cosines.argmax())
        return self._kept[nearest] if cosines[nearest] >= self._threshold else None

    def keep(self, asking: Asking, vector: NDArray[np.float32], made: Given) -> None:  # noqa: ARG002 - the port's
        """As the port."""
        if len(self._kept) == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.empty_like(self._matrix)])
        self._matrix[len(self._kept)] = vector
        self._kept.append(replace(made, kind=SIMILAR))


class Perfect:
    """What no cache can do better: it knows what is asked, what has changed, who may read what, and what has no answer still."""

    embeds = False

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._kept: defaultdict[str, list[tuple[Asking, Given]]] = defaultdict(list)

    def find(self, asking: Asking, vector: NDArray[np.float32], fresh: Given) -> Given | None:  # noqa: ARG002 - the port's
        """As the port."""
        return next((made for before, made in self._kept[asking.case.id] if self._holds(made, before, asking, fresh)), None)

    def keep(self, asking: Asking, vector: NDArray[np.float32], made: Given) -> None:  # noqa: ARG002 - the port's
        """As the port."""
        self._kept[asking.case.id].append((asking, replace(made, kind=PERFECT)))

    def _holds(self, made: Given, before: Asking, asking: Asking, fresh: Given) -> bool:
        if not made.answered:
            return before.labels == asking.labels and not fresh.answered
        return all(
            self._pages.readable(path, asking.labels) and self._pages.digest(path) == digest
            for path, digest in made.pages.items()
        )


def ask_rival(rival: Rival, asking: Asking, vector: NDArray[np.float32], fresh: Given, embedding_ms: float) -> Given:
    """What a rival gives, where `fresh` is what the product without a cache has just made."""
    began = time.perf_counter()
    found = rival.find(asking, vector, fresh)
    ms = (time.perf_counter() - began) * 1000
    if found:
        return replace(found, cost_usd=Decimal(0), tokens=0, ms=ms + (embedding_ms if rival.embeds else 0.0))
    rival.keep(asking, vector, fresh)
    return replace(fresh, ms=fresh.ms + ms)
