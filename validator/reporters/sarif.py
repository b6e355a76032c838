"""The verdicts as SARIF, for code scanning and editors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from validator import __version__
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.reporters.base import reporter
from validator.reporters.wording import (
    full_name,
    message,
    relative,
    silent,
    unexplained,
    worst_first,
)
from validator.values import printable

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_ROOT = "%SRCROOT%"


@reporter("sarif")
def render(reports: Sequence[Report]) -> str:
    """What is wrong as SARIF 2.1.0, with its place in the spec, for code scanning and editors.

    Each assertion is a rule, and a result is one that failed or could not be judged; an announced
    failure is a suppressed result. A result keeps its fingerprint when the spec's lines move.

    ```yaml
    # validator run SPEC --report sarif=report.sarif
    ```
    """
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(r) for r in reports]}
    return json.dumps(document, indent=1) + "\n"


def _run(report: Report) -> dict[str, Any]:
    broken = set(map(id, report.breaking))
    announced = [v for v in report.verdicts if v.status is Status.XFAIL]
    shown = [*worst_first(report), *announced]
    rules = {_rule_id(v): v for v in shown}
    order = {rule: index for index, rule in enumerate(rules)}
    return {
        "tool": {
            "driver": {
                "name": "validator",
                "semanticVersion": __version__,
                "rules": [_rule(name, verdict) for name, verdict in rules.items()],
            }
        },
        "automationDetails": {"id": f"{printable(report.title)}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": [_result(report, v, order[_rule_id(v)], broken) for v in shown],
        "properties": {
            "passed": report.passed,
            "target": printable(report.target),
            "tally": {status.value: report.tally[status] for status in Status},
        },
    }


def _rule_id(verdict: Verdict) -> str:
    return printable(f"{verdict.section}/{verdict.name}")


def _rule(name: str, verdict: Verdict) -> dict[str, Any]:
    told = full_name(verdict)
    rule: dict[str, Any] = {
        "id": name,
        "shortDescription": {"text": told},
        "defaultConfiguration": {"level": _LEVELS[verdict.severity]},
        "properties": {"severity": verdict.severity.value},
    }
    if verdict.why:
        rule["help"] = {"text": printable(verdict.why)}
    return rule


def _result(report: Report, verdict: Verdict, rule: int, broken: set[int]) -> dict[str, Any]:
    told = "\n".join(filter(None, (message(verdict), silent(report, verdict))))
    result: dict[str, Any] = {
        "ruleId": _rule_id(verdict),
        "ruleIndex": rule,
        "kind": "fail",
        "level": _level(verdict, broken),
        "message": {"text": f"{full_name(verdict)}: {told}"},
        "partialFingerprints": {"assertion/v1": _fingerprint(report, verdict)},
        "properties": {"status": verdict.status.value, "severity": verdict.severity.value},
    }
    if verdict.span.file or report.spec:
        result["locations"] = [_location(report, verdict)]
    if verdict.status is Status.XFAIL:
        result["suppressions"] = [{"kind": "external", "justification": printable(verdict.note)}]
    return result


def _level(verdict: Verdict, broken: set[int]) -> str:
    if id(verdict) in broken:
        return "error"
    # What was no better in the baseline broke nothing, and is worth a warning all the same.
    return "warning" if verdict.bad and verdict.known else _LEVELS[verdict.severity]


def _fingerprint(report: Report, verdict: Verdict) -> str:
    identity = (relative(report.spec), verdict.section, verdict.name, verdict.path or "")
    return hashlib.sha256("\0".join(identity).encode("utf-8", "replace")).hexdigest()


def _location(report: Report, verdict: Verdict) -> dict[str, Any]:
    span = verdict.span
    if not span.file:  # implied: by the file as a whole
        return {"physicalLocation": {"artifactLocation": _artifact(report.spec)}}
    region = {"startLine": span.line, "startColumn": span.column}
    if (span.end_line, span.end_column) > (span.line, span.column):
        region |= {"endLine": span.end_line, "endColumn": span.end_column}
    place = {"artifactLocation": _artifact(span.file), "region": region}
    return {"physicalLocation": place}


def _artifact(file: str) -> dict[str, str]:
    path = relative(file)
    if PurePosixPath(path).is_absolute():
        return {"uri": f"file://{quote(path)}"}
    return {"uri": quote(path), "uriBaseId": _ROOT}


def _invocation(report: Report) -> dict[str, Any]:
    invocation: dict[str, Any] = {
        "executionSuccessful": not report.interrupted,
        "exitCode": report.exit_code,
    }
    notes = [*report.remarks, *filter(None, [unexplained(report)])]
    if notes:
        invocation["toolExecutionNotifications"] = [
            {"level": "note", "message": {"text": printable(note)}} for note in notes
        ]
    try:
        began = datetime.fromisoformat(report.started)
        ended = began + timedelta(seconds=report.elapsed)
    except (ValueError, OverflowError):
        return invocation
    return {**invocation, "startTimeUtc": _utc(began), "endTimeUtc": _utc(ended)}


def _utc(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
