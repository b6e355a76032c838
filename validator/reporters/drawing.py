"""Charts as SVG, by Vega-Lite: static, so that they show where scripts do not run, and print."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never
from xml.etree import ElementTree as ET

from validator.records.chart import By, Chart, Form, Series
from validator.values import printable, show

_WIDTH: Final = 430
_HEIGHT: Final = 170
_MOST: Final = 1e100
_LEAST: Final = 1e-100
_MOST_DOTS: Final = 120
"""Of one chart: more are a line, and would fill the page with their names."""
_LONGEST: Final = 500
_SAID: Final = {"role", "pointer-events", "font-family", "font-size", "font-weight"}
"""Attributes that the style sheet has, or nobody needs."""
_OPAQUE: Final = ("opacity", "1")
_DIGITS = re.compile(r"(?<=\.\d\d)\d+")
"""Of a hundredth of a pixel nothing is seen."""
_FEW: Final = 5
_LONG: Final = 1e6
"""Numbers from here on are written as 1M: an axis has no room for them."""
_RUNGS: Final[dict[float, str]] = {0: "min", 100: "max"}
_COLOURS: Final = 7
"""Of the style sheet: `--series-0` is the client, the others are the server's."""
ET.register_namespace("", "http://www.w3.org/2000/svg")
_LINE: Final = "var(--line)"
_INK: Final = "var(--soft)"
_CONFIG: Final = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK, "titleColor": _INK, "titleFontWeight": "normal", "gridColor": _LINE,
        "domainColor": _LINE, "tickColor": _LINE, "labelFontSize": 11, "titleFontSize": 11,
        "labelFlush": False, "labelOverlap": True, "ticks": False, "labelPadding": 7,
    },
    # Above the axis, where no number is so long that it runs into it.
    "axisY": {
        "titleAngle": 0, "titleAlign": "left", "titleBaseline": "bottom", "titleX": 0, "titleY": -8,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """What stands beside a chart for one of its series."""

    name: str
    colour: str
    by: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart, drawn. Its colours are names that the page gives a meaning, light or dark."""

    chart: Chart
    svg: str
    keys: tuple[Key, ...]


def drawn(chart: Chart) -> Drawing:
    """Draw *chart*; its names stand beside it, outside the picture.

    One that cannot be drawn, whatever a server has counted, has no picture and says so.
    """
    import vl_convert  # noqa: PLC0415 - an extra

    colours = list(_colours(chart.series))
    layers = [
        layer
        for series, colour in zip(chart.series, colours, strict=True)
        for layer in _layers(chart, series, colour)
        if series.points
    ]
    wanted = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": _WIDTH,
        "height": _HEIGHT,
        "config": _CONFIG,
        "layer": layers,
    }
    try:
        svg = vl_convert.vegalite_to_svg(wanted)
    except ValueError:
        svg = ""
    svg = _lean(svg, _told(chart)) if svg else ""
    keys = tuple(
        Key(printable(series.name), colour, series.by.value)
        for series, colour in zip(chart.series, colours, strict=True)
    )
    return Drawing(chart, svg, keys)


def _lean(svg: str, told: str) -> str:
    """Return *svg* as one picture that is called *told*, without what the page says already.

    What its marks say is for the mouse only: nobody wants to hear a hundred of them one by one.
    """
    root = ET.fromstring(svg)  # noqa: S314 - not from the wire: Vega has just made it
    for element in list(root.iter()):
        for empty in [e for e in element if e.get("class") in ("foreground", "background")]:
            element.remove(empty)
        had = element.attrib
        tip = (
            had.get("aria-label", "") if had.get("aria-roledescription") in ("bar", "point") else ""
        )
        element.attrib = {
            name: _DIGITS.sub("", value)
            for name, value in had.items()
            if name not in _SAID and not name.startswith("aria-") and (name, value) != _OPAQUE
        }
        if tip:
            element.set("data-tip", tip)
    root.set("role", "img")
    root.set("aria-label", told)
    for element in root:
        element.set("aria-hidden", "true")
    return ET.tostring(root, encoding="unicode")


def _told(chart: Chart) -> str:
    """Say what a picture shows to who cannot see it."""
    said = [printable(_sum_up(chart, series)) for series in chart.series if series.points]
    text = f"{printable(chart.title)}: {'; '.join(said)}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _sum_up(chart: Chart, series: Series) -> str:
    first, last = series.points[0], series.points[-1]
    match chart.form:
        case Form.HISTOGRAM:
            total = sum(count for _, _, count in series.points)
            ends = f"{_brief(first[0])} to {_brief(last[1])} {chart.x}"
            return f"{show(total)} {chart.y} from {ends}"
        case Form.SCATTER:
            values = [y for _, y in series.points]
            return f"{series.name} from {_brief(min(values))} to {_brief(max(values))} {chart.y}"
        case Form.STEPS:
            return f"{series.name} from {_brief(first[1])} to {_brief(last[1])}"
        case Form.LADDER:
            ends = (
                f"{_brief(first[1])} at {_rung(first[0])} to {_brief(last[1])} at {_rung(last[0])}"
            )
            return f"{series.name} from {ends} {chart.y}".rstrip()
    assert_never(chart.form)


def _brief(value: float) -> str:
    return show(round(value, 3))


def _colours(every: Sequence[Series]) -> Iterator[str]:
    """Yield a colour for each series; the client's first one is the same in every chart."""
    taken = {By.CLIENT: 0, By.SERVER: 0}
    for series in every:
        at = taken[series.by]
        taken[series.by] += 1
        if series.by is By.CLIENT and at == 0:
            yield "var(--series-0)"
        else:
            offset = 3 if series.by is By.CLIENT else 1
            yield f"var(--series-{1 + (at + offset - 1) % (_COLOURS - 1)})"


def _plotted(value: float) -> float:
    """Return *value* as an axis can hold it: floats have neither end of the integers."""
    if abs(value) < _LEAST:
        return 0.0
    return float(max(-_MOST, min(value, _MOST)))


def _layers(chart: Chart, series: Series, colour: str) -> Iterator[dict[str, Any]]:
    match chart.form:
        case Form.HISTOGRAM:
            yield _histogram(chart, series, colour)
        case Form.SCATTER:
            mark = {"type": "point", "filled": True, "size": 16, "opacity": 0.65, "aria": False}
            yield _layer(chart, series, {**mark, "color": colour})
        case Form.STEPS if series.by is By.CLIENT:
            line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5}
            yield _layer(chart, series, {**line, "color": colour, "aria": False})
        case Form.STEPS | Form.LADDER:
            yield from _watched(chart, series, colour)
        case _:
            assert_never(chart.form)


