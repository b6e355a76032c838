"""From recordings of some looks to drafts, and from drafts to a spec that holds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from validator.conclusion import conclude
from validator.drafting import words
from validator.drafting.claims import Claim, Evidence, Heading, Load
from validator.drafting.deciding import Decider
from validator.drafting.histograms import histograms
from validator.drafting.places import encodable
from validator.drafting.relations import relations
from validator.drafting.spots import Spot, metrics, spots
from validator.drafting.writing import Draft, Frame, spec_text
from validator.query import compiled
from validator.records.observation import Snapshot
from validator.records.recording import Recording, Round
from validator.spec.model import Spec
from validator.spec.parse import Overrides, parse
from validator.values import Json, same

_MOST_SPOTS = 3000
_ROUNDS = 5
_MOST = 300
"""Claims of one kind about one endpoint; nobody reads more."""


@dataclass(frozen=True, slots=True)
class Page:
    """An endpoint to draft for."""

    id: str
    path: str
    decoder: str


def drafted(pages: Sequence[Page], recordings: Sequence[Recording], model: str) -> list[Draft]:
    """Return what may be claimed of *pages*, after all that was recorded one after another."""
    return [_draft(page, recordings, model) for page in pages]


def _draft(page: Page, recordings: Sequence[Recording], model: str) -> Draft:
    documents: list[Json] = []
    loads: list[Load] = []
    idle: list[tuple[int, int]] = []
    for one in _rounds(recordings):
        seen = one.observations
        if documents:
            idle.append((len(documents) - 1, len(documents)))
        if isinstance(one.ledger, dict):
            documents += [seen.before[page.id].document, seen.after[page.id].document]
            loads.append(Load(one.ledger, len(documents) - 2, len(documents) - 1))
        else:
            documents.append(seen.after[page.id].document)
    prometheus = page.decoder == "prometheus"
    places = list(metrics(documents) if prometheus else spots(documents))
    stirred = frozenset(_stirred(page, recordings, places))
    decider = Decider.of(Evidence(tuple(loads), tuple(idle), model, stirred))
    notes = []
    if len(places) > _MOST_SPOTS:
        notes.append(f"{len(places) - _MOST_SPOTS} of {len(places)} values were left out.")
        places = places[:_MOST_SPOTS]
    if prometheus:
        own = [spot for spot in places if not words.is_runtime(spot.name)]
        if own and len(own) < len(places):
            notes.append("Metrics of the process and its runtime were left out.")
            places = own
    found = [] if prometheus else list(histograms(places))
    claims = [claim for one in found for claim in one.claims(decider)]
    others = [spot for spot in places if not any(one.covers(spot) for one in found)]
    claims += [claim for spot in others for claim in decider.claims(spot)]
    claims += relations(others, decider)
    if prometheus:
        claims += _about_form(places, decider)
    claims = _without_repetition(claims)
    by_heading = {h: [c for c in claims if c.heading is h] for h in Heading}
    if left := sum(max(0, len(found) - _MOST) for found in by_heading.values()):
        notes.append(
            f"{left} more values, of kinds of which there are {_MOST} below, were left out."
        )
    claims = [claim for found in by_heading.values() for claim in found[:_MOST]]
    if not any(not claim.suggested for claim in claims):
        claims.append(Claim(Heading.KINDS, {"path": "$"}, {"exists": True}))
    return Draft(page.id, page.path, page.decoder, tuple(claims), tuple(notes))


def _rounds(recordings: Sequence[Recording]) -> Iterator[Round]:
    return chain.from_iterable(recording.rounds for recording in recordings)


def _stirred(page: Page, recordings: Sequence[Recording], places: Sequence[Spot]) -> Iterator[str]:
    """Yield the paths of values that moved while a load ran, and were as before after it."""
    samples = [
        snapshot.document
        for one in _rounds(recordings)
        for snapshot in one.observations.during.get(page.id, ())
        if snapshot.error is None
    ]
    if not samples:
        return
    still = {
        path: value
        for spot in places
        for path, value in spot.looks[0].items()
        if not isinstance(value, dict | list)
        and all(path in look and same(look[path], value) for look in spot.looks)
    }
    prometheus = page.decoder == "prometheus"
    for spot in metrics(samples) if prometheus else spots(samples):
        for look in spot.looks:
            yield from (
                path
                for path, value in look.items()
                if path in still and not same(value, still[path])
            )


def _about_form(places: Sequence[Spot], decider: Decider) -> Iterator[Claim]:
    yield Claim(Heading.FORM, {"conforms": "prometheus"})
    yield Claim(Heading.FORM, {"conforms": "prometheus-naming"}, severity="info")
    for spot in places:
        if spot.type == "histogram" and spot.name.endswith("_bucket") and decider.evidence.loads:
            # Even of zeros it is above 0, but a bucket that is gone is noticed.
            quantile = {"histogram_quantile": {"q": 0.5, "gt": 0}}
            yield Claim(Heading.MEASURED, {"metric": spot.name}, {"delta": quantile})


def _without_repetition(claims: Sequence[Claim]) -> list[Claim]:
    """Leave out what another claim says better: of the steps of a ladder that they are numbers."""
    steps: set[str] = set()
    for claim in claims:
        if claim.heading is Heading.ORDERED:
            for key in claim.asks.get("ordered", ()):
                steps.add(f"{claim.place['path']}\0{key}")
    return [
        claim
        for claim in claims
        if claim.heading is not Heading.KINDS or _step(claim.place.get("path")) not in steps
    ]


def _step(path: str | None) -> str:
    if path is None or path == "$" or not path.startswith("$"):
        return ""
    head, _, key = path.rpartition(".")
    if path.endswith("]") and (keys := compiled(path).keys):
        quoted = path.rindex("[")
        return f"{path[:quoted]}\0{keys[-1]}"
    return f"{head}\0{key}"


def holding(
    frame: Frame,
    drafts: Sequence[Draft],
    recordings: Sequence[Recording],
    environment: Mapping[str, str],
) -> tuple[str, Spec, list[Draft]]:
    """Return the text of a spec that lints clean and holds of every recording, and its drafts.

    What does not hold is doubted: it becomes a suggestion.
    """
    drafts = list(drafts)
    for _ in range(_ROUNDS):
        text = spec_text(frame, drafts)
        spec = parse(text, "draft.yaml", Overrides(environment=environment))
        bad = _bad(spec, recordings)
        if not bad:
            return text, spec, drafts
        drafts = [_doubted(draft, bad) for draft in drafts]
    raise AssertionError("a claim that was doubted is still there")


def _bad(spec: Spec, recordings: Sequence[Recording]) -> dict[tuple[str, int], str]:
    """Return which assertions, by endpoint and number, fail of any recording, and how."""
    order = {id(a): (e.id, number) for e in spec.endpoints for number, a in enumerate(e.assertions)}
    places = {a.about.span: order[id(a)] for e in spec.endpoints for a in e.assertions}
    found: dict[tuple[str, int], str] = {}
    for recording in recordings:
        for verdict in conclude(spec, recording).verdicts:
            if verdict.bad and verdict.span in places and verdict.name != "reachable":
                found.setdefault(places[verdict.span], verdict.note.partition("\n")[0])
    return found


def _doubted(draft: Draft, bad: Mapping[tuple[str, int], str]) -> Draft:
    written = [
        claim
        for heading in Heading
        for claim in draft.claims
        if claim.heading is heading and not claim.suggested
    ]
    wrong = {
        id(claim): bad[draft.id, number]
        for number, claim in enumerate(written)
        if (draft.id, number) in bad
    }
    claims = [
        claim.doubted(f"did not hold: {wrong[id(claim)]}" if wrong[id(claim)] else "did not hold")
        if id(claim) in wrong
        else claim
        for claim in draft.claims
    ]
    if all(claim.suggested for claim in claims):
        claims.append(Claim(Heading.KINDS, {"path": "$"}, {"exists": True}))
    return replace(draft, claims=tuple(claims))


def unreadable(snapshots: Mapping[str, Snapshot]) -> dict[str, str]:
    """Return why pages could not be read, by endpoint."""
    return {name: str(s.error) for name, s in snapshots.items() if s.error is not None}


__all__ = ["Page", "drafted", "encodable", "holding", "unreadable"]
