"""The HTTP surface: parse, ask, render, and nothing else."""

import html
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.types import ASGIApp

from app.answering.service import AnswerService
from app.api.asking import ASK_PATH, ask_router
from app.api.callers import Callers
from app.api.errors import READY_PATH, install_problem_handlers, problem_responses
from app.api.feedback import FEEDBACK_PATH, feedback_router
from app.api.gate import AskGate, Envelope
from app.api.open_answers import OpenAnswers
from app.api.quick import QuickAnswers
from app.api.readiness import Readiness
from app.jobs.feedback import Feedback
from app.jobs.status import LocalStatusShape, StatusShape, public_status

_SETTLING_S: Final = 1.0
"""How long a stop waits for answers that end at their next piece of text."""

_PROBLEMS: Final = problem_responses(500, 503)


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Questions are answered."""

    status: Literal["ready"] = "ready"


def create_application(
    service: AnswerService,
    read_status: Callable[[], LocalStatusShape],
    callers: Callers,
    feedback: Feedback,
    slots: int,
    queue: int,
) -> FastAPI:
    """Build the application. Starting it warms the service up in the background; stopping it closes the service.

    Its `state.stop_answers` ends the answers that are being made, for a server that has given them time enough.

    Args:
        service: Answers the questions.
        read_status: Says what is indexed.
        callers: Says who asks.
        feedback: Takes in what people say of answers.
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

    application = _Application(title="Farthing", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    application.state.stop_answers = answers.stop
    quick = QuickAnswers(service, callers)
    application.add_middleware(AskGate, path=ASK_PATH, slots=slots, queue=queue, quick=quick)
    application.add_middleware(AskGate, path=FEEDBACK_PATH, slots=slots, queue=queue)
    install_problem_handlers(application)
    application.include_router(ask_router(service, callers, answers, readiness))
    application.include_router(_state_router(read_status, readiness))
    application.include_router(feedback_router(feedback, callers))
    _add_route_list(application)
    return application


class _Application(FastAPI):
    """An application whose every response is in an envelope, those of the last resort for faults as well."""

    def build_middleware_stack(self) -> ASGIApp:
        return Envelope(super().build_middleware_stack())


def _state_router(read_status: Callable[[], LocalStatusShape], readiness: Readiness) -> APIRouter:
    """The routes that say how the service is."""
    router = APIRouter()

    @router.get("/v1/status", responses=_PROBLEMS)
    def status() -> StatusShape:
        """What is indexed."""
        return public_status(read_status())

    @router.get("/health")
    async def health() -> Alive:
        """Whether the process lives. Waits for nothing."""
        return Alive()

    @router.get(READY_PATH, responses=_PROBLEMS)
    async def ready() -> Ready:
        """Whether questions are answered: the model is loaded and the index open."""
        readiness.require()
        return Ready()

    return router


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
