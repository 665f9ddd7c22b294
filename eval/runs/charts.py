"""The report's charts as SVG that needs no script; colours come from the page's style, by class."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from eval.measures.intervals import Interval

_WIDTH: Final = 880
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 16, 48
_TOKEN_TICKS: Final = (100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000, 10_000)
_LABEL_GAP: Final = 15
_LABEL_WIDTH: Final = 220


@dataclass(frozen=True, slots=True)
class Dot:
    """An arm in the plane of tokens and a share in [0, 1]."""

    name: str
    tokens: float
    share: Interval


@dataclass(frozen=True, slots=True)
class Line:
    """A curve in the same plane, in the order of tokens."""

    name: str
    points: Sequence[tuple[float, Interval]]


def colour(name: str) -> str:
    """The style class of an arm: its name."""
    return f"arm-{escape(name)}"


class _Plane:
    """Tokens on a logarithmic axis, a share upwards."""

    def __init__(self, tokens: Sequence[float], shares: Sequence[float], height: int) -> None:
        known = [value for value in tokens if value > 0] or [1.0]
        self._low, self._high = math.log(min(known) * 0.88), math.log(max(known) * 1.14)
        self.floor = max(0.0, math.floor((min(shares, default=0.0) - 0.02) * 10) / 10)
        self.height = height

    def x(self, tokens: float) -> float:
        share = (math.log(max(tokens, 1.0)) - self._low) / (self._high - self._low)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, share: float) -> float:
        return _TOP + (1.0 - share) / (1.0 - self.floor or 1.0) * (self.height - _TOP - _BOTTOM)

    def ticks(self) -> list[int]:
        return [tick for tick in _TOKEN_TICKS if self._low <= math.log(tick) <= self._high]

    def axes(self, across: str) -> str:
        bottom = self.y(self.floor)
        parts = []
        for tenth in range(round(self.floor * 10), 11):
            y = self.y(tenth / 10)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="tick" x="{_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{tenth * 10} %</text>')
        for tick in self.ticks():
            x = self.x(tick)
            parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{bottom + 5:.1f}"/>')
            parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 20:.1f}" text-anchor="middle">{tick:,}</text>')
        parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>')
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(f'<text class="tick" x="{middle}" y="{bottom + 40:.1f}" text-anchor="middle">{escape(across)}</text>')
        return "".join(parts)


def quality_chart(lines: Sequence[Line], dots: Sequence[Dot], height: int = 400) -> str:
    """Curves with their bands of uncertainty, and arms as points with intervals, over the tokens they spend."""
    shares = [i.low for line in lines for _, i in line.points] + [dot.share.low for dot in dots]
    tokens = [t for line in lines for t, _ in line.points] + [dot.tokens for dot in dots]
    plane = _Plane(tokens, shares, height)
    parts = [plane.axes("context tokens per question, mean (logarithmic)")]
    for line in lines:
        upper = " ".join(f"{plane.x(t):.1f},{plane.y(i.high):.1f}" for t, i in line.points)
        lower = " ".join(f"{plane.x(t):.1f},{plane.y(i.low):.1f}" for t, i in reversed(line.points))
        parts.append(f'<polygon class="band {colour(line.name)}" points="{upper} {lower}"/>')
    for line in lines:
        path = " ".join(f"{plane.x(t):.1f},{plane.y(i.value):.1f}" for t, i in line.points)
        parts.append(f'<polyline class="curve {colour(line.name)}" points="{path}"/>')
        parts += [
            f'<circle class="knot {colour(line.name)}" cx="{plane.x(t):.1f}" cy="{plane.y(i.value):.1f}" r="2.6">'
            f"<title>{escape(line.name)}: {_percent(i)} at {t:,.0f} tokens</title></circle>"
            for t, i in line.points
        ]
    parts += _dots(plane, dots)
    return _svg("".join(parts), height, "Evidence retention against context tokens")


def frontier_chart(
    tried: Sequence[tuple[float, float]], searched: Sequence[tuple[float, float]], proved: Line, dots: Sequence[Dot], floor: float
) -> str:
    """Every setting that was tried, the frontier of the best ones, how the other half proves them, and the floor asked for."""
    height = 380
    shares = [share for _, share in tried] + [i.low for _, i in proved.points] + [dot.share.low for dot in dots]
    tokens = [t for t, _ in tried] + [t for t, _ in proved.points] + [dot.tokens for dot in dots]
    plane = _Plane(tokens, [*shares, floor], height)
    parts = [plane.axes("context tokens per question, mean (logarithmic)")]
    y = plane.y(floor)
    parts.append(f'<line class="floor" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(f'<text class="tick" x="{_LEFT + 6}" y="{y - 6:.1f}">the floor</text>')
    parts += [f'<circle class="tried" cx="{plane.x(t):.1f}" cy="{plane.y(share):.1f}" r="2.2"/>' for t, share in tried]
    path = " ".join(f"{plane.x(t):.1f},{plane.y(share):.1f}" for t, share in searched)
    parts.append(f'<polyline class="curve searched" points="{path}"/>')
    name = colour(proved.name)
    for t, i in proved.points:
        x, title = plane.x(t), f"{escape(proved.name)}: {_percent(i)} at {t:,.0f} tokens"
        parts.append(
            f'<line class="error" x1="{x:.1f}" x2="{x:.1f}" y1="{plane.y(i.low):.1f}" y2="{plane.y(i.high):.1f}"/>'
            f'<circle class="knot {name}" cx="{x:.1f}" cy="{plane.y(i.value):.1f}" r="3.6"><title>{title}</title></circle>'
        )
    parts += _dots(plane, dots)
    return _svg("".join(parts), height, "Evidence retention against context tokens of the settings that were tried")


def _dots(plane: _Plane, dots: Sequence[Dot]) -> list[str]:
    parts = []
    taken: list[tuple[float, float]] = []
    for dot in sorted(dots, key=lambda dot: -dot.share.value):
        x, y = plane.x(dot.tokens), plane.y(dot.share.value)
        name = colour(dot.name)
        title = f"{escape(dot.name)}: {_percent(dot.share)} at {dot.tokens:,.0f} tokens"
        low, high = plane.y(dot.share.low), plane.y(dot.share.high)
        parts.append(f'<line class="whisker {name}" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        parts.append(f'<circle class="dot {name}" cx="{x:.1f}" cy="{y:.1f}" r="6"><title>{title}</title></circle>')
        anchor, shift = ("end", -12) if x > _WIDTH * 0.8 else ("start", 10)
        label_y = y - 10
        while any(abs(label_y - other) < _LABEL_GAP and abs(x - near) < _LABEL_WIDTH for near, other in taken):
            label_y += _LABEL_GAP if label_y > y else 30
        taken.append((x, label_y))
        parts.append(
            f'<text class="label {name}" x="{x + shift:.1f}" y="{label_y:.1f}" text-anchor="{anchor}">{escape(dot.name)}</text>'
        )
    return parts


def type_bars(types: Mapping[str, tuple[int, Mapping[str, Interval | None]]], arms: Sequence[str]) -> str:
    """One group of bars a question type, one bar an arm; whiskers show the intervals.

    Args:
        types: Type -> number of questions, and the share by arm.
        arms: The arms, from the top of each group down.
    """
    bar, gap, left = 11, 16, 190
    group = len(arms) * bar + gap
    height = _TOP + len(types) * group + _BOTTOM - 10

    def x(share: float) -> float:
        return left + share * (_WIDTH - left - 64)

    bottom = height - _BOTTOM + 10
    parts = []
    for quarter in range(5):
        at = x(quarter / 4)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 6}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{quarter * 25} %</text>')
    for row, (name, (count, shares)) in enumerate(types.items()):
        top = _TOP + row * group
        middle = top + len(arms) * bar / 2
        parts.append(
            f'<text class="label" x="{left - 14}" y="{middle}" text-anchor="end">{escape(name.replace("_", " "))}</text>'
        )
        parts.append(f'<text class="tick" x="{left - 14}" y="{middle + 15}" text-anchor="end">{count} questions</text>')
        for place, arm in enumerate(arms):
            share = shares.get(arm)
            if share is None:
                continue
            y = top + place * bar
            parts.append(
                f'<rect class="bar {colour(arm)}" x="{left}" y="{y + 1}" width="{max(1.0, x(share.value) - left):.1f}" '
                f'height="{bar - 2}" rx="2"><title>{escape(arm)}: {_percent(share)}</title></rect>'
                f'<line class="error" x1="{x(share.low):.1f}" x2="{x(share.high):.1f}" y1="{y + bar / 2}" y2="{y + bar / 2}"/>'
            )
    return _svg("".join(parts), height, "Evidence retention by question type")


def rates_chart(
    areas: Mapping[str, Sequence[float]], lines: Mapping[str, Sequence[float]], marks: Sequence[float], total: int
) -> str:
    """Shares over time: some stacked upon each other, others as lines.

    Args:
        areas: Name -> its share in [0, 1] in each slice of time, the lowest area first; all of one length.
        lines: The same of what is not stacked.
        marks: Moments, as shares of the whole time, that are marked below.
        total: How many questions the whole time holds.
    """
    height = 300
    bottom = height - _BOTTOM
    slices = len(next(iter(areas.values())))

    def x(share: float) -> float:
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(share: float) -> float:
        return _TOP + (1.0 - share) * (bottom - _TOP)

    def path(shares: Sequence[float]) -> list[str]:
        return [f"{x((at + 0.5) / slices):.1f},{y(share):.1f}" for at, share in enumerate(shares)]

    parts = []
    for quarter in range(5):
        share = quarter / 4
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 10}" y="{y(share) + 4:.1f}" text-anchor="end">{quarter * 25} %</text>')
        parts.append(f'<text class="tick" x="{x(share):.1f}" y="{bottom + 24}" text-anchor="middle">{total * share:,.0f}</text>')
    below = [0.0] * slices
    for name, shares in areas.items():
        above = [low + share for low, share in zip(below, shares, strict=True)]
        points = " ".join([*path(above), *reversed(path(below))])
        parts.append(f'<polygon class="area {colour(name)}" points="{points}"><title>{escape(name)}</title></polygon>')
        below = above
    for name, shares in lines.items():
        points = " ".join(path(shares))
        parts.append(f'<polyline class="curve {colour(name)}" points="{points}"><title>{escape(name)}</title></polyline>')
    parts += [f'<line class="axis" x1="{x(m):.1f}" x2="{x(m):.1f}" y1="{bottom}" y2="{bottom + 6}"/>' for m in marks]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text class="tick" x="{middle}" y="{bottom + 42}" text-anchor="middle">questions asked; ticks: syncs</text>')
    return _svg("".join(parts), height, "Share of questions that the cache answered, over time")


def _percent(interval: Interval) -> str:
    return f"{interval.value:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def _svg(content: str, height: float, title: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">{content}</svg>'
