"""Processes that are killed while they answer with the cache: it opens, and nothing wrong is given from it."""

import logging
import multiprocessing
import random
import time
from pathlib import Path

import pytest

from app.answers.answers import Answered
from app.caching.cache import hit_kind
from tests.app.caching import cached_worker as worker

KILLS = 20


@pytest.mark.slow
@pytest.mark.usefixtures("best_unit_answers")
def test_a_killed_process_leaves_nothing_wrong_to_be_given(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([worker.__name__])
    directory, rng = tmp_path / "answers", random.Random(5)
    hits = 0
    for kill in range(KILLS):
        version = kill // 2  # every other one answers from pages that have changed
        begun, ready = processes.Pipe(duplex=False)
        process = processes.Process(target=worker.answer_for_ever, args=(directory, version, ready))
        process.start()
        assert begun.poll(30)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.join()
        begun.close()
        ready.close()
        desk = worker.desk_over(directory, version)
        desk.service.warm_up()
        for topic, rule in zip(worker.TOPICS, worker.rules(version), strict=True):
            answer = desk.ask(worker.question(topic))
            assert isinstance(answer, Answered)
            assert [one.quote for one in answer.citations] == [rule]
            hits += hit_kind(answer) is not None
            found = desk.quick(worker.question(topic))
            assert found is not None
            assert rule in found["answer"]
        desk.service.close()
    assert hits > KILLS
    assert caplog.text == ""
