"""Plug-ins of other packages: what `examples/plugin` adds, and what a broken one does."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import environment
from demo_process import ROOT

EXAMPLE = ROOT / "examples" / "plugin"
SPEC = str(EXAMPLE / "spec.yaml")


def installed(folder: Path, project: Path) -> str:
    """Put what an installer would write for *project* into *folder*; return the PYTHONPATH."""
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    name = about["name"].replace("-", "_")
    facts = folder / f"{name}-{about['version']}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
    )
    lines = []
    for group, entries in about["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (facts / "entry_points.txt").write_text("\n".join(lines))
    return f"{folder}:{project}"


def validator(path: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "validator", *words],
        capture_output=True,
        text=True,
        env={**environment(), "PYTHONPATH": path},
        cwd=ROOT,
        timeout=60,
        check=False,
    )


@pytest.fixture
def example(tmp_path: Path) -> str:
    return installed(tmp_path, EXAMPLE)


def broken(folder: Path, source: str, group: str = "validator.predicates") -> str:
    """Return the PYTHONPATH of a package whose one module is *source*."""
    project = folder / "project"
    project.mkdir()
    (project / "added.py").write_text(source)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "their-package"\nversion = "2.1"\n'
        f'[project.entry-points."{group}"]\nadded = "added"\n'
    )
    return installed(folder, project)


@pytest.mark.parametrize("name", ["multiple_of", "properties", "poll", "tap"])
def test_what_a_package_adds_is_explained_from_its_docstring(example, name):
    done = validator(example, "explain", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{name} (")
    assert "```yaml" in done.stdout


def test_what_a_package_adds_is_in_the_schema_that_editors_read(example):
    schema = validator(example, "schema").stdout
    assert json.loads(schema)
    assert '"multiple_of"' in schema
    assert '"poll"' in schema
    assert '"multiple_of"' not in validator("", "schema").stdout


def test_a_spec_that_uses_all_of_it_runs(example):
    done = validator(example, "demo", "--spec", SPEC, "--report", "tap")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "TAP version 14",
        "1..5",
        "ok 1 - load: success_rate",
        "ok 2 - load: some request succeeded",
        "ok 3 - kv_cache: reachable",
        "ok 4 - kv_cache: blocks are whole words",
        "ok 5 - kv_cache: reading a page is no request of the cache",
    ]


def test_its_arguments_are_checked_where_they_stand_in_the_spec(example, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        Path(SPEC).read_text().replace("multiple_of: 4", "multiple_of: 0").replace("/kv", "kv", 1)
    )
    done = validator(example, "lint", str(wrong))
    assert done.returncode == 2
    assert "nothing but 0 is a multiple of 0" in done.stderr
    assert "path: expected a path on the target that starts with /" in done.stderr
    assert f"{wrong}:19:" in done.stderr


def test_without_the_package_the_spec_is_wrong_and_says_where():
    done = validator("", "lint", SPEC)
    assert done.returncode == 2
    assert "unknown predicate 'multiple_of'" in done.stderr


@pytest.mark.parametrize(
    "source, said",
    [
        ("raise OSError('no such disk')", "OSError: no such disk"),
        ("import a_package_nobody_has", "ModuleNotFoundError"),
        ("def (", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "from validator.predicates.base import predicate\n@predicate('between')\nclass B: ...",
            "predicate 'between' is registered twice",
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_named_in_one_line(tmp_path, source, said):
    done = validator(broken(tmp_path, source), "lint", "fakeai/dashboard")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: a plug-in could not be loaded: validator.predicates: added")
    assert "of their-package 2.1" in line
    assert said in line


def test_a_group_that_nobody_reads_harms_nobody(tmp_path):
    path = broken(tmp_path, "raise OSError", group="validator.nothing")
    assert validator(path, "lint", "fakeai/dashboard").returncode == 0
