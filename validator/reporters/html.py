"""The report as one HTML file, for people who look before they read."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from validator.errors import MissingExtra
from validator.records.chart import By, Chart
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.reporters import wording
from validator.reporters.base import reporter
from validator.reporters.drawing import Drawing, drawn
from validator.reporters.figures import distributions, request_lines
from validator.values import printable

if TYPE_CHECKING:
    from jinja2 import Template

_PAGE = Path(__file__).with_name("page")
_ROWS: Final = 500_000
"""Bytes of the table of all assertions, shared by all runs: the file stays below 2 MB."""
_CHARTS: Final = 1_000_000
"""Bytes of all charts."""
_CARDS: Final = 250_000
"""Bytes of what is wrong."""
_LONGEST: Final = 1000
_AFTER = re.compile(r"(?<=[._/])(?=[^._/])")
"""Where a name may go on in the next line."""
_ENTRY: Final = 800
"""Bytes of an entry besides its text."""
_MARK: Final = 30
"""Bytes of a line, a note or a place to break, besides their texts."""


def check() -> None:
    """Raise `MissingExtra` when a page cannot be made: better now than after the load."""
    try:
        import jinja2  # noqa: F401, PLC0415 - an extra
        import vl_convert  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise MissingExtra("--report html", "html") from None


@reporter("html", check)
def render(reports: Sequence[Report]) -> str:
    """One HTML file of at most 2 MB that opens offline: the result, what is wrong, charts.

    The result comes first, then what is wrong with its lines of the spec and its chart; a table
    of all assertions can be filtered by status, severity, endpoint and text. Charts show the load
    and, beside the client's own counts, how far the server's counters came, its sampled gauges and
    its percentiles. It is light or dark as the reader's system is, and prints. Without scripts all
    but the filter works. It needs the extra `html`.

    ```yaml
    # validator run SPEC --report html=report.html
    # validator report report.json --report html=report.html
    ```
    """
    check()
    script = _text("report.js")
    fingerprint = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    labels = wording.labels(reports)
    runs = [
        _Run(label, report, len(reports)) for label, report in zip(labels, reports, strict=True)
    ]
    page = _template().render(
        runs=runs,
        passed=all(r.passed for r in reports),
        failed=sum(not r.passed for r in reports),
        style=_text("report.css"),
        script=script,
        script_hash=fingerprint,
        statuses=[Status.PASS.value, "vacuous", *(s.value for s in Status if s != Status.PASS)],
        severities=[severity.value for severity in Severity],
    )
    return page.rstrip("\n") + "\n"


@functools.cache
def _template() -> Template:
    import jinja2  # noqa: PLC0415 - an extra

    environment = jinja2.Environment(
        autoescape=True,
        keep_trailing_newline=True,
        loader=jinja2.FileSystemLoader(_PAGE),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["clean"] = _clean
    environment.filters["parts"] = _AFTER.split
    environment.filters["dedented"] = lambda text: textwrap.dedent(text).split("\n")
    return environment.get_template("report.html")


def _text(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _clean(text: str) -> str:
    """Return *text* without what a browser might act on, and no longer than people read."""
    return printable(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One verdict, with what the page says of it."""

    verdict: Verdict
    broke: bool
    silent: str = ""
    drawing: Drawing | None = None
    """The chart that shows it."""

    @property
    def mark(self) -> str:
        return wording.mark(self.verdict)

    @property
    def place(self) -> str:
        return wording.place(self.verdict.section)

    @property
    def where(self) -> str:
        return wording.where(self.verdict)

    @property
    def notes(self) -> list[str]:
        return wording.notes(self.verdict)

    @property
    def more(self) -> bool:
        """Whether there is more to say than a row of the table holds."""
        v = self.verdict
        return bool(self.notes or v.why or v.before or v.after or v.path)

    @property
    def tone(self) -> str:
        """The name of its colour."""
        verdict = self.verdict
        if verdict.bad:
            return verdict.severity.value
        if verdict.status is Status.PASS:
            return "vacuous" if verdict.vacuous else "pass"
        return "muted"

    @property
    def status(self) -> str:
        """What the table is filtered by: a pass that shows nothing is of a kind of its own."""
        return "vacuous" if self.verdict.vacuous else self.verdict.status.value

    @property
    def size(self) -> int:
        """How many bytes of the page it takes, about."""
        v = self.verdict
        texts = (v.name, v.path, v.expected, v.actual, v.before, v.after, v.why, *self.notes)
        lines = v.source.split("\n")
        marks = len(_AFTER.findall(v.name[:_LONGEST])) + len(self.notes) + len(lines)
        said = sum(len(escape(_clean(t)).encode()) for t in (*texts, *lines) if t)
        return _ENTRY + _MARK * marks + said


