"""Charts as SVG, by Vega-Lite: static, so that they show where scripts do not run, and print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from validator.records.chart import By, Chart, Form, Series
from validator.values import printable, show

_WIDTH: Final = 430
_HEIGHT: Final = 170
_MOST: Final = 1e100
_LEAST: Final = 1e-100
_COLOURS: Final = 7
"""Of the style sheet: `--series-0` is the client, the others are the server's."""
_LINE: Final = "var(--line)"
_INK: Final = "var(--soft)"
_CONFIG: Final = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK, "titleColor": _INK, "titleFontWeight": "normal", "gridColor": _LINE,
        "domainColor": _LINE, "tickColor": _LINE, "labelFontSize": 11, "titleFontSize": 11,
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
    keys = tuple(
        Key(printable(series.name), colour, series.by.value)
        for series, colour in zip(chart.series, colours, strict=True)
    )
    return Drawing(chart, svg, keys)


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
            mark = {"type": "point", "filled": True, "size": 14, "opacity": 0.65, "aria": False}
            yield _layer(chart, series, {**mark, "color": colour})
        case Form.STEPS:
            if series.by is By.CLIENT:
                line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5}
                yield _layer(chart, series, {**line, "color": colour, "aria": False})
            else:
                yield from _watched(chart, series, colour)
        case Form.LADDER:
            yield from _watched(chart, series, colour)
        case _:
            assert_never(chart.form)


def _watched(chart: Chart, series: Series, colour: str) -> Iterator[dict[str, Any]]:
    """Join what was seen now and then: the points are known, the line between is not."""
    line = {"type": "line", "strokeWidth": 1.5, "color": colour, "aria": False}
    dash = [4, 3] if chart.form is Form.STEPS else [1, 0]
    yield _layer(chart, series, {**line, "strokeDash": dash})
    yield _layer(chart, series, {"type": "point", "filled": True, "size": 30, "color": colour})


def _layer(chart: Chart, series: Series, mark: dict[str, Any]) -> dict[str, Any]:
    ladder = chart.form is Form.LADDER
    x = {"field": "x", "title": printable(chart.x)}
    across = {"type": "ordinal", "axis": {"labelAngle": 0}} if ladder else {"type": "quantitative"}
    values = [
        {
            "x": f"p{show(x)}" if ladder else _plotted(x),
            "y": _plotted(y),
            "label": f"{f'p{show(x)}' if ladder else show(round(x, 3))}: {show(round(y, 3))}",
            "order": at,
        }
        for at, (x, y) in enumerate(series.points)
    ]
    return {
        "data": {"values": values},
        "mark": mark,
        "encoding": {
            "x": {**x, **across, "sort": {"field": "order"} if ladder else None},
            "y": {"field": "y", "type": "quantitative", "title": printable(chart.y)},
            "order": {"field": "order"},
            "description": {"field": "label"},
        },
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
                "scale": {"zero": False},
            },
            "x2": {"field": "to"},
            "y": {"field": "count", "type": "quantitative", "title": printable(chart.y)},
            "description": {"field": "label"},
        },
    }
