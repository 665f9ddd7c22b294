"""Which arithmetic embeds fastest on this CPU: a measured check, made once and remembered beside the index.

bf16 pays where the CPU multiplies it in hardware (AMX, AVX512-BF16) and costs elsewhere; the vectors agree to a cosine of .99995.
"""

import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from indexing.files import write_durably

BF16: Final = "torch-bf16"
FP32: Final = "torch-fp32"

_FILE: Final = "embedding-arithmetic.json"
_BF16_FLAGS: Final = {"amx_bf16", "avx512_bf16"}
_WORTH_IT: Final = 1.2
"""How much faster bf16 must be; less would be noise."""

_SAME_DIRECTION: Final = 0.999
_ROUNDS: Final = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CpuInfo:
    """What decides the arithmetic: the processor's name and its flags."""

    model: str
    flags: frozenset[str]

    @property
    def may_have_fast_bf16(self) -> bool:
        """Whether timing it is worth the second it takes."""
        return bool(_BF16_FLAGS & self.flags)


def read_cpu(file: Path = Path("/proc/cpuinfo")) -> CpuInfo:
    """What Linux says about the first processor; without flags where there is no such file."""
    fields: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    return CpuInfo(fields.get("model name", "unknown"), frozenset(fields.get("flags", "").split()))


class ArithmeticVerdicts:
    """The verdicts that were measured on the machines that used this home, one for each CPU, torch version and model."""

    def __init__(self, home: Path, model: str, cpu: CpuInfo) -> None:
        self._file = home / _FILE
        self._cpu = cpu
        self._key = f"{cpu.model} / torch {metadata.version('torch')} / {model}"

    def settled(self) -> str | None:
        """The arithmetic to use, or `None` when only a measurement can tell. Imports nothing."""
        if not self._cpu.may_have_fast_bf16:
            return FP32
        variant = self._stored().get(self._key, {}).get("variant")
        return variant if variant in {BF16, FP32} else None

    def decide(self, fp32_s: float, bf16_s: float, cosine: float) -> str:
        """Choose from measured seconds and the smallest cosine between both, and remember the verdict."""
        variant = BF16 if fp32_s >= _WORTH_IT * bf16_s and cosine >= _SAME_DIRECTION else FP32
        verdict = {"variant": variant, "fp32_s": round(fp32_s, 4), "bf16_s": round(bf16_s, 4), "cosine": round(cosine, 6)}
        text = json.dumps({**self._stored(), self._key: verdict}, indent=1)
        try:
            write_durably(self._file, text)
        except FileNotFoundError:
            pass  # there is no home yet: `farthing doctor` measures before anything is indexed
        except OSError as error:
            _log.warning(
                "The arithmetic measured for embedding cannot be kept in %s (%s); it is measured again.", self._file, error
            )
        return variant

    def _stored(self) -> dict[str, dict[str, object]]:
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {k: v for k, v in stored.items() if isinstance(v, dict)} if isinstance(stored, dict) else {}


def fastest_s(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float]:
    """The shortest time of each of two measurements, taken in turns so that a busy machine hurts both alike."""
    times = [(first(), second()) for _ in range(_ROUNDS)]
    return min(a for a, _ in times), min(b for _, b in times)
