"""The result as Prometheus text, for the node exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from validator.records.verdict import Report, Severity, Status
from validator.reporters.base import reporter
from validator.reporters.wording import sections
from validator.values import Number, is_number, printable

_MS = 1000
_DISTRIBUTIONS = {
    "ttft": "Time to the first token",
    "itl": "Gaps between successive content events",
    "latency": "Time to the last content event",
}
_FIGURES = ("mean", "min", "max", "p50", "p90", "p95", "p99")


@dataclass(slots=True)
class _Family:
    """A gauge and its samples, which must stand together."""

    name: str
    help: str
    samples: list[tuple[dict[str, str], Number]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        if self.samples:
            yield f"# HELP {self.name} {self.help}"
            yield f"# TYPE {self.name} gauge"
        for labels, value in self.samples:
            yield f"{self.name}{_labels(labels)} {value!r}"


class _Page:
    """Families in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}

    def add(self, name: str, text: str, value: Any, labels: dict[str, str]) -> None:
        """Add a sample; nothing for a value that is not known."""
        family = self._families.setdefault(name, _Family(f"validator_{name}", text))
        if isinstance(value, bool):
            value = int(value)
        if is_number(value):
            family.samples.append((labels, value))

    def text(self) -> str:
        return "".join(f"{line}\n" for f in self._families.values() for line in f.lines())


@reporter("prometheus")
def render(reports: Sequence[Report]) -> str:
    """The result as gauges, for the textfile collector of Prometheus's node exporter.

    Whether the run passed and when, how many assertions have which status, and the load's own
    figures in seconds. Every gauge has the label `spec`; a second run of the same spec also has
    `run`, and the figures of several loads have `load`. An alert on the age of
    `validator_run_timestamp_seconds` tells that nobody looked.

    ```yaml
    # validator run SPEC --report prometheus=/var/lib/node_exporter/validator.prom
    ```
    """
    page = _Page()
    seen: dict[tuple[str, str], int] = {}
    for report in reports:
        labels = {"spec": printable(report.spec), "title": printable(report.title)}
        count = seen[report.spec, report.title] = seen.get((report.spec, report.title), 0) + 1
        if count > 1:
            labels["run"] = str(count)
        _result(page, report, labels)
        for name, ledger in report.ledgers.items():
            _load(page, ledger, {**labels, "load": name} if name else labels)
    return page.text()


def _result(page: _Page, report: Report, labels: dict[str, str]) -> None:
    page.add("run_passed", "Whether the run passed.", report.passed, labels)
    page.add("run_exit_code", "The exit code of the run.", report.exit_code, labels)
    page.add("run_timestamp_seconds", "When the run began.", _epoch(report.started), labels)
    page.add("run_duration_seconds", "How long the run took.", round(report.elapsed, 6), labels)
    for section, verdicts in sections(report).items():
        for severity in Severity:
            mine = [v for v in verdicts if v.severity is severity]
            for status in Status if mine else ():
                page.add(
                    "assertions",
                    "Assertions by where they are made, severity and status.",
                    sum(v.status is status for v in mine),
                    {
                        **labels,
                        "endpoint": printable(section),
                        "severity": severity.value,
                        "status": status.value,
                    },
                )
    page.add("vacuous_assertions", "Passes that could not have failed.", report.vacuous, labels)


def _load(page: _Page, ledger: dict[str, Any], labels: dict[str, str]) -> None:
    for outcome, number in _items(ledger.get("outcomes")):
        text = "Requests of the load by how they ended."
        page.add("load_requests", text, number, {**labels, "outcome": printable(outcome)})
    page.add("load_success_ratio", "Share that succeeded.", ledger.get("success_rate"), labels)
    page.add("load_duration_seconds", "Duration of the load.", ledger.get("duration_s"), labels)
    for kind, number in _items(ledger.get("tokens")):
        text = "Tokens of the requests that succeeded."
        page.add("load_tokens", text, number, {**labels, "kind": kind})
    page.add("load_in_flight_max", "Most in flight.", ledger.get("in_flight_max"), labels)
    for name, text in _DISTRIBUTIONS.items():
        figures = dict(_items(ledger.get(f"{name}_ms")))
        for figure in _FIGURES:
            value = figures.get(figure)
            seconds = value / _MS if is_number(value) else None
            page.add(f"load_{name}_seconds", f"{text}.", seconds, {**labels, "figure": figure})


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _epoch(started: str) -> float | None:
    try:
        return datetime.fromisoformat(started).timestamp()
    except ValueError:
        return None


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
