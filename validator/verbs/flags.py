"""The flags of `run`, which every verb that runs specs takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from validator.errors import UsageError

if TYPE_CHECKING:
    from validator.reporters.table import Detail
    from validator.spec.parse import Overrides

VACUOUS: Final = "vacuous"
NEW: Final = "new"


@dataclass(frozen=True, slots=True)
class Flags:
    """What was given on the command line, as text."""

    url: str | None = None
    requests: str | None = None
    concurrency: str | None = None
    timeout: str | None = None
    variables: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    record: str | None = None
    replay: str | None = None
    baseline: str | None = None
    fail_on: tuple[str, ...] = ()
    processes: int | None = None
    dask: str | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def detail(self) -> Detail:
        """How much of a report a person wants to read."""
        return detail(quiet=self.quiet, verbose=self.verbose)


def detail(*, quiet: bool, verbose: bool) -> Detail:
    """Return how much of a report a person wants to read."""
    from validator.reporters.table import Detail

    if quiet and verbose:
        raise UsageError("--quiet and --verbose: give one")
    return Detail.LITTLE if quiet else Detail.MUCH if verbose else Detail.USUAL


def run_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags of `run`."""
    options = (
        click.option("--record", metavar="FILE", help="Keep everything seen, to judge it again."),
        click.option("--replay", metavar="FILE", help="Judge a recording; no server is needed."),
        click.option(
            "--baseline", metavar="FILE", help="A JSON report: what was wrong in it is marked."
        ),
        click.option(
            "--fail-on",
            type=click.Choice(["critical", "warning", "info", VACUOUS, NEW]),
            multiple=True,
            help="What makes the run fail: the least severity (critical unless given), vacuous for "
            "passes that could not have failed, new for only what was not wrong in the baseline.",
        ),
    )
    return spec_flags(_with_options(shown_flags(command), options))


def spec_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags that change what stands in a spec."""
    options = (
        click.option(
            "--url", metavar="URL", help="Base URL of the target; a `server:` block is ignored."
        ),
        click.option("--requests", metavar="N", help="How many requests the load sends."),
        click.option("--concurrency", metavar="N", help="How many are in flight at most."),
        click.option(
            "--processes",
            type=click.IntRange(min=1),
            metavar="N",
            help="Send the load from N processes of this machine.",
        ),
        click.option(
            "--dask",
            metavar="ADDRESS|local:N",
            help="Send the load from the workers of a dask scheduler, or of one with N of its own.",
        ),
        click.option("--timeout", metavar="DURATION", help="For the whole run, such as 90s."),
        click.option(
            "--var",
            "variables",
            metavar="NAME=VALUE",
            multiple=True,
            help="Set a variable of the spec.",
        ),
        click.option(
            "--set",
            "settings",
            metavar="KEY=VALUE",
            multiple=True,
            help="Set any key of the spec, such as load.model=x.",
        ),
    )
    return _with_options(command, options)


def shown_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags that say how reports are shown."""
    options = (
        click.option(
            "--report",
            "reports",
            metavar="FORMAT[=PATH]",
            multiple=True,
            help="Also write a report: json, junit, html …, as `validator explain` lists; "
            "to stdout without PATH.",
        ),
    )
    return _with_options(detail_flags(command), options)


def detail_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags that say how much is shown."""
    options = (
        click.option("-q", "--quiet", is_flag=True, help="Only the result, with its reasons."),
        click.option(
            "-v", "--verbose", is_flag=True, help="Every assertion with its place and its values."
        ),
    )
    return _with_options(command, options)


def _with_options(
    command: Callable[..., None], options: Sequence[Callable[..., Any]]
) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


def overrides(flags: Flags, url: str | None) -> Overrides:
    """Return what the flags set in a spec; *url* wins over the flag."""
    from validator.spec.parse import Overrides, Setting

    settings = [
        Setting(label, keys, text)
        for label, keys, text in (
            ("--requests", ("load", "requests"), flags.requests),
            ("--concurrency", ("load", "concurrency"), flags.concurrency),
            ("--timeout", ("timeout",), flags.timeout),
        )
        if text is not None
    ]
    for word in flags.settings:
        key, _, text = word.partition("=")
        if not _ or not key:
            raise UsageError(f"--set {word}: expected KEY=VALUE, such as load.model=x")
        settings.append(Setting(f"--set {key}", tuple(key.split(".")), text))
    return Overrides(
        url=url or flags.url,
        variables=tuple(_pair("--var", word) for word in flags.variables),
        settings=tuple(settings),
        free_port=_free_port,
    )


def _free_port() -> int:
    from validator.server import free_port

    return free_port()


def _pair(flag: str, word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise UsageError(f"{flag} {word}: expected NAME=VALUE")
    return name, value
