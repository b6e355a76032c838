"""The way from a spec's text to a `Spec`: every problem is collected, none stops the reading."""

from __future__ import annotations

from pathlib import Path

from validator.errors import Problems
from validator.source import Node, text_of
from validator.spec import explanations, loading, loads, targets
from validator.spec.assertion_keys import Assertion
from validator.spec.forms import Written
from validator.spec.known import Known
from validator.spec.model import Settle, Spec
from validator.spec.overrides import (
    Overrides,
    Setting,
    refuse_unknown_variables,
    variables,
    with_settings,
)
from validator.spec.parts import Place, Reading
from validator.spec.promises import Promises
from validator.spec.references import References
from validator.spec.schemas import SchemaFiles
from validator.spec.written import SettleBlock, SpecFile, TargetBlock

__all__ = ["Overrides", "Setting", "load_spec", "parse"]


def load_spec(source: str | Path, overrides: Overrides | None = None) -> Spec:
    """Read the spec in a file; raise `SpecProblems` with everything wrong with it.

    Raises `UsageError` when the file cannot be read.
    """
    path = Path(source)
    return parse(text_of(path), str(source), overrides, folder=path.parent)


def parse(
    text: str, file: str = "<spec>", overrides: Overrides | None = None, folder: Path | None = None
) -> Spec:
    """Return the spec in *text*; includes are looked for relative to *folder*."""
    problems = Problems()
    reading = Reading(problems, overrides or Overrides(), SchemaFiles(problems))
    spec = _root(reading, text, file, folder or Path())
    if problems.found:
        reading.secrets.hide(problems)
    problems.raise_if_any()
    assert spec is not None  # nothing is missing without a problem
    return spec


def _root(reading: Reading, text: str, file: str, folder: Path) -> Spec | None:
    problems, overrides = reading.problems, reading.overrides
    node = reading.opened(text, file)
    if node is None:
        return None
    if (listed := node.at("suite")) is not None:
        hint = "run it by its name, or load its members one by one"
        problems.add("a suite of specs, and no spec", listed.key_span, hint)
        return None
    node = with_settings(node, overrides, problems)
    known = {**reading.declare(node), **variables(overrides, problems)}
    references = References(problems, overrides.environment, known)
    if node.at("server") is not None:
        references.port = targets.port(node, references, overrides)
    node = reading.files.with_schemas(references.resolved(node), folder)
    references.guard_variables()
    reading.secrets.add(*references.secrets)
    written = SpecFile.of(node)
    if written is None:
        explanations.complain(SpecFile, node, problems)
    blocks = loads.blocks(node, problems)
    if not blocks:
        for span in references.load_spans:
            problems.add("a reference to the load, and this spec sends none", span)
    checked = {} if written is None else _by_node(written, node)
    promises = Promises(Known(problems, loads.known(blocks, problems)), checked)
    target = targets.target(node, overrides, references.port, reading.secrets, problems)
    defaults = TargetBlock.of(node.at("target")) or TargetBlock()
    part = reading.part(node, promises, Place("", folder, known, (file,), defaults))
    plans = [
        loading.load(
            name,
            member,
            promises,
            target,
            folder=folder,
            secrets=reading.secrets,
            problems=problems,
        )
        for name, member in blocks.items()
    ]
    refuse_unknown_variables(overrides, reading.declared, problems)
    if not (part.endpoints or part.assertions or plans or problems.found):
        problems.add(
            "a spec without assertions judges nothing", node.span, "add endpoints: with assert:"
        )
    if problems.found:
        return None
    assert written is not None
    return Spec(
        title=written.title or Path(file).stem,
        file=file,
        target=target,
        endpoints=part.endpoints,
        assertions=part.assertions,
        server=targets.server(node, overrides, reading.secrets),
        loads=tuple(plan for plan in plans if plan is not None),
        settle=_settle(SettleBlock.of(node.at("settle"))),
        sequential=written.sequential,
        timeout=written.timeout,
        secrets=reading.secrets.known(),
        sources=tuple(problems.sources.items()),
    )


def _by_node(written: SpecFile, node: Node) -> dict[int, Written]:
    """Return what endpoints and assertions were checked to be, by the identity of their nodes.

    A spec that is right as a whole is checked once; one that is not, piece by piece.
    """
    found: dict[int, Written] = {}
    for name, member in node.members("endpoints").items():
        endpoint = written.endpoints[name]
        found[id(member)] = endpoint
        found |= _assertions_by_node(endpoint.assertions, member)
    if written.load is not None:
        found |= _assertions_by_node(written.load.assertions, node.at("load"))
    for name, member in node.members("loads").items():
        found |= _assertions_by_node(written.loads[name].assertions, member)
    return found | _assertions_by_node(written.assertions, node)


def _assertions_by_node(written: list[Assertion] | None, node: Node | None) -> dict[int, Written]:
    items = node.items("assert") if node is not None else []
    return dict(zip(map(id, items), written or (), strict=True))


def _settle(written: SettleBlock | None) -> Settle:
    return Settle() if written is None else Settle(**written.given())
