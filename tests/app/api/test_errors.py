import inspect
import json
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from app.access import errors as access
from app.answers import errors as answers
from app.api import errors as api
from app.api.errors import PROBLEMS, problem_response
from app.caching import errors as caching
from app.costs import errors as costs
from app.costs.errors import BudgetExhaustedError
from app.errors import AnsweringError
from app.generation import errors as generation
from indexing import errors as indexing
from indexing.errors import ChunkIndexError
from retrieval import errors as retrieval


def errors_of(module: ModuleType) -> list[type[Exception]]:
    classes = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__]
    return [value for value in classes if issubclass(value, Exception)]


DOMAINS = access, answers, api, caching, costs, generation, indexing, retrieval
ERRORS = [AnsweringError, *(error for module in DOMAINS for error in errors_of(module))]


@pytest.mark.parametrize("error", ERRORS)
def test_every_domain_error_has_a_row(error: type[Exception]) -> None:
    assert error in PROBLEMS


@pytest.mark.parametrize("error", PROBLEMS)
def test_every_row_is_a_problem_and_only_the_callers_own_faults_show_their_message(error: type[Exception]) -> None:
    response = problem_response(error("/home/me/.farthing is broken"), "/v1/ask")
    problem = json.loads(bytes(response.body))
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == response.status_code
    assert problem["instance"] == "/v1/ask"
    assert response.media_type == "application/problem+json"
    assert ("/home/me" in problem["detail"]) == (400 <= response.status_code < 500 and response.status_code != 408)


def test_what_is_not_in_the_table_is_an_internal_error_without_its_words() -> None:
    class UnforeseenError(ChunkIndexError):
        """Not in the table: no subclass inherits a row by accident."""

    for error in (UnforeseenError("secret"), ValueError("secret")):
        response = problem_response(error, "/")
        assert response.status_code == 500
        assert b"secret" not in response.body


def test_what_passes_tells_when_to_come_back() -> None:
    for error, row in PROBLEMS.items():
        assert (row.retry_after_s is not None) == (row.status == 503), error
        assert ("retry-after" in problem_response(error("It broke."), "/").headers) == (row.status == 503)


def test_a_used_up_budget_says_when_it_begins_anew() -> None:
    response = problem_response(BudgetExhaustedError("It is used up.", datetime.now(UTC) + timedelta(seconds=90)), "/v1/ask")

    assert response.status_code == 429
    assert 85 <= int(response.headers["retry-after"]) <= 90
