"""The route by which questions are answered."""

from functools import partial
from typing import Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.access.callers import Caller
from app.answering.service import AnswerService
from app.answers.answers import Answer, Answered
from app.answers.events import Listener
from app.answers.questions import Question
from app.answers.shapes import AnswerShape, AskRequest, answer_shape, conversation
from app.api.callers import Callers
from app.api.errors import problem_responses
from app.api.open_answers import OpenAnswers
from app.api.readiness import Readiness
from app.api.streaming import stream_answer
from app.costs.pricing import plain_usd
from app.costs.rungs import Rung

ASK_PATH: Final = "/v1/ask"

_PROBLEMS: Final = problem_responses(403, 408, 413, 422, 429, 500, 503)

_log = structlog.get_logger("farthing.api")


def ask_router(
    service: AnswerService,
    callers: Callers,
    answers: OpenAnswers,
    readiness: Readiness,
) -> APIRouter:
    """The route, over the service.

    Args:
        service: Answers the questions.
        callers: Says who asks.
        answers: Has each question answered in a thread of its own.
        readiness: Says whether questions can be answered.
    """
    router = APIRouter()

    @router.post(ASK_PATH, responses=_PROBLEMS, response_model=AnswerShape, response_model_exclude_unset=True)
    async def ask(body: AskRequest, request: Request) -> Response | AnswerShape:
        """Answer a question from the documents that the caller may read, with citations and the bill, or abstain."""
        readiness.require()
        caller = callers.caller(request, body.labels)
        question = Question(body.question, conversation(body.conversation))
        answer = answers.begin(partial(_ask, service, question, caller))
        if body.stream:
            return await stream_answer(answer, ASK_PATH, explain=body.explain)
        return answer_shape(await answer.result(), explain=body.explain)

    return router


def _ask(service: AnswerService, question: Question, caller: Caller, tell: Listener) -> Answer:
    answer = service.ask(question, caller, tell)
    rung = answer.rung if isinstance(answer, Answered) else Rung.ABSTAIN
    _log.info("asked", id=answer.id, rung=rung, usd=plain_usd(answer.receipt.cost_usd), ms=round(answer.receipt.ms, 2))
    return answer
