"""What was seen, judged: a recording and a spec to a report. Pure."""

from __future__ import annotations

from datetime import date, datetime

from validator.errors import UsageError
from validator.evaluate import evaluate
from validator.records.recording import Recording
from validator.records.verdict import Report, Severity
from validator.redaction import Redaction
from validator.spec.model import Spec


def conclude(
    spec: Spec,
    recording: Recording,
    *,
    fail_on: Severity = Severity.CRITICAL,
    fail_on_vacuous: bool = False,
) -> Report:
    """Judge what was seen by *spec*; the same recording gives the same report."""
    verdicts = evaluate(
        spec,
        recording.observations,
        recording.ledger,
        day(recording.started),
        interrupted=bool(recording.interrupted),
    )
    report = Report(
        title=spec.title,
        target=recording.target,
        verdicts=verdicts,
        spec=spec.file,
        started=recording.started,
        elapsed=recording.elapsed,
        load=recording.ledger,
        settled=recording.observations.settled,
        fail_on=fail_on,
        fail_on_vacuous=fail_on_vacuous,
        interrupted=recording.interrupted,
        remarks=recording.remarks,
    )
    return Redaction(spec.secrets).record(report)


def day(started: str) -> date:
    """Return the day of a recording: announcements are good until a day."""
    try:
        return datetime.fromisoformat(started).date()
    except ValueError:
        raise UsageError(f"the recording was started at {started!r}, which is no date") from None
