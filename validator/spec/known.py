"""What the assertions of a spec may refer to, and what to say where they refer to anything else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from validator.errors import Problems
from validator.source import Node
from validator.spec.loads import Loads


@dataclass(frozen=True, slots=True)
class Known:
    """The loads, and the endpoints with what can be asked of each."""

    problems: Problems
    loads: Loads
    ids: tuple[str, ...] = ()
    prefix: str = ""
    once: frozenset[str] = frozenset()
    """Endpoints that are read once only, after the load."""
    sampled: frozenset[str] = frozenset()
    """Endpoints that are sampled while the load runs."""
    pages: frozenset[str] = frozenset()
    """Endpoints that are Prometheus pages."""

    @property
    def has_load(self) -> bool:
        """Whether anything is sent."""
        return bool(self.loads.names)

    def among(self, ids: list[str], prefix: str, **traits: set[str]) -> Known:
        """Return the same with the endpoints *ids*, those of its own file by short name.

        *traits* are `once`, `sampled` and `pages`: which of the endpoints are so.
        """
        known: dict[str, Any] = {name: frozenset(found) for name, found in traits.items()}
        return replace(self, ids=tuple(ids), prefix=prefix, **known)

    def check_metric(self, id_: str | None, node: Node) -> None:
        """Complain when a Prometheus question goes to something else."""
        if id_ not in self.pages:
            self.problems.add(
                "only a Prometheus page has metrics",
                node.key_span,
                "add format: prometheus to the endpoint" if id_ else "the ledger has paths",
            )

    def need_samples(self, node: Node, hint: str) -> None:
        """Complain that there are none."""
        message = "`over: during` needs samples, and none are taken"
        self.problems.add(message, node.place("over"), hint)
