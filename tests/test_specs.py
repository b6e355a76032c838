"""Every spec of the case files is read, or refused with exactly the text beside it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from validator.errors import SpecProblems, UsageError
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.schema import spec_schema
from validator.spec.parse import Overrides, load_spec, parse

CASES = Path(__file__).parent / "cases" / "specs"
INVALID = sorted((CASES / "invalid").glob("*.yaml"))
VALID = sorted((CASES / "valid").glob("*.yaml"))
BARE = Overrides(environment={})


def named(files):
    return [pytest.param(file, id=file.stem) for file in files]


def refusal(file, overrides=BARE):
    with pytest.raises(SpecProblems) as refused:
        load_spec(file, overrides)
    return refused.value


@pytest.fixture
def _inside_invalid(monkeypatch):
    monkeypatch.chdir(CASES / "invalid")  # messages then name files as a user there would


@pytest.mark.usefixtures("_inside_invalid")
@pytest.mark.parametrize("file", named(INVALID))
def test_a_bad_spec_is_refused_in_these_words(file, request):
    drawn = refusal(file.name).drawn()
    golden = file.with_suffix(".err")
    if request.config.getoption("--update"):
        golden.write_text(drawn, encoding="utf-8")
    assert drawn == golden.read_text(encoding="utf-8")


@pytest.mark.usefixtures("_inside_invalid")
@pytest.mark.parametrize("file", named(INVALID))
def test_every_problem_has_a_place_in_its_file_and_they_stand_in_order(file):
    found = refusal(file.name)
    places = [(p.span.file, p.span.line, p.span.column) for p in found.problems]
    assert places == sorted(places, key=lambda p: (p[0] != file.name, p[0], *p[1:]))
    for problem in found.problems:
        lines = found.sources[problem.span.file].split("\n")
        assert 1 <= problem.span.line <= len(lines)
        assert problem.message
        assert "\n" not in problem.message + problem.hint
        for word in ("Traceback", "pydantic", "NoneType", "validator.", "Input should"):
            assert word not in problem.message + problem.hint
    assert found.exit_code == 2


def test_there_is_no_golden_without_a_spec():
    goldens = {file.stem for file in (CASES / "invalid").glob("*.err")}
    assert goldens == {file.stem for file in INVALID}


@pytest.mark.parametrize("file", named(VALID))
def test_a_good_spec_is_read_as_it_is_meant(file):
    expected = re.findall(r"^# (\S+): (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    spec = load_spec(file, BARE)
    assert expected
    for attribute, text in expected:
        found = eval(attribute, {"__builtins__": {"len": len}}, {"spec": spec})
        assert str(found) == text, attribute


@pytest.mark.parametrize("file", named(VALID))
def test_editors_accept_a_good_spec(file):
    schema = json.loads(spec_schema())
    jsonschema.Draft202012Validator(schema).validate(_plain(file))


def _plain(file):
    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in pairs if not tag.endswith("timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(file.read_text(encoding="utf-8"), Loader)


def test_the_published_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(spec_schema()))


@pytest.mark.parametrize(
    "value",
    ["load.ok", '"$(load.ok)"', '"${load.ok}"', '"${load.ok} + 1"', "3", '"3"', "x", "true"],
)
def test_what_a_hint_says_to_write_is_right(value):
    head = (
        "version: 1\ntarget: {url: http://localhost:9}\n"
        "load: {model: m, requests: 1, prompts: [hi]}\n"
        "endpoints:\n  stats:\n    get: /stats\n    assert:\n"
    )
    with pytest.raises(SpecProblems) as refused:
        parse(f"{head}      - {{path: $.a, delta: {value}}}\n")
    hint = refused.value.problems[0].hint.removeprefix("such as ")
    assert parse(f"{head}      - {{path: $.a, {hint}}}\n").endpoints[0].assertions


# Files that are no text


def test_a_file_that_is_not_utf8_is_a_usage_error(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes("version: 1\ntitle: größe\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.yaml: not UTF-8 text \(byte 20\)"):
        load_spec(file)


def test_a_missing_file_and_a_folder_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.yaml: No such file"):
        load_spec(tmp_path / "nothing.yaml")
    with pytest.raises(UsageError, match="Is a directory"):
        load_spec(tmp_path)


@pytest.mark.parametrize("junk", [b"\x00\x01\x02", b"version: 1\n\x00", b"\x7fELF\x02\x01\x01"])
def test_binary_files_are_refused_without_a_crash(tmp_path, junk):
    file = tmp_path / "junk.yaml"
    file.write_bytes(junk)
    found = refusal(file)
    assert "not YAML" in found.drawn()
    assert "\x00" not in found.drawn()


def test_a_byte_order_mark_is_no_problem(tmp_path):
    file = tmp_path / "minimal.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + (CASES / "valid" / "minimal.yaml").read_bytes())
    assert load_spec(file, BARE).endpoints[0].path == "/stats"


def test_a_spec_of_more_than_4_mebibytes_is_refused_at_once(tmp_path):
    file = tmp_path / "huge.yaml"
    file.write_text("version: 1\n# " + "x" * (4 * 1024 * 1024), encoding="utf-8")
    began = time.process_time()
    with pytest.raises(UsageError, match=r"huge\.yaml: larger than 4 MiB"):
        load_spec(file)
    with pytest.raises(SpecProblems, match="larger than 4 MiB"):
        parse(file.read_text(encoding="utf-8"))
    assert time.process_time() - began < 1


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_is_refused_and_not_followed(opening):
    with pytest.raises(SpecProblems) as refused:
        parse("version: 1\nvars:\n  a: " + opening * 50_000)
    assert refused.value.problems


def test_a_spec_of_many_problems_shows_them_all():
    head = "version: 1\ntarget: {url: http://a}\nendpoints:\n  s:\n    get: /\n    assert:\n"
    with pytest.raises(SpecProblems) as refused:
        parse(head + "".join(f"      - {{path: $.a{n}, gee: 0}}\n" for n in range(300)))
    assert refused.value.drawn().endswith("300 problems\n")


# Documentation


def _examples(registry):
    for name in registry:
        text = registry.documentation(name)
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            yield pytest.param(block, id=name)
        if "```yaml" not in text:
            yield pytest.param("", id=name)


@pytest.mark.parametrize("example", [*_examples(PREDICATES), *_examples(MEASURES)])
def test_the_example_in_every_docstring_is_an_assertion(example):
    page = "" if example.startswith("- {path: ") else "    format: prometheus\n"
    page += "    during: {every: 1s}\n"
    indented = "".join(f"      {line}\n" for line in example.splitlines())
    spec = parse(
        "version: 1\n"
        "target: {url: http://localhost:9}\n"
        "load: {model: m, requests: 1, prompts: [hi]}\n"
        f"endpoints:\n  stats:\n    get: /stats\n{page}    assert:\n{indented}"
    )
    listed = [line for line in example.splitlines() if line.startswith("- ")]
    assert len(spec.endpoints[0].assertions) == len(listed)
