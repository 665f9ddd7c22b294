"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real handbooks and labelled sets, which lie beside the repository and never in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data sets are not here")
    return SHARED_DATA
