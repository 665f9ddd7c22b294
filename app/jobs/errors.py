"""What can go wrong in a use case, as far as its message tells the person what to do."""

from typing import Final

from app.caching.errors import CachingError
from app.costs.errors import CostsError
from app.errors import AnsweringError, AppError
from indexing.errors import IndexingError
from retrieval.errors import RetrievalError

DOMAIN_ERRORS: Final = (AppError, AnsweringError, CachingError, CostsError, IndexingError, RetrievalError)
"""The bases of all errors whose message tells the person what to do."""
