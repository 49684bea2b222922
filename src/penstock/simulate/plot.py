"""Line charts as SVG: axes with units, steps and areas, no library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from penstock.simulate.units import show_duration

WIDTH: Final = 640
HEIGHT: Final = 230
LEFT: Final = 58
RIGHT: Final = 14
TOP: Final = 12
BOTTOM: Final = 30
_TIMES: Final = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000),
)


@dataclass(frozen=True, slots=True)
class Line:
    """`colour` is one of the page's. `area` fills what is below, `steps` keeps each value until the next moment.
    `stacked` stands on the line before it.
    """

    name: str
    colour: str
    values: Sequence[float]
    area: bool = False
    steps: bool = False
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """`moments` in seconds, rising; every line has a value for each."""

    title: str
    unit: str
    moments: Sequence[float]
    lines: Sequence[Line]


def as_svg(chart: Chart) -> str:
    """For a page that has the colours as CSS variables `--<colour>`."""
    tops = _tops(chart.lines)
    ceiling, step = nice_ceiling(max((max(top, default=0.0) for top in tops), default=0.0))
    last = chart.moments[-1]
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title, quote=True)}">',
        *_grid(ceiling, step, last),
    ]
    for number in reversed(range(len(tops))):  # what stands on another is drawn below it
        line = chart.lines[number]
        bottom = tops[number - 1] if line.stacked and number else None
        parts += _drawn(line, tops[number], bottom, chart.moments, ceiling)
    parts.append(f'<line class="cursor" x1="0" x2="0" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></svg>')
    return "".join(parts)


def nice_ceiling(most: float) -> tuple[float, float]:
    """The end of an axis for values up to `most`, and the step of its marks."""
    if most <= 0:
        return 1.0, 0.5
    rough = most * 1.04 / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return math.ceil(most * 1.04 / step) * step, step


def short(number: float) -> str:
    """`1.2k`, `30M`, `0.05`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.4g}{letter}"
    return f"{number:.4g}"


def _tops(lines: Sequence[Line]) -> list[Sequence[float]]:
    tops: list[Sequence[float]] = []
    for line in lines:
        if line.stacked and tops:
            tops.append([below + value for below, value in zip(tops[-1], line.values, strict=True)])
        else:
            tops.append(line.values)
    return tops


def _grid(ceiling: float, step: float, last: float) -> list[str]:
    parts = []
    for number in range(round(ceiling / step) + 1):
        y = _y(number * step, ceiling)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{short(number * step)}</text>')
    apart = next((one for one in _TIMES if last / one <= 8), _TIMES[-1])
    for number in range(int(last / apart) + 1):
        x = _x(number * apart, last)
        label = show_duration(number * apart) if number else "0"
        parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 5}"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{label}</text>')
    return parts


def _drawn(
    line: Line, top: Sequence[float], bottom: Sequence[float] | None, moments: Sequence[float], ceiling: float
) -> list[str]:
    last = moments[-1]
    xs = [_x(moment, last) for moment in moments]
    path = _path(xs, [_y(value, ceiling) for value in top], steps=line.steps)
    parts = []
    if line.area:
        if bottom is None:
            base = _y(0.0, ceiling)
            around = f"{path}L{xs[-1]} {base}L{xs[0]} {base}Z"
        else:
            back = _path(xs[::-1], [_y(value, ceiling) for value in bottom[::-1]], steps=False)
            around = f"{path}L{back[1:]}Z"
        parts.append(f'<path class="area" style="fill:var(--{line.colour})" d="{around}"/>')
    parts.append(f'<path class="line" style="stroke:var(--{line.colour})" d="{path}"/>')
    return parts


def _path(xs: Sequence[float], ys: Sequence[float], *, steps: bool) -> str:
    start = f"M{xs[0]} {ys[0]}"
    if steps:
        return start + "".join(f"H{x}V{y}" for x, y in zip(xs[1:], ys[1:], strict=True))
    return start + "".join(f"L{x} {y}" for x, y in zip(xs[1:], ys[1:], strict=True))


def _x(moment: float, last: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * moment / last, 1)


def _y(value: float, ceiling: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / ceiling, 1)
