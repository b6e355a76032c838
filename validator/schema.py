"""The JSON Schemas that editors and other programs use, as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from validator import explain
from validator.arguments import REFERENCE_SCHEMA
from validator.decoders import DECODERS
from validator.drivers import DRIVERS
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.spec.forms import Written
from validator.spec.written import SpecFile, SuiteFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPED = {"integer", "number", "boolean"}
_DEFINED = "#/$defs/"
_CONDITION = "Condition"
_HOVER = "markdownDescription"
"""What editors show as Markdown; validators ignore it."""


def spec_schema() -> str:
    """Return the JSON Schema of a spec, from the models that check it."""
    return _of(SpecFile, "validator spec")


def suite_schema() -> str:
    """Return the JSON Schema of a suite, from the model that checks it."""
    return _of(SuiteFile, "validator suite")


def report_schema() -> str:
    """Return the JSON Schema of a JSON report."""
    return Path(__file__).with_name("report.schema.json").read_text(encoding="utf-8")


def bench_schema() -> str:
    """Return the JSON Schema of a sweep in JSON."""
    return Path(__file__).with_name("bench.schema.json").read_text(encoding="utf-8")


def _of(model: type[Written], title: str) -> str:
    found = model.model_json_schema(by_alias=True)
    definitions = found.get("$defs", {})
    for block in (found, *definitions.values()):
        for name, member in block.get("properties", {}).items():
            block["properties"][name] = _tidy(member)
    if _CONDITION in definitions:
        _share(definitions)
        _document(definitions)
    for member in _members(found):
        _describe(member, definitions)
    return _text({"$schema": _DIALECT, **found, "title": title})


def _tidy(member: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only pydantic wants to know, and let a value be a reference."""
    kept = {k: v for k, v in member.items() if k not in ("default", "title")}
    plain = [part for part in kept.get("anyOf", []) if part != {"type": "null"}]
    if "anyOf" in kept and len(plain) == 1:
        kept = {**{k: v for k, v in kept.items() if k != "anyOf"}, **plain[0]}
    if kept.get("type") in _TYPED or ("enum" in kept and "type" not in kept):
        description = {k: kept.pop(k) for k in ("description",) if k in kept}
        return {**description, "anyOf": [kept, REFERENCE_SCHEMA]}
    return kept


# What an editor shows where the cursor is


def _share(definitions: dict[str, Any]) -> None:
    """Let what may stand in several kinds of conditions be written once."""
    common = definitions[_CONDITION]["properties"]
    for name, definition in definitions.items():
        members = definition.get("properties", {})
        for key in common.keys() & members.keys() if name != _CONDITION else ():
            if members[key] == common[key]:
                members[key] = {"$ref": f"{_DEFINED}{_CONDITION}/properties/{key}"}


def _document(definitions: dict[str, Any]) -> None:
    """Give words the whole text that `validator explain` has about them, examples included."""
    topics = explain.topics()
    texts = {
        name: registry.documentation(name)
        for registry in (PREDICATES, MEASURES)
        for name in registry
    } | topics
    for key, member in definitions[_CONDITION]["properties"].items():
        member[_HOVER] = texts[key]
    definitions["Assertion"]["properties"]["expr"][_HOVER] = topics["expr"]
    for block, key, registry in (
        ("LoadBlock", "driver", DRIVERS),
        ("EndpointBlock", "format", DECODERS),
    ):
        (words,) = (p for p in definitions[block]["properties"][key]["anyOf"] if "enum" in p)
        words["markdownEnumDescriptions"] = [registry.documentation(word) for word in words["enum"]]


def _members(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield everything that describes the value of a key, at any depth."""
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {}).values()
        for part in schema.values():
            yield from _members(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _members(part)


def _describe(member: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Say what a block is where a key has nothing more to say, and mark up what has marks."""
    target = member.get("$ref", "").removeprefix(_DEFINED)
    if "description" not in member and target in definitions:
        member["description"] = definitions[target]["description"]
    if "`" in member.get("description", ""):
        member.setdefault(_HOVER, member["description"])


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
