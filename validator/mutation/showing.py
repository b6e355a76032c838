"""What became of the mutants, for people and for programs. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from validator.mutation.changes import MUTATIONS
from validator.mutation.fields import Field, range_words
from validator.mutation.trials import Outcome
from validator.records.observation import Phase
from validator.records.verdict import Verdict
from validator.spec.model import Spec
from validator.values import printable
from validator.wrapping import wrapped

VERSION = 1
_MOST = 60
_EXAMPLES = 3
_INDEX = re.compile(r"\[\d+\]")
_LABELS = re.compile(r"(?<=.)\{.*\}", re.DOTALL)


def share(outcome: Outcome) -> str:
    """Return the share that was caught, rounded down: 94.97 % is not 95 %."""
    if outcome.share is None:
        return "no mutant"
    return f"{int(outcome.share * 1000) / 10:g} %"


def text(spec: Spec, outcome: Outcome, width: int) -> str:
    """Return everything a person reads, in lines of *width* columns where words allow."""
    head = wrapped(_line(_head(spec, outcome)), width)
    parts = [*_mutations(outcome), *_survivors(outcome, width)]
    parts += _tolerated(spec, outcome, width)
    parts += _assertions("Assertions that caught nothing", outcome.idle)
    parts += _assertions("Assertions about nothing that was broken", outcome.unasked)
    parts += _assertions("Failed before anything was broken", outcome.broken)
    parts += _unnamed(outcome, width)
    return "\n".join([head, *map(_line, parts)]) + "\n"


def _line(line: str) -> str:
    return printable(line).rstrip()


def _head(spec: Spec, outcome: Outcome) -> str:
    total = len(outcome.trials)
    if not total:
        return f"{spec.title}: no mutant, for no assertion names a value that was seen on a page"
    left = f"; {outcome.left_out} more were not tried" if outcome.left_out else ""
    left += f"; {outcome.unbroken} values were left alone" if outcome.unbroken else ""
    also = f"; {outcome.tolerated} more are tolerated" if outcome.tolerated else ""
    caught = f"{outcome.caught} of {outcome.lies} mutants caught ({share(outcome)})"
    return f"{spec.title}: {caught}{also}{left}"


def _mutations(outcome: Outcome) -> Iterator[str]:
    if outcome.trials:
        yield ""
    for name, (caught, total) in outcome.by_mutation.items():
        yield f"  {name:10} {caught:>6} of {total:<6} {int(100 * caught / total):>3} %"


def grouped(
    fields: Mapping[Field, tuple[str, ...]],
) -> dict[tuple[str, str], tuple[tuple[str, ...], int]]:
    """Return mutants by endpoint and path: the mutations, and of how many like values.

    What stands in several elements of one array, or in several series of one name, is one field.
    """
    names: dict[tuple[str, str], set[str]] = {}
    values: dict[tuple[str, str], set[str]] = {}
    many = {_general(f): set[str]() for f in fields}
    for one in fields:
        many[_general(one)].add(one.path)
    for one, mutations in fields.items():
        key = _general(one)
        key = key if len(many[key]) > 1 else (one.endpoint, one.path)
        values.setdefault(key, set()).add(one.path)
        names.setdefault(key, set()).update(_said(one.load, one.phase, m) for m in mutations)
    loads = dict.fromkeys(one.load for one in fields)
    order = [_said(load, phase, name) for load in loads for phase in Phase for name in MUTATIONS]
    return {
        key: (tuple(sorted(found, key=order.index)), len(values[key]))
        for key, found in names.items()
    }


def _general(one: Field) -> tuple[str, str]:
    path = one.path
    path = _INDEX.sub("[*]", path) if path.startswith("$") else _LABELS.sub("{…}", path)
    return one.endpoint, path


def _said(load: str, phase: Phase, mutation: str) -> str:
    when = phase.value if load or phase is not Phase.AFTER else ""
    return f"{mutation} ({f'{when} {load}'.rstrip()})" if when else mutation


def _survivors(outcome: Outcome, width: int) -> Iterator[str]:
    yield from _fields("Survivors, by field", outcome.survivors, width)


def _tolerated(spec: Spec, outcome: Outcome, width: int) -> Iterator[str]:
    words = {word for e in spec.endpoints for a in e.assertions for word in range_words(a)}
    by = " or ".join(f"`{word}`" for word in sorted(words))
    title = f"Tolerated: another value of the range that the spec declares by {by}"
    yield from _fields(title, outcome.within_range, width)


def _fields(title: str, fields: Mapping[Field, tuple[str, ...]], width: int) -> Iterator[str]:
    found = grouped(fields)
    if found:
        yield ""
        yield title
    endpoint = ""
    for (name, path), (mutations, count) in list(found.items())[:_MOST]:
        if name != endpoint:
            endpoint = name
            yield f"  {name}"
        place = f"    {path}" + (f"  ({count} values)" if count > 1 else "")
        said = ", ".join(mutations)
        if len(place) + len(said) + 2 <= width:
            yield f"{place}  {said}"
        else:
            yield place
            yield from textwrap.wrap(said, width, initial_indent=" " * 8, subsequent_indent=" " * 8)
    if len(found) > _MOST:
        yield f"  and {len(found) - _MOST} more fields, all of which --json lists"


def _assertions(title: str, verdicts: Iterable[Verdict]) -> Iterator[str]:
    for number, verdict in enumerate(verdicts):
        if not number:
            yield ""
            yield title
        yield f"  {verdict.span}: {verdict.section}: {verdict.name}"


def _unnamed(outcome: Outcome, width: int) -> Iterator[str]:
    tried = {trial.mutant.field for trial in outcome.trials}
    rest = [one for one in outcome.unnamed if one not in tried]
    if rest:
        yield ""
        examples = ", ".join(f"{one.endpoint} {one.path}" for one in rest[:_EXAMPLES])
        more = ", …" if len(rest) > _EXAMPLES else ""
        count = f"{len(rest)} value{'s' if len(rest) > 1 else ''}"
        told = f"Not asked about, and not broken: {count} (--all): {examples}{more}"
        yield from textwrap.wrap(told, width, subsequent_indent="  ", break_long_words=False)


def document(spec: Spec, recording: str, outcome: Outcome, *, seed: int) -> dict[str, Any]:
    """Return everything a program may want to know, ready to be written as JSON."""
    return {
        "mutation": VERSION,
        "spec": spec.file,
        "recording": recording,
        "seed": seed,
        "mutants": len(outcome.trials),
        "caught": outcome.caught,
        "tolerated_mutants": outcome.tolerated,
        "share": outcome.share,
        "left_out": outcome.left_out,
        "values_left_alone": outcome.unbroken,
        "by_mutation": {
            name: {"caught": caught, "mutants": total}
            for name, (caught, total) in outcome.by_mutation.items()
        },
        "survivors": _listed(outcome.survivors),
        "tolerated": _listed(outcome.within_range),
        "caught_nothing": [_assertion(v) for v in outcome.idle],
        "nothing_broken": [_assertion(v) for v in outcome.unasked],
        "failed_before": [_assertion(v) for v in outcome.broken],
        "not_named": [{"endpoint": f.endpoint, "path": f.path} for f in outcome.unnamed],
    }


def _listed(fields: Mapping[Field, tuple[str, ...]]) -> list[dict[str, Any]]:
    return [
        {
            "endpoint": one.endpoint,
            "path": one.path,
            "load": one.load or None,
            "phase": one.phase.value,
            "mutations": list(mutations),
        }
        for one, mutations in fields.items()
    ]


def _assertion(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "section": verdict.section,
        "file": verdict.span.file,
        "line": verdict.span.line,
    }
