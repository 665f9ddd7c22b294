"""Who may see what, as each engine's filter. No other module builds one.

On these engines an empty `Filter()` and an empty `should` match everything, so a scope without labels gets no filter at
all: the searchers answer it without asking the engine, and here it is an error.
"""

from typing import TYPE_CHECKING

import qdrant_edge

from indexing.documents import AccessScope
from indexing.index import LABELS_FIELD, TENANT_FIELD

if TYPE_CHECKING:
    from qdrant_client import models


def edge_filter(scope: AccessScope, *also: qdrant_edge.FieldCondition | qdrant_edge.HasIdCondition) -> qdrant_edge.Filter:
    """What the scope may see, for the embedded engine; further conditions only narrow it.

    Raises:
        ValueError: The scope has no labels.
    """
    return qdrant_edge.Filter(
        must=[
            qdrant_edge.FieldCondition(TENANT_FIELD, match=qdrant_edge.MatchValue(scope.tenant)),
            qdrant_edge.FieldCondition(LABELS_FIELD, match=qdrant_edge.MatchAny(_labels(scope))),
            *also,
        ]
    )


def qdrant_filter(scope: AccessScope, *also: "models.FieldCondition | models.HasIdCondition") -> "models.Filter":
    """What the scope may see, for the server; further conditions only narrow it.

    Raises:
        ValueError: The scope has no labels.
    """
    from qdrant_client import models  # noqa: PLC0415 - importing it takes over a second, which only a server's user may pay

    return models.Filter(
        must=[
            models.FieldCondition(key=TENANT_FIELD, match=models.MatchValue(value=scope.tenant)),
            models.FieldCondition(key=LABELS_FIELD, match=models.MatchAny(any=_labels(scope))),
            *also,
        ]
    )


def _labels(scope: AccessScope) -> list[str]:
    if not scope.labels:
        raise ValueError("A scope without labels sees nothing and must not reach the index engine.")
    return sorted(scope.labels)
