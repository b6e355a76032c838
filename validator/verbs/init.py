"""`validator init`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from validator.errors import UsageError
from validator.verbs.base import INTERRUPTED, count, leave, verb
from validator.verbs.flags import Flags
from validator.verbs.run import watched

if TYPE_CHECKING:
    from validator.drafting.drafts import Page
    from validator.drafting.writing import Draft, Frame
    from validator.records.recording import Recording
    from validator.spec.model import Spec
    from validator.values import Json

_LOOKS = 2
"""What held once may be chance."""
_PAUSE = 1.1
"""Seconds in which nothing is sent, to see what moves by itself."""
_CONCURRENCY = 5
_PROMPTS = (
    "Write a haiku about programming",
    "Describe what an API is",
    "List three benefits of exercise, each in one sentence",
)


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What was asked for on the command line."""

    requests: int
    model: str
    concurrency: int
    prompts: tuple[str, ...]
    api_key: str
    headers: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the drafted spec finds its secrets."""
        from validator.drafting.writing import variable

        secrets = {variable(name): value for name, value in self.headers}
        return {**os.environ, "API_KEY": self.api_key, **secrets}


@verb("init")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option("-o", "--output", metavar="FILE", help="Write there instead of to stdout.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--add", metavar="SPEC", help="Append to SPEC what it lacks; nothing else changes.")
@click.option(
    "--load",
    "requests",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Send two loads, of N and N+1 chat requests, and see what they move.",
)
@click.option("--url", metavar="URL", help="Base URL of the target, if pages are elsewhere.")
@click.option("--model", metavar="NAME", help="The model that the load asks.")
@click.option("--concurrency", type=click.IntRange(1, 1000), metavar="N", help="In flight at most.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="Instead of our own.")
@click.option("--api-key", metavar="KEY", help="For the load; the spec says ${env.API_KEY}.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="For reading the pages; the spec takes the value from the environment.",
)
@click.option(
    "--timeout", default="5s", show_default=True, metavar="DURATION", help="Of reading a page."
)
def init(  # noqa: PLR0913 - one argument for each flag
    urls: tuple[str, ...],
    *,
    output: str | None,
    force: bool,
    add: str | None,
    requests: int | None,
    url: str | None,
    model: str | None,
    concurrency: int | None,
    prompts: tuple[str, ...],
    api_key: str | None,
    headers: tuple[str, ...],
    timeout: str,
) -> None:
    """Look at live endpoints and write a first spec for them.

    Each URL is a whole one, such as http://localhost:8000/metrics; JSON, Prometheus text and CSV
    are told apart by what they are. With --load, what moves is asserted as a change against what
    the client itself saw; without, counters can only be guessed at, and stay comments.
    """
    from validator.drafting.drafts import drafted, holding
    from validator.drafting.looking import placed, recognise
    from validator.files import write

    wishes = _wishes(
        requests,
        model,
        concurrency,
        prompts=prompts,
        api_key=api_key,
        headers=headers,
        timeout=timeout,
    )
    target = _target(output, add, force=force)
    place = placed(urls, url)
    existing, added = None, 0
    if add is not None:
        from validator.drafting.adding import opened

        existing = opened(Path(add))
    import asyncio

    pages = asyncio.run(recognise(place, wishes.headers, wishes.seconds))
    if existing is not None:
        pages = existing.named(pages)
    frame = _frame(place.base, wishes)
    loadless = existing is not None and not existing.has_load
    if existing is not None and wishes.requests and loadless:
        existing = existing.with_load(frame, os.environ)
    recordings = _seen(frame, pages, wishes)
    # A spec that is there may have no variable of that name.
    drafts = drafted(pages, recordings, "" if existing else wishes.model)
    recordings = recordings[-_LOOKS:]
    text, spec, drafts = holding(frame, drafts, recordings, wishes.environment)
    if existing is not None:
        text, added = existing.with_more(drafts, spec, recordings, os.environ)
        if not added:
            click.echo(f"{add}: asks about all of it already: nothing to add", err=True)
            return
    if target is None:
        click.echo(text, nl=False)
    else:
        write(target, text)
    if existing is not None:
        load = " and a load" if wishes.requests and loadless else ""
        click.echo(f"{add}: {count(added, 'assertion')}{load} added", err=True)
    else:
        _tell(spec, drafts, recordings, target, wishes)


def _wishes(  # noqa: PLR0913 - one argument for each flag
    requests: int | None,
    model: str | None,
    concurrency: int | None,
    *,
    prompts: tuple[str, ...],
    api_key: str | None,
    headers: tuple[str, ...],
    timeout: str,
) -> _Wishes:
    from validator import duration

    if requests is not None and not model:
        raise UsageError("--load needs --model NAME: whom should the requests ask?")
    if requests is None:
        given = {"--model": model, "--concurrency": concurrency, "--api-key": api_key}
        if idle := [flag for flag, value in given.items() if value is not None]:
            raise UsageError(f"{idle[0]} is for a load: give --load N too")
    pairs = []
    for text in headers:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise UsageError("--header: expected 'NAME: VALUE'")  # the value may be a secret
        pairs.append((name.strip(), value.strip()))
    try:
        seconds = duration.seconds(timeout)
    except ValueError as error:
        raise UsageError(f"--timeout {timeout}: {error}") from None
    return _Wishes(
        requests or 0,
        model or "",
        concurrency or min(_CONCURRENCY, requests or 1),
        prompts or _PROMPTS,
        api_key or "",
        tuple(pairs),
        seconds,
    )


def _target(output: str | None, add: str | None, *, force: bool) -> Path | None:
    """Return where to write; raise `UsageError` now rather than after the looks."""
    from validator.files import check_writable

    if output is None or output == "-":
        if add is None or output == "-":
            return None
        check_writable(Path(add))
        return Path(add)
    path = Path(output)
    if path.is_file() and not force:
        raise UsageError(f"{output}: is there already; --force overwrites it")
    check_writable(path)
    return path


def _frame(base: str, wishes: _Wishes) -> Frame:
    from validator.drafting.writing import Frame

    return Frame(
        title=f"Metrics of {base.partition('://')[2]}",
        url=base,
        requests=wishes.requests,
        model=wishes.model,
        concurrency=wishes.concurrency,
        prompts=wishes.prompts,
        has_key=bool(wishes.api_key),
        headers=tuple(name for name, _ in wishes.headers),
    )


def _seen(frame: Frame, pages: Sequence[Page], wishes: _Wishes) -> list[Recording]:
    """Look twice: around two loads, the second one larger, or just a moment apart.

    Before loads there are two looks more, which show what moves by itself.
    """
    frames = [replace(frame, requests=0)] * _LOOKS
    if frame.requests:
        frames += [replace(frame, requests=frame.requests + n) for n in range(_LOOKS)]
    recordings: list[Recording] = []
    for number, one in enumerate(frames):
        if number in (1, len(frames) - 1):  # the first load follows what was seen at once
            time.sleep(_PAUSE)
        recordings.append(_look(one, pages, recordings, wishes))
    return recordings


def _look(
    frame: Frame, pages: Sequence[Page], earlier: Sequence[Recording], wishes: _Wishes
) -> Recording:
    from validator.drafting.drafts import unreadable
    from validator.drafting.looking import LookingError, looking_spec
    from validator.spec.parse import Overrides, parse

    text = looking_spec(frame, pages, [r for r in earlier if r.rounds[0].ledger is None])
    spec = parse(text, "looking.yaml", Overrides(environment=wishes.environment))
    endpoints = tuple(replace(e, timeout=wishes.seconds) for e in spec.endpoints)
    recording = watched(replace(spec, endpoints=endpoints), Flags(quiet=not frame.requests))
    if recording.interrupted:
        leave(INTERRUPTED)
    (around,) = recording.rounds
    seen = around.observations
    bad = {**unreadable(seen.before), **unreadable(seen.after)}
    if bad:
        raise LookingError("; ".join(f"{name}: {why}" for name, why in bad.items()))
    if frame.requests:
        _check_load(around.ledger)
    return recording


def _check_load(ledger: Json) -> None:
    """Refuse to draft from a load that failed: what it should have moved nobody knows."""
    from validator.drafting.looking import LookingError
    from validator.records.load import failures

    if not isinstance(ledger, dict):
        raise LookingError("the load was not sent")
    sent, good = ledger.get("sent"), ledger.get("ok")
    if sent != good or not good:
        ways = [f"{name}{said and f' ({said})'}" for name, _, said in failures(ledger)]
        told = [f"only {good} of {sent} requests of the load succeeded", *ways]
        raise LookingError("; ".join(told))


def _tell(
    spec: Spec,
    drafts: Sequence[Draft],
    recordings: Sequence[Recording],
    target: Path | None,
    wishes: _Wishes,
) -> None:
    """Say on stderr what was written and what it is worth."""
    from validator.conclusion import day
    from validator.mutation.showing import share
    from validator.mutation.trials import tried

    written = sum(not claim.suggested for draft in drafts for claim in draft.claims)
    guessed = sum(claim.suggested for draft in drafts for claim in draft.claims)
    where = f"{target}: " if target is not None else ""
    pages = count(len(drafts), "endpoint")
    click.echo(
        f"{where}{count(written, 'assertion')} about {pages}, {count(guessed, 'suggestion')}",
        err=True,
    )
    until = time.monotonic() + 5.0
    last = recordings[-1]
    outcome = tried(
        spec, last, day(last.started), most=3000, go_on=lambda: time.monotonic() < until
    )
    if outcome.share is not None:
        click.echo(
            f"it would notice {share(outcome)} of {len(outcome.trials)} broken values"
            " (`validator mutate` says which not)",
            err=True,
        )
    if not wishes.requests:
        click.echo("nothing was sent: with --load N --model NAME counters are found", err=True)
