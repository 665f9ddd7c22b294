"""The filters themselves: both conditions, always, and whatever is added only narrows."""

import ast
from pathlib import Path

import pytest
import qdrant_edge
from qdrant_client import models

from indexing.documents import AccessScope
from retrieval.adapters.access_filter import edge_filter, qdrant_filter

SCOPE = AccessScope("acme", frozenset({"hr", "everyone"}))
ROOT = Path(__file__).parents[3]


def test_edge_filter_demands_tenant_and_one_of_the_labels() -> None:
    built = edge_filter(SCOPE, qdrant_edge.HasIdCondition({"00000000-0000-0000-0000-000000000001"}))
    assert built.should is None
    assert built.must_not is None
    assert built.min_should is None
    assert built.must is not None
    tenant, labels, also = built.must
    assert isinstance(tenant, qdrant_edge.FieldCondition)
    assert isinstance(labels, qdrant_edge.FieldCondition)
    assert isinstance(tenant.match, qdrant_edge.MatchValue)
    assert isinstance(labels.match, qdrant_edge.MatchAny)
    assert (tenant.key, tenant.match.value) == ("tenant", "acme")
    assert (labels.key, sorted(labels.match.value)) == ("labels", ["everyone", "hr"])
    assert isinstance(also, qdrant_edge.HasIdCondition)


def test_qdrant_filter_demands_tenant_and_one_of_the_labels() -> None:
    also = models.HasIdCondition(has_id=["00000000-0000-0000-0000-000000000001"])
    assert qdrant_filter(SCOPE, also) == models.Filter(
        must=[
            models.FieldCondition(key="tenant", match=models.MatchValue(value="acme")),
            models.FieldCondition(key="labels", match=models.MatchAny(any=["everyone", "hr"])),
            also,
        ]
    )


def test_a_scope_without_labels_gets_no_filter_at_all() -> None:
    nobody = AccessScope("acme", frozenset())
    with pytest.raises(ValueError, match="without labels"):
        edge_filter(nobody)
    with pytest.raises(ValueError, match="without labels"):
        qdrant_filter(nobody)


def test_no_other_module_builds_a_filter() -> None:
    builders = [
        path.relative_to(ROOT).as_posix()
        for package in ("app", "indexing", "retrieval", "eval")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] == "Filter"
    ]
    assert builders == ["retrieval/adapters/access_filter.py"] * 2
