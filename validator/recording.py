"""Recordings as files: everything a run saw, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validator import files
from validator.errors import UsageError
from validator.records.observation import Observations, Progress, Settled, Snapshot, Unreadable
from validator.records.recording import Recording, Round
from validator.records.trace import Trace
from validator.values import Json, json_text, kind

VERSION = 2
_WITH_ONE_ROUND = 1
"""The version that knew one load at most, and kept what was seen of it at the top."""
_MOST_BYTES = 1024 * 1024 * 1024


def written(recording: Recording) -> str:
    """Return *recording* as the text of a file."""
    document = {
        "recording": VERSION,
        "title": recording.title,
        "spec": recording.spec,
        "target": recording.target,
        "started": recording.started,
        "elapsed_s": recording.elapsed,
        "interrupted": recording.interrupted,
        "remarks": list(recording.remarks),
        "rounds": list(map(_round, recording.rounds)),
    }
    return json_text(document) + "\n"


def _round(one: Round) -> dict[str, Any]:
    seen = one.observations
    return {
        "load": one.load,
        "interrupted": one.interrupted,
        "ledger": one.ledger,
        "trace": None if one.trace is None else _trace(one.trace),
        "settle": _settled(seen.settled),
        "before": {name: _snapshot(s) for name, s in seen.before.items()},
        "during": _series(seen.during),
        "settling": _series(seen.settling),
        "after": {name: _snapshot(s) for name, s in seen.after.items()},
    }


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "began_s": trace.began,
        "every": trace.every,
        "histograms": {name: list(map(list, bins)) for name, bins in trace.histograms.items()},
        "instants": {name: list(map(list, points)) for name, points in trace.instants.items()},
        "curves": {name: list(map(list, points)) for name, points in trace.curves.items()},
    }


def _settled(settled: Settled | None) -> dict[str, Any] | None:
    if settled is None:
        return None
    return {
        "settled": settled.settled,
        "elapsed_s": settled.elapsed,
        "polls": settled.polls,
        "waiting_for": list(settled.waiting_for),
        "moving": list(settled.moving),
    }


def _series(looks: Mapping[str, tuple[Snapshot, ...]]) -> dict[str, Any]:
    return {name: list(map(_snapshot, found)) for name, found in looks.items()}


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    error = snapshot.error
    return {
        "document": snapshot.document,
        "error": None if error is None else {"cause": error.cause, "text": error.text},
        "status": snapshot.status,
        "taken_s": snapshot.taken,
        "elapsed_s": snapshot.elapsed,
        **_progress(snapshot.progress),
    }


def _progress(progress: Progress | None) -> dict[str, Any]:
    if progress is None:
        return {}
    return {"progress": {"done": dict(progress.done), "sent": dict(progress.sent)}}


def read(file: str | Path) -> Recording:
    """Return the recording in *file*; raise `UsageError` when there is none."""
    path = Path(file)
    try:
        document = json.loads(files.read(path, _MOST_BYTES))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a recording, not even JSON: {error}") from error
    if not isinstance(document, dict) or "recording" not in document:
        raise UsageError(f"{path}: not a recording; `validator run SPEC --record FILE` writes one")
    found = document["recording"]
    if found not in (_WITH_ONE_ROUND, VERSION):
        known = f"{_WITH_ONE_ROUND} and {VERSION}"
        raise UsageError(f"{path}: a recording of version {found}; this tool reads {known}")
    try:
        return _recording(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path}: a damaged recording: {type(error).__name__} {error}") from error


def _recording(document: dict[str, Any]) -> Recording:
    rounds = document["rounds"] if document["recording"] == VERSION else [_only_round(document)]
    if not rounds:
        raise ValueError("no rounds")
    return Recording(
        title=_text(document["title"]),
        spec=_text(document["spec"]),
        target=_text(document["target"]),
        started=_text(document["started"]),
        elapsed=float(document["elapsed_s"]),
        rounds=tuple(map(_read_round, rounds)),
        interrupted=_text(document["interrupted"]),
        remarks=tuple(map(_text, document["remarks"])),
    )


def _only_round(document: dict[str, Any]) -> dict[str, Any]:
    """Return the round of a recording that knew one load at most."""
    seen = {key: document[key] for key in ("settle", "before", "during", "after")}
    seen["trace"] = document.get("trace")
    interrupted = bool(document["interrupted"])
    return {"load": "", "interrupted": interrupted, "ledger": document["load"], **seen}


def _read_round(document: dict[str, Any]) -> Round:
    # Recordings made before there were charts have no trace, and no looks while settling.
    settled, trace = document["settle"], document.get("trace")
    return Round(
        load=_text(document["load"]),
        ledger=document["ledger"],
        trace=None if trace is None else _read_trace(trace),
        observations=Observations(
            {name: _read_snapshot(name, s) for name, s in document["before"].items()},
            {name: _read_snapshot(name, s) for name, s in document["after"].items()},
            _read_series(document["during"]),
            None if settled is None else _read_settled(settled),
            _read_series(document.get("settling", {})),
        ),
        interrupted=bool(document["interrupted"]),
    )


def _read_trace(document: dict[str, Any]) -> Trace:
    began = document["began_s"]
    return Trace(
        None if began is None else float(began),
        int(document["every"]),
        {
            _text(name): tuple((float(low), float(high), int(count)) for low, high, count in bins)
            for name, bins in document["histograms"].items()
        },
        {_text(name): _points(points) for name, points in document["instants"].items()},
        {_text(name): _points(points) for name, points in document["curves"].items()},
    )


def _points(points: list[list[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(at), float(value)) for at, value in points)


def _read_settled(document: dict[str, Any]) -> Settled:
    return Settled(
        bool(document["settled"]),
        float(document["elapsed_s"]),
        int(document["polls"]),
        tuple(document["waiting_for"]),
        tuple(document["moving"]),
    )


def _read_series(document: dict[str, Any]) -> dict[str, tuple[Snapshot, ...]]:
    return {name: tuple(_read_snapshot(name, s) for s in looks) for name, looks in document.items()}


def _read_snapshot(name: str, document: dict[str, Any]) -> Snapshot:
    error = document["error"]
    return Snapshot(
        endpoint=name,
        document=document["document"],
        error=None if error is None else Unreadable(_text(error["cause"]), _text(error["text"])),
        status=document["status"],
        taken=float(document["taken_s"]),
        elapsed=float(document["elapsed_s"]),
        progress=_read_progress(document.get("progress")),
    )


def _read_progress(document: dict[str, Any] | None) -> Progress | None:
    if document is None:
        return None
    done, sent = (
        {str(name): int(count) for name, count in document[side].items()}
        for side in ("done", "sent")
    )
    return Progress(done, sent)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {kind(value)}")
    return value
