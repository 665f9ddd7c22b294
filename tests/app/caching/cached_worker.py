"""Answers with a cache in a process of its own, which its test kills."""

import random
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from app.adapters.disk_answer_store import DiskAnswerStore
from app.ladder import climb as ladder
from tests.app.answering.desk import Desk, page
from tests.app.conftest import extract_best

TOPICS = ("parking", "hotels", "laptops", "training")


def rules(version: int) -> list[str]:
    """What each topic's page says in a version."""
    return [f"The limit for {topic} is {100 * (number + 1) + version} euros." for number, topic in enumerate(TOPICS)]


def question(topic: str) -> str:
    return f"What is the limit for {topic} in euros?"


def desk_over(directory: Path, version: int) -> Desk:
    """A service over the pages of a version, with the cache in a directory."""
    ladder.extract = extract_best
    desk = Desk(store=DiskAnswerStore(directory, 300_000))
    for number in range(version + 1):  # each version is a generation: the cache outlives them
        desk.publish(*(page(topic, f"# {topic}\n\n{text}") for topic, text in zip(TOPICS, rules(number), strict=True)))
    return desk


def answer_for_ever(directory: Path, version: int, ready: Connection) -> None:
    """Ask and be answered until somebody kills this process. Says when it has begun."""
    desk = desk_over(directory, version)
    desk.service.warm_up()
    rng = random.Random(version)
    for number in count():
        topic = rng.choice(TOPICS)
        text = question(topic) if rng.random() < 0.5 else f"{question(topic)[:-1]}, they ask for the {number % 40} time?"
        if desk.quick(text) is None:
            desk.ask(text)
        if number == 0:
            ready.send_bytes(b"begun")
