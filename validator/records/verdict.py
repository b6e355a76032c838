"""What evaluation concludes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from validator.records.chart import Chart
from validator.records.observation import Settled
from validator.span import NOWHERE, Span
from validator.values import Json


class Severity(StrEnum):
    """How much a failure matters; set by the spec, never by the engine."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for info to 2 for critical."""
        return ("info", "warning", "critical").index(self)


class Status(StrEnum):
    """What became of one assertion."""

    PASS = "pass"  # noqa: S105 - a status, not a password
    FAIL = "fail"
    ERROR = "error"  # could not look, or not decidable
    SKIP = "skip"
    XFAIL = "xfail"  # failed as announced


REACHABLE = "reachable"
"""The name of the implied verdict on an endpoint as such."""
COMPLETE = "complete"
"""The name of the implied verdict on a load of which a part was lost."""
LOAD = "load"
ACROSS = "across"


def load_section(load: str) -> str:
    """Return the section of a report that is about *load*; no endpoint's id has a space."""
    return f"{LOAD} {load}" if load else LOAD


@dataclass(frozen=True, slots=True)
class Verdict:
    """One assertion, decided."""

    name: str
    status: Status
    severity: Severity
    expected: str
    actual: str
    endpoint: str | None = None
    """The endpoint's id; None for assertions about the load or across endpoints."""
    section: str = ACROSS
    """Where a report shows it: an endpoint's id, `load`, `load NAME` or `across`."""
    load: str = ""
    """Which of several loads it is about; empty for all of them, or the only one."""
    path: str | None = None
    note: str = ""
    why: str = ""
    """Why the author of the spec asks this."""
    before: str = ""
    after: str = ""
    vacuous: bool = False
    span: Span = NOWHERE
    source: str = ""
    """The lines of the spec that ask it; left out of what passed."""
    known: bool = False
    """Whether it was no better in the baseline."""

    @property
    def bad(self) -> bool:
        """Whether it failed or could not be decided."""
        return self.status in (Status.FAIL, Status.ERROR)


@dataclass(frozen=True, slots=True)
class Report:
    """Every verdict of one run, in spec order, and the facts they rest on."""

    title: str
    target: str
    verdicts: tuple[Verdict, ...]
    spec: str = ""
    """The spec's file, as it was named."""
    started: str = ""
    """ISO 8601, UTC."""
    elapsed: float = 0.0
    """Seconds."""
    load: Json = None
    """The ledger of a `load:` block; None when it was not sent."""
    loads: Mapping[str, Json] = field(default_factory=dict)
    """The ledgers of a `loads:` block by name, each None when that load was not sent."""
    settled: Settled | None = None
    fail_on: Severity = Severity.CRITICAL
    fail_on_vacuous: bool = False
    """Whether a pass that could not have failed makes the run fail, as a failure would."""
    fail_on_new: bool = False
    """Whether what was no better in the baseline breaks nothing."""
    interrupted: str = ""
    """Why the run ended early (`interrupted`, `run timeout`); empty when it did not."""
    remarks: tuple[str, ...] = ()
    """What a reader should know about the run as a whole: a reused server, an unsettled counter."""
    charts: tuple[Chart, ...] = ()
    """What people would rather look at than read."""

    @property
    def ledgers(self) -> dict[str, dict[str, Json]]:
        """Every ledger there is, by the name of its load; that of a `load:` block has none."""
        every = self.loads or {"": self.load}
        return {name: ledger for name, ledger in every.items() if isinstance(ledger, dict)}

    @property
    def breaking(self) -> tuple[Verdict, ...]:
        """The verdicts that make the run fail."""
        return tuple(
            v
            for v in self.verdicts
            if (v.bad or (self.fail_on_vacuous and v.vacuous))
            and v.severity.rank >= self.fail_on.rank
            and not (self.fail_on_new and v.known)
        )

    @property
    def consequences(self) -> Counter[str]:
        """How many verdicts of each section only say again that its endpoint is unreadable."""
        unreadable = {v.section for v in self.verdicts if v.name == REACHABLE and v.bad}
        return Counter(v.section for v in self.verdicts if self._follows(v, unreadable))

    def speaking(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Return those of *verdicts* that say more than that an endpoint is unreadable."""
        unreadable = {v.section for v in self.verdicts if v.name == REACHABLE and v.bad}
        return [v for v in verdicts if not self._follows(v, unreadable)]

    @staticmethod
    def _follows(verdict: Verdict, unreadable: set[str]) -> bool:
        return (
            verdict.status is Status.ERROR
            and verdict.section in unreadable
            and verdict.name != REACHABLE
        )

    @property
    def passed(self) -> bool:
        """Whether the run as a whole is acceptable: something was judged and nothing broke."""
        return bool(self.verdicts) and not self.breaking and not self.interrupted

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 130 interrupted by the user."""
        if self.interrupted == "interrupted":
            return 130
        return 0 if self.passed else 1

    @property
    def vacuous(self) -> int:
        """How many passes could not have failed."""
        return sum(v.vacuous for v in self.verdicts)

    @property
    def tally(self) -> Counter[Status]:
        """How many verdicts have each status."""
        return Counter(v.status for v in self.verdicts)
