"""Replays traffic over a dataset whose pages change: the product with its answer cache, beside other caches.

The product's arms are `AnswerService` over a disk cache, asked one question after the other; every sync is the product's own. The
model that answers is `eval.replay.oracle` at a listed model's price; the one that verifies knows the right word, and says the
other one in a share of its calls. Rivals are put in front of what the product without a cache answers to each question.
"""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from app.answers.characters import usable_text
from app.bootstrap import (
    build_context_settings,
    build_embedder,
    build_embedding_cache,
    build_prices,
    build_service,
    build_sources,
    open_sync_tools,
)
from app.caching.rules.calibration import Calibration, shipped_calibration
from app.costs.pricing import Usage
from app.generation.endpoints import Completion, Endpoint, Finish, Prompt, Rungs, TextListener
from app.home import prepare_home
from app.settings import Settings
from eval.calibration.learning import calibrate
from eval.calibration.pairs import ask_wordings, half_of, load_wordings, propose_all
from eval.datasets.cases import Case, Dataset, load_dataset
from eval.errors import DatasetError, EvalError
from eval.replay.arms import (
    PERFECT,
    ExactOnly,
    Given,
    NoCache,
    Pages,
    Perfect,
    Rival,
    ServiceArm,
    Similarity,
    TimedEmbedder,
    ask_rival,
)
from eval.replay.oracle import Oracle, OracleSettings
from eval.replay.traffic import Asking, Edit, Event, Sync, TrafficSettings, first_texts, label_page, make_traffic, read_edits
from eval.runs.run import RunProgress
from indexing.documents import RawDocument
from indexing.embedding import Embedder
from indexing.planning import NoProgress, SyncTools
from indexing.sources import DocumentSource, Skipped
from indexing.sync import sync
from indexing.tokens import TokenCounter
from retrieval.leasing import CHECK_EVERY_S

EDITS_FILE: Final = "edits.jsonl"
FARTHING: Final = "farthing"
VERIFIED: Final = "farthing-verified"
NO_CACHE: Final = "no-cache"
EXACT_ONLY: Final = "exact-only"
SIMILARITIES: Final = (0.80, 0.90, 0.95)

MODEL: Final = "openai/gpt-5-mini"
VERIFIER_WRONG_SHARE: Final = 0.03
ORACLE: Final = OracleSettings(invents=0.2)
"""The model invents an answer in one of five cases where the evidence does not hold one, and says so in the others."""

_GUESSES: Final = 1.0
"""A verifier that is wrong in every call is never asked."""

_CONTEXT_TOKENS: Final = 128_000
_MAX_OUTPUT_TOKENS: Final = 500
_ASKED: Final = "\nQuestion: "
_OLD: Final = "Old question: "
_NEW: Final = "\nNew question: "


