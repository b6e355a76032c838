"""A suite is its specs, each run for itself, and one report."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from command_line import validator
from demo_process import demo

from validator import load_spec
from validator.errors import Problems, SpecProblems
from validator.schema import suite_schema
from validator.source import read
from validator.spec.suite import members

SPEC = """version: 1
title: {title}
target: {{url: {url}}}
endpoints:
  health:
    get: /health
    timeout: 5s
    assert:
      - {{path: $.status, eq: {status}}}
"""
NOWHERE = "http://127.0.0.1:9"


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def spec(title="x", url=NOWHERE, status="healthy"):
    return SPEC.format(title=title, url=url, status=status)


def suite(*names):
    listed = "".join(f"  - {name}\n" for name in names)
    return f"version: 1\ntitle: All of it\nsuite:\n{listed}"


def named(folder, *files):
    return [path.relative_to(folder).as_posix() for path in members(folder / f for f in files)]


def test_members_come_in_order_and_each_once(tmp_path):
    (tmp_path / "more").mkdir()
    write(tmp_path, a=spec(), b=spec(), c=spec(), inner=suite("c.yaml", "a.yaml"))
    write(tmp_path / "more", d=spec(), e=spec())
    write(tmp_path, all=suite("b.yaml", "inner.yaml", "more", "b.yaml", "'more/*.yaml'"))
    assert named(tmp_path, "all.yaml") == [
        "b.yaml", "c.yaml", "a.yaml", "more/d.yaml", "more/e.yaml",
    ]  # fmt: skip
    assert named(tmp_path, "a.yaml", "all.yaml")[:2] == ["a.yaml", "b.yaml"]


def test_a_folder_of_a_suite_means_all_but_the_suite_itself(tmp_path):
    write(tmp_path, a=spec(), b=spec(), all=suite("."))
    assert named(tmp_path, "all.yaml") == ["a.yaml", "b.yaml"]


def test_bundled_specs_are_members_by_name(tmp_path):
    write(tmp_path, all=suite("fakeai/dcgm", "openai/client"))
    assert [path.name for path in members([tmp_path / "all.yaml"])] == ["dcgm.yaml", "client.yaml"]


@pytest.mark.parametrize(
    "text,message,place,hint",
    [
        (suite("b.yml"), "no spec 'b.yml'", "4:5", "did you mean 'b.yaml'?"),
        (suite("fakeai/dash"), "no spec 'fakeai/dash'", "4:5", "did you mean 'fakeai/"),
        (suite("all.yaml"), "a suite that contains itself", "4:5", "all.yaml → "),
        (suite("round.yaml"), "a suite that contains itself", "4:5", "round.yaml → "),
        ("version: 1\nsuite: []\n", "a suite without specs judges nothing", "2:8", ""),
        ("version: 1\nsuite: b.yaml\n", "suite: expected a list", "2:8", ""),
        ("version: 1\nsuite: [5]\n", "expected a text", "2:9", ""),
        ("version: 1\nsuit: 1\nsuite: [b.yaml]\n", "unknown key 'suit'", "2:1", "mean 'suite'?"),
        ("version: 1\nload: {}\nsuite: [b.yaml]\n", "unknown key 'load'", "2:1", ""),
        ("suite: [b.yaml]\n", "'version' is missing", "1:1", "version: 1"),
        ("version: 2\nsuite: [b.yaml]\n", "expected version: 1", "1:10", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_suite_is_said_at_its_place(tmp_path, text, message, place, hint):
    write(tmp_path, b=spec(), all=text, round=suite("all.yaml"))
    with pytest.raises(SpecProblems) as refused:
        members([tmp_path / "all.yaml"])
    (problem,) = refused.value.problems
    assert message in problem.message
    assert f"{problem.span.line}:{problem.span.column}" == place
    assert hint in problem.hint
    assert "all.yaml" in refused.value.drawn() or "round.yaml" in refused.value.drawn()


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    write(tmp_path, all=suite("x", "y"), more=suite("z"))
    with pytest.raises(SpecProblems) as refused:
        members([tmp_path / "all.yaml", tmp_path / "more.yaml"])
    assert [p.message for p in refused.value.problems] == [
        "no spec 'x'",
        "no spec 'y'",
        "no spec 'z'",
    ]


def test_a_suite_is_no_spec_that_could_be_loaded(tmp_path):
    write(tmp_path, all=suite("b.yaml"))
    with pytest.raises(SpecProblems, match="a suite of specs, and no spec"):
        load_spec(tmp_path / "all.yaml")


def test_its_schema_takes_what_it_takes():
    checker = jsonschema.Draft202012Validator(json.loads(suite_schema()))
    for text, good in (
        (suite("a", "b"), True),
        ("version: 1\nsuite: []\n", False),
        ("version: 1\nsuite: [5]\n", False),
        ("version: 1\ntitle: x\n", False),
        ("version: 1\nload: {}\nsuite: [a]\n", False),
    ):
        assert checker.is_valid(read(text, "x", Problems()).plain()) is good, text


# As people run it


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Run a suite whose second member has no server any more, with every kind of report."""
    folder = tmp_path_factory.mktemp("suite")
    with demo() as url:
        write(folder, one=spec("The first", url), two=spec("The dead"), three=spec("The last", url))
        write(folder, all=suite("one.yaml", "two.yaml", "three.yaml"))
        kinds = ("json", "csv", "junit", "markdown", "table")
        asked = [part for kind in kinds for part in ("--report", f"{kind}={folder / kind}")]
        done = validator("run", folder / "all.yaml", *asked)
    return done, {kind: Path(folder / kind).read_text() for kind in kinds}


def test_a_target_that_is_gone_does_not_keep_the_others_from_being_judged(reports):
    done, texts = reports
    assert done.returncode == 1, done.stderr
    found = json.loads(texts["json"])
    assert [one["title"] for one in found["runs"]] == ["The first", "The dead", "The last"]
    assert [one["passed"] for one in found["runs"]] == [True, False, True]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["csv", "junit", "markdown", "table"])
def test_every_report_shows_every_member(reports, kind):
    _, texts = reports
    titles = ("The first", "The dead", "The last")
    for name in ("one.yaml", "two.yaml", "three.yaml") if kind == "csv" else titles:
        assert name in texts[kind]
    if kind == "junit":
        ET.fromstring(texts[kind])


def test_lint_checks_every_member(tmp_path):
    write(tmp_path, one=spec(), two="version: 1\n", all=suite("one.yaml", "two.yaml"))
    done = validator("lint", tmp_path / "all.yaml")
    assert done.returncode == 2
    assert "one.yaml: 1 assertion, no problem" in done.stdout
    assert "two.yaml:1" in done.stderr
