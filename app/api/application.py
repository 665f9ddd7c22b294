"""The HTTP surface: parse, ask, render, and nothing else."""

import html
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import structlog
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from app.answering.errors import LabelRefusedError
from app.answering.questions import Question
from app.answering.service import AnswerService
from app.api.errors import install_problem_handlers
from app.api.gate import AskGate, SafeHeaders
from app.api.readiness import Readiness
from app.api.schemas import AnswerShape, AskRequest, ProblemShape, StatusShape, answer_shape, conversation, status_shape
from app.status import Status
from indexing.documents import DEFAULT_TENANT, EVERYONE, AccessLabel, AccessScope, parse_labels

ASK_PATH: Final = "/v1/ask"

_PROBLEM: Final[dict[str, Any]] = {"content": {"application/problem+json": {"schema": ProblemShape.model_json_schema()}}}
_ASK_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = dict.fromkeys((403, 408, 413, 422, 500, 503), _PROBLEM)
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
    slots: int,
    queue: int,
) -> FastAPI:
    """Build the application. Starting it warms the service up in the background; stopping it closes the service.

    Args:
        service: Answers the questions.
        read_status: Says what is indexed.
        http_labels: The labels that callers may claim; `everyone` is theirs without asking, if it is among them.
        slots: How many questions are answered at once.
        queue: How many more may wait.
    """
    readiness = Readiness(service.warm_up)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        readiness.start()
        yield
        readiness.stop()
        service.close()

    application = FastAPI(title="Farthing", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    application.add_middleware(AskGate, path=ASK_PATH, slots=slots, queue=queue)
    application.add_middleware(SafeHeaders)
    install_problem_handlers(application)

    @application.post(ASK_PATH, responses=_ASK_PROBLEMS)
    def ask(request: AskRequest) -> AnswerShape:
        """Answer a question from the documents that the caller may read, with citations and the bill, or abstain."""
        readiness.require()
        scope = _scope(request.labels, http_labels)
        shape = answer_shape(service.ask(Question(request.question, conversation(request.conversation)), scope))
        _log.info("asked", id=shape.id, outcome=shape.outcome, ms=shape.receipt.ms)
        return shape

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

    _add_route_list(application)
    return application


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
