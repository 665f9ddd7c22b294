"""10,000 questions of users with different rights, while pages change words and readers: no stale answer, no foreign one."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from app.answers.answers import Answered
from app.caching.cache import hit_kind
from indexing.documents import Document
from tests.app.answering.desk import SURE, Desk, page

TRIALS = 10_000
USERS = (("everyone",), ("everyone", "hr"), ("everyone", "board"), ("hr",))
READERS = (("everyone",), ("hr",), ("board",), ("hr", "board"), ("everyone", "hr"))
TOPICS = ("parking", "hotels", "laptops", "training", "phones", "relocation")
FORMS = (
    "What is the limit for {} in euros?",
    "what is the limit for {} in euros",
    "Please, what is the limit for {} in euros? Thanks!",
    "The limit for {} in euros is what?",
    "How high is the limit for {} in euros?",
    "Does anybody know what the limit for {} in euros is?",
)


@dataclass
class Company:
    """Pages that change, and the oracle: whether what is cited stands there now, for somebody with these labels."""

    rng: random.Random
    pages: dict[str, Document] = field(default_factory=dict)

    def edit(self) -> None:
        topic = self.rng.choice(TOPICS)
        known = self.pages.get(f"{topic}.md")
        what = self.rng.choice(("words", "words", "readers", "come or go", "a rival"))
        if known is None or what == "words":
            self.write(topic, f"The limit for {topic} is {self.rng.randrange(100, 999)} euros.", *self.rng.choice(READERS))
        elif what == "readers":
            self.write(topic, known.markdown.split("\n\n")[1], *self.rng.choice(READERS))
        elif what == "come or go":
            del self.pages[f"{topic}.md"]
        elif f"new-{topic}.md" in self.pages:
            del self.pages[f"new-{topic}.md"]
        else:
            text = f"The limit for {topic} in euros is {self.rng.randrange(1000, 9999)} now."
            self.write(f"new-{topic}", text, *self.rng.choice(READERS))

    def write(self, name: str, text: str, *labels: str) -> None:
        self.pages[f"{name}.md"] = page(name, f"# {name.capitalize()}\n\n{text}", *labels)

    def foreign(self, document: str, user: tuple[str, ...]) -> bool:
        return document in self.pages and not set(self.pages[document].labels) & set(user)

    def stale(self, document: str, quote: str) -> bool:
        return document not in self.pages or quote not in self.pages[document].markdown


@pytest.mark.slow
@pytest.mark.usefixtures("best_unit_answers")
def test_no_answer_is_ever_foreign_or_stale() -> None:
    rng = random.Random(20_261_122)
    company = Company(rng)
    company.write("all", "Everybody has a desk.", "everyone", "hr", "board")
    for topic in TOPICS:
        company.write(topic, f"The limit for {topic} is {rng.randrange(100, 999)} euros.", *rng.choice(READERS))
    desks = [Desk(*company.pages.values(), calibration=SURE)]
    desks.append(Desk(like=desks[0], calibration=SURE))
    for desk in desks:
        desk.service.warm_up()
    kinds = Counter[str]()
    foreign, stale = [], []
    for trial in range(TRIALS):
        if rng.random() < 0.03:
            company.edit()
            desks[0].publish(*company.pages.values())
        if rng.random() < 0.002:
            desks[0].store.clear()
        desk, user = rng.choice(desks), rng.choice(USERS)
        question = rng.choice(FORMS).format(rng.choice(TOPICS))
        found = desk.quick(question, *user)
        if found is not None:
            kinds["quick"] += 1
            cited = [(one["document"], one["quote"]) for one in found["citations"]]
        else:
            answer = desk.ask(question, *user)
            kinds[str(hit_kind(answer))] += 1
            cited = [(one.document, one.quote) for one in answer.citations] if isinstance(answer, Answered) else []
        foreign += [(trial, user, question, one) for one, _ in cited if company.foreign(one, user)]
        stale += [(trial, user, question, quote) for one, quote in cited if company.stale(one, quote)]
    for desk in desks:
        desk.service.close()
    assert (foreign, stale) == ([], [])
    assert kinds["quick"] > 3_000
    assert min(kinds["exact"], kinds["same_words"], kinds["verified"]) > 100
    assert kinds["None"] > 500
