"""JSON reports, read back: any reporter can show a run again, on another machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from validator import files
from validator.errors import UsageError
from validator.records.chart import By, Chart, Form, Series
from validator.records.observation import Settled
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.reporters.json import VERSION
from validator.span import Span
from validator.values import Json, is_number, kind

T = TypeVar("T")

_MOST_BYTES = 1024 * 1024 * 1024
_HOW = "`validator run SPEC --report json=FILE` writes one"


def read(file: str | Path) -> list[Report]:
    """Return the reports in *file*, one per run; raise `UsageError` when there are none."""
    path = Path(file)
    document = files.read_json(path, _MOST_BYTES, "a report")
    if not isinstance(document, dict) or not document.keys() & {"verdicts", "runs"}:
        raise UsageError(f"{path}: {_instead(document)}; {_HOW}")
    if document.get("version") != VERSION:
        raise UsageError(
            f"{path}: a report of version {document.get('version')!r}; this tool reads {VERSION}"
        )
    try:
        if "runs" not in document:
            return [_report(document)]
        if runs := [_report(run) for run in _objects(document, "runs")]:
            return runs
        raise _WrongError("`runs` is empty")  # noqa: TRY301 - as the others below
    except _WrongError as error:
        raise UsageError(f"{path}: a damaged report: {error}") from error


def _instead(document: Any) -> str:
    if isinstance(document, dict) and "recording" in document:
        return "a recording, which `validator run SPEC --replay FILE` judges, and not a report"
    return "not a report of this tool"


class _WrongError(ValueError):
    """A field is missing, or is not what it should be."""


def _report(run: Mapping[str, Any]) -> Report:
    load = run.get("load")
    return Report(
        title=_text(run, "title"),
        target=_text(run, "target"),
        verdicts=tuple(_verdict(v) for v in _objects(run, "verdicts")),
        spec=_text(run, "spec"),
        started=_text(run, "started"),
        elapsed=_number(run, "elapsed_s"),
        load=None if load is None else {**_object(load)},
        loads=_loads(run.get("loads")),
        settled=_settled(run.get("settle")),
        # Reports written before these were told failed for what was critical.
        fail_on=_word(run, "fail_on", Severity, Severity.CRITICAL),
        fail_on_vacuous=run.get("fail_on_vacuous") is True,
        fail_on_new=run.get("fail_on_new") is True,
        interrupted=_text(run, "interrupted", ""),
        remarks=tuple(_texts(run, "remarks")),
        charts=tuple(_chart(c) for c in _objects(run, "charts", ())),
    )


def _loads(loads: Any) -> dict[str, Json]:
    named = {} if loads is None else _object(loads)
    return {name: None if one is None else {**_object(one)} for name, one in named.items()}


def _verdict(verdict: Mapping[str, Any]) -> Verdict:
    line, column = _whole(verdict, "line"), _whole(verdict, "column")
    return Verdict(
        name=_text(verdict, "name"),
        status=_word(verdict, "status", Status),
        severity=_word(verdict, "severity", Severity),
        expected=_text(verdict, "expected"),
        actual=_text(verdict, "actual"),
        endpoint=_text(verdict, "endpoint", "") or None,
        section=_text(verdict, "section"),
        load=_text(verdict, "load", ""),
        path=_text(verdict, "path", "") or None,
        note=_text(verdict, "note"),
        why=_text(verdict, "why"),
        before=_text(verdict, "before", ""),
        after=_text(verdict, "after", ""),
        vacuous=verdict.get("vacuous") is True,
        known=verdict.get("known") is True,
        span=Span(
            _text(verdict, "file"),
            line,
            column,
            _whole(verdict, "end_line", line),
            _whole(verdict, "end_column", column),
        ),
        source=_text(verdict, "source", ""),
    )


def _settled(settle: Any) -> Settled | None:
    if settle is None:
        return None
    told = _object(settle)
    return Settled(
        told.get("settled") is True,
        _number(told, "elapsed_s"),
        _whole(told, "polls"),
        tuple(_texts(told, "waiting_for")),
        tuple(_texts(told, "moving")),
    )


def _chart(chart: Mapping[str, Any]) -> Chart:
    form = _word(chart, "form", Form)
    return Chart(
        title=_text(chart, "title"),
        form=form,
        series=tuple(
            _series(s, 3 if form is Form.HISTOGRAM else 2) for s in _objects(chart, "series")
        ),
        section=_text(chart, "section"),
        x=_text(chart, "x", ""),
        y=_text(chart, "y", ""),
        note=_text(chart, "note", ""),
    )


def _series(series: Mapping[str, Any], size: int) -> Series:
    points = _field(series, "points", list)
    if not all(isinstance(p, list) and len(p) == size and all(map(is_number, p)) for p in points):
        raise _WrongError(f"`points` holds something that is not {size} numbers")
    return Series(
        _text(series, "name"), tuple(map(tuple, points)), _word(series, "by", By, By.CLIENT)
    )


# One field each; what is missing or wrong is named


_MISSING: Any = object()


def _field(fields: Mapping[str, Any], name: str, wanted: type[T], default: Any = _MISSING) -> T:
    value = fields.get(name)
    if value is None and default is not _MISSING:
        return default  # type: ignore[no-any-return]  # what the caller gave
    if value is None:
        raise _WrongError(f"no `{name}`")
    if not isinstance(value, wanted):
        raise _WrongError(f"`{name}` is a {kind(value)}")
    return value


def _text(fields: Mapping[str, Any], name: str, default: Any = _MISSING) -> str:
    return _field(fields, name, str, default)


def _number(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name)
    if not is_number(value):
        raise _WrongError(f"`{name}` is no number")
    return float(value)


def _whole(fields: Mapping[str, Any], name: str, default: Any = _MISSING) -> int:
    return _field(fields, name, int, default)


def _texts(fields: Mapping[str, Any], name: str) -> Iterable[str]:
    listed = _field(fields, name, list)
    if not all(isinstance(item, str) for item in listed):
        raise _WrongError(f"`{name}` holds something that is no text")
    return listed


def _objects(
    fields: Mapping[str, Any], name: str, default: Any = _MISSING
) -> Iterable[Mapping[str, Any]]:
    return map(_object, _field(fields, name, list, default))


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(f"a {kind(value)} stands where an object should")
    return value


def _word(
    fields: Mapping[str, Any], name: str, words: Callable[[str], T], default: Any = _MISSING
) -> T:
    word = _field(fields, name, str, default)
    try:
        return words(word)
    except ValueError:
        raise _WrongError(f"`{name}` is {word!r}") from None
