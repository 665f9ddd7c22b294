"""A process in which four clients ask without end, over real HTTP to models, until somebody kills it."""

import itertools
import json
import os
import threading
from decimal import Decimal
from pathlib import Path

from app.access.callers import Caller
from app.answers.questions import Question
from app.bootstrap import build_service
from app.costs.ledger import Spender, Surface
from app.settings import Settings
from indexing.documents import DEFAULT_TENANT, EVERYONE, AccessScope
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.provider import Body

CLIENTS = 4

_RIGHT = "Everybody has 27 days of paid leave."
_WRONG = "Everybody has 31 days of paid leave."
_UNSURE = "Staff enjoy a generous allowance of paid leave."


def answer(body: Body) -> str:
    """What the models say: the small one is right, wrong, unsure, or out of form, by turns; the strong one is right."""
    asked = body["messages"][1]["content"]
    if "units" not in body["messages"][0]["content"] or "[1]" not in asked:
        return '{"supported": [true]}'
    turn = asked.rpartition("number ")[2].rstrip("? \n")
    text = _RIGHT if body["model"] == "strong-model" else (_RIGHT, _WRONG, _UNSURE)[int(turn) % 3]
    return "no JSON" if int(turn) % 7 == 0 else json.dumps({"sentences": [{"text": text, "units": [1]}]})


def said(path: Path) -> list[tuple[str, Decimal]]:
    """The receipts that clients got."""
    return [(line["id"], Decimal(line["usd"])) for line in map(json.loads, path.read_text(encoding="utf-8").splitlines())]


def ask_for_ever(settings: Settings, name: str, receipts: Path) -> None:
    """Ask, and write down each receipt: one line in one write, so that no kill tears it."""
    service = build_service(settings, FakeEmbedder(dimension=64))
    scope = AccessScope(DEFAULT_TENANT, frozenset({EVERYONE}))
    descriptor = os.open(receipts, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def ask(client: int) -> None:
        for number in itertools.count(client):
            question = Question(f"How many days of paid leave has everybody, by rule {name} number {number}?", None)
            given = service.ask(question, Caller(scope, Spender(Surface.HTTP, person=f"client{client}")))
            line = json.dumps({"id": given.id, "usd": str(given.receipt.cost_usd)})
            os.write(descriptor, line.encode() + b"\n")

    for client in range(CLIENTS):
        threading.Thread(target=ask, args=(client,)).start()
