"""Which URLs there are to look at, in what format, and the specs of the looks themselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import SplitResult, urlsplit, urlunsplit

from validator.drafting import words
from validator.drafting.drafts import Page
from validator.drafting.formats import recognised
from validator.drafting.places import encodable, escaped
from validator.drafting.spots import metrics, spots, still
from validator.drafting.writing import Frame, quoted, spec_text
from validator.errors import ProbeError, UsageError, ValidatorError
from validator.page import in_quotes
from validator.probes.http import HttpProbe, session, whole_url
from validator.records.recording import Recording
from validator.values import printable

_ACCEPT = "application/json, text/plain; version=0.0.4; q=0.9, text/csv; q=0.8, */*; q=0.5"
_LONGEST_ID = 60
_MOST_PLACES = 1000
"""Of one page that are waited for one by one; of a larger one all are."""


class LookingError(ValidatorError):
    """Pages could not be looked at; the message has a line for each."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where pages are: what they have in common, and the rest of each."""

    base: str
    paths: tuple[str, ...]
    """Of what is not at the base the whole URLs."""

    def url(self, path: str) -> str:
        """Return the whole URL of one of the paths."""
        return whole_url(self.base, path)


def placed(urls: Sequence[str], target: str | None = None) -> Place:
    """Return the base of *urls* and their paths; raise `UsageError` for what is no such URL.

    The base is that of *target*, if that is given.
    """
    if target is not None:
        base = placed([target]).base + _split(target).path.rstrip("/")
        found = [placed([url]) for url in urls]
        whole = dict.fromkeys(one.url(path) for one in found for path in one.paths)
        at_base = f"{base}/"
        return Place(
            base,
            tuple(u.removeprefix(base) if u.startswith(at_base) else u for u in whole),
        )
    bases: dict[str, None] = {}
    paths: dict[str, None] = {}
    for url in urls:
        parts = _split(url)
        if parts.scheme not in ("http", "https"):
            hint = f"write http://{url}" if "://" not in url else "only http and https are read"
            raise UsageError(f"{printable(url)}: not the URL of an endpoint: {hint}")
        if not parts.hostname:
            raise UsageError(f"{printable(url)}: no host in this URL")
        if parts.username or parts.password:
            raise UsageError(
                f"{parts.scheme}://***@{parts.hostname}: a user name or password would be written"
                " into the spec: give it as --header 'Authorization: …'"
            )
        bases[f"{parts.scheme}://{parts.netloc}"] = None
        paths[urlunsplit(("", "", parts.path or "/", parts.query, ""))] = None
    if len(bases) > 1:
        raise UsageError(
            f"one spec has one target, and these are {len(bases)}: {', '.join(bases)};"
            " say by --url which it is"
        )
    return Place(next(iter(bases)), tuple(paths))


def _split(url: str) -> SplitResult:
    if any(c.isspace() or not c.isprintable() for c in url):
        raise UsageError(f"{printable(url)}: a space or control character in a URL")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{printable(url)}: not a URL: {error}") from None
    return parts


async def recognise(
    place: Place, headers: Sequence[tuple[str, str]], seconds: float
) -> tuple[Page, ...]:
    """Read every page once and say what format it is in; raise `LookingError` with all problems."""
    async with session() as opened:

        async def one(path: str) -> str | ProbeError:
            given = {"accept": ("Accept", _ACCEPT), **{n.lower(): (n, v) for n, v in headers}}
            probe = HttpProbe(
                opened, place.url(path), headers=tuple(given.values()), timeout=seconds
            )
            try:
                payload = await probe.fetch()
                if payload.status != 200:  # noqa: PLR2004 - HTTP's word for it
                    return ProbeError("status", f"HTTP {payload.status}")
                return await asyncio.to_thread(recognised, payload)
            except ProbeError as error:
                return error

        found = await asyncio.gather(*map(one, place.paths))
    problems = [
        f"{place.url(path)}: {printable(str(answer))}"
        for path, answer in zip(place.paths, found, strict=True)
        if isinstance(answer, ProbeError)
    ]
    if problems:
        raise LookingError("\n       ".join(problems))
    ids = _ids(place.paths)
    return tuple(
        Page(name, path, str(decoder))
        for name, path, decoder in zip(ids, place.paths, found, strict=True)
    )


def _ids(paths: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return a name for each path: its words, told apart by a number if need be."""
    found: list[str] = []
    for path in paths:
        found_words = re.findall(r"[A-Za-z0-9]+", urlsplit(path).path)
        name = "_".join(found_words)[-_LONGEST_ID:].strip("_") or "root"
        if name[0].isdigit():
            name = f"page_{name}"
        number, unique = 1, name
        while unique in found or unique in taken:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found


def renamed(pages: Sequence[Page], taken: Sequence[str]) -> tuple[Page, ...]:
    """Return *pages* with names that are not *taken*."""
    names = _ids([page.path for page in pages], taken)
    return tuple(Page(n, p.path, p.decoder) for n, p in zip(names, pages, strict=True))


def looking_spec(frame: Frame, pages: Sequence[Page], earlier: Sequence[Recording] = ()) -> str:
    """Return a spec that looks at *pages* and waits until they are still, and judges nothing.

    It does not wait for what moved between *earlier* looks, when nothing was sent, nor for the time
    that the server's process takes, which every look takes more of.
    """
    lines = []
    for page in pages:
        lines += [
            f"  {page.id}:",
            f"    get: {quoted(escaped(page.path))}",
            f"    format: {page.decoder}",
            *(["    during: {every: 100ms}"] if frame.requests else []),
            "    assert:",
            "      - {path: $, exists: true}",
        ]
        if frame.requests:
            lines += [
                f"      - {{{where}, delta: {{ge: 0}}, skip: only looking}}"
                for where in _waited_for(page, earlier)
            ]
    settle = "settle: {within: 4s, every: 200ms, stable_for: 600ms}\n" if frame.requests else ""
    # A frame of no endpoints ends with the key under which they stand.
    head = spec_text(frame, ()).removesuffix("endpoints:\n")
    return head + settle + "endpoints:\n" + "\n".join(lines) + "\n"


def _waited_for(page: Page, earlier: Sequence[Recording]) -> Iterator[str]:
    """Yield where the values of *page* are that a load may have to come to rest."""
    documents = [
        one.observations.after[page.id].document for seen in earlier for one in seen.rounds
    ]
    if page.decoder == "prometheus":
        own = range(len(documents))
        moving = [
            spot.name
            for spot in metrics(documents)
            if words.is_runtime(spot.name) or spot.restless(pairwise(own))
        ]
        names = ['__name__=~".+"', *(f"__name__!={in_quotes(name)}" for name in moving)]
        yield f"metric: {quoted(escaped('{' + ','.join(names) + '}'))}"
        return
    places = list(still(spots(documents))) if documents else []
    if any(spot.path == "$" for spot in places) or not 0 < len(places) <= _MOST_PLACES:
        yield 'path: "$..*"'
        return
    for spot in places:
        if encodable(spot.path):
            yield f"path: {quoted(escaped(spot.path + ('..*' if spot.holds_more else '')))}"
