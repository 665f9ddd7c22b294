"""What can go wrong while passages are searched and packed.

RetrievalError
├── SearchError           the index engine failed or did not answer in time
└── GenerationGoneError   the generation was removed while it was being read
"""


class RetrievalError(Exception):
    """Base of all errors of this package."""


class SearchError(RetrievalError):
    """The index engine failed, or did not answer in time."""


class GenerationGoneError(RetrievalError):
    """The generation that was being read has been removed."""
