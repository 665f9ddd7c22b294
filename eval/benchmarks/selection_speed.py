"""What selecting and compressing cost per question, beside joining the same passages whole.

    python -m eval.benchmarks.selection_speed [--data ../shared/data] [--passages 40] [--budget 500]

The questions and pages are those of the 18F handbook under `--data`, or of Farthing's own manual without it. Passages are found
by words alone, so that no model is loaded: what packing costs does not depend on how they were found. Chunks are analysed
beforehand, as they are in a service that is warm. Exit status 1 when the median of selection and compression together is not
under 5 ms.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import numpy as np

from app.bootstrap import build_counter
from eval.datasets.json_lines import read_json_lines
from indexing.adapters.formats.markdown import parse
from indexing.aliases import Alias
from indexing.chunking import chunk_document
from indexing.documents import DEFAULT_TENANT, EVERYONE, AccessLabel, Chunk, Document
from indexing.errors import ParsingError
from indexing.language import ENGLISH
from indexing.language.question_form import QuestionForm
from indexing.tokens import TokenCounter
from retrieval.analysis import ChunkAnalyses, analyse_query
from retrieval.candidates import SEARCH_LIMIT, gather_candidates
from retrieval.compression import compress
from retrieval.lexicon import inverse_document_frequency
from retrieval.passages import Query
from retrieval.ranking import rank_candidates
from retrieval.retriever import Evidence
from retrieval.search import Found, SearchResult
from retrieval.selection import SelectionSettings, select_passages
from retrieval.weights import shipped_weights

TARGET_MS: Final = 5.0
MANUAL: Final = Path(__file__).parents[2] / "docs"
MANUAL_QUESTIONS: Final = Path(__file__).parents[1] / "datasets" / "manual" / "questions.jsonl"
WARM_UP: Final = 20


class CountedTerms:
    """Document frequencies counted in memory: a `retrieval.lexicon.Lexicon`, and the postings to search by."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunk_count = len(chunks)
        self.postings: dict[str, dict[str, int]] = defaultdict(dict)
        for chunk in chunks:
            for term, count in Counter(ENGLISH.terms(chunk.words_text)).items():
                self.postings[term][chunk.id] = count

    def document_frequencies(self, terms: Iterable[str]) -> Mapping[str, int]:
        """In how many chunks each term stands."""
        return {term: len(self.postings[term]) for term in terms if term in self.postings}

    def aliases(self, names: Iterable[str], labels: AbstractSet[AccessLabel]) -> Sequence[Alias]:  # noqa: ARG002 - the port's
        """None: what is measured here begins after the search."""
        return ()

    def search(self, question: str) -> tuple[Found, ...]:
        """The chunks that share the rarest terms with the question, best first."""
        scores: dict[str, float] = defaultdict(float)
        for term, frequency in self.document_frequencies(dict.fromkeys(ENGLISH.terms(question))).items():
            weight = inverse_document_frequency(frequency, self.chunk_count)
            for chunk_id, count in self.postings[term].items():
                scores[chunk_id] += weight * count / (count + 1.0)
        best = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:SEARCH_LIMIT]
        return tuple(Found(chunk_id, score) for chunk_id, score in best)


def main() -> int:
    """Measure and print one table. Exit status 1 when the target is missed."""
    options = _arguments()
    counter = build_counter()
    docs = options.data / "handbook-18f" / "docs" if options.data else MANUAL
    file = options.data / "handbook-18f" / "questions.jsonl" if options.data else MANUAL_QUESTIONS
    questions = [row["question"] for row in read_json_lines(file)]
    evidence = find_all(questions, read_chunks(docs, counter), counter, options.passages)
    rows = measure(evidence, counter, options.budget)
    print(
        f"{len(questions)} questions of {file.parent.name}, {np.mean([len(one.passages) for one in evidence]):.1f} passages each"
    )
    print(f"{'':<28}{'p50 ms':>9}{'p95 ms':>9}{'mean tokens':>13}")
    for name, (elapsed_ms, tokens) in rows.items():
        p50_ms, p95_ms = np.percentile(elapsed_ms, (50, 95))
        print(f"{name:<28}{p50_ms:>9.2f}{p95_ms:>9.2f}{np.mean(tokens):>13.0f}")
    median_ms = float(np.median(rows["selected and compressed"][0]))
    print(f"target: median under {TARGET_MS:.0f} ms: {'met' if median_ms < TARGET_MS else 'missed'}")
    return 0 if median_ms < TARGET_MS else 1


