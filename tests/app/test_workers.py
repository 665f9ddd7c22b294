"""Work behind the answer's back."""

import gc
import threading
import weakref
from contextvars import ContextVar

import pytest

from app.workers import Repeated, Worker

who: ContextVar[str] = ContextVar("who", default="nobody")


class Job:
    """A piece of work that waits until it is told to go on; a failure is raised."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun, self.go, self.failure = threading.Event(), threading.Event(), failure


class Bench:
    """A worker and what became of its work."""

    def __init__(self, most: int = 10) -> None:
        self.done: list[tuple[Job, str]] = []
        self.failed: list[tuple[Job, Exception]] = []
        self.worker: Worker[Job] = Worker("bench", self.work, most, lambda job, error: self.failed.append((job, error)))

    def work(self, job: Job) -> None:
        job.begun.set()
        assert job.go.wait(10)
        if job.failure:
            raise job.failure
        self.done.append((job, who.get()))


def test_nothing_runs_before_there_is_work_and_all_is_done_in_order_and_in_its_context() -> None:
    bench, jobs = Bench(), [Job() for _ in range(3)]
    assert "bench" not in {thread.name for thread in threading.enumerate()}
    for number, job in enumerate(jobs):
        job.go.set()
        token = who.set(f"caller {number}")
        assert bench.worker.offer(job)
        who.reset(token)
    bench.worker.close(drop=False)
    assert bench.done == [(job, f"caller {number}") for number, job in enumerate(jobs)]


def test_what_comes_while_too_many_wait_is_refused() -> None:
    bench, jobs = Bench(most=2), [Job() for _ in range(4)]
    assert bench.worker.offer(jobs[0])
    assert jobs[0].begun.wait(10)
    assert [bench.worker.offer(job) for job in jobs[1:]] == [True, True, False]
    assert bench.worker.waiting == 2
    for job in jobs:
        job.go.set()
    bench.worker.close(drop=False)
    assert [job for job, _ in bench.done] == jobs[:3]


@pytest.mark.parametrize("drop", [True, False])
def test_at_the_end_what_waits_is_dropped_or_done_and_no_more_is_taken(*, drop: bool) -> None:
    bench, jobs = Bench(), [Job() for _ in range(3)]
    for job in jobs:
        bench.worker.offer(job)
    assert jobs[0].begun.wait(10)
    threading.Timer(0.05, lambda: [job.go.set() for job in jobs]).start()
    bench.worker.close(drop=drop)
    assert [job for job, _ in bench.done] == (jobs[:1] if drop else jobs)
    assert not bench.worker.offer(Job())
    assert bench.worker.closed


def test_a_close_waits_no_longer_than_it_is_told() -> None:
    bench, job = Bench(), Job()
    bench.worker.offer(job)
    bench.worker.close(drop=True, limit_s=0.01)
    assert bench.done == []
    job.go.set()
    bench.worker.close(drop=True)


@pytest.mark.parametrize("failure", [RuntimeError("planted"), MemoryError()])
def test_no_failure_ends_it(failure: Exception) -> None:
    bench, jobs = Bench(), [Job(failure), Job()]
    for job in jobs:
        job.go.set()
        bench.worker.offer(job)
    bench.worker.close(drop=False)
    assert bench.failed == [(jobs[0], failure)]
    assert [job for job, _ in bench.done] == jobs[1:]


def test_what_is_done_is_held_on_to_by_nobody() -> None:
    bench, last = Bench(), Job()
    job = Job()
    job.go.set()
    gone = weakref.ref(job)
    bench.worker.offer(job)
    del job
    bench.worker.offer(last)
    assert last.begun.wait(10)
    bench.done.clear()
    gc.collect()
    assert gone() is None
    last.go.set()
    bench.worker.close(drop=False)


def test_it_is_done_again_until_it_is_done_for_good(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[bool | Exception] = [False, RuntimeError("planted"), True]

    def work() -> bool:
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    repeated = Repeated("repeated", work, 0.001)
    repeated.join()  # there is nothing to wait for
    repeated.start()
    repeated.join()
    assert ends == []
    assert not repeated.runs
    assert "planted" in caplog.text


def test_it_stops_when_it_is_told() -> None:
    times: list[int] = []
    repeated = Repeated("repeated", lambda: bool(times.append(1)), 60.0)
    repeated.start()
    repeated.stop()
    repeated.join()
    assert len(times) <= 1
