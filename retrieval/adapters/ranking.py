"""What both engines' searchers do around the engine: order ties, refuse odd queries, turn errors into ours."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ChunkIndexError, IndexMissingError
from retrieval.errors import GenerationGoneError, SearchError
from retrieval.search import Found, SearchResult

_Request = TypeVar("_Request")

SPARE_FOR_TIES: Final = 32
"""How many more than the limit are asked for, so that ties across the limit rarely need a second question."""

_MORE: Final = 4


def close_ranking(found: Sequence[Found], limit: int, ask: Callable[[int], Sequence[Found]]) -> tuple[Found, ...]:
    """The best `limit`, ties in the order of chunk ids, also where a tie runs across the limit.

    An engine cuts ties as it likes. Equal texts in many documents make ties longer than any limit, so the engine is asked
    for more until the tie across the limit has ended.

    Args:
        found: The engine's answer to `limit + SPARE_FOR_TIES`, best first.
        limit: How many to return at most, from 1.
        ask: Asks the engine again, for so many.
    """
    asked = limit + SPARE_FOR_TIES
    while len(found) >= asked and found[-1].score == found[limit - 1].score:
        asked *= _MORE
        found = ask(asked)
    return tuple(sorted(found, key=lambda row: (-row.score, row.chunk_id))[:limit])


def search_lists(
    requests: Callable[[int], Sequence[_Request]], query: Callable[[list[_Request]], list[list[Found]]], limit: int
) -> SearchResult:
    """Ask the engine for both ranked lists at once, and end the ties of each.

    Args:
        requests: Makes the engine's requests for so many rows each: by meaning, and by words if the query has any.
        query: Asks the engine; one answer for each request.
        limit: How many rows each list may have, from 1.
    """

    def again(position: int, count: int) -> list[Found]:
        return query([requests(count)[position]])[0]

    answers = query([*requests(limit + SPARE_FOR_TIES)])
    ranked = [close_ranking(answer, limit, partial(again, position)) for position, answer in enumerate(answers)]
    return SearchResult(ranked[0], ranked[1] if len(ranked) > 1 else ())


def point_ids(chunk_ids: Iterable[str]) -> list[str]:
    """Those of the ids that can stand in an index, once each. Engines refuse a request with any other."""
    return [chunk_id for chunk_id in dict.fromkeys(chunk_ids) if _is_point_id(chunk_id)]


def require_query_vector(vector: NDArray[np.float32], dimension: int) -> None:
    """Refuse a query vector of another shape than the index's.

    Raises:
        SearchError: It has another shape.
    """
    if vector.shape != (dimension,):
        raise SearchError(f"The query's vector has the shape {vector.shape}; the index holds vectors of {dimension} dimensions.")


@contextmanager
def search_errors() -> Iterator[None]:
    """Turn what the writing side calls the engine's failures into searching's. Goes outside `edge_errors` or `qdrant_errors`.

    Raises:
        GenerationGoneError: The collection was removed.
        SearchError: The engine failed, or did not answer in time.
    """
    try:
        yield
    except IndexMissingError as error:
        raise GenerationGoneError(str(error)) from error
    except ChunkIndexError as error:
        raise SearchError(str(error)) from error


def _is_point_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
