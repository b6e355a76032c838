"""What was seen, judged: a recording and a spec to a report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from validator.charts import charts
from validator.errors import UsageError
from validator.evaluate import evaluate
from validator.records.recording import Recording, Round
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.redaction import Redaction
from validator.span import quoted
from validator.spec.model import Spec
from validator.views import fitting, together


def conclude(
    spec: Spec,
    recording: Recording,
    *,
    fail_on: Severity = Severity.CRITICAL,
    fail_on_vacuous: bool = False,
) -> Report:
    """Judge what was seen by *spec*; the same recording gives the same report."""
    rounds = fitting(spec, recording)
    verdicts = evaluate(spec, rounds, day(recording.started))
    named = {one.load: one.ledger for one in rounds if one.load}
    redaction = Redaction(spec.secrets)
    sources = {file: text.splitlines() for file, text in spec.sources}
    verdicts = tuple(_with_source(v, sources, redaction) for v in verdicts)
    report = Report(
        title=spec.title,
        target=recording.target,
        verdicts=verdicts,
        spec=spec.file,
        started=recording.started,
        elapsed=recording.elapsed,
        load=None if named else rounds[0].ledger,
        loads=named,
        settled=together(rounds).settled,
        fail_on=fail_on,
        fail_on_vacuous=fail_on_vacuous,
        interrupted=recording.interrupted,
        remarks=recording.remarks,
    )
    # Charts are many numbers and few texts: only these can hold a secret.
    bad = {v.span for v in verdicts if v.bad}
    found = [
        chart
        for one in rounds
        for chart in charts(spec, one.observations, one.ledger, one.trace, one.load, bad)
    ]
    return replace(redaction.record(report), charts=tuple(c.named(redaction.text) for c in found))


def _with_source(
    verdict: Verdict, sources: Mapping[str, list[str]], redaction: Redaction
) -> Verdict:
    """Let what a person will look into carry the lines of the spec that ask it."""
    lines = sources.get(verdict.span.file)
    if lines is None or (verdict.status is Status.PASS and not verdict.vacuous):
        return verdict
    return replace(verdict, source=redaction.source(quoted(lines, verdict.span)))


def day(started: str) -> date:
    """Return the day of a recording: announcements are good until a day."""
    try:
        return datetime.fromisoformat(started).date()
    except ValueError:
        raise UsageError(f"the recording was started at {started!r}, which is no date") from None


def planned(spec: Spec) -> tuple[Verdict, ...]:
    """Return what a run of *spec* will decide, in order, while nothing has been seen yet."""
    began = date.min.isoformat()
    rounds = tuple(Round(load.name) for load in spec.loads) or (Round(),)
    unseen = Recording(spec.title, spec.file, spec.target.url, began, rounds=rounds)
    return conclude(spec, unseen).verdicts
