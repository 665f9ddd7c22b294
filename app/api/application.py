"""The HTTP surface: parse, ask, render, and nothing else."""

import html
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, Literal

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from app.answering.answers import Answer, Answered
from app.answering.errors import LabelRefusedError
from app.answering.events import Listener
from app.answering.questions import Question
from app.answering.service import AnswerService
from app.api.callers import Callers
from app.api.errors import install_problem_handlers
from app.api.feedback import FEEDBACK_PATH, feedback_router
from app.api.gate import AskGate, SafeHeaders
from app.api.open_answers import OpenAnswers
from app.api.quick import QuickAnswers
from app.api.readiness import Readiness
from app.api.schemas import (
    ABSTAIN_RUNG,
    AnswerShape,
    AskRequest,
    ProblemShape,
    StatusShape,
    answer_shape,
    conversation,
    status_shape,
)
from app.api.streaming import stream_answer
from app.costs.ledger import Spender
from app.costs.pricing import plain_usd
from app.costs.reports import LedgerReader
from app.status import Status
from indexing.documents import DEFAULT_TENANT, EVERYONE, AccessLabel, AccessScope, parse_labels

ASK_PATH: Final = "/v1/ask"

_SETTLING_S: Final = 1.0
"""How long a stop waits for answers that end at their next piece of text."""

_PROBLEM: Final[dict[str, Any]] = {"content": {"application/problem+json": {"schema": ProblemShape.model_json_schema()}}}
_ASK_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys((403, 408, 413, 422, 429, 500, 503), _PROBLEM)
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys((500, 503), _PROBLEM)

_log = structlog.get_logger("farthing.api")


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Questions are answered."""

    status: Literal["ready"] = "ready"


def create_application(
    service: AnswerService,
    read_status: Callable[[], Status],
    http_labels: tuple[AccessLabel, ...],
    callers: Callers,
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]],
    mark_wrong: Callable[[str], int],
    slots: int,
    queue: int,
) -> FastAPI:
    """Build the application. Starting it warms the service up in the background; stopping it closes the service.

    Its `state.stop_answers` ends the answers that are being made, for a server that has given them time enough.

    Args:
        service: Answers the questions.
        read_status: Says what is indexed.
        http_labels: The labels that callers may claim; `everyone` is theirs without asking, if it is among them.
        callers: Says who asks, and so who pays.
        open_ledger: Opens the ledger's reports, which take in what people say of answers.
        mark_wrong: Takes an answer that somebody calls wrong, by its id, out of the cache.
        slots: How many questions are answered at once.
        queue: How many more may wait.
    """
    readiness = Readiness(service.warm_up)
    answers = OpenAnswers()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        readiness.start()
        yield
        readiness.stop()
        answers.stop()
        await answers.stopped(_SETTLING_S)
        service.close()

    application = FastAPI(title="Farthing", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    application.state.stop_answers = answers.stop
    quick = QuickAnswers(service, partial(_scope, allowed=http_labels), callers)
    application.add_middleware(AskGate, path=ASK_PATH, slots=slots, queue=queue, quick=quick)
    application.add_middleware(AskGate, path=FEEDBACK_PATH, slots=slots, queue=queue)
    application.add_middleware(SafeHeaders)
    install_problem_handlers(application)

    @application.post(ASK_PATH, responses=_ASK_PROBLEMS, response_model=AnswerShape, response_model_exclude_unset=True)
    async def ask(body: AskRequest, request: Request) -> Response | AnswerShape:
        """Answer a question from the documents that the caller may read, with citations and the bill, or abstain."""
        readiness.require()
        scope, spender = _scope(body.labels, http_labels), callers.spender(request)
        question = Question(body.question, conversation(body.conversation))
        answer = answers.begin(partial(_ask, service, question, scope, spender))
        if body.stream:
            return await stream_answer(answer, ASK_PATH, explain=body.explain)
        return answer_shape(await answer.result(), explain=body.explain)

    @application.get("/v1/status", responses=_PROBLEMS)
    def status() -> StatusShape:
        """What is indexed."""
        return status_shape(read_status())

    @application.get("/health")
    async def health() -> Alive:
        """Whether the process lives. Waits for nothing."""
        return Alive()

    @application.get("/ready", responses=_PROBLEMS)
    async def ready() -> Ready:
        """Whether questions are answered: the model is loaded and the index open."""
        readiness.require()
        return Ready()

    application.include_router(feedback_router(open_ledger, mark_wrong, callers))
    _add_route_list(application)
    return application


def _ask(service: AnswerService, question: Question, scope: AccessScope, spender: Spender, tell: Listener) -> Answer:
    answer = service.ask(question, scope, spender, tell)
    rung = answer.rung if isinstance(answer, Answered) else ABSTAIN_RUNG
    _log.info("asked", id=answer.id, rung=rung, usd=plain_usd(answer.receipt.cost_usd), ms=round(answer.receipt.ms, 2))
    return answer


def _scope(claimed: list[str], allowed: tuple[AccessLabel, ...]) -> AccessScope:
    labels = frozenset(parse_labels(claimed))
    refused = sorted(labels - set(allowed))
    if refused:
        raise LabelRefusedError(
            f"The label {', '.join(map(repr, refused))} may not be claimed over HTTP. "
            "Ask without it; the operator decides with the setting access.http_labels."
        )
    return AccessScope(DEFAULT_TENANT, (labels | {EVERYONE}) & set(allowed))


def _add_route_list(application: FastAPI) -> None:
    """A page of the routes so far, made once; the usual one would load scripts from elsewhere."""
    rows = "".join(
        f"<li><code>{method.upper()} {html.escape(path)}</code> {html.escape(operation.get('description', ''))}</li>"
        for path, operations in application.openapi()["paths"].items()
        for method, operation in operations.items()
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Farthing: HTTP API</title><h1>Farthing: HTTP API</h1>'
        f'<ul>{rows}</ul><p>The whole description: <a href="/openapi.json">/openapi.json</a></p></html>'
    )

    @application.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page)
