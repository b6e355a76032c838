"""`validator mutate`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validator.errors import UsageError
from validator.verbs.base import leave, verb
from validator.verbs.flags import Flags
from validator.verbs.output import console
from validator.verbs.run import check_fits, watched
from validator.verbs.specs import load

if TYPE_CHECKING:
    from validator.records.recording import Recording
    from validator.spec.model import Spec


@verb("mutate")
@click.argument("spec", metavar="SPEC")
@click.option("--replay", metavar="FILE", help="The recorded run (`validator run --record FILE`).")
@click.option("--demo", is_flag=True, help="Record a run against the embedded demo server first.")
@click.option("--all", "everything", is_flag=True, help="Also break values no assertion names.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    metavar="N",
    help="Of more mutants than N, try N, chosen by the seed.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of that choice.")
@click.option(
    "--within",
    default="60s",
    show_default=True,
    metavar="DURATION",
    help="Stop judging then, and say how many are left.",
)
@click.option(
    "--at-least",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit with 1 when fewer mutants are caught.",
)
@click.option("--json", "to_json", metavar="PATH", help="Also write everything as JSON.")
@click.option("--requests", metavar="N", help="How many requests the load of --demo sends.")
@click.option("--concurrency", metavar="N", help="How many are in flight at most.")
@click.option(
    "--var", "variables", metavar="NAME=VALUE", multiple=True, help="Set a variable of the spec."
)
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Set any key of the spec."
)
def mutate(  # noqa: PLR0913 - one argument for each flag
    spec: str,
    *,
    replay: str | None,
    demo: bool,
    everything: bool,
    limit: int,
    seed: int,
    within: str,
    at_least: float | None,
    to_json: str | None,
    requests: str | None,
    concurrency: str | None,
    variables: tuple[str, ...],
    settings: tuple[str, ...],
) -> None:
    """Break what a run saw, one value at a time, and show what the spec does not notice.

    Every value that an assertion names is dropped, nulled, set to zero, negated, frozen at what it
    was before the load, swapped with a neighbour, put in quotes, made NaN, off by one, or doubled.
    A mutant is caught when the status of any verdict changes, or whether it is vacuous. What lives
    on is a lie that the spec would believe; another value of a range that it declares
    is tolerated, shown apart, and not in the share.
    """
    from validator.bundled import located
    from validator.conclusion import day
    from validator.files import check_writable, write
    from validator.mutation.showing import document, share, text
    from validator.mutation.trials import tried
    from validator.redaction import Redaction

    if demo == (replay is not None):
        raise UsageError("give one of --replay FILE, a recorded run, and --demo, which records one")
    paths = located((spec,))
    if len(paths) != 1:
        raise UsageError(f"{spec}: one spec at a time, and these are {len(paths)}")
    if to_json is not None and to_json != "-":
        check_writable(Path(to_json))
    seconds = _seconds(within)
    flags = Flags(
        requests=requests, concurrency=concurrency, variables=variables, settings=settings
    )
    loaded, recording = _seen(paths[0], flags, replay)
    _check_readable(loaded, recording, replay or "--demo")
    until = time.monotonic() + seconds
    outcome = tried(
        loaded,
        recording,
        day(recording.started),
        everything=everything,
        most=limit,
        seed=seed,
        go_on=lambda: time.monotonic() < until,
    )
    hidden = Redaction(loaded.secrets)
    screen = console(stderr=to_json == "-")
    click.echo(hidden.text(text(loaded, outcome, screen.width)), nl=False, err=to_json == "-")
    if to_json is not None:
        found = hidden.record(document(loaded, replay or "--demo", outcome, seed=seed))
        import json

        written = json.dumps(found, indent=2) + "\n"
        if to_json == "-":
            click.echo(written, nl=False)
        else:
            write(Path(to_json), written)
    if at_least is not None and (outcome.share is None or outcome.share * 100 < at_least):
        click.echo(f"FAILED  {share(outcome)} caught, and --at-least {at_least:g} %", err=True)
        leave(1)


def _seconds(within: str) -> float:
    from validator import duration

    try:
        return duration.seconds(within)
    except ValueError as error:
        raise UsageError(f"--within {within}: {error}") from None


def _seen(path: Path, flags: Flags, replay: str | None) -> tuple[Spec, Recording]:
    """Return the spec, and what a run of it saw: as recorded, or on the demo server now."""
    if replay is not None:
        from validator.recording import read

        return load(path, flags), read(replay)
    from validator.demo.process import serving

    with serving() as url:
        spec = load(path, flags, url)
        return spec, watched(spec, flags)


def _check_readable(spec: Spec, recording: Recording, name: str) -> None:
    """Refuse a recording in which no page that *spec* asks about could be read."""
    from validator.views import fitting

    check_fits(spec, recording, name)
    *_, around = fitting(spec, recording)
    after = around.observations.after
    asked = [endpoint.id for endpoint in spec.endpoints]
    if asked and not any(i in after and after[i].error is None for i in asked):
        raise UsageError(f"{name}: no page in it could be read, so there is nothing to break")
