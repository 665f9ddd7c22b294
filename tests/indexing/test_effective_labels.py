"""Who may read a document: the page decides, but cannot lift a restriction."""

import pytest

from indexing.documents import effective_labels


@pytest.mark.parametrize(
    ("front_matter", "source", "expected"),
    [
        (None, (), ("everyone",)),
        ((), (), ("everyone",)),
        (None, ("hr",), ("hr",)),
        (("finance",), (), ("finance",)),
        (("finance",), ("hr",), ("finance",)),
        (("everyone",), (), ("everyone",)),
        (("everyone",), ("hr",), ("hr",)),
        (("everyone", "finance"), ("hr",), ("finance",)),
        (("everyone",), ("everyone", "hr"), ("everyone",)),
        (("everyone", "finance"), ("everyone",), ("everyone", "finance")),
    ],
)
def test_effective_labels(front_matter: tuple[str, ...] | None, source: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert effective_labels(front_matter, source) == expected