def _watched(chart: Chart, series: Series, colour: str) -> Iterator[dict[str, Any]]:
    """Join what was seen now and then: the points are known, the line between is not."""
    line = {"type": "line", "strokeWidth": 1.5, "color": colour, "aria": False}
    dash = [4, 3] if series.by is By.SERVER else [1, 0]
    yield _layer(chart, series, {**line, "strokeDash": dash})
    if sum(len(one.points) for one in chart.series if one.by is By.SERVER) <= _MOST_DOTS:
        dot = {"type": "point", "filled": True, "size": 30, "opacity": 1, "color": colour}
        yield _layer(chart, series, dot)


def _layer(chart: Chart, series: Series, mark: dict[str, Any]) -> dict[str, Any]:
    ladder = chart.form is Form.LADDER
    values = [
        {
            "x": _rung(x) if ladder else _plotted(x),
            "y": _plotted(y),
            "label": f"{_rung(x) if ladder else _brief(x)}: {_brief(y)}",
            "order": at,
        }
        for at, (x, y) in enumerate(series.points)
    ]
    return {
        "data": {"values": values},
        "mark": mark,
        "encoding": {
            "x": {"field": "x", "title": printable(chart.x), **_across(chart)},
            "y": {"field": "y", **_upwards(chart)},
            "order": {"field": "order"},
            "description": {"field": "label"},
        },
    }


def _rung(percentile: float) -> str:
    return _RUNGS.get(percentile, f"p{show(percentile)}")


def _across(chart: Chart) -> dict[str, Any]:
    if chart.form is Form.LADDER:
        rungs = sorted({x for series in chart.series for x, _ in series.points})
        return {"type": "ordinal", "axis": {"labelAngle": 0}, "sort": list(map(_rung, rungs))}
    return {"type": "quantitative", "scale": {"nice": False, "domainMin": 0}}


def _upwards(chart: Chart) -> dict[str, Any]:
    """Return the vertical axis, the same for all layers of *chart*."""
    counts = [_plotted(point[-1]) for series in chart.series for point in series.points]
    low, high = min(counts), max(counts)
    # From 0, but where the whole movement would be a flat line far from it.
    far = 0 < high - low < low
    scale: dict[str, Any] = {"zero": not far, "nice": True}
    if low == high == 0:
        scale["domain"] = [0, high := 1]
    axis: dict[str, Any] = {}
    first, last = (low, high) if far else (min(low, 0), max(high, 0))
    if last - first <= _FEW and all(count.is_integer() for count in counts):
        # Or there are halves of a request.
        axis |= {"values": [*range(int(first), int(last) + 1)], "format": "d"}
    elif max(-low, high) >= _LONG:
        axis["format"] = "~s"
    return {
        "type": "quantitative",
        "title": printable(chart.y) or None,
        "scale": scale,
        "axis": axis,
    }


def _histogram(chart: Chart, series: Series, colour: str) -> dict[str, Any]:
    values = [
        {
            "from": _plotted(low),
            "to": _plotted(high if high > low else low + 1),
            "count": _plotted(count),
            "label": f"{show(round(low, 2))} – {show(round(high, 2))} {chart.x}: "
            f"{show(count)} {chart.y}",
        }
        for low, high, count in series.points
    ]
    return {
        "data": {"values": values},
        "mark": {"type": "bar", "color": colour, "binSpacing": 1},
        "encoding": {
            "x": {
                "field": "from",
                "type": "quantitative",
                "bin": "binned",
                "title": printable(chart.x),
                "scale": {"zero": False, "nice": False},
            },
            "x2": {"field": "to"},
            "y": {"field": "count", **_upwards(chart)},
            "description": {"field": "label"},
        },
    }
