"""The lock files, the containers and the Makefile, as far as they can be checked without running them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_only_versions_and_hashes(name: str) -> None:
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"#.*|[a-z0-9-]+==\S+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


@pytest.mark.parametrize("name", LOCKS)
def test_lock_leaves_torch_to_the_set_up(name: str) -> None:
    assert not [package for package in _locked(name) if re.match(r"torch$|triton$|nvidia-|cuda-", package)]


def test_locks_satisfy_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime, development = (_locked(name) for name in LOCKS)
    assert not runtime.keys() & development.keys()
    for wanted, locked in (
        (project["dependencies"], runtime),
        (project["optional-dependencies"]["dev"], runtime | development),
        (project["optional-dependencies"]["workshop"], runtime | development),
    ):
        for requirement in map(Requirement, wanted):
            if requirement.name != "torch":
                assert locked[canonicalize_name(requirement.name)] in requirement.specifier, f"{requirement}: run make lock"


def test_torch_is_one_version_everywhere() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^TORCH := (\S+)$", makefile, re.MULTILINE)
    assert set(re.findall(r"torch==([0-9.]+)", dockerfile)) == {version}


@pytest.fixture
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(compose["services"], dict)
    return compose["services"]


def test_containers_publish_on_loopback_only(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service["ports"]]
    assert len(published) == len(services)
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)


def test_containers_have_no_secret_of_their_own(services: dict[str, Any]) -> None:
    secrets = [
        value
        for service in services.values()
        for name, value in service["environment"].items()
        if re.search("KEY|SECRET|TOKEN|PASSWORD", name)
    ]
    assert secrets
    assert all(re.fullmatch(r"\$\{[A-Z_]+:-\}", value) for value in secrets), (
        "a secret comes from the environment, without a default"
    )


def test_qdrant_is_optional_keyed_and_silent(services: dict[str, Any]) -> None:
    qdrant = services["qdrant"]
    assert qdrant["profiles"] == ["qdrant"]
    assert 'test -n "$$QDRANT__SERVICE__API_KEY" || ' in qdrant["entrypoint"][-1]
    assert "exit 1" in qdrant["entrypoint"][-1]
    assert qdrant["environment"]["QDRANT__TELEMETRY_DISABLED"] == "true"
    assert "/readyz" in qdrant["healthcheck"]["test"][-1]


def test_image_runs_without_privileges_from_the_runtime_lock() -> None:
    build, final = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("FROM python:3.11-slim\n")
    assert "/opt/farthing/bin/pip install --no-deps --require-hashes -r requirements.lock " in build
    assert re.search(r"^USER farthing$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "FARTHING_HOME=/data" in final
    assert "curl" not in final


def test_every_make_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    explained = set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    assert explained == set(phony.split())
