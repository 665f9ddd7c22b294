"""The route by which people say whether an answer was right."""

from typing import Final

import structlog
from fastapi import APIRouter, Request

from app.api.callers import Callers
from app.api.errors import problem_responses
from app.costs.shapes import FeedbackRequest, FeedbackShape
from app.jobs.feedback import Feedback

FEEDBACK_PATH: Final = "/v1/feedback"

_PROBLEMS: Final = problem_responses(404, 408, 413, 422, 500, 503)

_log = structlog.get_logger("farthing.api")


def feedback_router(verdicts: Feedback, callers: Callers) -> APIRouter:
    """The route to what takes in what people say; `callers` says who does."""
    router = APIRouter()

    @router.post(FEEDBACK_PATH, responses=_PROBLEMS)
    def feedback(body: FeedbackRequest, request: Request) -> FeedbackShape:
        """Say whether an answer was right. The last verdict counts; a wrong answer is not given again, unless it is pinned."""
        marked = verdicts.take(body.id, body.verdict, callers.spender(request).person, body.comment)
        _log.info("feedback", id=body.id, verdict=body.verdict.value, dropped=marked.wordings, pinned=marked.pinned)
        return FeedbackShape(id=body.id, verdict=body.verdict)

    return router
