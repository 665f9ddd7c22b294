"""Figures to look at: bars, sparklines, and amounts and shares as people read them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_EIGHTHS: Final = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
_LEVELS: Final = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_BAR_WIDTH: Final = 8
_LINE_WIDTH: Final = 60
_ANY_WIDTH: Final = 10_000


def bar(share: float) -> str:
    """A share, in [0, 1], as a bar of eight columns; anything above zero is seen."""
    eighths = round(share * _BAR_WIDTH * 8)
    full, rest = divmod(max(eighths, 1) if share > 0 else 0, 8)
    drawn = _EIGHTHS[-1] * full + (_EIGHTHS[rest] if rest else "")
    return drawn.ljust(_BAR_WIDTH)


def sparkline(amounts: Sequence[Decimal]) -> str:
    """Amounts over time, one column each, the largest one full; many are drawn together, as the sum of neighbours."""
    if not amounts:
        return ""
    together = -(-len(amounts) // _LINE_WIDTH)
    sums = [sum(amounts[start : start + together], Decimal(0)) for start in range(0, len(amounts), together)]
    largest = max(sums)
    if not largest:
        return _LEVELS[0] * len(sums)
    return "".join(_LEVELS[round(amount / largest * (len(_LEVELS) - 1))] for amount in sums)


def counted(count: int, one: str, many: str) -> str:
    """`1 entry`, `2,000 entries`."""
    return f"{count:,} {one if count == 1 else many}"


def print_whole(rows: Table, out: Console) -> None:
    """Print a table as wide as it is, on a narrow terminal, too: a figure that is cut is a wrong figure."""
    out.width = max(out.width, Measurement.get(out, out.options.update(max_width=_ANY_WIDTH), rows).maximum)
    out.print(rows)


def percent(share: float | None) -> str:
    """A share for people: `71.3 %`, `unknown`."""
    return "unknown" if share is None else f"{share:.1%}".replace("%", " %")
