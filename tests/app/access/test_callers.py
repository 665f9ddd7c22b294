import pytest

from app.access.callers import EVERY_ROLE, READER, Caller, Role, claimed_scope, scope_with, stored_scope
from app.access.errors import LabelRefusedError
from app.costs.ledger import Spender, Surface
from indexing.documents import AccessScope
from indexing.errors import LabelError


def test_what_is_for_everyone_is_always_added_and_a_stored_scope_is_as_it_was() -> None:
    assert scope_with(["hr"]) == AccessScope("default", frozenset({"everyone", "hr"}))
    assert scope_with([], "acme") == AccessScope("acme", frozenset({"everyone"}))
    assert stored_scope("acme", ("hr",)) == AccessScope("acme", frozenset({"hr"}))
    assert stored_scope("acme", ()).labels == frozenset()  # and so reads nothing


def test_a_claim_is_held_against_the_list() -> None:
    assert claimed_scope(["hr"], ("everyone", "hr")) == scope_with(["hr"])
    assert claimed_scope([], ("hr",)).labels == frozenset()  # everyone is nobody's where it may not be claimed
    with pytest.raises(LabelRefusedError, match="'board', 'it' may not be claimed over HTTP"):
        claimed_scope(["it", "hr", "board"], ("everyone", "hr"))
    with pytest.raises(LabelError):
        claimed_scope(["h r"], ("everyone",))


def test_a_caller_asks_with_other_rights_and_stays_who_he_is() -> None:
    caller = Caller(scope_with(["hr"]), Spender(Surface.BATCH, "ada"), EVERY_ROLE)
    other = caller.reading(scope_with(["it"]))
    assert (other.scope, other.payer, other.roles) == (scope_with(["it"]), caller.payer, frozenset(Role))
    assert Caller(caller.scope, caller.payer).roles == READER
