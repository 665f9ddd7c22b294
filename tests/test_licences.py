"""What Farthing brings along may be used as Farthing may: no package that it needs to run is under a licence that spreads."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)

SPREADS = re.compile(
    r"affero|agpl|sspl|server side public|business source|elastic license|(?<!l)gpl|(?<!lesser )general public", re.IGNORECASE
)
CHOICES = {"docutils": "BSD"}
"""Packages with parts under several licences, and the one that the parts we run are under."""


def licences(package: str) -> list[str]:
    told = metadata(package)
    classifiers = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or () if line.startswith("License")]
    expression = told.get("License-Expression")
    return [expression] if expression else classifiers or [(told.get("License") or "").strip().partition("\n")[0]]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_that_farthing_needs_is_under_a_licence_that_does_not_spread(package: str) -> None:
    try:
        found = licences(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not for this platform")
    assert any(found), f"{package} does not say under what licence it is"
    if package in CHOICES:
        assert any(CHOICES[package] in licence for licence in found)
        return
    assert not [licence for licence in found if SPREADS.search(licence)], f"{package}: {found}"
