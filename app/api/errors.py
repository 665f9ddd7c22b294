"""How errors look over HTTP: RFC 9457 problem details, from one table, and nothing about this machine in any of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.access import errors as access
from app.answers import errors as answers
from app.caching import errors as caching
from app.costs import errors as costs
from app.costs.shapes import Shape
from app.errors import AnsweringError
from app.generation import errors as generation
from indexing import errors as indexing
from retrieval import errors as retrieval

READY_PATH: Final = "/ready"

_log = structlog.get_logger("farthing.api")

_NO_OBJECT: Final = frozenset({"json_invalid", "model_attributes_type", "dict_type"})


class NotReadyError(AnsweringError):
    """The model or the index is still being opened; asking again soon helps."""


class OverloadedError(AnsweringError):
    """Too many questions are being answered or wait; asking again soon helps."""


class BodyTooLargeError(Exception):
    """The request's body is larger than any question."""


class BodyTooSlowError(Exception):
    """The request's body did not arrive in time."""


class StoppingError(Exception):
    """The service is stopping."""


class ProblemShape(Shape):
    """An RFC 9457 problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str


@dataclass(frozen=True, slots=True)
class Row:
    """How one error looks. Without `detail`, the error's own message is for the caller and is shown."""

    status: HTTPStatus
    name: str
    title: str
    detail: str | None = None
    retry_after_s: int | None = None


_OPERATOR: Final = "The operator finds the cause in the service's log, or with `farthing doctor`."
_UNREACHABLE: Final = Row(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Internal error", f"Something went wrong here. {_OPERATOR}"
)
_INDEX: Final = Row(
    HTTPStatus.SERVICE_UNAVAILABLE, "index", "The index cannot be used", f"The index cannot be opened. {_OPERATOR}", 30
)
_SEARCH: Final = Row(
    HTTPStatus.SERVICE_UNAVAILABLE, "search", "The search failed", "The index did not answer. Ask again in a moment.", 5
)
_CACHE: Final = Row(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "cache",
    "The answer cache cannot be used",
    f"What was ordered has not been done. {_OPERATOR}",
    30,
)
_LEDGER: Final = Row(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "ledger",
    "The ledger cannot be used",
    f"What an answer costs cannot be written down. {_OPERATOR}",
    30,
)

PROBLEMS: Final[Mapping[type[Exception], Row]] = {
    AnsweringError: _UNREACHABLE,
    answers.QuestionError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "question", "The question cannot be answered as it is"),
    answers.ConversationError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "conversation", "The conversation cannot be used as it is"),
    access.UnknownLabelError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-label", "No document carries this label"),
    access.LabelRefusedError: Row(HTTPStatus.FORBIDDEN, "label-refused", "This label may not be claimed here"),
    NotReadyError: Row(
        HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", "Not ready yet", "The model and the index are being opened.", 5
    ),
    OverloadedError: Row(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too many questions at once", "Ask again in a moment.", 1),
    caching.ReviewError: _UNREACHABLE,
    generation.GenerationError: _UNREACHABLE,
    generation.EndpointUnavailableError: _UNREACHABLE,
    generation.EndpointRefusedError: _UNREACHABLE,
    generation.EndpointGarbledError: _UNREACHABLE,
    generation.StreamCutError: _UNREACHABLE,
    caching.CachingError: _UNREACHABLE,
    caching.AnswerStoreError: _CACHE,
    costs.CostsError: _UNREACHABLE,
    costs.LedgerError: _LEDGER,
    costs.LedgerBusyError: _LEDGER,
    costs.LedgerFullError: _LEDGER,
    costs.LedgerRefusedError: _LEDGER,
    costs.LedgerSchemaError: _LEDGER,
    costs.UnknownEntryError: Row(HTTPStatus.NOT_FOUND, "unknown-answer", "No such answer"),
    costs.BudgetExhaustedError: Row(HTTPStatus.TOO_MANY_REQUESTS, "budget", "The budget is used up"),
    costs.PriceFileError: _UNREACHABLE,
    indexing.IndexingError: _UNREACHABLE,
    indexing.SourceError: _UNREACHABLE,
    indexing.ParsingError: _UNREACHABLE,
    indexing.LanguageError: _UNREACHABLE,
    indexing.LabelError: Row(HTTPStatus.UNPROCESSABLE_ENTITY, "label", "This is not an access label"),
    indexing.EmbeddingError: Row(
        HTTPStatus.SERVICE_UNAVAILABLE, "model", "The embedding model failed", f"The question was not embedded. {_OPERATOR}", 30
    ),
    indexing.ChunkIndexError: _INDEX,
    indexing.IndexMissingError: Row(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "nothing-indexed",
        "Nothing has been indexed yet",
        "There is no index. The operator makes one with `farthing index PATH`; the service sees it without a restart.",
        30,
    ),
    indexing.IndexForeignError: _INDEX,
    indexing.IndexMismatchError: _INDEX,
    indexing.IndexBusyError: _UNREACHABLE,
    retrieval.RetrievalError: _UNREACHABLE,
    retrieval.SearchError: _SEARCH,
    retrieval.GenerationGoneError: _SEARCH,
    StoppingError: Row(
        HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "The service is stopping", "The answer was not finished. Ask again later.", 30
    ),
    BodyTooLargeError: Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The request is too large"),
    BodyTooSlowError: Row(
        HTTPStatus.REQUEST_TIMEOUT, "too-slow", "The request came too slowly", "Its body did not arrive in time."
    ),
}
"""Every domain error, by class: a test fails when one has no row."""


