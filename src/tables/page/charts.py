"""Charts as inline SVG: coloured by the page's style sheet, sharp at any size, without a script."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

STYLES = 7
"""Colours and dashes of the style sheet; further lines begin again."""
_WIDTH, _HEIGHT = 320, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 30
_MARKED = 12  # epochs up to which every point is marked
_MARGIN = 0.06  # of a strip, on either side


@dataclass(frozen=True)
class Line:
    """A row in a chart over epochs.

    Attributes:
        label: for people.
        style: which of the STYLES.
        seeds: values by epoch, a mapping a seed; what is drawn is their mean, and their range where there are several.
    """

    label: str
    style: int
    seeds: Sequence[Mapping[int, float]]


@dataclass(frozen=True)
class Strip:
    """A row of a score: its mean, deviation (None for a single value) and the value of each seed."""

    mean: float
    std: float | None
    seeds: Sequence[float]
    kind: str
    """"reference", "plain" or "better"."""


def over_epochs(title: str, lines: Sequence[Line], ends: tuple[float, float] | None = None) -> Markup:
    """A line a row; empty lines are left out.

    Args:
        title: of the quantity.
        lines: at least one of them with a value.
        ends: of the vertical axis; by default round numbers around the values.
    """
    drawn = [line for line in lines if any(line.seeds)]
    epochs = sorted({epoch for line in drawn for seed in line.seeds for epoch in seed})
    values = [value for line in drawn for seed in line.seeds for value in seed.values()]
    ticks = rounded(*(ends or (min(values), max(values))))
    x_ends, y_ends = (epochs[0], max(epochs[-1], epochs[0] + 1)), (ticks[0], ticks[-1])

    def place(epoch: float, value: float) -> tuple[float, float]:
        across = (epoch - x_ends[0]) / (x_ends[1] - x_ends[0])
        up = (value - y_ends[0]) / (y_ends[1] - y_ends[0])
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    svg = Element("svg", {"class": "chart", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img"})
    SubElement(svg, "title").text = f"{title} by epoch: {', '.join(line.label for line in drawn)}"
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0])))
    for tick in ticks:
        x, y = place(x_ends[0], tick)
        SubElement(svg, "line", _numbers({"class": "grid"}, x1=x, x2=_WIDTH - _RIGHT, y1=y, y2=y))
        _write(svg, f"{tick:,.{decimals}f}", x - 6, y + 4, "end")
    for epoch in sorted({epochs[0], epochs[len(epochs) // 2], epochs[-1]}):
        _write(svg, str(epoch), place(epoch, ticks[0])[0], _HEIGHT - _BOTTOM + 15, "middle")
    _write(svg, "epoch", (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 2, "middle")
    for line in drawn:
        _draw(svg, line, place)
    return _markup(svg)


def key(style: int) -> Markup:
    """A line's sample, for a legend."""
    svg = Element("svg", {"class": "key", "viewBox": "0 0 28 10", "aria-hidden": "true"})
    SubElement(svg, "path", {"class": f"line s{style % STYLES}", "d": "M1 5H27"})
    SubElement(svg, "circle", _numbers({"class": f"dot s{style % STYLES}"}, cx=14, cy=5, r=2.6))
    return _markup(svg)


def strip(row: Strip, ends: tuple[float, float], base: float | None) -> Markup:
    """Mean, deviation and seeds of a row on the axis its score's rows share, as wide as there is room.

    Args:
        row: what is drawn.
        ends: of the axis.
        base: where CUT stands, a thin line; None for nowhere.
    """

    def place(value: float) -> str:
        return f"{100 * (_MARGIN + (1 - 2 * _MARGIN) * (value - ends[0]) / (ends[1] - ends[0])):.2f}%"

    svg = Element("svg", {"class": f"strip {row.kind}", "aria-hidden": "true"})
    SubElement(svg, "line", {"class": "grid", "x1": "0", "x2": "100%", "y1": "50%", "y2": "50%"})
    if base is not None:
        SubElement(svg, "line", {"class": "base", "x1": place(base), "x2": place(base), "y1": "0", "y2": "100%"})
    if row.std is not None:
        low, high = place(row.mean - row.std), place(row.mean + row.std)
        SubElement(svg, "line", {"class": "bar", "x1": low, "x2": high, "y1": "50%", "y2": "50%"})
        for end in (low, high):
            SubElement(svg, "line", {"class": "bar", "x1": end, "x2": end, "y1": "30%", "y2": "70%"})
    for value in row.seeds if len(row.seeds) > 1 else ():
        SubElement(svg, "circle", {"class": "seed", "cx": place(value), "cy": "82%", "r": "2"})
    # coordinates in pixels around a point that is placed in percent
    mark = SubElement(svg, "svg", {"x": place(row.mean), "y": "50%", "overflow": "visible", "class": "mark"})
    if row.kind == "plain":
        SubElement(mark, "circle", {"r": "4.5"})
    else:
        SubElement(mark, "path", {"d": {"reference": "M0-5L5 0L0 5L-5 0Z", "better": _star(7)}[row.kind]})
    return _markup(svg)


def span(rows: Iterable[Strip]) -> tuple[float, float]:
    """The ends of the axis of a score's rows."""
    values = [v for row in rows for v in (row.mean - (row.std or 0), row.mean + (row.std or 0), *row.seeds)]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def finite(*values: float | None) -> bool:
    """Whether all that are there can be drawn."""
    return all(value is None or math.isfinite(value) for value in values)


def rounded(low: float, high: float, most: int = 5) -> list[float]:
    """Ticks at round numbers, two or more, whose first and last hold [low, high] between them."""
    if not high > low:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _draw(svg: Element, line: Line, place: Callable[[float, float], tuple[float, float]]) -> None:
    by_epoch: dict[int, list[float]] = {}
    for seed in line.seeds:
        for epoch, value in seed.items():
            by_epoch.setdefault(epoch, []).append(value)
    ordered = sorted(by_epoch.items())
    style = f"s{line.style % STYLES}"
    if len(line.seeds) > 1:
        edge = [place(epoch, max(values)) for epoch, values in ordered]
        edge += [place(epoch, min(values)) for epoch, values in reversed(ordered)]
        SubElement(svg, "path", {"class": f"band {style}", "d": f"{_path(edge)}Z"})
    points = [place(epoch, math.fsum(values) / len(values)) for epoch, values in ordered]
    SubElement(svg, "path", {"class": f"line {style}", "d": _path(points)})
    for x, y in points if len(points) <= _MARKED else ():
        SubElement(svg, "circle", _numbers({"class": f"dot {style}"}, cx=x, cy=y, r=2.2))


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _star(radius: float) -> str:
    corners = [
        (length * math.sin(number * math.pi / 5), -length * math.cos(number * math.pi / 5))
        for number in range(10)
        for length in [radius if number % 2 == 0 else radius * 0.42]
    ]
    return f"{_path(corners)}Z"


def _write(svg: Element, text: str, x: float, y: float, anchor: str) -> None:
    SubElement(svg, "text", _numbers({"text-anchor": anchor}, x=x, y=y)).text = text


def _numbers(attributes: dict[str, str], **numbers: float) -> dict[str, str]:
    return attributes | {name: f"{value:.1f}" for name, value in numbers.items()}


def _markup(svg: Element) -> Markup:
    # the library escapes whatever the texts and attributes hold
    return Markup(tostring(svg, encoding="unicode"))
