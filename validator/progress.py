"""How a run gets on, for whoever waits: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from validator.records.load import Exchange
from validator.values import printable

_PHASES = {
    "look": "looking",
    "before": "looking before the load",
    "load": "sending the load",
    "settle": "waiting for counters to settle",
    "after": "looking after the load",
}
_STEPS = 10
"""Plain lines per load."""


def _phase(name: str, detail: str) -> str:
    text = _PHASES.get(name, name)
    return f"{text}, {detail}" if detail else text


class _Counts:
    """How many requests ended, and how."""

    def __init__(self, requests: int) -> None:
        self.requests = requests
        self.ended = self.ok = 0
        self.ttft_total = 0.0
        self.ttft_count = 0
        self.last = 0.0

    def take(self, exchange: Exchange) -> None:
        self.ended += 1
        self.ok += exchange.ok
        self.last = max(self.last, exchange.done)
        if exchange.ok and exchange.ttft is not None:
            self.ttft_total += exchange.ttft
            self.ttft_count += 1

    @property
    def figures(self) -> str:
        """Rate, ok, failed and mean TTFT."""
        rate = f"{self.ended / self.last:.1f}/s" if self.last > 0 else "–/s"
        text = f"{rate} ok {self.ok} failed {self.ended - self.ok}"
        if self.ttft_count:
            text += f" TTFT {1000 * self.ttft_total / self.ttft_count:.0f} ms"
        return text


class PlainProgress:
    """A line per phase and per tenth of the load: for pipes and logs."""

    def __init__(self, console: Console, requests: int) -> None:
        self._console = console
        self._counts = _Counts(requests)

    def phase(self, name: str, detail: str = "") -> None:
        """Say what begins."""
        self._say(_phase(name, detail))

    def exchange(self, exchange: Exchange, in_flight: int) -> None:  # noqa: ARG002 - a listener's
        """Say how far the load is, now and then."""
        counts = self._counts
        counts.take(exchange)
        step = max(1, counts.requests // _STEPS)
        if counts.ended % step == 0 or counts.ended == counts.requests:
            share = 100 * counts.ended // counts.requests
            self._say(f"  {share:3d} % {counts.ended}/{counts.requests} {counts.figures}")

    def remark(self, text: str) -> None:
        """Pass a remark on."""
        self._say(text)

    def _say(self, text: str) -> None:
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


class LiveProgress:
    """A bar with percentage, count, rate, ok, failed, TTFT and the time left."""

    def __init__(self, console: Console, requests: int, progress: Progress) -> None:
        self._console = console
        self._counts = _Counts(requests)
        self._progress = progress
        self._task: TaskID = progress.add_task("", total=requests, figures="")

    def phase(self, name: str, detail: str = "") -> None:
        """Show what begins."""
        self._progress.update(self._task, description=_phase(name, detail))

    def exchange(self, exchange: Exchange, in_flight: int) -> None:  # noqa: ARG002 - a listener's
        """Move the bar."""
        self._counts.take(exchange)
        self._progress.update(
            self._task, completed=self._counts.ended, figures=self._counts.figures
        )

    def remark(self, text: str) -> None:
        """Print a remark above the bar."""
        self._console.print(printable(text), markup=False, highlight=False)


@contextmanager
def shown(console: Console, requests: int) -> Iterator[PlainProgress | LiveProgress]:
    """Show the progress of one run the way *console* allows."""
    if not console.is_terminal:
        yield PlainProgress(console, requests)
        return
    narrow = console.width < 100  # noqa: PLR2004 - columns that the whole line needs
    columns = (
        *([] if narrow else [TextColumn("{task.description}")]),
        BarColumn(bar_width=12 if narrow else 20),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=8) as progress:
        yield LiveProgress(console, requests, progress)
