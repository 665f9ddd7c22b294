"""Turns what the Qdrant client raises into our errors. The only place that knows its exceptions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx  # the Qdrant client's own transport
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from indexing.adapters.edge_errors import NO_SPACE_TEXT
from indexing.errors import ChunkIndexError, IndexMissingError

_NOT_FOUND: Final = 404
_REFUSED: Final = {401, 403}


@contextmanager
def qdrant_errors(collection: str) -> Iterator[None]:
    """Map what the Qdrant client raises inside the block; put client calls only in there.

    Raises:
        IndexMissingError: The collection is not there.
        ChunkIndexError: The server refused, failed, or did not answer in time.
    """
    try:
        yield
    except UnexpectedResponse as error:
        if error.status_code == _NOT_FOUND:
            raise missing_collection(collection) from error
        if error.status_code in _REFUSED:
            raise ChunkIndexError(
                f"The Qdrant server refused access to {collection} ({error.status_code}). Check `qdrant.api_key`."
            ) from error
        if any(sign in str(error).lower() for sign in NO_SPACE_TEXT):
            raise ChunkIndexError(f"The Qdrant server has no disk space left for {collection}. Free some there.") from error
        raise ChunkIndexError(f"The Qdrant server failed on {collection}: {error}. Its own log may say why.") from error
    except ResponseHandlingException as error:
        if isinstance(error.source, httpx.TimeoutException):
            raise ChunkIndexError(
                f"The Qdrant server did not answer in time for {collection}. Check its load, or raise `qdrant.timeout_s`."
            ) from error
        raise ChunkIndexError(
            f"The Qdrant server cannot be used for {collection}: {error.source}. "
            "Check that it runs and that `qdrant.url` is right."
        ) from error
    except (ApiException, QdrantException) as error:
        raise ChunkIndexError(f"The Qdrant server failed on {collection}: {error}. Its own log may say why.") from error
    except ValueError as error:
        # The client's in-memory mode has no exceptions of its own, and both modes refuse bad arguments like this.
        if "not found" in str(error):
            raise missing_collection(collection) from error
        raise ChunkIndexError(f"Qdrant refused a request for {collection}: {error}") from error


def missing_collection(collection: str) -> IndexMissingError:
    """The error that tells the user about a collection that is not there."""
    return IndexMissingError(
        f"The Qdrant server has no collection {collection}. Run `farthing index PATH` to make an index there."
    )
