"""A sweep as JSON, and read back: the contract that other programs rely on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from validator import files
from validator.benchmark.findings import Findings
from validator.benchmark.knee import power
from validator.benchmark.records import METRICS, Axis, Bench, Ledger, Level
from validator.benchmark.versus import Comparison
from validator.errors import UsageError
from validator.values import Json, Number, is_number, json_text, kind

VERSION: Final = 1
KIND: Final = "bench"
_MOST_BYTES: Final = 256 * 1024 * 1024
_HOW: Final = "`validator bench SPEC --report json=FILE` writes one"


def written(found: Findings) -> str:
    """Return a sweep as JSON, with one line for each field and each level."""
    lines = []
    for key, value in document(found).items():
        if key == "levels" and value:
            entries = ",\n".join(map(json_text, value))
            lines.append(f'"{key}": [\n{entries}\n]')
        else:
            lines.append(f"{json_text(key)}: {json_text(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def document(found: Findings) -> dict[str, Any]:
    """Return a sweep, and what follows from it, as plain data."""
    bench = found.bench
    return {
        "version": VERSION,
        "kind": KIND,
        "title": bench.title,
        "spec": bench.spec,
        "target": bench.target,
        "started": bench.started,
        "elapsed_s": round(bench.elapsed, 6),
        "axis": bench.axis.value,
        "planned": list(bench.planned),
        "repeat": bench.repeat,
        "stopped": bench.stopped or None,
        "interrupted": bench.interrupted or None,
        "remarks": list(bench.remarks),
        "load": {**bench.load},
        "knee": {
            "level": found.knee.level,
            "why": found.knee.why,
            "alike": list(found.knee.alike),
        },
        "best_within_slo": None
        if found.best is None
        else {
            "level": found.best.level,
            "why": found.best.why,
            "attainment": found.attainment,
        },
        "levels": [_level(level, found) for level in bench.levels],
        "comparison": None if found.comparison is None else _comparison(found.comparison),
    }


def _level(level: Level, found: Findings) -> dict[str, Any]:
    return {
        "level": level.at,
        "median": {metric.path: level.median(metric) for metric in METRICS},
        "noise": {metric.path: level.noise(metric) for metric in METRICS},
        "power": [power(ledger) for ledger in level.ledgers],
        "doubts": found.doubts.get(level.at, []),
        "runs": [{**ledger} for ledger in level.ledgers],
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "earlier": {
            "title": found.earlier.title,
            "target": found.earlier.target,
            "started": found.earlier.started,
        },
        "tolerance": found.tolerance,
        "worse": found.worse,
        "lost": list(found.lost),
        "others": list(found.others),
        "changes": [
            {
                "level": change.level,
                "metric": change.metric.path,
                "verdict": change.verdict.value,
                "was": change.was,
                "now": change.now,
                "noise": change.noise,
                "reason": change.reason,
            }
            for change in found.changes
        ],
    }


def read(file: str | Path) -> Bench:
    """Return the sweep in *file*; raise `UsageError` when there is none."""
    path = Path(file)
    found = files.read_json(path, _MOST_BYTES, "a sweep")
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise UsageError(f"{path}: {_instead(found)}; {_HOW}")
    if found.get("version") != VERSION:
        raise UsageError(
            f"{path}: a sweep of version {found.get('version')!r}; this tool reads {VERSION}"
        )
    try:
        return _bench(found)
    except _WrongError as error:
        raise UsageError(f"{path}: a damaged sweep: {error}") from error


def _instead(found: Any) -> str:
    if isinstance(found, dict) and found.keys() & {"verdicts", "runs"}:
        return "a report of a run, which `validator diff` compares, and not a sweep"
    return "not a sweep of this tool"


class _WrongError(ValueError):
    """A field is missing, or is not what it should be."""


def _bench(found: Mapping[str, Json]) -> Bench:
    axis = _text(found, "axis")
    if axis not in tuple(Axis):
        raise _WrongError(f"`axis` is {axis!r}")
    repeat, elapsed = found.get("repeat"), found.get("elapsed_s")
    if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
        raise _WrongError("`repeat` is no number of runs")
    if not is_number(elapsed):
        raise _WrongError("`elapsed_s` is no number")
    levels = [_read_level(one) for one in _list(found, "levels")]
    if len({level.at for level in levels}) < len(levels):
        raise _WrongError("a level stands there twice")
    return Bench(
        title=_text(found, "title"),
        spec=_text(found, "spec"),
        target=_text(found, "target"),
        axis=Axis(axis),
        planned=tuple(_number(one, "planned") for one in _list(found, "planned")),
        repeat=repeat,
        levels=tuple(sorted(levels, key=lambda level: level.at)),
        load=_object(found.get("load"), "load"),
        started=_text(found, "started"),
        elapsed=elapsed,
        stopped=_text(found, "stopped", optional=True),
        interrupted=_text(found, "interrupted", optional=True),
        remarks=tuple(one for one in _list(found, "remarks") if isinstance(one, str)),
    )


def _read_level(found: Json) -> Level:
    level = _object(found, "levels")
    runs = tuple(_run(one) for one in _list(level, "runs"))
    if not runs:
        raise _WrongError("a level without runs")
    return Level(_number(level.get("level"), "level"), runs)


def _run(found: Json) -> Ledger:
    """Return a ledger; its figures may be absent, but what it counts must be there."""
    ledger = _object(found, "runs")
    for name in ("sent", "ok"):
        count = ledger.get(name)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise _WrongError(f"`{name}` of a run is no count")
    return ledger


def _number(value: Json, name: str) -> Number:
    if not is_number(value) or value <= 0:
        raise _WrongError(f"`{name}` holds something that is no number above 0")
    return value


def _text(found: Mapping[str, Json], name: str, *, optional: bool = False) -> str:
    value = found.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        raise _WrongError(f"no `{name}`" if value is None else f"`{name}` is a {kind(value)}")
    return value


def _list(found: Mapping[str, Json], name: str) -> list[Json]:
    value = found.get(name)
    if not isinstance(value, list):
        raise _WrongError(f"no `{name}`" if value is None else f"`{name}` is a {kind(value)}")
    return value


def _object(value: Json, name: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise _WrongError(f"`{name}`: a {kind(value)} stands where an object should")
    return value
