"""The route by which people say whether an answer was right."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import structlog
from fastapi import APIRouter, Request

from app.api.callers import Callers
from app.api.errors import problem_responses
from app.caching.reviews import Marked
from app.costs.reports import LedgerReader, Verdict
from app.costs.shapes import FeedbackRequest, FeedbackShape

FEEDBACK_PATH: Final = "/v1/feedback"

_PROBLEMS: Final = problem_responses(404, 408, 413, 422, 500, 503)

_log = structlog.get_logger("farthing.api")


def feedback_router(
    open_ledger: Callable[[], AbstractContextManager[LedgerReader]], mark_wrong: Callable[[str], Marked], callers: Callers
) -> APIRouter:
    """The route, over a ledger and the answer cache.

    Args:
        open_ledger: Opens the ledger's reports, which take in what people say: seldom enough to open them each time.
        mark_wrong: Takes an answer that somebody calls wrong, by its id, out of the cache.
        callers: Says who does.
    """
    router = APIRouter()

    @router.post(FEEDBACK_PATH, responses=_PROBLEMS)
    def feedback(body: FeedbackRequest, request: Request) -> FeedbackShape:
        """Say whether an answer was right. The last verdict counts; a wrong answer is not given again, unless it is pinned."""
        person = callers.spender(request).person
        with open_ledger() as ledger:
            ledger.add_feedback(body.id, body.verdict, person, (body.comment or "").strip() or None)
        marked = mark_wrong(body.id) if body.verdict is Verdict.WRONG else Marked(0, pinned=False)
        _log.info("feedback", id=body.id, verdict=body.verdict.value, dropped=marked.wordings, pinned=marked.pinned)
        return FeedbackShape(id=body.id, verdict=body.verdict)

    return router
