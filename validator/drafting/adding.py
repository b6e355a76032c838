"""What a spec lacks, appended to it: every byte that was there stays. Pure but for the reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from validator.drafting.claims import Claim, Heading
from validator.drafting.drafts import Page
from validator.drafting.looking import renamed
from validator.drafting.places import escaped
from validator.drafting.writing import Draft, Frame, claim_lines, endpoint_lines, load_lines
from validator.errors import Problems, SpecProblems, UsageError
from validator.judgement import asks_change
from validator.mutation.fields import Field, named
from validator.records.recording import Recording
from validator.source import Node, read
from validator.span import Span
from validator.spec.model import Assertion, ExprAssertion, PathAssertion, Spec
from validator.spec.parse import Overrides, load_spec, parse
from validator.views import together

_FLOW = "is written in one line with brackets: put each part on a line of its own first"


@dataclass(frozen=True, slots=True)
class Existing:
    """A spec that is to be added to."""

    path: Path
    text: str
    spec: Spec
    root: Node

    @property
    def has_load(self) -> bool:
        """Whether assertions may ask about change."""
        return bool(self.spec.loads)

    def with_load(self, frame: Frame, environment: Mapping[str, str]) -> Existing:
        """Return it with the load of *frame*, after all that is there."""
        self._refuse_flow(self.root, "the spec")
        block = load_lines(frame, escaped(frame.model), frame.requests)
        text = _inserted(self.text, len(self.text.splitlines()), ["", *block])
        spec = parse(text, str(self.path), Overrides(environment=environment), self.path.parent)
        return Existing(self.path, text, spec, self.root)

    def named(self, pages: Sequence[Page]) -> tuple[Page, ...]:
        """Return *pages* under the names that their endpoints have in the spec, if they have."""
        own = {e.path: e.id for e in self.spec.endpoints if e.id in self._endpoints()}
        known = [Page(own[p.path], p.path, p.decoder) for p in pages if p.path in own]
        taken = [e.id for e in self.spec.endpoints]
        new = iter(renamed([p for p in pages if p.path not in own], taken))
        known_by_path = {p.path: p for p in known}
        return tuple(known_by_path.get(p.path) or next(new) for p in pages)

    def with_more(
        self,
        drafts: Sequence[Draft],
        drafted: Spec,
        recordings: Sequence[Recording],
        environment: Mapping[str, str],
    ) -> tuple[str, int]:
        """Return the text with what *drafts* know and the spec does not ask, and how much it is."""
        text, count = self.text, 0
        asked = _asked(self.spec, recordings)
        moves = _asked(_about_change(self.spec), recordings)
        insertions: list[tuple[int, list[str]]] = []
        new: list[Draft] = []
        for draft in drafts:
            node = self._endpoints().get(draft.id)
            if node is None:
                new.append(draft)
                continue
            own = next(e for e in drafted.endpoints if e.id == draft.id)
            claims = tuple(
                claim
                for claim, assertion in zip(_written(draft), own.assertions, strict=True)
                if not (moves if _asks_change(assertion) else asked).has(
                    draft.id, assertion, drafted, recordings
                )
            )
            if claims:
                insertions.append(self._into(node, replace(draft, claims=claims, notes=())))
                count += len(claims)
        if new:
            # Of two after one line the later one stands above, where the list goes on.
            insertions.insert(0, self._after_endpoints(new))
            count += sum(len(_written(draft)) for draft in new)
        for line, added in sorted(insertions, key=lambda one: -one[0]):
            text = _inserted(text, line, added)
        if text != self.text:
            self._check(text, environment)
        return text, count

    def _check(self, text: str, environment: Mapping[str, str]) -> None:
        """Be sure that what was there means what it meant: nothing is written otherwise."""
        where = self.path.parent
        again = parse(text, str(self.path), Overrides(environment=environment), where)
        mine = {e.id: [a.about.name for a in e.assertions] for e in self.spec.endpoints}
        now = {e.id: [a.about.name for a in e.assertions] for e in again.endpoints}
        if any(now.get(name, [])[: len(names)] != names for name, names in mine.items()):
            raise UsageError(f"{self.path}: written in a way that cannot be added to")

    def _endpoints(self) -> dict[str, Node]:
        node = self.root.at("endpoints")
        return node.value if node is not None and isinstance(node.value, dict) else {}

    def _into(self, node: Node, draft: Draft) -> tuple[int, list[str]]:
        """Return after which line the assertions of an endpoint end, and what to put there."""
        listed = node.at("assert")
        self._refuse_flow(node, f"endpoint {draft.id}")
        if listed is None:
            indent = " " * (_first_key(node).column - 1)
            return _last_line(node), [f"{indent}assert:", *claim_lines(draft, f"{indent}  ")]
        self._refuse_flow(listed, f"the `assert:` of endpoint {draft.id}")
        assert isinstance(listed.value, list)
        line = self.text.splitlines()[listed.span.line - 1]
        indent = line[: len(line) - len(line.lstrip(" "))]
        return _last_line(listed), ["", *claim_lines(draft, indent)]

    def _after_endpoints(self, drafts: Sequence[Draft]) -> tuple[int, list[str]]:
        node = self.root.at("endpoints")
        if node is None or not self._endpoints():
            raise UsageError(f"{self.path}: it has no endpoints of its own to add to")
        self._refuse_flow(node, "`endpoints:`")
        indent = " " * (_first_key(node).column - 1)
        lines = [line for draft in drafts for line in ("", *endpoint_lines(draft, indent))]
        return _last_line(node), lines

    def _refuse_flow(self, node: Node, what: str) -> None:
        lines = self.text.splitlines()
        span = node.span
        if lines[span.line - 1][span.column - 1 : span.column] in ("{", "["):
            raise UsageError(f"{span}: {what} {_FLOW}")


def opened(path: Path) -> Existing:
    """Read the spec at *path*; raise `UsageError` or `SpecProblems` when it cannot be added to."""
    spec = load_spec(path)
    text = path.read_bytes().decode("utf-8")
    problems = Problems()
    root = read(text, str(path), problems)
    if root is None:
        raise SpecProblems(tuple(problems.found), problems.sources)
    return Existing(path, text, spec, root)


def _written(draft: Draft) -> list[Claim]:
    return [
        claim
        for heading in Heading
        for claim in draft.claims
        if claim.heading is heading and not claim.suggested
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a spec asks about already: the values it names, and its queries."""

    fields: frozenset[tuple[str, str]]
    queries: frozenset[tuple[str, str]]

    def has(
        self, endpoint: str, assertion: Assertion, spec: Spec, recordings: Sequence[Recording]
    ) -> bool:
        """Say whether nothing of *assertion* is new."""
        queries = set(_queries(endpoint, assertion))
        if queries <= self.queries:
            return True
        alone = replace(
            spec,
            endpoints=tuple(
                replace(e, assertions=(assertion,) if e.id == endpoint else ())
                for e in spec.endpoints
            ),
        )
        fields = set(_fields(alone, recordings))
        return bool(fields) and fields <= self.fields


