"""The JSON Schemas that editors and other programs use, as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from validator.arguments import REFERENCE_SCHEMA
from validator.spec.forms import Written
from validator.spec.written import SpecFile, SuiteFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPED = {"integer", "number", "boolean"}


def spec_schema() -> str:
    """Return the JSON Schema of a spec, from the models that check it."""
    return _of(SpecFile, "validator spec")


def suite_schema() -> str:
    """Return the JSON Schema of a suite, from the model that checks it."""
    return _of(SuiteFile, "validator suite")


def report_schema() -> str:
    """Return the JSON Schema of a JSON report."""
    return Path(__file__).with_name("report.schema.json").read_text(encoding="utf-8")


def _of(model: type[Written], title: str) -> str:
    found = model.model_json_schema(by_alias=True)
    for block in (found, *found.get("$defs", {}).values()):
        for name, member in block.get("properties", {}).items():
            block["properties"][name] = _tidy(member)
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


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
