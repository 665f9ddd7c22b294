"""Who asks: what he may read, who pays, and what he may do. Surfaces make callers, and nothing else does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from app.access.errors import LabelRefusedError
from app.costs.ledger import Spender
from indexing.documents import DEFAULT_TENANT, EVERYONE, AccessLabel, AccessScope, parse_labels


class Role(StrEnum):
    """What somebody may do: ask; review and pin; index, tune and set budgets; read costs and the audit trail."""

    READER = "reader"
    CURATOR = "curator"
    ADMIN = "admin"
    AUDITOR = "auditor"


READER: Final = frozenset({Role.READER})
EVERY_ROLE: Final = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a tenant's documents and the labels of what he may read, who pays, and his roles."""

    scope: AccessScope
    payer: Spender
    roles: frozenset[Role] = READER

    def reading(self, scope: AccessScope) -> "Caller":
        """The same caller, as far as he asks with these rights."""
        return replace(self, scope=scope)


def scope_with(labels: Iterable[AccessLabel], tenant: str = DEFAULT_TENANT) -> AccessScope:
    """What somebody with these labels may read: everyone's documents are always added."""
    return AccessScope(tenant, frozenset({EVERYONE, *labels}))


def stored_scope(tenant: str, labels: Sequence[AccessLabel]) -> AccessScope:
    """What somebody could read whose labels were written down: just these."""
    return AccessScope(tenant, frozenset(labels))


def claimed_scope(claimed: Sequence[str], allowed: Sequence[AccessLabel]) -> AccessScope:
    """What somebody may read who claims labels and cannot prove them: everyone's documents are his if they may be claimed.

    Args:
        claimed: The labels, as they came in.
        allowed: Those that may be claimed.

    Raises:
        LabelError: One of them is no label.
        LabelRefusedError: One of them may not be claimed.
    """
    labels = parse_labels(claimed)
    refused = sorted(set(labels) - set(allowed))
    if refused:
        raise LabelRefusedError(
            f"The label {', '.join(map(repr, refused))} may not be claimed over HTTP. "
            "Ask without it; the operator decides with the setting access.http_labels."
        )
    return AccessScope(DEFAULT_TENANT, scope_with(labels).labels & set(allowed))