def _about_change(spec: Spec) -> Spec:
    """Return a spec with only those assertions that ask how values moved."""
    return replace(
        spec,
        endpoints=tuple(
            replace(e, assertions=tuple(filter(_asks_change, e.assertions))) for e in spec.endpoints
        ),
        assertions=tuple(filter(_asks_change, spec.assertions)),
    )


def _asks_change(assertion: Assertion) -> bool:
    match assertion:
        case PathAssertion(condition=condition):
            return asks_change(condition)
        case ExprAssertion(expression=expression):
            return any(term.phase == "delta" for term in expression.terms)


def _asked(spec: Spec, recordings: Sequence[Recording]) -> _Asked:
    assertions = [(e.id, a) for e in spec.endpoints for a in e.assertions]
    assertions += [("", a) for a in spec.assertions]
    return _Asked(
        frozenset(_fields(spec, recordings)),
        frozenset(q for endpoint, a in assertions for q in _queries(endpoint, a)),
    )


def _fields(spec: Spec, recordings: Sequence[Recording]) -> Iterator[tuple[str, str]]:
    one: Field
    for recording in recordings:
        for one in named(spec, together(recording.rounds)):
            yield one.endpoint, one.path


def _queries(endpoint: str, assertion: Assertion) -> Iterator[tuple[str, str]]:
    match assertion:
        case PathAssertion(query=query, condition=condition):
            # A whole page is asked about in different ways: by its format, or by its naming.
            yield endpoint, f"{query}{condition}" if str(query) == "$" else str(query)
        case ExprAssertion(bindings=bindings):
            for _, binding in bindings:
                yield binding.endpoint, str(binding.query)


def _first_key(node: Node) -> Span:
    assert isinstance(node.value, dict)
    return next(iter(node.value.values())).key_span


def _last_line(node: Node) -> int:
    """Return the last line of what is written in *node*: a block's own end lies beyond comments."""
    last = 0
    waiting: list[Any] = [node]
    while waiting:
        one = waiting.pop()
        match one.value:
            case dict() as members if members:
                waiting += members.values()
                last = max(last, *(m.key_span.end_line for m in members.values()))
            case list() as items if items:
                waiting += items
            case _:
                span = one.span
                # What ends at the beginning of a line ends with the line before.
                ends = span.end_line - (span.end_column == 1 and span.end_line > span.line)
                last = max(last, ends)
    return last


def _inserted(text: str, line: int, added: Sequence[str]) -> str:
    """Return *text* with lines *added* after a *line*, with the line ends that it has."""
    end = "\r\n" if "\r\n" in text else "\n"
    kept = text.splitlines(keepends=True)
    head, rest = "".join(kept[:line]), "".join(kept[line:])
    joint = "" if head.endswith(("\n", "\r")) else end
    return head + joint + end.join(added) + end + rest
