"""`validator bench`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from validator.errors import UsageError
from validator.verbs.base import INTERRUPTED, leave, verb
from validator.verbs.flags import Flags
from validator.verbs.output import chosen, console, deliver
from validator.verbs.run import executor_for, interruptible
from validator.verbs.specs import files, load

if TYPE_CHECKING:
    from rich.console import Console

    from validator.benchmark.findings import Findings
    from validator.benchmark.ladder import Ladder
    from validator.benchmark.records import Axis, Bench
    from validator.plan import LoadPlan
    from validator.records.load import Exchange
    from validator.spec.model import Load, Spec
    from validator.verbs.output import Output

_OF_RUN = ("url", "variables", "settings", "reports", "processes", "dask")
_SHARE = re.compile(r"(?P<number>\d+(\.\d+)?) ?%?", re.ASCII)


def _share(_context: click.Context, _option: click.Parameter, text: str) -> float:
    """Return a share of `5%` or `5`."""
    found = _SHARE.fullmatch(text.strip())
    if found is None or float(found["number"]) > 100:  # noqa: PLR2004 - percent
        raise click.BadParameter(f"{text!r} is no share: expected 0% to 100%, such as 5%")
    return float(found["number"]) / 100


def _seconds(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Return the seconds of a duration, written as in specs."""
    from validator import duration

    if text is None:
        return None
    try:
        found = duration.seconds(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}") from None
    if found <= 0:
        raise click.BadParameter(f"{text!r}: nothing fits into that")
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was given on the command line about a sweep."""

    concurrency: str | None
    rate: str | None
    requests: int | None
    duration: float | None
    repeat: int | None
    name: str | None
    timeout: float | None
    keep_going: bool
    quiet: bool

    @property
    def sweeping(self) -> bool:
        """Whether anything was given that only matters to a new sweep."""
        given = (self.concurrency, self.rate, self.requests, self.duration, self.repeat)
        return self.keep_going or any(v is not None for v in (*given, self.name, self.timeout))


@verb("bench")
@click.argument("spec", required=False, metavar="[SPEC]")
@click.option("--concurrency", metavar="LIST", help="Levels to sweep, such as 1,2,4,8.")
@click.option("--rate", metavar="LIST", help="Or requests a second, such as 5,10,20.")
@click.option("--requests", metavar="N", type=click.IntRange(min=1), help="Requests a level.")
@click.option("--duration", metavar="DURATION", callback=_seconds, help="Or how long a level is.")
@click.option(
    "--repeat",
    metavar="K",
    type=click.IntRange(1, 1000),
    help="Runs of each level, 1 unless given, in turn with the others, to see the noise.",
)
@click.option("--load", "name", metavar="NAME", help="Which of the spec's several loads.")
@click.option(
    "--keep-going", is_flag=True, help="Go on after a level at which every request failed."
)
@click.option("--timeout", metavar="DURATION", callback=_seconds, help="For the whole sweep.")
@click.option("--against", metavar="FILE", help="An earlier sweep in JSON, to compare with.")
@click.option("--replay", metavar="FILE", help="Show a sweep in JSON; no server is needed.")
@click.option(
    "--tolerance",
    metavar="PERCENT",
    callback=_share,
    default="5%",
    show_default=True,
    help="Figures that differ by no more are the same.",
)
@click.option("--exit-code", is_flag=True, help="End with 1 when the later sweep is worse.")
@click.option(
    "--attainment",
    metavar="PERCENT",
    callback=_share,
    default="90%",
    show_default=True,
    help="How many requests must meet the SLO for a level to be within it.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Send the load from N processes of this machine.",
)
@click.option(
    "--dask", metavar="ADDRESS|local:N", help="Send the load from the workers of a dask scheduler."
)
@click.option("--url", metavar="URL", help="Base URL of the target; a `server:` block is ignored.")
@click.option("--var", "variables", metavar="NAME=VALUE", multiple=True, help="Set a variable.")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Set any key of the spec."
)
@click.option(
    "--report",
    "reports",
    metavar="FORMAT[=PATH]",
    multiple=True,
    help="Also write json, csv or markdown; to stdout without PATH.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only the knee, the SLO and what has changed.")
def bench_command(  # noqa: PLR0913 - each is a flag
    spec: str | None,
    *,
    against: str | None,
    replay: str | None,
    tolerance: float,
    exit_code: bool,
    attainment: float,
    **given: Any,
) -> None:
    """Sweep concurrency or rate with the load of SPEC: a table of throughput and latency, its knee.

    Nothing is judged: no endpoint is read, and assertions are left to `validator run`. Ends with 1
    when a level had not one good answer.
    """
    from validator.benchmark.findings import Findings
    from validator.benchmark.reports import FORMATS
    from validator.benchmark.saved import read
    from validator.benchmark.versus import compare

    flags = Flags(
        **{name: given.pop(name) for name in _OF_RUN},
        replay=replay,
        quiet=given["quiet"],
    )
    executor_for(flags)  # flags that contradict each other are refused before anything is sent
    asked = _Asked(**given)
    if exit_code and against is None:
        raise UsageError("--exit-code: worse than what? Give an earlier sweep: --against FILE")
    output = chosen(flags.reports, FORMATS)
    earlier = None if against is None else read(against)
    if replay is not None:
        if spec is not None or asked.sweeping or flags.url or flags.variables or flags.settings:
            raise UsageError(
                "--replay shows what was seen; a SPEC, or how to sweep it, is not for it"
            )
        bench = read(replay)
    elif spec is None:
        raise UsageError("what is to be swept? Give a SPEC, or an earlier sweep: --replay FILE")
    else:
        bench = _swept(spec, flags, asked, earlier)
    comparison = None if earlier is None else compare(earlier, bench, tolerance)
    found = Findings.of(bench, attainment, comparison)
    _show(found, output, quiet=asked.quiet)
    worse = exit_code and comparison is not None and comparison.worse
    if replay is not None:
        leave(1 if worse else 0)
    if bench.interrupted == "interrupted":
        leave(INTERRUPTED)
    leave(1 if worse or bench.failed or bench.interrupted else 0)


def _show(found: Findings, output: Output, *, quiet: bool) -> None:
    from validator.benchmark.reports import FORMATS
    from validator.benchmark.showing import lines

    def draw(screen: Console) -> None:
        for text, style in lines(found, screen.width, quiet=quiet):
            screen.print(text, style=style, markup=False, soft_wrap=True)

    deliver(output, lambda name: FORMATS[name](found), draw)


def _swept(word: str, flags: Flags, asked: _Asked, earlier: Bench | None) -> Bench:
    """Sweep a spec with its progress on stderr; Ctrl-C ends it early, a second one at once."""
    from validator.benchmark.sweep import sweep
    from validator.benchmark.versus import check_comparable
    from validator.listener import Silent
    from validator.progress import shown

    spec = load(_only(files((word,)), word), flags)
    one = _load(spec, asked.name)
    ladder = _ladder(asked, one.plan, earlier)
    if earlier is not None:  # before anything is sent
        check_comparable(earlier, ladder.axis, ladder.levels)

    def go(listener: Any) -> Bench:
        return interruptible(
            lambda stop: sweep(
                spec,
                one,
                ladder,
                keep_going=asked.keep_going,
                executor=executor_for(flags),
                timeout=asked.timeout,
                listener=listener,
                interrupt=stop,
            )
        )

    screen = console(stderr=True)
    if asked.quiet:
        return go(Silent())
    if not screen.is_terminal:
        return go(_Steps())
    with shown(screen) as listener:
        return go(listener)


class _Steps:
    """A line for each level: a log has no use for more."""

    def load(self, name: str, plan: LoadPlan) -> None:
        """Say nothing: the phase has the whole name."""

    def phase(self, name: str, detail: str = "") -> None:  # noqa: ARG002 - a listener's
        """Say which level begins."""
        click.echo(detail or "warming up", err=True)

    def exchange(self, exchange: Exchange, in_flight: int) -> None:
        """Say nothing: the table will."""

    def remark(self, text: str) -> None:
        """Pass a remark on."""
        from validator.values import printable

        click.echo(printable(text), err=True)


def _only(paths: tuple[Path, ...], word: str) -> Path:
    if len(paths) != 1:
        raise UsageError(f"{word}: these are {len(paths)} specs, and one can be swept")
    return paths[0]


def _load(spec: Spec, name: str | None) -> Load:
    """Return the load to sweep: the only one, or the one that was named."""
    from validator.registry import suggest

    if not spec.loads:
        raise UsageError(f"{spec.file}: a spec without a load: there is nothing to sweep")
    known = {load.name: load for load in spec.loads}
    if name is not None:
        if "" in known:
            raise UsageError(f"--load {name}: {spec.file} has one load, and it has no name")
        if name not in known:
            raise UsageError(f"--load {name}: {suggest(name, known, 'loads')}")
        return known[name]
    if len(spec.loads) > 1:
        raise UsageError(f"{spec.file}: several loads: give one of --load {', '.join(known)}")
    return spec.loads[0]


def _ladder(asked: _Asked, plan: LoadPlan, earlier: Bench | None) -> Ladder:
    """Return what to sweep: as the flags say, or as an earlier sweep did, or by default."""
    from validator.benchmark.ladder import Ladder, amount, default, read
    from validator.benchmark.records import Axis

    if asked.concurrency is not None and asked.rate is not None:
        raise UsageError("--concurrency and --rate: a sweep has one of the two")
    requests, duration, repeat = asked.requests, asked.duration, asked.repeat
    if earlier is not None and requests is None and duration is None:
        requests, duration = amount(earlier)
    ladder: tuple[Axis, tuple[Any, ...]]
    if asked.concurrency is not None:
        ladder = Axis.CONCURRENCY, read(Axis.CONCURRENCY, asked.concurrency)
    elif asked.rate is not None:
        ladder = Axis.RATE, read(Axis.RATE, asked.rate)
    elif earlier is not None:
        ladder = earlier.axis, earlier.planned
    else:
        ladder = default(plan)
    if earlier is not None and repeat is None:
        repeat = earlier.repeat
    return Ladder(*ladder, requests, duration, repeat or 1)
