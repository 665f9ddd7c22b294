"""What every `HitLedger` with its `LedgerReader` keeps to. A test class gives the fixture `open_ledger`."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.costs.hits import HitGroup, HitSum
from app.costs.ledger import Spender
from app.costs.reports import Verdict
from app.costs.rungs import Rung
from tests.contracts.ledger import ANN, BOB, DAILY, FAR_OFF, LONG_AGO, NOBODY, NOON, OpenLedger, bill


def group(answer_id: str, spender: Spender = ANN, *, kind: str = "exact", day: int = 0) -> HitGroup:
    """Cache hits so many days after noon."""
    return HitGroup((NOON + timedelta(days=day)).date(), answer_id, kind, spender)


class HitContract:
    """The rules of cache hits, whatever they are kept in."""

    def test_cache_hits_are_answers_that_cost_nothing(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        opened.ledger.settle(bill("a", "0.25"))
        opened.ledger.settle(replace(bill("b", "0"), rung_path=(Rung.CACHE,)))
        before = opened.whole()
        opened.ledger.add_hits({group("a"): HitSum(3, Decimal("2.25")), group("b", BOB): HitSum(2, Decimal("0.75"), 1)})
        opened.ledger.add_hits({group("a"): HitSum(1, Decimal("0.000000000001"))})
        opened.ledger.add_hits({})
        whole = opened.whole()
        assert (before.answers, before.zero_token_answers, before.cached_answers, before.cache_hits) == (2, 1, 1, 0)
        assert (whole.answers, whole.zero_token_answers, whole.cached_answers, whole.cache_hits) == (8, 7, 7, 6)
        assert whole.saved_usd == Decimal("1.25") + Decimal("3.000000000001")
        assert whole.hits == HitSum(6, Decimal("3.000000000001"), 1)
        assert (
            replace(before, answers=8, zero_token_answers=7, cached_answers=7, saved_usd=whole.saved_usd, hits=whole.hits)
            == whole
        )
        assert [entry.id for entry in opened.entries()] == ["a", "b"]

    def test_cache_hits_fall_to_who_asked_when_and_to_the_cache(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        opened.ledger.settle(bill("a", "0.25"))
        opened.ledger.settle(replace(bill("b", "0"), rung_path=(Rung.CACHE,)))
        hits = {
            group("a"): HitSum(4, Decimal(3)),
            group("a", BOB, day=1): HitSum(2, Decimal("1.5")),
            group("a", NOBODY, kind="same_words"): HitSum(1, Decimal(0), 1),
            group("b", replace(NOBODY, key="k2")): HitSum(8, Decimal(6)),
        }
        opened.ledger.add_hits(hits)
        found = {
            by: {name: (row.entries, row.cache_hits, row.answers) for name, row in opened.by(by).items()}
            for by in ("team", "person", "surface", "day", "rung", "model", "stage")
        }
        assert found == {
            "team": {"sales": (2, 6, 8), None: (0, 9, 9)},
            "person": {"ann": (2, 4, 6), "bob": (0, 2, 2), None: (0, 9, 9)},
            "surface": {"http": (2, 4, 6), "cli": (0, 2, 2), "batch": (0, 9, 9)},
            "day": {"2026-03-31": (2, 13, 15), "2026-04-01": (0, 2, 2)},
            "rung": {"small": (1, 0, 1), "extractive": (0, 0, 0), Rung.CACHE: (1, 15, 16), None: (0, 0, 0)},
            "model": {"openai/gpt-5-mini": (1, 0, 1), None: (2, 0, 2)},
            "stage": {"generate": (2, 0, 2), "search": (2, 0, 2)},
        }
        assert list(found["day"]) == ["2026-03-31", "2026-04-01"]
        assert opened.by("person")["bob"].saved_usd == Decimal("1.5")
        assert opened.by("rung")[Rung.CACHE].saved_usd == Decimal("11.25")
        assert opened.reader.hits(LONG_AGO, FAR_OFF) == {
            "exact": HitSum(14, Decimal("10.5")),
            "same_words": HitSum(1, Decimal(0), 1),
        }

    def test_cache_hits_count_on_all_days_that_the_time_touches(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        opened.ledger.add_hits({group("a", day=day): HitSum(10**day) for day in range(4)})
        midnight = datetime(2026, 4, 1, tzinfo=UTC)
        for since, until, expected in (
            (midnight, midnight + timedelta(days=1), 10),
            (midnight - timedelta(microseconds=1), midnight + timedelta(microseconds=1), 11),
            (midnight + timedelta(hours=23), midnight + timedelta(hours=25), 110),
            (midnight, midnight, 0),
        ):
            assert opened.reader.summary(since, until, None)[0].cache_hits == expected
            assert sum(row.cache_hits for row in opened.reader.summary(since, until, "team")) == expected
            assert sum(found.count for found in opened.reader.hits(since, until).values()) == expected

    def test_abstentions_that_are_given_again_are_no_answers(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        opened.ledger.settle(bill("a", "0.25"))
        opened.ledger.add_hits({group("a"): HitSum(4, Decimal(3)), group("b"): HitSum(7, Decimal(5), abstained=7)})
        opened.ledger.add_hits({group("b"): HitSum(1, Decimal(0), 1, abstained=1)})
        (team,) = opened.by("team").values()
        for row in (opened.whole(), team):
            assert (row.answers, row.zero_token_answers, row.cached_answers, row.abstentions) == (5, 4, 4, 8)
            assert row.hits == HitSum(12, Decimal(8), 1, abstained=8)
        assert opened.reader.hits(LONG_AGO, FAR_OFF) == {"exact": HitSum(12, Decimal(8), 1, abstained=8)}

    def test_a_verdict_counts_once_however_often_the_answer_was_given(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()
        opened.ledger.settle(bill("a", "0.25"))
        opened.ledger.add_hits({group("a"): HitSum(1_000, Decimal(750))})
        opened.reader.add_feedback("a", Verdict.RIGHT, None, None)
        opened.reader.add_feedback("a", Verdict.RIGHT, "bob", None)
        whole = opened.whole()
        assert (whole.right_answers, whole.good_answers, whole.answers) == (1, 1, 1_001)
        assert whole.cost_per_good_answer_usd == Decimal("0.25") / 1_001

    def test_cache_hits_use_up_no_limit(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger([DAILY])
        opened.ledger.add_hits({group("a"): HitSum(5, Decimal(0), 5)})
        assert opened.share() == 0

    def test_threads_that_add_cache_hits_at_once_lose_none(self, open_ledger: OpenLedger) -> None:
        opened = open_ledger()

        def add(runner: int) -> None:
            for number in range(10):
                opened.ledger.add_hits({group(f"{number}"): HitSum(1, Decimal("0.1")), group(f"own-{runner}"): HitSum(2)})

        runners = [threading.Thread(target=add, args=(runner,)) for runner in range(8)]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()
        assert opened.whole().hits == HitSum(240, Decimal(8))