@dataclass(frozen=True, slots=True)
class _Section:
    """How much of one section passed, and the worst of the rest."""

    name: str
    verdicts: Sequence[Verdict]

    @property
    def place(self) -> str:
        return wording.place(self.name)

    @property
    def good(self) -> int:
        return sum(v.status is Status.PASS for v in self.verdicts)

    @property
    def worst(self) -> _Entry | None:
        """The one that went most wrong; None if none did."""
        bad = [v for v in self.verdicts if v.bad]
        return _Entry(max(bad, key=lambda v: v.severity.rank), broke=True) if bad else None


class _Run:
    """What the page says of one run."""

    def __init__(self, label: str, report: Report, runs: int) -> None:
        self.label = label
        self.report = report
        self.word = wording.word(report)
        self.counts = wording.counts(report)
        self.unexplained = wording.unexplained(report)
        broken = set(map(id, report.breaking))
        worst = [
            _Entry(v, id(v) in broken, wording.silent(report, v))
            for v in wording.worst_first(report)
        ]
        cards, self.cards_left = _fitting(worst, _CARDS // runs)
        drawings, self.charts_left = _drawings(report.charts, _CHARTS // runs)
        about = {(d.chart.section, d.chart.title): d for d in drawings if _of_server(d.chart)}
        self.cards = [
            replace(card, drawing=about.pop((card.verdict.section, card.verdict.name), None))
            for card in cards
        ]
        told = [id(card.drawing) for card in self.cards]
        self.charts = _by_section(d for d in drawings if id(d) not in told)
        every = [_Entry(v, id(v) in broken) for v in report.verdicts]
        self.rows, self.rows_left = _fitting(every, _ROWS // runs)
        self.statuses = Counter(entry.status for entry in every)
        self.sections = [_Section(*one) for one in wording.sections(report).items()]
        self.loads = [
            (name, request_lines(ledger), distributions(ledger))
            for name, ledger in report.ledgers.items()
        ]


def _fitting(entries: Sequence[_Entry], room: int) -> tuple[list[_Entry], int]:
    """Return as many entries as fit, and how many do not."""
    kept: list[_Entry] = []
    for entry in entries:
        room -= entry.size
        if room < 0:
            break
        kept.append(entry)
    return kept, len(entries) - len(kept)


def _drawings(charts: Iterable[Chart], room: int) -> tuple[list[Drawing], int]:
    """Return as many drawings as fit, and how many do not."""
    kept = []
    left = 0
    for drawing in _all_drawn(charts):
        room -= _size(drawing)
        if room < 0:
            left += 1
        else:
            kept.append(drawing)
    return kept, left


def _size(drawing: Drawing) -> int:
    """Return how many bytes of the page a drawing takes, about."""
    texts = (drawing.chart.title, drawing.chart.note, *(key.name for key in drawing.keys))
    marks = sum(len(_AFTER.findall(text[:_LONGEST])) for text in texts) + 4 * len(texts)
    said = sum(len(escape(_clean(text)).encode()) for text in texts)
    return len(drawing.svg.encode()) + _MARK * marks + said


def _by_section(drawings: Iterable[Drawing]) -> list[tuple[str, list[Drawing]]]:
    found: dict[str, list[Drawing]] = {}
    for drawing in drawings:
        found.setdefault(drawing.chart.section, []).append(drawing)
    return [(wording.place(section), mine) for section, mine in found.items()]


def _of_server(chart: Chart) -> bool:
    return any(series.by is By.SERVER for series in chart.series)


def _all_drawn(charts: Iterable[Chart]) -> Iterator[Drawing]:
    for chart in charts:
        if any(series.points for series in chart.series):
            yield drawn(chart)