def read_chunks(docs: Path, counter: TokenCounter) -> list[Chunk]:
    """The chunks of all Markdown pages of a folder; pages without text have none."""
    chunks: list[Chunk] = []
    for file in sorted(docs.rglob("*.md")):
        path = file.relative_to(docs).as_posix()
        try:
            page = parse(file.read_bytes())
        except ParsingError:
            continue
        document = Document(
            id=path,
            tenant=DEFAULT_TENANT,
            source="bench",
            path=path,
            uri=path,
            title=page.title,
            markdown=page.markdown,
            first_line=page.first_line,
            labels=(EVERYONE,),
            content_hash="",
            keywords=page.keywords,
        )
        chunks += chunk_document(document, counter, ENGLISH)
    return chunks


def find_all(questions: Sequence[str], chunks: Sequence[Chunk], counter: TokenCounter, passages: int) -> list[Evidence]:
    """Ranked passages for each question, at most `passages`; questions that find none are left out."""
    by_id = {chunk.id: chunk for chunk in chunks}
    lexicon, analyses, found = CountedTerms(chunks), ChunkAnalyses(counter, ENGLISH), []
    for question in questions:
        query = analyse_query(question, lexicon, ENGLISH)
        candidates = gather_candidates(SearchResult((), lexicon.search(question)), by_id)
        analysed = analyses.of(candidate.chunk for candidate in candidates)
        ranked = rank_candidates(query, candidates, analysed, shipped_weights())[:passages]
        if ranked:
            terms_by_id = {candidate.chunk.id: one for candidate, one in zip(candidates, analysed, strict=True)}
            found.append(Evidence(Query(question), query, tuple(ranked), terms_by_id, ENGLISH))
    return found


def measure(evidence: Sequence[Evidence], counter: TokenCounter, budget_tokens: int) -> dict[str, tuple[list[float], list[int]]]:
    """Milliseconds and tokens by question: all passages packed, selected ones packed, all passages joined whole."""
    every = SelectionSettings(max_score_gap=float("inf"), ceilings=dict.fromkeys(QuestionForm, sys.maxsize))
    rows: dict[str, tuple[list[float], list[int]]] = {
        name: ([], []) for name in ("selected and compressed", "all compressed", "all joined whole (baseline)")
    }

    def pack(one: Evidence, settings: SelectionSettings) -> int:
        return compress(one, select_passages(one, settings), shipped_weights(), counter, budget_tokens).tokens

    def join(one: Evidence) -> int:
        return counter.count("\n\n".join(f"{' > '.join(p.chunk.heading_path)}\n{p.chunk.text}" for p in one.passages))

    steps: tuple[Callable[[Evidence], int], ...] = (
        lambda one: pack(one, SelectionSettings()),
        lambda one: pack(one, every),
        join,
    )
    for number, one in enumerate([*evidence[:WARM_UP], *evidence]):
        for (elapsed_ms, tokens), step in zip(rows.values(), steps, strict=True):
            started = time.perf_counter()
            count = step(one)
            if number >= min(WARM_UP, len(evidence)):
                elapsed_ms.append((time.perf_counter() - started) * 1000)
                tokens.append(count)
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What selecting and compressing cost per question.")
    parser.add_argument("--data", type=Path, help="the folder that holds handbook-18f; without it the manual is used")
    parser.add_argument("--passages", type=int, default=40)
    parser.add_argument("--budget", type=int, default=500)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
