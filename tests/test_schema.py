"""A schema is read with the spec, judges without a network, and names what is wrong where."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys

import pytest

from validator.errors import SpecProblems
from validator.predicates import PREDICATES
from validator.spec.parse import Overrides, load_spec

WORKER = {
    "type": "object",
    "required": ["id", "load"],
    "additionalProperties": False,
    "properties": {"id": {"type": "string"}, "load": {"maximum": 1}, "tags": {"enum": [[], None]}},
}


def explained(schema, value):
    predicate = PREDICATES["schema"].read(schema)
    assert not predicate.holds(value)
    return predicate.explain(value).splitlines()


def test_violations_are_named_with_their_paths():
    value = {"workers": [{"id": 7, "load": 2}, {"x y": 1, "tags": "\x1b"}]}
    assert explained({"properties": {"workers": {"items": WORKER}}}, value) == [
        "workers[0].id: expected string, found number 7",
        "workers[0].load: maximum 1, found 2",
        "workers[1]: 'id' is a required property",
        "workers[1]: 'load' is a required property",
        "workers[1]: Additional properties are not allowed ('x y' was unexpected)",
        "and more",
    ]


@pytest.mark.parametrize(
    "schema,value,text",
    [
        ({"type": ["integer", "null"]}, 1.5, "expected integer or null, found number 1.5"),
        ({"anyOf": [{"type": "null"}, {"minimum": 5}]}, 2, "2 fits none of anyOf"),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 2, "2 fits several of oneOf"),
        ({"properties": {"a b": False}}, {"a b": 1}, "nothing is allowed here, found 1"),
        ({"properties": {"a b": {"minimum": 2}}}, {"a b": 1}, '["a b"]: minimum 2, found 1'),
    ],
)
def test_what_is_wrong_is_said_in_a_line(schema, value, text):
    (line,) = explained(schema, value)
    assert line.startswith(text)


def test_what_is_said_is_bounded():
    (line,) = explained({"maxItems": 1}, ["x" * 1000] * 1000)
    assert len(line) < 200
    (line,) = explained({"required": ["x" * 1000]}, {})
    assert len(line) < 200
    assert len(explained({"items": {"type": "string"}}, list(range(100_000)))) == 6


def test_a_schema_without_end_is_no_crash():
    assert explained({"$ref": "#"}, 1) == [
        "nested too deep for this schema, or the schema refers to itself without end"
    ]


def test_a_reference_is_never_fetched(monkeypatch):
    import socket

    def refuse(*_arguments, **_options):
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for place in ("http://127.0.0.1:9/a.json", "https://example.org/a", "file:///etc/passwd"):
        for schema in ({"$ref": place}, {"$defs": {"a": {"$ref": place}}}, {"$id": place[:-1] + "b",
                       "$ref": "a"}):  # fmt: skip
            with pytest.raises(ValueError, match="leads nowhere"):
                PREDICATES["schema"].read(schema)


def test_a_schema_may_have_an_id_and_refer_to_itself_by_it():
    schema = {
        "$id": "https://example.org/worker",
        "$defs": {"id": {"$anchor": "id", "type": "string"}},
        "items": {"$ref": "https://example.org/worker#id"},
    }
    assert PREDICATES["schema"].read(schema).holds(["a"])
    assert not PREDICATES["schema"].read(schema).holds([1])


def test_without_the_package_the_problem_says_what_to_install(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "jsonschema":
            raise ImportError(name)
        return real(name, *arguments, **options)

    file = tmp_path / "spec.yaml"
    file.write_text(
        "version: 1\ntarget: {url: http://localhost:9}\n"
        "endpoints: {a: {get: /a, assert: [{path: $, schema: {type: object}}]}}\n"
    )
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SpecProblems) as refused:
        load_spec(file, Overrides(environment={}))
    (problem,) = refused.value.problems
    assert problem.message == "schema: needs an extra: pip install 'metrics-validator[schema]'"


def test_the_package_is_not_imported_before_it_is_used():
    code = "import sys, validator.run; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_are_relative_to_the_spec_that_names_them(tmp_path):
    (tmp_path / "parts").mkdir()
    for folder, kind in ((tmp_path, "object"), (tmp_path / "parts", "array")):
        (folder / "shape.json").write_text(json.dumps({"type": kind, "title": "größe 😀"}))
    head = "version: 1\ntarget: {url: http://localhost:9}\n"
    listed = "endpoints: {a: {get: /a, assert: [{path: $, schema: shape.json}]}}\n"
    (tmp_path / "parts" / "inner.yaml").write_text("version: 1\n" + listed)
    (tmp_path / "root.yaml").write_text(head + "include: [parts/inner.yaml]\n" + listed)
    spec = load_spec(tmp_path / "root.yaml", Overrides(environment={}))
    found = {e.id: e.assertions[0].condition[0].predicate for e in spec.endpoints}
    assert {name: p.holds({}) for name, p in found.items()} == {"a": True, "inner.a": False}


def test_a_file_too_large_or_not_text_is_a_problem(tmp_path):
    (tmp_path / "large.json").write_text(" " * (4 * 1024 * 1024 + 1))
    (tmp_path / "latin.json").write_bytes(b'{"title": "gr\xf6\xdfe"}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    file = tmp_path / "spec.yaml"
    file.write_text(
        "version: 1\ntarget: {url: http://localhost:9}\n"
        "endpoints:\n  a:\n    get: /a\n    assert:\n"
        + "".join(f"      - {{path: $, schema: {n}.json}}\n" for n in ("large", "latin", "deep"))
    )
    with pytest.raises(SpecProblems) as refused:
        load_spec(file, Overrides(environment={}))
    told = " ".join(problem.message for problem in refused.value.problems)
    assert "larger than 4 MiB" in told
    assert "latin.json: not UTF-8 text" in told
    assert "nested too deep to be read" in told
