"""What a page's rules make of a family with a broken sample. Pure.

A document keeps the violations that its page had when it was read. A broken sample may break a
rule too, so the family is written out as text again and judged anew; what it breaks then, and did
not break before, is added to the document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from validator.decoders import DECODERS
from validator.errors import DecodeError
from validator.mutation.edits import Edit, edited
from validator.page import OPENMETRICS, series
from validator.records.observation import Payload
from validator.values import Json

_DEPTH = 10
_OPENMETRICS_TYPES = ("unknown", "info", "stateset", "gaugehistogram")


def rejudged(document: Json, name: str) -> Json:
    """Return *document* with what the family *name* now violates among its violations."""
    assert isinstance(document, dict)
    families, known = document["families"], document["violations"]
    assert isinstance(families, dict)
    assert isinstance(known, dict)
    found = _violations(name, families[name])
    edits = []
    for table, violations in found.items():
        old = known.get(table)
        old = old if isinstance(old, list) else []
        had = Counter(_what(violation) for violation in old)
        new = [v for v in violations if not had[_what(v)]]
        if new:
            edits.append(Edit(("violations", table), [*old, *new]))
    return edited(document, edits)


def _what(violation: Any) -> tuple[str, str]:
    return (violation["rule"], violation["text"]) if isinstance(violation, dict) else ("", "")


def _violations(name: str, family: Any) -> Mapping[str, list[Json]]:
    open_metrics = family.get("type") in _OPENMETRICS_TYPES
    lines = [f"# HELP {name} {family['help'] or '-'}", f"# TYPE {name} {family['type']}"]
    lines += [f"{series(s['name'], s['labels'])} {s['value']}" for s in family["samples"]]
    end = "# EOF\n" if open_metrics else ""
    body = ("\n".join(lines) + "\n" + end).encode("utf-8", "surrogatepass")
    kind = OPENMETRICS if open_metrics else "text/plain"
    try:
        document = DECODERS["prometheus"](Payload(body, kind), _DEPTH)
    except DecodeError:  # written by us, so it could be read; but a label may be any text
        return {}
    assert isinstance(document, dict)
    found: Any = document["violations"]
    return {str(table): violations for table, violations in found.items()}
