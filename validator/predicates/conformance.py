"""The predicate about a whole page: `conforms`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from validator.arguments import given, one_of
from validator.predicates.base import OBJECTS, Predicate, predicate
from validator.values import Json, printable

_MOST = 20


@predicate("conforms")
@dataclass(frozen=True, slots=True)
class Conforms(Predicate):
    """The Prometheus page keeps the rules of its format, or of good naming.

    `prometheus` is the format and its arithmetic: buckets cumulative, `+Inf` equal to the count,
    quantiles ordered, no duplicates, and so on. `prometheus-naming` is taste: counters end in
    `_total`, HELP is there, base units. Each violation is named with its line.

    ```yaml
    - {conforms: prometheus}
    - {conforms: prometheus-naming, severity: info}
    ```
    """

    accepts = OBJECTS
    rules: tuple[str, ...] = given(one_of(("prometheus", "prometheus-naming"), "rules to keep"))

    def fits(self, value: Json) -> bool:
        return isinstance(value, dict) and isinstance(value.get("violations"), dict)

    @property
    def wanted(self) -> str:
        return "Prometheus page"

    def shows(self, value: dict[str, Any]) -> str:
        count = len(self._found(value))
        return f"{count or 'no'} violation{'' if count == 1 else 's'}"

    def holds(self, value: dict[str, Any]) -> bool:
        return not self._found(value)

    def explain(self, value: dict[str, Any]) -> str:
        if not self.fits(value):
            return "not a Prometheus page"
        found = self._found(value)
        lines = [self._line(violation) for violation in found[:_MOST]]
        more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
        return "\n".join([*lines, *more])

    def _found(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        return [v for name in self.rules for v in value["violations"].get(name, ())]

    def _line(self, violation: dict[str, Any]) -> str:
        line = violation["line"]
        place = f"line {line}: " if line is not None else ""
        sample = f": {violation['sample']}" if violation.get("sample") else ""
        return printable(f"{place}{violation['rule']}: {violation['text']}{sample}")

    def __str__(self) -> str:
        return f"conforms to {' and '.join(self.rules)}"