@dataclass(frozen=True, slots=True)
class Judged:
    """What an arm gave to one question, and what is wrong with it; of an answer that was made, nothing is."""

    given: Given
    wrong: bool
    stale: bool
    foreign: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of traffic: `judged` by arm, one for each question in time order.

    `syncs` are the numbers of the questions before which pages changed. `calibrated_on` says what the verified hits were
    calibrated on.
    """

    dataset: str
    settings: TrafficSettings
    askings: Sequence[Asking]
    syncs: Sequence[int]
    edits: int
    judged: Mapping[str, Sequence[Judged]]
    calibrated_on: str
    prices: str
    seconds: float


def replay_dataset(
    settings: Settings,
    folder: Path,
    traffic: TrafficSettings,
    progress: RunProgress,
    edits: Path | None = None,
    embedder: Embedder | None = None,
) -> Replayed:
    """Make traffic from a dataset, and replay it. Nothing is left behind but embeddings.

    Args:
        settings: The product's settings. Models, profile and budgets of the home are not used.
        folder: The dataset.
        traffic: What traffic is made.
        progress: Is told how far it is; the phase `ask` counts questions.
        edits: A file of edits; `None` takes the dataset's own, where it has one.
        embedder: Replaces the configured model.

    Raises:
        DatasetError: The dataset or its edits cannot be used.
        EvalError: There is no price for the model.
        IndexingError, HomeError: The documents cannot be indexed.
    """
    began = time.monotonic()
    dataset = load_dataset(folder)
    file = edits or folder / EDITS_FILE
    changes = read_edits(file) if edits or file.is_file() else []
    events = make_traffic(dataset, changes, traffic)
    prepare_home(settings.home)
    embedder = embedder or build_embedder(settings)
    calibrations, calibrated_on = _calibrations(settings, folder, embedder)
    with tempfile.TemporaryDirectory(prefix="farthing-replay-") as scratch:
        docs = _first_docs(dataset, changes, Path(scratch) / "docs")
        with _open_stage(settings, Path(scratch), docs, events, embedder, calibrations, progress) as stage:
            judged = stage.play(events, progress)
    askings = [event for event in events if isinstance(event, Asking)]
    syncs = [number - done for done, number in enumerate(at for at, event in enumerate(events) if isinstance(event, Sync))]
    prices = build_prices(settings).version
    return Replayed(
        dataset.name, traffic, askings, syncs, len(changes), judged, calibrated_on, prices, round(time.monotonic() - began, 1)
    )


class _Stage:
    """The arms, and the pages that they answer from."""

    def __init__(
        self,
        services: Mapping[str, ServiceArm],
        embedder: TimedEmbedder,
        pages: Pages,
        index: Callable[[], None],
        turn: "_Turn",
    ) -> None:
        self._services = services
        self._embedder = embedder
        self._pages = pages
        self._index = index
        self._turn = turn
        self._rivals: dict[str, Rival] = {
            NO_CACHE: NoCache(),
            EXACT_ONLY: ExactOnly(),
            **{f"similarity-{one:.2f}": Similarity(one, embedder.spec.dimension) for one in SIMILARITIES},
            PERFECT: Perfect(pages),
        }

    def play(self, events: Sequence[Event], progress: RunProgress) -> dict[str, list[Judged]]:
        """Replay all, one after the other."""
        judged: dict[str, list[Judged]] = {name: [] for name in (FARTHING, VERIFIED, *self._rivals)}
        askings: list[Asking] = []
        total = sum(isinstance(event, Asking) for event in events)
        for event in events:
            if isinstance(event, Sync):
                self._pages.write(event.edits)
                self._index()
                continue
            askings.append(event)
            given_by = self._ask(len(askings) - 1, event)
            fresh = given_by[NO_CACHE]
            for name, given in given_by.items():
                judged[name].append(_judge(given, fresh, event, askings, self._pages))
            progress.update("ask", len(askings), total)
        return judged

    def _ask(self, number: int, asking: Asking) -> dict[str, Given]:
        self._turn.family = asking.family
        given = {name: self._services[name].ask(number, asking) for name in (FARTHING, VERIFIED)}
        own = given[FARTHING]
        fresh = self._services[NO_CACHE].ask(number, asking) if own.kind else own  # a miss is what no cache would have made
        vector = self._embedder.embed_query(usable_text(asking.text))
        embedding_ms = self._embedder.embedding_ms(usable_text(asking.text))
        return given | {name: ask_rival(rival, asking, vector, fresh, embedding_ms) for name, rival in self._rivals.items()}


def _judge(given: Given, fresh: Given, asking: Asking, askings: Sequence[Asking], pages: Pages) -> Judged:
    """An abstention cites no page: it is stale when pages have changed since, and there is an answer by now."""
    if given.kind is None:
        return Judged(given, wrong=False, stale=False, foreign=False)
    outdated = not given.answered and fresh.answered and given.edition != pages.edition
    return Judged(
        given,
        wrong=askings[given.source].case.id != asking.case.id,
        stale=outdated or any(pages.digest(path) != digest for path, digest in given.pages.items()),
        foreign=not all(pages.readable(path, asking.labels) for path in given.pages),
    )


@contextmanager
def _open_stage(
    settings: Settings,
    scratch: Path,
    docs: Path,
    events: Sequence[Event],
    embedder: Embedder,
    calibrations: Mapping[int, Calibration],
    progress: RunProgress,
) -> Iterator[_Stage]:
    timed, turn = TimedEmbedder(embedder), _Turn(calibrations)
    home = prepare_home(scratch / "home")
    own = _own_settings(settings, home)
    with ExitStack() as stack:
        tools = replace(
            stack.enter_context(open_sync_tools(own, timed)),
            cache=stack.enter_context(closing(build_embedding_cache(settings, embedder))),
        )
        sources: list[DocumentSource] = [_Labelled(source) for source in build_sources(own, [docs], (), None)]
        sync(sources, tools, progress)
        pages = Pages(docs)
        askings = [event for event in events if isinstance(event, Asking)]
        context = build_context_settings(own)
        services = {}
        for name, cached, verifier_wrong_share in (
            (NO_CACHE, False, _GUESSES),
            (FARTHING, True, _GUESSES),
            (VERIFIED, True, VERIFIER_WRONG_SHARE),
        ):
            arm = _arm_settings(own, _arm_home(home, name), cached=cached, verifier_wrong_share=verifier_wrong_share)
            rungs = _rungs(settings, askings, tools.counter)
            service = build_service(arm, timed, lambda: context, rungs, calibration=turn.calibration)
            services[name] = ServiceArm(stack.enter_context(closing(service)), timed, pages)
            service.warm_up()
        yield _Stage(services, timed, pages, partial(_sync_again, sources, tools), turn)


def _sync_again(sources: Sequence[DocumentSource], tools: SyncTools) -> None:
    sync(sources, tools, NoProgress())
    time.sleep(CHECK_EVERY_S)  # then the services look for the new generation before the next question


def _own_settings(settings: Settings, home: Path) -> Settings:
    """Plain settings: what the machine's own say of models, prices and budgets must not reach a replay."""
    cache = settings.cache.model_copy(update={"url": type(settings.cache.url)("")})
    ledger = settings.ledger.model_copy(update={"url": type(settings.ledger.url)("")})
    changes = {"home": home, "cache": cache, "ledger": ledger, "endpoints": (), "budgets": ()}
    return settings.model_copy(update=changes)


