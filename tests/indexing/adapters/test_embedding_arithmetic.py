import json
from pathlib import Path

import pytest

from indexing.adapters.embedding_arithmetic import BF16, FP32, ArithmeticVerdicts, CpuInfo, fastest_s, read_cpu

AMX = CpuInfo("Xeon", frozenset({"amx_bf16", "avx512f"}))


def test_reads_the_first_processor(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor : 0\nmodel name\t: AMD EPYC 9B45\nflags\t\t: fpu avx512_bf16 vme\n\n"
        "processor : 1\nmodel name : another\nflags : x\n"
    )
    cpu = read_cpu(tmp_path / "cpuinfo")
    assert cpu == CpuInfo("AMD EPYC 9B45", frozenset({"fpu", "avx512_bf16", "vme"}))
    assert cpu.may_have_fast_bf16
    assert not read_cpu(tmp_path / "missing").may_have_fast_bf16


def test_without_the_flags_it_is_fp32_and_nothing_is_measured(tmp_path: Path) -> None:
    assert ArithmeticVerdicts(tmp_path, "model", CpuInfo("old", frozenset({"avx2"}))).settled() == FP32


@pytest.mark.parametrize(
    ("fp32_s", "bf16_s", "cosine", "variant"),
    [(3.0, 1.0, 0.9999, BF16), (1.2, 1.0, 0.9999, BF16), (1.1, 1.0, 0.9999, FP32), (3.0, 1.0, 0.9, FP32), (1.0, 2.0, 1.0, FP32)],
)
def test_bf16_is_chosen_where_it_is_faster_and_right(
    tmp_path: Path, fp32_s: float, bf16_s: float, cosine: float, variant: str
) -> None:
    verdicts = ArithmeticVerdicts(tmp_path, "model", AMX)
    assert verdicts.settled() is None
    assert verdicts.decide(fp32_s, bf16_s, cosine) == variant
    assert ArithmeticVerdicts(tmp_path, "model", AMX).settled() == variant


def test_a_verdict_holds_for_one_cpu_and_one_model(tmp_path: Path) -> None:
    ArithmeticVerdicts(tmp_path, "model", AMX).decide(3.0, 1.0, 1.0)
    assert ArithmeticVerdicts(tmp_path, "another", AMX).settled() is None
    assert ArithmeticVerdicts(tmp_path, "model", CpuInfo("newer Xeon", AMX.flags)).settled() is None
    ArithmeticVerdicts(tmp_path, "another", AMX).decide(1.0, 1.0, 1.0)
    assert ArithmeticVerdicts(tmp_path, "model", AMX).settled() == BF16


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"Xeon": 1}', "\x00"])
def test_a_damaged_file_is_measured_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "embedding-arithmetic.json").write_text(content)
    verdicts = ArithmeticVerdicts(tmp_path, "model", AMX)
    assert verdicts.settled() is None
    verdicts.decide(3.0, 1.0, 1.0)
    assert verdicts.settled() == BF16


def test_a_verdict_nobody_knows_is_measured_again(tmp_path: Path) -> None:
    verdicts = ArithmeticVerdicts(tmp_path, "model", AMX)
    verdicts.decide(3.0, 1.0, 1.0)
    file = tmp_path / "embedding-arithmetic.json"
    file.write_text(json.dumps({key: {**verdict, "variant": "int2"} for key, verdict in json.loads(file.read_text()).items()}))
    assert verdicts.settled() is None


def test_a_home_that_cannot_be_written_costs_the_memory_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "home").write_text("not a directory")
    verdicts = ArithmeticVerdicts(tmp_path / "home", "model", AMX)
    assert verdicts.decide(3.0, 1.0, 1.0) == BF16
    assert "measured again" in caplog.text


def test_before_there_is_a_home_nothing_is_kept_and_nothing_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = tmp_path / "not yet"
    assert ArithmeticVerdicts(home, "model", AMX).decide(3.0, 1.0, 1.0) == BF16
    assert (home.exists(), caplog.records) == (False, [])


def test_measures_in_turns_and_takes_the_best() -> None:
    order: list[str] = []
    first, second = iter([3.0, 1.0, 2.0]), iter([9.0, 8.0, 7.0])

    def take(name: str, times: "object") -> float:
        order.append(name)
        return next(times)  # type: ignore[call-overload, no-any-return]

    assert fastest_s(lambda: take("a", first), lambda: take("b", second)) == (1.0, 7.0)
    assert order == ["a", "b", "a", "b", "a", "b"]
