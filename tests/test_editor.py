"""What an editor offers, shows and marks while a spec is written."""

from __future__ import annotations

import json
import posixpath
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from demo_process import ROOT
from language_server import Document, command, editor

from validator.drivers import DRIVERS
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.schema import spec_schema, suite_schema

SCHEMAS = ROOT / "docs"
SHIPPED = [*sorted((ROOT / "specs").rglob("*.yaml")), *sorted((ROOT / "examples").glob("*.yaml"))]


def members(schema: Any, where: str = "") -> Any:
    """Yield every key that a schema describes, with where it stands."""
    if isinstance(schema, dict):
        for key, member in schema.get("properties", {}).items():
            yield f"{where}/{key}", member
        for key, part in schema.items():
            yield from members(part, f"{where}/{key}")
    elif isinstance(schema, list):
        for part in schema:
            yield from members(part, where)


@pytest.mark.parametrize("text", [spec_schema(), suite_schema()], ids=["spec", "suite"])
def test_every_key_of_the_schema_says_what_it_is(text: str) -> None:
    schema = json.loads(text)
    conditions = schema.get("$defs", {}).get("Condition", {}).get("properties", {})
    silent = [
        where
        for where, member in members(schema)
        if not member.get("description")
        and not conditions.get(member.get("$ref", "").rpartition("/")[2], {}).get("description")
    ]
    assert silent == []


@pytest.mark.parametrize("registry", [PREDICATES, MEASURES], ids=lambda found: found.noun)
def test_a_word_of_an_assertion_has_its_docstring_in_the_schema(registry: Any) -> None:
    said = json.loads(spec_schema())["$defs"]["Condition"]["properties"]
    for name in registry:
        assert said[name]["markdownDescription"] == registry.documentation(name)
        assert "```yaml" in said[name]["markdownDescription"]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_shipped_spec_tells_editors_its_schema(file: Path) -> None:
    head = file.read_text(encoding="utf-8").splitlines()[:2]
    (path,) = (line.partition("$schema=")[2] for line in head if "yaml-language-server" in line)
    wanted = "suite" if re.search(r"^suite:|^specs:", file.read_text(), re.MULTILINE) else "spec"
    assert (file.parent / path).resolve() == (SCHEMAS / f"{wanted}.schema.json").resolve()


def test_a_wheel_holds_the_schemas_where_its_specs_look_for_them(tmp_path: Path) -> None:
    hatchling = pytest.importorskip("hatchling.builders.wheel", reason="needs hatchling")
    wheel = next(hatchling.WheelBuilder(str(ROOT)).build(directory=str(tmp_path)))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for file in SCHEMAS.glob("*.schema.json"):
            assert archive.read(f"validator/docs/{file.name}") == file.read_bytes()
        for name in names:
            if name.startswith("validator/specs/") and name.endswith(".yaml"):
                found = re.search(r"\$schema=(\S+)", archive.read(name).decode())
                assert found is not None
                assert posixpath.normpath(f"{posixpath.dirname(name)}/{found[1]}") in names


# With a real language server

needs_server = pytest.mark.skipif(
    command() is None,
    reason="needs yaml-language-server on the PATH, or its path in VALIDATOR_YAML_LS",
)

SPEC = """\
# yaml-language-server: $schema=spec.schema.json
version: 1
target: {url: http://localhost:8000}
load:
  model: m
  requests: 10
  driver: chat
  con
endpoints:
  page:
    get: /metrics
    format: prometheus
    assert:
      - metric: total
        delta: {eq: 10}
        ordr
      - path: $.a
        between: [0, 1]
        severty: info
      - path: $.b
        approx: {value: 3, rel: 0.1}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("editor")
    (folder / "spec.schema.json").write_text(spec_schema(), encoding="utf-8")
    with editor(folder) as ours:
        yield ours.opened(folder / "page.yaml", SPEC)


@needs_server
def test_predicates_and_measures_are_offered_inside_an_assertion(spec: Document) -> None:
    offered = spec.completions("        ordr")
    wanted = {*PREDICATES, *MEASURES, "each", "any", "none", "severity", "why"}
    assert wanted - offered.keys() == {"delta"}  # which is there already
    first = PREDICATES.documentation("ordered").partition("\n\n")[0]
    assert " ".join(first.split()) in " ".join(offered["ordered"].split())


@needs_server
def test_keys_are_offered_inside_a_load(spec: Document) -> None:
    offered = spec.completions("  con")
    assert {"concurrency", "prompts", "slo", "rate"} <= offered.keys()
    assert not {"delta", "get"} & offered.keys()
    assert "In flight at most" in offered["concurrency"]


@needs_server
@pytest.mark.parametrize(
    "place, said",
    [
        ("delta:", MEASURES.documentation("delta")),
        ("between:", PREDICATES.documentation("between")),
        ("eq:", PREDICATES.documentation("eq")),
        ("requests:", "How many to send"),
        ("target:", "The system under test."),
        ("rel:", "a share of what is expected"),
        ("chat", DRIVERS.documentation("chat")),
    ],
)
def test_hovering_shows_the_docstring(spec: Document, place: str, said: str) -> None:
    shown = " ".join(spec.hover(place).split())
    assert " ".join(said.partition("```")[0].split()) in shown
    assert ("```yaml" in said) <= ("```yaml" in shown)


@needs_server
def test_a_misspelt_key_is_marked_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "spec.schema.json").write_text(spec_schema(), encoding="utf-8")
    good = SPEC.replace("  con\n", "").replace("        ordr\n", "")
    with editor(tmp_path) as ours:
        (problem,) = ours.opened(tmp_path / "page.yaml", good).problems()
        assert "severty" in problem["message"]
        line = problem["range"]["start"]["line"]
        assert good.splitlines()[line].strip() == "severty: info"
        right = good.replace("severty", "severity")
        assert ours.opened(tmp_path / "right.yaml", right).problems() == []
