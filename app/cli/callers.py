"""Who asks on the command line: whoever runs it, with the labels that he names, and every role."""

from collections.abc import Sequence
from getpass import getuser

from app.access.callers import EVERY_ROLE, Caller, scope_with
from app.costs.ledger import Spender, Surface
from indexing.documents import parse_labels


def local_caller(labels: Sequence[str] = (), surface: Surface = Surface.COMMAND_LINE) -> Caller:
    """Whoever runs this process. Raises `LabelError`."""
    return Caller(scope_with(parse_labels(labels)), Spender(surface, person=getuser()), EVERY_ROLE)
