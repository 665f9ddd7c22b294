"""What the wheel holds: the product with its data, and nothing of the workshop that it is made in."""

import ast
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[2]
WORKSHOP = ("eval/benchmarks/", "eval/training/", "eval/datasets/handbooks/")
DATA = (
    "app/settings.toml",
    "app/caching/rules/calibration.json",
    "retrieval/weights.json",
    "eval/datasets/manual/questions.jsonl",
    "eval/datasets/manual/docs/index.md",
    "eval/questions/prompts/question.md",
    "eval/runs/gate_baselines/manual.json",
    "eval/runs/templates/report.html",
)


@pytest.fixture(scope="module")
def wheel() -> frozenset[str]:
    return frozenset(Path(file.distribution_path).as_posix() for file in WheelBuilder(str(ROOT)).recurse_included_files())


def test_the_workshop_stays_out(wheel: frozenset[str]) -> None:
    for folder in WORKSHOP:
        assert (ROOT / folder).is_dir()
        assert not [path for path in wheel if path.startswith(folder)]
    assert {path.partition("/")[0] for path in wheel} == {"farthing.py", "app", "indexing", "retrieval", "eval"}


@pytest.mark.parametrize("path", DATA)
def test_what_the_product_reads_is_there(wheel: frozenset[str], path: str) -> None:
    assert path in wheel


def test_every_module_finds_in_the_wheel_what_it_imports(wheel: frozenset[str]) -> None:
    missing = []
    for path in sorted(wheel):
        if path.endswith(".py"):
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module and (ROOT / node.module.split(".")[0]).is_dir():
                    module = node.module.replace(".", "/")
                    if not {f"{module}.py", f"{module}/__init__.py"} & wheel:
                        missing.append(f"{path} imports {node.module}")
    assert not missing
