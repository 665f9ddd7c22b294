"""What the ground check is measured on: answers that people rated, and true sentences with one fact altered.

`groundedness-mtrag` has answers to questions of conversations, rated by three people each; `groundedness-summedits` summaries,
each with one fact edited or none. Neither says which passage supports which sentence: every sentence cites the whole context.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from app.grounding import Readings, Source, Support
from app.grounding.checks import Findings, decide, find
from eval.datasets.json_lines import read_json_lines
from eval.datasets.sentences import counted_rarity, split_sentences
from indexing.embedding import Embedder
from indexing.language import ENGLISH
from indexing.language.words import words
from indexing.plain_text import plain_text

SET, JUDGED = "set on", "judged on"
"""The two parts of a set: thresholds are chosen on the first and say nothing about the second until they are tried there."""


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """An answer with its context, and whether people found it grounded.

    `group` is what must not be torn apart by halving; `question` is empty where nothing was asked.
    """

    group: str
    question: str
    sentences: tuple[str, ...]
    passages: tuple[str, ...]
    cited: tuple[Source, ...]
    grounded: bool

    @property
    def part(self) -> str:
        """Which part it belongs to, by a hash of its group."""
        return SET if hashlib.sha256(self.group.encode()).digest()[-1] % 2 == 0 else JUDGED


def load_mtrag(data: Path) -> list[RatedAnswer]:
    """The rated answers of MTRAG's conversations; a group is a conversation."""
    return [
        _rated(row["id"].split("<::>")[0], row, [passage["text"] for passage in row["context"]], titled=True)
        for row in read_json_lines(data / "groundedness-mtrag" / "faithfulness.jsonl")
    ]


def load_summedits(data: Path) -> list[RatedAnswer]:
    """The edited summaries of SummEdits; a group is a document."""
    return [
        _rated(row["context"], row, [row["context"]], titled=False)
        for row in read_json_lines(data / "groundedness-summedits" / "sales.jsonl")
    ]


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """What the ground check finds in an answer, sentence by sentence."""

    rated: RatedAnswer
    findings: tuple[Findings, ...]

    @property
    def verdicts(self) -> tuple[Support, ...]:
        """The verdict on each sentence."""
        return tuple(decide(one).support for one in self.findings)

    @property
    def verdict(self) -> Support:
        """The verdict on the whole: unsupported if any sentence is, supported if all are."""
        if Support.UNSUPPORTED in self.verdicts:
            return Support.UNSUPPORTED
        return Support.SUPPORTED if set(self.verdicts) == {Support.SUPPORTED} else Support.UNSURE

    @property
    def score(self) -> float:
        """The mean over the sentences of coverage and bigram coverage: nothing where contradicted, half where doubted."""
        return math.fsum(_score(one) for one in self.findings) / len(self.findings)


def check_answers(answers: Sequence[RatedAnswer]) -> list[CheckedAnswer]:
    """Check every sentence of every answer against its whole context."""
    rarity = counted_rarity([passage for answer in answers for passage in answer.passages])
    checked = []
    for answer in answers:
        readings = Readings(ENGLISH)
        findings = (find(sentence, answer.cited, rarity, readings, answer.question) for sentence in answer.sentences)
        checked.append(CheckedAnswer(answer, tuple(findings)))
    return checked


def word_overlap(answer: RatedAnswer) -> float:
    """The share of the answer's content words that stand in its context."""
    context = {term for passage in answer.passages for term in ENGLISH.terms(passage)}
    own = [term for sentence in answer.sentences for term in ENGLISH.terms(sentence)]
    return sum(term in context for term in own) / max(1, len(own))


def bigram_overlap(answer: RatedAnswer) -> float:
    """The share of the answer's pairs of neighbouring words that are neighbours in its context."""
    context = {pair for passage in answer.passages for pair in pairwise(words(plain_text(passage)))}
    own = [pair for sentence in answer.sentences for pair in pairwise(words(sentence))]
    return sum(pair in context for pair in own) / max(1, len(own))


def cosine_scores(answers: Sequence[RatedAnswer], embedder: Embedder) -> list[float]:
    """For each answer the mean, over its sentences, of the cosine with the closest sentence of its context; 0 without context."""
    texts = sorted({text for answer in answers for text in (*answer.sentences, *(source.text for source in answer.cited))})
    vectors = dict(zip(texts, embedder.embed_documents(texts), strict=True))
    scores = []
    for answer in answers:
        if not answer.cited:
            scores.append(0.0)
            continue
        own = np.stack([vectors[sentence] for sentence in answer.sentences])
        context = np.stack([vectors[source.text] for source in answer.cited])
        scores.append(float((own @ context.T).max(axis=1).mean()))
    return scores


def auroc(scores: Sequence[float], grounded: Sequence[bool]) -> float:
    """The probability that a grounded answer scores higher than one that is not; ties count half."""
    values, labels = np.asarray(scores), np.asarray(grounded)
    differences = values[labels][:, None] - values[~labels][None, :]
    return float((differences > 0).mean() + (differences == 0).mean() / 2)


def balanced_accuracy(scores: Sequence[float], grounded: Sequence[bool], threshold: float) -> float:
    """The mean of the shares of grounded and of other answers on their side of a threshold; grounded is `score >= threshold`."""
    above, labels = np.asarray(scores) >= threshold, np.asarray(grounded)
    return float((above[labels].mean() + (~above[~labels]).mean()) / 2)


def best_threshold(scores: Sequence[float], grounded: Sequence[bool]) -> float:
    """The threshold with the highest balanced accuracy; of equal ones the lowest."""
    return max(sorted(set(scores)), key=lambda threshold: balanced_accuracy(scores, grounded, threshold))


def _score(findings: Findings) -> float:
    if findings.contradiction is not None:
        return 0.0
    return (findings.coverage + findings.bigrams) / (2 if findings.doubt is None else 4)


def _rated(group: str, row: dict[str, Any], passages: Sequence[str], *, titled: bool) -> RatedAnswer:
    """A row of either set. The first line of a `titled` passage is its title."""
    cited = tuple(
        Source(sentence, (passage.split("\n", 1)[0],) if titled else ())
        for passage in passages
        for sentence in split_sentences(passage)
    )
    return RatedAnswer(
        group, row["question"] or "", split_sentences(row["answer"]), tuple(passages), cited, row["label"] == "grounded"
    )
