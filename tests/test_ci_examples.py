"""The examples for CI, run as the services would run them, and the image."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from demo_process import ROOT

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
CI = ROOT / "examples" / "ci"
SPEC = ROOT / "examples" / "07-server.yaml"
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}

needs_bash = pytest.mark.skipif(
    os.name == "nt" or shutil.which("bash") is None, reason="needs bash and a POSIX system"
)


def shell(script: str, folder: Path, environment: Mapping[str, str]) -> Any:
    """Run *script* as a GitHub runner does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# The GitHub action


class Runner:
    """What a GitHub runner is to an action: folders, files and environment variables."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary

    def step(self, name: str, workspace: Path, **inputs: str) -> Any:
        """Run the step *name* in *workspace*, with *inputs* over the defaults."""
        given = {k: str(v.get("default", "")) for k, v in ACTION["inputs"].items()}
        given |= {key.replace("_", "-"): value for key, value in inputs.items()}
        files = {key: workspace / f".{key.lower()}" for key in FILES}
        for file in files.values():
            file.write_text("", encoding="utf-8")
        environment = {
            **{key: str(file) for key, file in files.items()},
            **{key: filled(value, given) for key, value in STEPS[name]["env"].items()},
            "GITHUB_ACTION_PATH": str(ROOT),
            "RUNNER_TEMP": str(self.temporary),
            # No network in a test: what pip would fetch for it is there already.
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PIP_NO_DEPS": "1",
            "PIP_IGNORE_INSTALLED": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads 0 as: no isolation
        }
        done = shell(STEPS[name]["run"], workspace, environment)
        lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        done.outputs = dict(line.split("=", 1) for line in lines)
        done.summary = files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        return done


FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


def filled(value: str, inputs: Mapping[str, str]) -> str:
    """Return an environment variable of a step as the runner sets it."""
    python = "steps.python.outputs.python-path"
    values = {python: sys.executable, **{f"inputs.{k}": v for k, v in inputs.items()}}
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: values[found[1]], value)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    pytest.importorskip("hatchling", reason="needs hatchling, to install the action's own folder")
    found = Runner(tmp_path_factory.mktemp("runner"))
    done = found.step("Install", tmp_path_factory.mktemp("workspace"))
    assert done.returncode == 0, done.stderr
    return found


def test_nothing_that_a_caller_gives_is_inserted_into_a_script() -> None:
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
    used = re.findall(r"inputs\.([\w-]+)", str(ACTION["runs"]))
    assert set(used) == set(ACTION["inputs"])


@needs_bash
def test_a_run_that_passes_leaves_its_reports_and_a_summary(runner: Runner, tmp_path: Path) -> None:
    done = runner.step("Run", tmp_path, spec=str(SPEC), requests="10", flags="--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    reports = {"json": "report.json", "junit": "junit.xml", "markdown": "summary.md"}
    reports["html"] = "report.html"
    wanted = {name: f"validator-reports/{file}" for name, file in reports.items()}
    assert done.outputs == {"exit-code": "0", **wanted}
    assert all((tmp_path / path).stat().st_size for path in wanted.values())
    suite = ET.parse(tmp_path / wanted["junit"]).getroot()
    assert int(suite.get("tests", 0)) >= 3
    assert done.summary == (tmp_path / wanted["markdown"]).read_text(encoding="utf-8")
    assert "PASSED" in done.summary
    assert done.outputs.keys() == ACTION["outputs"].keys()


LIAR = SPEC.read_text(encoding="utf-8").replace(
    "validator.demo", "validator.demo --fault uncounted-streams"
)


@needs_bash
def test_a_lie_fails_the_step_and_is_marked_in_the_spec(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "a spec.yaml").write_text(LIAR, encoding="utf-8")
    flags = "--set=load.requests=5\n--set=settle.within=200ms\n"
    done = runner.step(
        "Run", tmp_path, spec="a spec.yaml\n", flags=flags, extras="", fail_on="warning, info"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.outputs["exit-code"] == "1"
    assert "html" not in done.outputs
    assert "summary.total_requests" in html.unescape(done.summary)
    (pause,) = re.findall(r"(?m)^::stop-commands::(\w+)$", done.stdout)
    table, annotations = done.stdout.split(f"::{pause}::\n")
    assert "FAILED" in table
    assert re.search(r"(?m)^::error file=a spec\.yaml,line=\d+", annotations)


@needs_bash
def test_an_input_is_never_run_as_a_command(runner: Runner, tmp_path: Path) -> None:
    hostile = "$(touch owned) `touch owned`; touch owned"
    done = runner.step(
        "Run", tmp_path, spec=hostile, url=hostile, flags=hostile, fail_on=hostile, requests=hostile
    )
    assert done.returncode == 2
    assert done.outputs == {"exit-code": "2"}
    assert "exit code 2" in done.summary
    done = runner.step("Run", tmp_path, spec=str(SPEC), reports="a\nexit-code=0")
    assert (done.returncode, done.outputs) == (2, {})
    assert not (tmp_path / "owned").exists()


# GitLab, Jenkins, and the workflow that uses the action


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    text = (CI / ".github" / "workflows" / "validator.yml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    (step,) = (step for step in job["steps"] if step.get("id") == "validator")
    assert step["with"].keys() <= ACTION["inputs"].keys()
    assert set(re.findall(r"# (?:([\w-]+): )", text)) <= ACTION["inputs"].keys()
    used = re.findall(r"steps\.validator\.outputs\.([\w-]+)", text)
    assert set(used) <= ACTION["outputs"].keys()


def gitlab() -> tuple[str, dict[str, str]]:
    job = yaml.safe_load((CI / ".gitlab-ci.yml").read_text(encoding="utf-8"))["metrics"]
    return "\n".join(job["script"]), job["variables"]


def jenkins() -> tuple[str, dict[str, str]]:
    text = (CI / "Jenkinsfile").read_text(encoding="utf-8")
    script = re.findall(r"sh '''(.*?)'''", text, re.DOTALL)[-1]
    variables = dict(re.findall(r"^ +([A-Z]+) = '(.*?)'", text, re.MULTILINE))
    return script, {**variables, "WORKSPACE_TMP": "/nowhere"}


@needs_bash
@pytest.mark.parametrize("job", [gitlab, jenkins], ids=["gitlab", "jenkins"])
def test_the_commands_of_a_job_leave_the_reports_it_publishes(job: Any, tmp_path: Path) -> None:
    script, variables = job()
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    done = shell(script, tmp_path, {**variables, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
    for file in ("report.json", "junit.xml", "report.html"):
        assert (tmp_path / file).stat().st_size > 0


def test_a_folder_of_specs_does_not_take_the_files_of_ci_for_specs() -> None:
    from validator.bundled import located

    assert [path for path in located((str(ROOT / "examples"),)) if "ci" in path.parts] == []


# The image


def engine() -> str | None:
    """Return a command that can build images here, or nothing."""
    for name in ("docker", "podman"):
        if shutil.which(name):
            asked = subprocess.run([name, "info"], capture_output=True, timeout=20, check=False)
            if asked.returncode == 0:
                return name
    return None


def test_the_image_is_given_everything_that_it_copies_and_nothing_else() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE)
    allowed = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    assert sorted(word for line in copied for word in line.split()) == sorted(allowed)
    assert all(list(ROOT.glob(word)) for word in allowed)
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001"]


def test_the_image_runs_as_nobody_in_particular() -> None:
    if os.environ.get("VALIDATOR_IMAGE") is None:
        pytest.skip("set VALIDATOR_IMAGE=1 to build the image; needs docker or podman, and PyPI")
    name = engine()
    if name is None:
        pytest.skip("needs docker or podman, with its engine running")
    tag = "metrics-validator:test"
    subprocess.run([name, "build", "--quiet", "--tag", tag, str(ROOT)], check=True, timeout=900)
    for words in (["--version"], ["demo", "--requests", "5"]):
        subprocess.run([name, "run", "--rm", tag, *words], check=True, timeout=120)
    user = ["run", "--rm", "--entrypoint", "id", tag, "-u"]
    assert subprocess.check_output([name, *user], text=True, timeout=60).strip() == "10001"
