"""Specs as tests: what `pytest --validator` and a collected spec promise."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import environment
from demo_process import demo

SPEC = """\
version: 1
title: Counters
target: {url: "${env.FAKEAI_URL:-http://localhost:1}"}
load: {model: openai/gpt-oss-120b, requests: 8, concurrency: 2, max_tokens: 8, prompts: [Say hi]}
settle: {within: 300ms, stable_for: 50ms, every: 50ms}
endpoints:
  dynamo:
    get: /dynamo/metrics/json
    assert:
      - {path: $.summary.total_requests, delta: {eq: "${load.ok}"}, name: every request is counted}
      - {path: $.summary.nothing, exists: true, severity: warning, why: somebody reads it}
      - {path: $.summary.total_requests, ge: 0, name: no debt, severity: info}
      - {path: $.summary.nothing, exists: true, skip: "not yet, says issue 7"}
      - {path: $.summary.nothing, exists: true, xfail: {reason: not served}, severity: warning}
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    with demo() as good, demo("uncounted-streams") as lying:
        yield {"good": good, "lying": lying}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_counters.validator.yaml").write_text(SPEC)
    (tmp_path / "test_other.py").write_text("def test_nothing():\n    pass\n")
    return tmp_path


def run_pytest(folder: Path, url: str, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(FAKEAI_URL=url, PYTHONWARNINGS="", COLUMNS="150"),
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def ending(output: str) -> dict[str, int]:
    """Return the counts of pytest's closing line."""
    return {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", output.splitlines()[-1])}


def test_a_spec_whose_name_says_so_is_collected_and_its_assertions_are_tests(folder, servers):
    code, output = run_pytest(folder, servers["good"])
    assert code == 0, output
    # 2 of the load, reachable, the delta, the info and the warning that only warns; and test_other
    assert ending(output).items() >= {
        "passed": 7, "skipped": 1, "xfailed": 1, "warning": 1
    }.items()  # fmt: skip
    assert "test_counters.validator.yaml::dynamo: every request is counted" in output
    assert "expected present" in output
    assert "why: somebody reads it" in output


def test_what_does_not_hold_fails_and_says_what_the_command_line_says(folder, servers):
    code, output = run_pytest(folder, servers["lying"])
    assert code == 1
    assert ending(output)["failed"] == 1
    assert "found +0 (0 → 0); expected change = 8" in output
    assert "unchanged while 8 requests succeeded" in output
    assert "test_counters.validator.yaml:10" in output
    assert "Traceback" not in output


def test_the_least_severity_that_fails_can_be_chosen(folder, servers):
    code, output = run_pytest(folder, servers["good"], "--validator-fail-on", "warning")
    assert code == 1
    assert ending(output)["failed"] == 1
    assert "found absent" in output


def test_a_warning_that_is_made_an_error_tells_no_more_than_others(folder, servers):
    code, output = run_pytest(folder, servers["good"], "-W", "error")
    assert code == 1
    assert "found absent; expected present" in output
    assert "Traceback" not in output
    assert "warn_explicit" not in output


def test_a_pass_that_could_not_have_failed_fails_when_asked_to(folder, servers):
    words = ("--validator-fail-on", "vacuous", "--validator-fail-on", "info", "-m", "info")
    code, output = run_pytest(folder, servers["good"], *words)
    assert code == 1
    assert ending(output).items() >= {"failed": 1, "deselected": 8}.items()


@pytest.mark.parametrize("words, passed", [(("-k", "debt"), 1), (("-m", "not validator"), 1)])
def test_tests_are_chosen_as_ever(folder, servers, words, passed):
    code, output = run_pytest(folder, servers["good"], *words)
    assert code == 0, output
    assert ending(output)["passed"] == passed


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_spec_by_name_is_all_that_is_run(folder, servers, workers):
    words = ("--validator", "fakeai/health", "--validator-url", servers["good"], *workers)
    code, output = run_pytest(folder, "", *words, "--validator-set", "load.requests=5", "-v")
    assert "health" in output
    assert "test_other" not in output
    assert code == 0, output


def test_a_spec_by_a_way_around_is_found(folder, servers):
    (folder / "inside").mkdir()
    there = folder / "inside" / ".." / "test_counters.validator.yaml"
    code, output = run_pytest(folder, servers["good"], "--validator", str(there), "-v")
    assert code == 0, output
    assert "test_counters.validator.yaml" in output
    assert "test_other" not in output


def test_workers_send_the_load_once(folder):
    with demo() as url:
        spec = folder / "test_counters.validator.yaml"
        spec.write_text(SPEC.replace("total_requests, ge: 0", "total_requests, eq: 8"))
        code, output = run_pytest(
            folder, url, "-n", "2", "--validator-fail-on", "info", "-m", "info"
        )
        assert code == 0, output
        code, output = run_pytest(
            folder, url, "-n", "2", "--validator-fail-on", "info", "-m", "info"
        )
        assert code == 1, output
        assert "found 16" in output


def test_a_spec_that_is_wrong_fails_the_collection_with_its_problems(folder, servers):
    (folder / "test_counters.validator.yaml").write_text(SPEC.replace("ge: 0", "gee: 0"))
    code, output = run_pytest(folder, servers["good"])
    assert code == 2
    assert "unknown predicate 'gee'" in output
    assert "test_counters.validator.yaml:12:" in output
    assert "Traceback" not in output


def test_a_name_of_nothing_is_a_usage_error(folder):
    code, output = run_pytest(folder, "", "--validator", "fakeai/dashbord")
    assert code == 4
    assert "did you mean 'fakeai/dashboard'?" in output


def test_where_nobody_listens_every_test_says_so(folder):
    code, output = run_pytest(folder, "http://127.0.0.1:1")
    assert code == 1
    assert "Traceback" not in output
    assert "nothing answers at http://127.0.0.1:1" in output


def test_without_specs_the_plug_in_imports_nothing(folder):
    probe = folder / "test_other.py"
    probe.write_text(
        "import sys\ndef test_imports():\n    assert 'validator.spec.parse' not in sys.modules\n"
    )
    code, output = run_pytest(folder, "", "test_other.py")
    assert code == 0, output
