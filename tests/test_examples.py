"""The examples: each is short, says what it shows, and does what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from demo_process import ROOT, demo

FOLDER = ROOT / "examples"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))
OWN_SERVER = FOLDER / "07-server.yaml"
SHARED = [path for path in EXAMPLES if path != OWN_SERVER]
EXIT_CODES: dict[str, int] = {}
"""Of the examples that are meant to end with another code than 0."""
MODELINE = "# yaml-language-server: $schema=../docs/spec.schema.json"


def name(path: Path) -> str:
    return path.stem


def run(*words: str) -> subprocess.CompletedProcess[str]:
    folder = Path(sys.executable).parent
    path = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "validator", "run", "-q", "--report", "json", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, object]]:
    """The report of each example that a running server is enough for, by file."""
    with demo() as url:
        done = run(*map(str, SHARED), "--url", url)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"], done.stderr
    return {Path(one["spec"]).stem: one for one in document["runs"]}


def test_there_are_enough_examples_and_not_too_many() -> None:
    assert 6 <= len(EXAMPLES) <= 14


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_example_is_short_and_its_first_line_says_what_it_shows(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 30
    assert lines[0].startswith("# ")
    assert lines[0].endswith(".") or lines[0].endswith("?")
    assert lines[1] == MODELINE
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_an_editor_finds_nothing_wrong_with_an_example(path: Path) -> None:
    schema = json.loads((ROOT / "docs" / "spec.schema.json").read_text(encoding="utf-8"))
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=Editor)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("path", SHARED, ids=name)
def test_an_example_ends_with_its_exit_code(
    path: Path, reports: dict[str, dict[str, object]]
) -> None:
    report = reports[path.stem]
    assert report["exit_code"] == EXIT_CODES.get(path.stem, 0), report["verdicts"]


def test_the_example_with_a_server_of_its_own_needs_no_other() -> None:
    done = run(str(OWN_SERVER))
    assert done.returncode == 0, done.stdout + done.stderr
    assert any("starting python" in remark for remark in json.loads(done.stdout)["remarks"])


def test_the_announced_failure_is_reported_as_such(reports: dict[str, dict[str, object]]) -> None:
    verdicts = reports["10-announced"]["verdicts"]
    assert isinstance(verdicts, list)
    statuses = {verdict["name"]: verdict["status"] for verdict in verdicts}
    assert statuses["gpu.utilization"] == "xfail"
    assert statuses["latency.ttft.avg"] == "skip"
    assert statuses["queue.current_depth"] == "fail"


def test_included_endpoints_carry_the_name_of_their_file(
    reports: dict[str, dict[str, object]],
) -> None:
    verdicts = reports["08-include"]["verdicts"]
    assert isinstance(verdicts, list)
    endpoints = {verdict["endpoint"] for verdict in verdicts}
    assert endpoints == {None, "04-percentiles.dynamo", "05-workers.kv_cache"}


class Editor(yaml.SafeLoader):
    """Reads YAML as an editor does, with the scalars of YAML 1.2: a date is a text."""


Editor.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
