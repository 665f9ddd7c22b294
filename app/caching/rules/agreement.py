"""Whether what is found for a new question agrees with what a cached answer rests on.

The evidence is that of the free retrieval for the new question, in the rights of whoever asks it now. Agreement is necessary and
not sufficient: near misses often share the very sentence ("14 days in production, 7 elsewhere").

The similarity of the two questions is no feature: left out, with seven others that were tried, the rest tells right from wrong
better on a handbook that it was not learned on (AUROC .68 and .81, before .65 and .78).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.caching.rules.differences import is_alias, named_words, plain_word
from indexing.language import Language
from indexing.language.words import words
from retrieval.passages import Query
from retrieval.retriever import Evidence

NEAR_THE_TOP: Final = 3
"""A proposal is dropped unless one of its cited units lies in the best passages, so many of them.

Source: on `handbook-18f` and `handbook-gitlab` 3 keeps nine tenths of the wordings of a question that 8 keeps, and 60 % of the
other questions.
"""

_DEPTH: Final = 8
_WORST_GAP: Final = 20.0

FEATURES: Final = ("log_best_rank", "share_in_top_8", "score_gap", "unexplained_words")
"""The features' names, in the order of `Agreement.features`.

The rank of the best passage with a cited unit; the share of the cited units that lie in the first eight passages; how far that
best passage's score stays behind the first one's; how many words of the new question nothing explains.
"""


@dataclass(frozen=True, slots=True)
class Cited:
    """A unit that a cached answer cites: its id, its text, and title and headings above it."""

    unit_id: str
    text: str
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cached answer that may fit: the question it was made for, as it was searched, and what it cites, at least one unit."""

    question: Query
    cited: tuple[Cited, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a proposal and the evidence for a new question agree.

    `best_rank` is that of the best passage with a cited unit, `None` where none of the first eight has one. `unexplained` are the
    words, in order, that only the new question has, that neither the cited units nor their headings hold, and that stand for
    nothing there; `unexplained_names` are those among them that are names or numbers. `features` are in the order of `FEATURES`.
    """

    best_rank: int | None
    unexplained: tuple[str, ...]
    unexplained_names: tuple[str, ...]
    features: tuple[float, ...]

    @property
    def disagreements(self) -> tuple[str, ...]:
        """Why the evidence speaks against the proposal, in words; empty when it does not."""
        if self.best_rank is None or self.best_rank > NEAR_THE_TOP:
            return (f"evidence: no cited unit is in the first {NEAR_THE_TOP} passages for the new question",)
        return tuple(f"evidence: nothing cited speaks of {word!r}" for word in self.unexplained_names)


def units_near_the_top(evidence: Evidence) -> frozenset[str]:
    """The units of the best passages. An answer that cites none of them is dropped, so it need not be looked at at all."""
    best = [passage.chunk for passage in evidence.passages[:NEAR_THE_TOP]]
    return frozenset(chunk.unit_id(position) for chunk in best for position in range(len(chunk.units)))


def agreement(proposal: Proposal, evidence: Evidence) -> Agreement:
    """Compare a proposal with what was found for a new question."""
    ranks = _ranks(proposal, evidence)
    best = min(ranks.values(), default=None)
    unexplained = _unexplained(proposal, evidence.query, evidence.language)
    names = set(map(plain_word, named_words(evidence.query.text, evidence.language)))
    passages = evidence.passages
    return Agreement(
        best_rank=best,
        unexplained=unexplained,
        unexplained_names=tuple(word for word in unexplained if word in names or any(map(str.isdigit, word))),
        features=(
            math.log(best or _DEPTH + 1),
            len(ranks) / len(proposal.cited),
            min(_WORST_GAP, passages[0].score - passages[best - 1].score) if best else _WORST_GAP,
            float(len(unexplained)),
        ),
    )


def _ranks(proposal: Proposal, evidence: Evidence) -> Mapping[str, int]:
    """The rank of the passage that holds it, for each cited unit that the best passages hold."""
    wanted = {cited.unit_id for cited in proposal.cited}
    return {
        unit_id: passage.rank
        for passage in evidence.passages[:_DEPTH]
        for position in range(len(passage.chunk.units))
        if (unit_id := passage.chunk.unit_id(position)) in wanted
    }


def _unexplained(proposal: Proposal, question: Query, language: Language) -> tuple[str, ...]:
    """As in `Agreement`."""
    parts = [proposal.question.text, *(part for cited in proposal.cited for part in (*cited.headings, cited.text))]
    said = [word for part in parts for word in words(part)]
    known = {term for part in parts for term in language.terms(part)}
    plain = map(plain_word, words(question.text))
    content = [word for word in dict.fromkeys(plain) if word not in language.stopwords]
    return tuple(
        word
        for word, stem in zip(content, language.stems(content), strict=True)
        if stem not in known and not is_alias(word, said)
    )
