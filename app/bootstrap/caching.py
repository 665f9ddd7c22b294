"""Where cached answers are kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from app.errors import CommandError, SettingsError
from app.home import check_home
from app.jobs.checkup import Check
from app.settings import Settings
from indexing.language import language
from indexing.tokens import TokenCounter

if TYPE_CHECKING:  # only one of the stores is imported, and neither where the cache is off
    from app.adapters.disk_answer_store import DiskAnswerStore
    from app.adapters.redis_answer_store import RedisAnswerStore
    from app.answering.audits import Auditor
    from app.caching.learning import LiveCalibration
    from app.caching.memory import Memory
    from app.caching.rules.calibration import Calibration
    from app.caching.store import TendedStore
    from app.costs.hits import HitLedger
    from app.generation.accounting import Accounts
    from app.generation.endpoints import Rungs
    from app.jobs.cache_stats import DecisionBasis
    from app.ladder.climb import Ladder
    from retrieval.leasing import OpenGeneration

_ANSWERS: Final = "answers"


def build_answer_store(settings: Settings) -> "DiskAnswerStore | RedisAnswerStore | None":
    """The configured store of answers, or `None` where the cache is off; the caller closes it. Nothing is opened yet.

    Raises:
        HomeError: The home cannot be used safely.
        SettingsError: The server's URL cannot be read.
    """
    if not settings.cache.enabled:
        return None
    if url := settings.cache.url.get_secret_value():
        from app.adapters.redis_answer_store import RedisAnswerStore

        try:
            return RedisAnswerStore(url, settings.cache.max_bytes, settings.cache.timeout_s)
        except ValueError:  # its words may hold a part of the password
            raise SettingsError(
                "`cache.url` cannot be read. Write it as redis://user:password@host:6379/0; in the password, what is neither "
                "letter nor digit is percent-encoded."
            ) from None
    from app.adapters.disk_answer_store import DiskAnswerStore

    check_home(settings.home)
    return DiskAnswerStore(settings.home.resolve() / _ANSWERS, settings.cache.max_bytes)


@contextmanager
def open_answers(settings: Settings) -> "Iterator[TendedStore]":
    """The configured store of answers, for looking after it; closed at the end.

    Raises:
        HomeError: The home cannot be used safely.
        SettingsError: The URL of the cache cannot be read.
        CommandError: The cache is switched off.
    """
    store = build_answer_store(settings)
    if store is None:
        raise CommandError("The answer cache is switched off. Switch it on with the setting cache.enabled.")
    with closing(store):
        yield store


def checks(settings: Settings) -> Iterator[Check]:
    """Whether the answer cache can be read."""
    yield Check("cache", partial(_check_cache, settings))


def build_calibration(settings: Settings) -> "LiveCalibration":
    """The calibration that decides about proposals: the home's own, or the shipped one. Raises `HomeError`."""
    from app.caching.learning import CALIBRATION_FILE, LiveCalibration
    from app.caching.rules.calibration import shipped_calibration

    check_home(settings.home)
    return LiveCalibration(settings.home.resolve() / CALIBRATION_FILE, shipped_calibration)


def read_decision_basis(settings: Settings) -> "DecisionBasis":
    """By what calibration proposals are decided, and what it allows at best under the settings. Raises `HomeError`."""
    from app.caching.rules.decisions import standing
    from app.jobs.cache_stats import DecisionBasis

    learned, most_wrong = build_calibration(settings).learned(), settings.cache.max_wrong_share
    verifier = settings.cache.verifier_wrong_share if settings.endpoints else None
    return DecisionBasis(learned, standing(learned.calibration, most_wrong, verifier), 1.0 - most_wrong)


def build_memory(
    settings: Settings,
    rungs: "Rungs",
    ledger: "HitLedger",
    parts: Sequence[object],
    calibration: "Callable[[], Calibration] | None",
    newest: Callable[[], str | None],
) -> "Memory":
    """What the service remembers between questions.

    Args:
        settings: The settings.
        rungs: The model rungs: where there is one, its cheapest verifies proposals.
        ledger: Takes in hits.
        parts: Everything else that decides how answers are made: what was answered under others is not given again.
        calibration: Says how likely a proposal is right; `None` where the cache is off.
        newest: The id of the newest generation.

    Raises:
        HomeError: The home cannot be used safely.
        SettingsError: The server's URL cannot be read.
    """
    from app.answers.codec import JsonAnswers
    from app.caching.cache import AnswerCache, CacheSettings, policy_version
    from app.caching.flights import Flights
    from app.caching.memory import Memory
    from app.caching.selecting import HitTally
    from app.costs.hits import HitBook

    endpoints = [(one.name, one.model) for one in (*rungs.small, *rungs.strong)]
    policy, book = policy_version([_release(), endpoints, settings.ladder.model_dump(), *parts]), HitBook(ledger)
    store = build_answer_store(settings)
    if store is None or calibration is None:
        return Memory(None, Flights(None), None, book, policy, lambda: None, language(settings.language))
    cache_settings = CacheSettings(
        ttl_s=settings.cache.ttl_s,
        abstention_ttl_s=settings.cache.abstention_ttl_s,
        max_wrong_share=settings.cache.max_wrong_share,
        verifier_wrong_share=settings.cache.verifier_wrong_share if endpoints else None,
    )
    cache = AnswerCache(store, JsonAnswers(), calibration, cache_settings, newest=newest)
    return Memory(
        cache,
        Flights(store if endpoints else None),
        HitTally(store),
        book,
        policy,
        store.close,
        language(settings.language),
        rungs.cheapest,
    )


def _release() -> str:
    """The version of Farthing: another one may make other answers, and write them in another form."""
    from importlib.metadata import version

    return version("farthing")


def build_auditor(
    settings: Settings,
    learner: "LiveCalibration",
    lease: "Callable[[], AbstractContextManager[OpenGeneration]]",
    ladder: "Ladder",
    accounts: "Accounts",
    counter: TokenCounter,
) -> "Auditor":
    """What holds cached answers against fresh ones in the background, and moves the calibration."""
    from app.answering.audits import Auditor
    from app.answers.codec import JsonAnswers
    from app.caching.rules.decisions import standing

    verifier_wrong_share = settings.cache.verifier_wrong_share if ladder.has_models else None
    allowed = partial(standing, max_wrong_share=settings.cache.max_wrong_share, verifier_wrong_share=verifier_wrong_share)
    return Auditor(settings.cache.audit_share, learner, allowed, lease, ladder, accounts, counter, JsonAnswers())


def _check_cache(settings: Settings) -> str:
    store = build_answer_store(settings)
    if store is None:
        return "off (cache.enabled), so every question is answered afresh"
    with closing(store):
        usage = store.usage()
    kind = "redis" if settings.cache.url.get_secret_value() else "disk"
    room = f"{usage.stored_bytes / 1e6:,.1f} of {usage.max_bytes / 1e6:,.0f} MB"
    return f"{kind}, {usage.entries:,} answers, {room}, {usage.evicted:,} had to make room so far"