def _arm_settings(own: Settings, home: Path, *, cached: bool, verifier_wrong_share: float) -> Settings:
    cache = own.cache.model_copy(
        update={"enabled": cached, "verifier_wrong_share": verifier_wrong_share, "abstention_ttl_s": own.cache.ttl_s}
    )
    return own.model_copy(update={"home": home, "cache": cache})


def _arm_home(home: Path, name: str) -> Path:
    """A home with an answer cache and a ledger of its own, and the index of another."""
    own = prepare_home(home.parent / name)
    for part in ("generations", "current"):
        (own / part).symlink_to(home / part)
    return own


def _first_docs(dataset: Dataset, edits: Sequence[Edit], folder: Path) -> Path:
    """A copy of the documents as they were before all edits."""
    shutil.copytree(dataset.docs, folder)
    for file in folder.rglob("*"):
        file.chmod(0o700 if file.is_dir() else 0o600)
    folder.chmod(0o700)
    Pages(folder).write([Edit(path, None, text) for path, text in first_texts(edits).items()])
    return folder


class _Labelled:
    """A source whose pages have the labels of the traffic."""

    def __init__(self, source: DocumentSource) -> None:
        self._source = source

    @property
    def name(self) -> str:
        return self._source.name

    def documents(self) -> Iterator[RawDocument | Skipped]:
        for item in self._source.documents():
            yield item if isinstance(item, Skipped) else replace(item, labels=label_page(item.path))


class _Turn:
    """Whose turn it is: a question is judged by what was learned from the other half of the questions."""

    def __init__(self, calibrations: Mapping[int, Calibration]) -> None:
        self._calibrations = calibrations
        self.family = ""

    def calibration(self) -> Calibration:
        """That for the question that is being asked."""
        return self._calibrations[half_of(self.family)]


def _calibrations(settings: Settings, folder: Path, embedder: Embedder) -> tuple[dict[int, Calibration], str]:
    """What judges the questions of each half, and what that was learned on, in words."""
    pairs = propose_all(ask_wordings(settings, folder, load_wordings(folder), embedder))
    try:
        learned = {half: calibrate([pair for pair in pairs if pair.new.wording.half != half]) for half in (0, 1)}
    except DatasetError:
        return dict.fromkeys((0, 1), shipped_calibration()), "the handbooks that Farthing's own calibration was made with"
    return learned, "the other half of the questions"


def _rungs(settings: Settings, askings: Sequence[Asking], counter: TokenCounter) -> Rungs:
    """One small model, as every arm has it. Raises `EvalError`."""
    price = build_prices(settings).price(MODEL)
    if price is None:
        raise EvalError(f"The price list has no {MODEL}, which a replay is priced by. Add it to the price file.")
    generator = _Scripted({usable_text(asking.text): asking.case for asking in askings}, counter)
    return Rungs((Endpoint(MODEL, MODEL, generator, price, _CONTEXT_TOKENS, _MAX_OUTPUT_TOKENS),))


class _Scripted:
    """`Generator`: an oracle that knows every wording of its questions, and verifies with a share of wrong words."""

    def __init__(self, cases: Mapping[str, Case], counter: TokenCounter) -> None:
        self._cases = cases
        self._oracle = Oracle(list({case.id: case for case in cases.values()}.values()), counter, ORACLE)
        self._counter = counter
        self._draw = random.Random(0)  # noqa: S311 - no secret hangs on it

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        """Answer or judge as the oracle; verify in one word."""
        if prompt.user.startswith(_OLD):
            word = self._verify(prompt.user)
            on_text(word)
            read = self._counter.count(prompt.system) + self._counter.count(prompt.user)
            return Completion(word, Finish.STOP, Usage(read, 1))
        before, mark, question = prompt.user.rpartition(_ASKED)
        case = self._cases.get(question.strip())
        if mark and case:
            prompt = replace(prompt, user=f"{before}{mark}{case.question}")
        return self._oracle.generate(prompt, max_output_tokens, on_text)

    def _verify(self, user: str) -> str:
        rest, _, new = user.rpartition(_NEW)
        old = rest.removeprefix(_OLD).split("\nAnswer: ", 1)[0]
        same = self._cases[old.strip()].id == self._cases[new.strip()].id
        return "yes" if same != (self._draw.random() < VERIFIER_WRONG_SHARE) else "no"