def problem_response(error: Exception, path: str) -> JSONResponse:
    """The problem that tells a caller about `error`; anything that is not in the table is an internal error."""
    shape = problem_shape(error, path)
    retry_after_s = PROBLEMS.get(type(error), _UNREACHABLE).retry_after_s
    if isinstance(error, costs.BudgetExhaustedError) and error.resets_at:
        retry_after_s = max(1, math.ceil((error.resets_at - datetime.now(UTC)).total_seconds()))
    return _response(shape, {"Retry-After": str(retry_after_s)} if retry_after_s else {})


def problem_shape(error: Exception, path: str) -> ProblemShape:
    """The problem alone, for where it is not a response of its own. What it keeps from the caller goes to the log."""
    row = PROBLEMS.get(type(error), _UNREACHABLE)
    if row.detail and _OPERATOR in row.detail and path != READY_PATH:  # whoever asks that asks again and again
        _log.error("failed", problem=row.name, reason=str(error), exc_info=None if type(error) in PROBLEMS else error)
    return _shape(row.status, row.name, row.title, row.detail or str(error), path)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's description says of the statuses with which it answers in a problem."""
    problem = {"content": {"application/problem+json": {"schema": ProblemShape.model_json_schema()}}}
    return dict.fromkeys(statuses, problem)


def install_problem_handlers(application: FastAPI) -> None:
    """Make every error of an application an RFC 9457 problem."""
    application.add_exception_handler(HTTPException, _http_problem)
    application.add_exception_handler(RequestValidationError, _validation_problem)
    for error in PROBLEMS:
        application.add_exception_handler(error, _domain_problem)
    application.add_exception_handler(Exception, _fault_problem)


def _domain_problem(request: Request, error: Exception) -> JSONResponse:
    return problem_response(error, request.url.path)


def _fault_problem(request: Request, _: Exception) -> JSONResponse:
    """Of an error that nobody foresaw; it is raised again, and the server logs it."""
    row = _UNREACHABLE
    return _response(_shape(row.status, row.name, row.title, row.detail or "", request.url.path), {})


def _http_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    name = status.phrase.lower().replace(" ", "-")
    return _problem(status, name, status.phrase, f"{status.description or status.phrase}.", request.url.path, error.headers)


def _validation_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # The values themselves are not echoed: they may be secrets, or megabytes.
    faults = "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors())
    if any(fault["type"] in _NO_OBJECT for fault in error.errors()):
        faults = 'The body is no JSON object. Send one with content-type application/json, such as {"question": "..."}'
    return _problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request has the wrong form", f"{faults}.", request.url.path
    )


def _problem(
    status: HTTPStatus, name: str, title: str, detail: str, path: str, headers: Mapping[str, Any] | None = None
) -> JSONResponse:
    return _response(_shape(status, name, title, detail, path), dict(headers or {}))


def _shape(status: HTTPStatus, name: str, title: str, detail: str, path: str) -> ProblemShape:
    return ProblemShape(type=f"urn:farthing:problem:{name}", title=title, status=status.value, detail=detail, instance=path)


def _response(shape: ProblemShape, headers: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(shape.model_dump(), shape.status, headers=dict(headers), media_type="application/problem+json")
