"""Every way to break one of the values that were seen, and the documents that come of it. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from validator.mutation.changes import MUTATIONS, Edits, Site, is_sample
from validator.mutation.edits import GONE, Gone, Keys, at, edited
from validator.mutation.families import rejudged
from validator.mutation.fields import Field, looks, samples
from validator.records.observation import Observations, Phase, Snapshot, Unreadable
from validator.spec.model import Spec
from validator.values import Json

PAGE = "$"
OF_PAGES = "NaN"
_OF_PHASE: dict[Phase, tuple[str, ...]] = {
    # The rest would be the same as to break the value after the load.
    Phase.BEFORE: ("drop", "null", "zero", "+1", "-1", "double"),
    Phase.AFTER: tuple(MUTATIONS),
    # In all samples at once: a gauge that is off by one for a moment is nobody's promise.
    Phase.DURING: ("null", "zero", "negate", "freeze", "NaN"),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One value, broken in one way."""

    field: Field
    mutation: str
    edits: tuple[Edits, ...] = ()
    """For each snapshot of its phase; none for a whole page."""

    @property
    def changed(self) -> frozenset[Keys]:
        """The places where a document changes; of an array that loses an element, the array."""
        return frozenset(
            e.keys[:-1] if isinstance(e.value, Gone) and isinstance(e.keys[-1], int) else e.keys
            for edits in self.edits
            for e in edits
        )


@dataclass(slots=True)
class Breeder:
    """Makes mutants of what was *seen* at the endpoints of *spec*."""

    spec: Spec
    seen: Observations
    load: str = ""
    """Around which it was seen: a page that is gone is for its endpoints to notice."""
    _places: dict[int, dict[str, Keys]] = field(default_factory=dict)

    def mutants(self, fields: tuple[Field, ...]) -> Iterator[Mutant]:
        """Yield every way to break one of *fields* that makes a difference."""
        decoders = {endpoint.id: endpoint.decoder for endpoint in self.spec.endpoints}
        dropped: set[tuple[str, Phase, str | int]] = set()
        for one in fields:
            decoder = decoders[one.endpoint]
            for mutation in _OF_PHASE[one.phase]:
                if decoder == "csv" and mutation == "drop" and one.keys:
                    column = (one.endpoint, one.phase, one.keys[-1])
                    if column in dropped and isinstance(one.keys[-1], str):  # once, not once a row
                        continue
                    dropped.add(column)
                edits = tuple(self._edits(one, mutation, decoder))
                if any(edits):
                    yield Mutant(one, mutation, edits)
        for endpoint in self.spec.endpoints:
            mine = endpoint.load == self.load and endpoint.decoder == "json"
            if mine and looks(self.seen, endpoint.id, Phase.AFTER):
                yield Mutant(Field(endpoint.id, Phase.AFTER, (), PAGE, self.load), OF_PAGES)

    def sampled(self, fields: tuple[Field, ...], most: int, seed: int) -> tuple[list[Mutant], int]:
        """Return at most *most* of the mutants, in an order of *seed*'s, and how many there are."""
        chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
        kept: list[Mutant] = []
        count = 0
        for count, mutant in enumerate(self.mutants(fields), 1):
            if len(kept) < most:
                kept.append(mutant)
            elif (place := chance.randrange(count)) < most:
                kept[place] = mutant
        chance.shuffle(kept)  # a run that is cut short has then tried some of everything
        return kept, count

    def seen_instead(self, mutant: Mutant) -> Observations:
        """Return what would have been seen of the *mutant*."""
        name, phase = mutant.field.endpoint, mutant.field.phase
        snapshots = looks(self.seen, name, phase)
        if not mutant.edits:
            error = Unreadable("decode", "not JSON: NaN is not JSON")
            broken: tuple[Snapshot, ...] = tuple(
                replace(s, document=None, error=error) for s in snapshots
            )
        else:
            broken = tuple(
                replace(s, document=_broken(s.document, edits))
                for s, edits in zip(snapshots, mutant.edits, strict=True)
            )
        match phase:
            case Phase.BEFORE:
                return replace(self.seen, before={**self.seen.before, name: broken[0]})
            case Phase.AFTER:
                return replace(self.seen, after={**self.seen.after, name: broken[0]})
            case Phase.DURING:
                unread = [s for s in self.seen.during[name] if s.error is not None]
                series = tuple(sorted((*unread, *broken), key=lambda s: s.taken))
                return replace(self.seen, during={**self.seen.during, name: series})

    def _edits(self, one: Field, mutation: str, decoder: str) -> Iterator[Edits]:
        before = looks(self.seen, one.endpoint, Phase.BEFORE)
        for snapshot in looks(self.seen, one.endpoint, one.phase):
            keys = self._place(one, snapshot.document)
            if keys is None:
                yield ()
                continue
            then = self._place(one, before[0].document) if before else None
            earlier = GONE if then is None else at(before[0].document, then)
            site = Site(
                snapshot.document, keys, decoder, earlier, counted_from=one.phase is Phase.BEFORE
            )
            yield MUTATIONS[mutation](site)

    def _place(self, one: Field, document: Json) -> Keys | None:
        """Return where the value of *one* stands in another look at the same page."""
        if not is_sample(one.keys):
            return None if isinstance(at(document, one.keys), Gone) else one.keys
        if id(document) not in self._places:
            self._places[id(document)] = {path: keys for keys, path in samples(document)}
        return self._places[id(document)].get(one.path)


def _broken(document: Json, edits: Edits) -> Json:
    changed = edited(document, edits)
    for name in dict.fromkeys(str(e.keys[1]) for e in edits if e.keys[:1] == ("families",)):
        changed = rejudged(changed, name)
    return changed
