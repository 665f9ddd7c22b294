"""Who asks in an evaluation."""

from collections.abc import Iterable

from app.access.callers import Caller, scope_with
from app.costs.ledger import Spender, Surface
from indexing.documents import AccessLabel


def eval_caller(labels: Iterable[AccessLabel] = (), person: str | None = None) -> Caller:
    """A caller with labels, in the books as the surface `eval`."""
    return Caller(scope_with(labels), Spender(Surface.EVAL, person))
