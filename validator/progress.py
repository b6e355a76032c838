"""How a run gets on, for whoever waits: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from validator.plan import LoadPlan
from validator.records.load import CANCELLED, Exchange
from validator.values import printable

_PHASES = {
    "look": "looking",
    "warmup": "warming up",
    "before": "looking before the load",
    "load": "sending the load",
    "settle": "waiting for counters to settle",
    "after": "looking after the load",
}
_STEPS = 10
"""Plain lines per load."""
_REFRESHES = 8
"""How often a second the bar is drawn."""
_MOST_SAID = 3
"""Remarks under the bar, the latest."""
_SHORT = 10
"""Columns for the name of one of several loads."""


def _phase(name: str, detail: str) -> str:
    text = _PHASES.get(name, name)
    return f"{text}, {detail}" if detail else text


class _Counts:
    """How many requests ended, and how; and how much of the load that is."""

    def __init__(self, name: str = "", plan: LoadPlan | None = None) -> None:
        self.load = name
        self.requests = plan.requests if plan else None
        self.duration = plan.duration if plan else None
        self.ended = self.ok = self.failed = 0
        self.ttft_total = 0.0
        self.ttft_count = 0
        self.last = 0.0

    def take(self, exchange: Exchange) -> None:
        self.ended += 1
        self.ok += exchange.ok
        self.failed += not exchange.ok and exchange.outcome != CANCELLED
        self.last = max(self.last, exchange.done)
        if exchange.ok and exchange.ttft is not None:
            self.ttft_total += exchange.ttft
            self.ttft_count += 1

    @property
    def share(self) -> float:
        """How much of the load is over, from 0 to 1: by count or by time, whichever ends it."""
        by_count = self.ended / self.requests if self.requests else 0.0
        by_time = min(1.0, self.last / self.duration) if self.duration else 0.0
        return max(by_count, by_time)

    @property
    def percent(self) -> int:
        """The same in whole percent, rounded down."""
        return int(round(100 * self.share, 6))  # 29 of 100 are 28.999999999999996

    @property
    def counted(self) -> str:
        """How many ended, of how many if that is known."""
        return f"{self.ended}/{self.requests}" if self.requests else f"{self.ended}"

    @property
    def figures(self) -> str:
        """Which of several loads, rate, ok, failed and mean TTFT."""
        rate = f"{self.ended / self.last:.1f}/s" if self.last > 0 else "–/s"
        load = self.load if len(self.load) <= _SHORT else f"{self.load[: _SHORT - 1]}…"
        text = f"{load and f'{load} '}{rate} ok {self.ok} failed {self.failed}"
        if self.ttft_count:
            text += f" TTFT {1000 * self.ttft_total / self.ttft_count:.0f} ms"
        return text


class PlainProgress:
    """A line per phase and per tenth of the load: for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts = _Counts()
        self._steps = 0

    def load(self, name: str, plan: LoadPlan) -> None:
        """Count the requests of another load."""
        self._counts = _Counts(name, plan)
        self._steps = 0

    def phase(self, name: str, detail: str = "") -> None:
        """Say what begins."""
        load = self._counts.load
        self._say(f"{load}: {_phase(name, detail)}" if load else _phase(name, detail))

    def exchange(self, exchange: Exchange, in_flight: int) -> None:  # noqa: ARG002 - a listener's
        """Say how far the load is, now and then."""
        counts = self._counts
        counts.take(exchange)
        steps = counts.percent * _STEPS // 100
        if steps > self._steps:
            self._steps = steps
            self._say(f"  {counts.percent:3d} % {counts.counted} {counts.figures}")

    def remark(self, text: str) -> None:
        """Pass a remark on."""
        self._say(text)

    def _say(self, text: str) -> None:
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


class _Bar(Progress):
    """A bar with what is said meanwhile under it, which goes when it goes."""

    def __init__(self, *columns: ProgressColumn, console: Console) -> None:
        self.said: list[str] = []
        super().__init__(*columns, console=console, transient=True, refresh_per_second=_REFRESHES)

    def get_renderables(self) -> Iterator[RenderableType]:
        yield from super().get_renderables()
        yield from (Text(printable(text), "warned") for text in self.said[-_MOST_SAID:])


class LiveProgress:
    """A bar with percentage, count, rate, ok, failed, TTFT and the time left."""

    def __init__(self, progress: _Bar) -> None:
        self._counts = _Counts()
        self._progress = progress
        self._shown_at = 0.0
        self._task: TaskID = progress.add_task("", total=1, figures="", counted="")

    def load(self, name: str, plan: LoadPlan) -> None:
        """Show the bar of another load."""
        self._counts = _Counts(name, plan)
        self._shown_at = 0.0
        self._progress.reset(
            self._task, total=1, figures=self._counts.figures, counted=self._counts.counted
        )

    def phase(self, name: str, detail: str = "") -> None:
        """Show what begins."""
        self._show()
        self._progress.update(self._task, description=_phase(name, detail))

    def exchange(self, exchange: Exchange, in_flight: int) -> None:  # noqa: ARG002 - a listener's
        """Move the bar, if it is to be drawn again soon."""
        counts = self._counts
        counts.take(exchange)
        if counts.last - self._shown_at >= 1 / _REFRESHES or counts.share >= 1:
            self._show()

    def _show(self) -> None:
        counts = self._counts
        self._shown_at = counts.last
        self._progress.update(
            self._task, completed=counts.share, figures=counts.figures, counted=counts.counted
        )

    def remark(self, text: str) -> None:
        """Show a remark as long as the bar is there: it stands in the report, beside the result."""
        self._progress.said.append(text)


@contextmanager
def shown(console: Console) -> Iterator[PlainProgress | LiveProgress]:
    """Show the progress of one run the way *console* allows."""
    if not console.is_terminal:
        yield PlainProgress(console)
        return
    narrow = console.width < 100  # noqa: PLR2004 - columns that the whole line needs
    columns = (
        *([] if narrow else [TextColumn("{task.description}")]),
        BarColumn(bar_width=12 if narrow else 20),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[counted]}"),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
    )
    with _Bar(*columns, console=console) as progress:
        yield LiveProgress(progress)
