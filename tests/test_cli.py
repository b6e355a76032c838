"""The command line: its verbs, its flags, its exit codes, and what it writes where."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, environment, report, validator
from demo_process import demo
from terminal import ESCAPE, left, on_terminal, plain

from validator import __version__
from validator.bundled import names
from validator.decoders import DECODERS
from validator.demo import FAULTS, PAGE_FAULTS
from validator.drivers import DRIVERS
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.reporters import REPORTERS
from validator.server import free_port

DASHBOARD = "fakeai/dashboard"
GOOD = """
version: 1
title: {title}
target: {{url: http://127.0.0.1:1}}
endpoints:
  health:
    get: /health
    timeout: 1s
    assert: [{{path: $.status, eq: {wanted}, name: healthy}}]
"""


def written(folder: Path, name: str = "one", wanted: str = "healthy") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(GOOD.format(title=f"The {name}", wanted=wanted))
    return path


@pytest.fixture(scope="module")
def server():
    """A truthful demo server that several tests look at."""
    with demo() as url:
        yield url


# What others did to the pipe


def read_all(*, blocking: bool) -> bytes:
    """Return what comes out of a small pipe that others have set to wait for readers, or not."""
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as out:
        os.set_blocking(theirs, blocking)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        with subprocess.Popen([*COMMAND, "schema"], stdout=theirs, env=environment()) as process:
            os.close(theirs)
            found = out.read()
    assert process.returncode == 0
    return found


def test_output_is_whole_in_a_pipe_that_does_not_wait():
    assert read_all(blocking=False) == read_all(blocking=True)


# Exit codes


def test_a_run_whose_assertions_hold_exits_0(server, tmp_path):
    done = validator("run", written(tmp_path), "--url", server)
    assert done.returncode == 0, done.stderr
    assert "PASSED" in done.stdout


def test_a_run_with_a_critical_failure_exits_1_and_says_what_where_and_why(server, tmp_path):
    path = written(tmp_path, wanted="perfect")
    done = validator("run", path, "--url", server)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "healthy" in done.stdout
    assert '"healthy"' in done.stdout
    assert '"perfect"' in done.stdout
    assert f"{path.name}:9:" in done.stdout.replace("\n", "")


def test_a_wrong_spec_exits_2_with_every_problem_its_place_and_a_suggestion(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "version: 1\ntitel: x\ntarget: {url: http://a}\nendpoints:\n  a:\n    get: /a\n"
        "    assert: [{path: $.a, betwen: [0, 1]}, {path: $.b, gt: x}]\n"
    )
    done = validator("run", path)
    assert done.returncode == 2
    assert done.stdout == ""
    for part in ("wrong.yaml:2:1", "'title'", "wrong.yaml:7:", "'between'", "^", "3 problems"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_a_spec_without_assertions_is_wrong(tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text("version: 1\ntitle: x\nendpoints: {a: {get: /a}}\n")
    for verb in ("run", "lint"):
        done = validator(verb, path)
        assert done.returncode == 2
        assert "assert" in done.stderr


def test_nothing_but_a_verb_is_a_usage_error():
    done = validator("run")
    assert done.returncode == 2
    assert "SPEC" in done.stderr


@pytest.mark.parametrize(
    "flags,said",
    [
        (["--requests", "many"], "--requests"),
        (["--requests", "0"], "--requests"),
        (["--requests", "-1"], "--requests"),
        (["--requests", "1.5"], "--requests"),
        (["--concurrency", "0"], "--concurrency"),
        (["--timeout", "5"], "--timeout"),
        (["--timeout", "0s"], "--timeout"),
        (["--url", "localhost:8000"], "url"),
        (["--url", "ftp://localhost"], "url"),
        (["--var", "requests"], "--var"),
        (["--var", "=1"], "--var"),
        (["--var", "reqests=5"], "requests"),
        (["--set", "load.requests"], "--set"),
        (["--set", "load.request=5"], "requests"),
        (["--set", "loda.requests=5"], "load"),
        (["--set", "target.timeout=soon"], "target.timeout"),
        (["--report", "jsn"], "json"),
        (["--report", "json="], "no path; leave out the = for stdout"),
        (["--report", "xml"], "known formats"),
        (["--report", "json", "--report", "csv"], "stdout"),
        (["--report", "json=-", "--report", "csv"], "stdout"),
        (["--fail-on", "nothing"], "--fail-on"),
        (["--no-such-flag"], "--no-such-flag"),
        (["--replay", "no-such-file"], "no-such-file"),
    ],
    ids=" ".join,
)
def test_a_bad_flag_is_a_usage_error_that_names_it_and_nothing_is_sent(flags, said):
    url = [] if "--url" in flags else ["--url", f"http://127.0.0.1:{free_port()}"]
    done = validator("run", DASHBOARD, *url, *flags)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert "looking before" not in done.stderr


def test_an_unknown_spec_is_a_usage_error_with_a_suggestion():
    done = validator("run", "fakeai/dashbord")
    assert done.returncode == 2
    assert "did you mean 'fakeai/dashboard'?" in done.stderr
    done = validator("run", "./missing.yaml")
    assert done.returncode == 2
    assert "no such file" in done.stderr


def test_an_unknown_verb_is_a_usage_error():
    done = validator("rum", DASHBOARD)
    assert done.returncode == 2
    assert "rum" in done.stderr


def test_warnings_break_the_run_only_when_asked_to(recorded, tmp_path):
    spec = tmp_path / "warns.yaml"
    spec.write_text("""
version: 1
title: warns
target: {url: http://localhost:1}
load: {model: m, requests: 20, prompts: [a]}
endpoints:
  dynamo:
    get: /dynamo/metrics/json
    assert:
      - {path: $.summary.total_requests, eq: 0, severity: warning, name: warned}
""")
    replay = ("run", spec, "--replay", recorded.file)
    assert validator(*replay).returncode == 0
    assert validator(*replay, "--fail-on", "critical").returncode == 0
    assert validator(*replay, "--fail-on", "info").returncode == 1
    done = validator(*replay, "--fail-on", "warning")
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "warned" in done.stdout


# Verbs


def test_version_and_help_say_what_they_should():
    assert validator("--version").stdout == f"validator {__version__}\n"
    done = validator("--help")
    assert done.returncode == 0
    for verb in ("run", "demo", "lint", "list", "explain", "schema"):
        assert f"\n  {verb} " in done.stdout
    assert "130" in done.stdout


@pytest.mark.parametrize("verb", ["run", "demo", "lint", "list", "explain", "schema"])
def test_each_verb_has_help(verb):
    done = validator(verb, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage:")


def test_lint_passes_every_bundled_spec_and_counts_its_assertions():
    done = validator("lint", *names())
    assert done.returncode == 0, done.stderr
    suites = {"fakeai/all"}  # whose members are linted, and named here as well
    assert done.stdout.count("no problem") == len({*names()} - suites)


def test_lint_judges_every_spec_and_exits_2_when_one_is_wrong(tmp_path):
    good = written(tmp_path, "good")
    (tmp_path / "bad.yaml").write_text("version: 2\n")
    done = validator("lint", good, tmp_path / "bad.yaml")
    assert done.returncode == 2
    assert "good.yaml: 1 assertion, no problem" in done.stdout
    assert "bad.yaml:1:" in done.stderr


def test_list_names_the_bundled_specs_with_their_titles():
    done = validator("list")
    assert done.returncode == 0
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert listed[DASHBOARD] == "FakeAI dashboard"


def test_explain_lists_every_name():
    done = validator("explain")
    assert done.returncode == 0
    shown = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert {*PREDICATES, *MEASURES, *DRIVERS, *DECODERS, *REPORTERS} <= shown


@pytest.mark.parametrize(
    "name", sorted({*PREDICATES, *MEASURES, *DRIVERS, *DECODERS, *REPORTERS, "each", "expr", "load",
                    "target", "server", "settle", "endpoints", "assert", "xfail", "spec"})
)  # fmt: skip
def test_every_name_is_explained(name, capsys):
    from validator.cli import cli

    cli.main(["explain", name], standalone_mode=False)
    text = capsys.readouterr().out
    assert text.startswith(f"{name} (")
    assert len(text.splitlines()) > 2


@pytest.mark.parametrize("name", sorted({*PREDICATES, *MEASURES, *DRIVERS, *DECODERS, *REPORTERS}))
def test_every_plug_in_is_explained_with_an_example(name, capsys):
    from validator.cli import cli

    cli.main(["explain", name], standalone_mode=False)
    assert "```yaml" in capsys.readouterr().out


def test_an_unknown_name_is_not_explained_but_suggested():
    done = validator("explain", "betwen")
    assert done.returncode == 2
    assert "did you mean 'between'?" in done.stderr


def test_schemas_are_json():
    for what in ((), ("spec",), ("report",)):
        done = validator("schema", *what)
        assert done.returncode == 0
        assert json.loads(done.stdout)["$schema"].endswith("2020-12/schema")


def test_the_demo_lists_its_faults():
    done = validator("demo", "--fault", "list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [*FAULTS, *PAGE_FAULTS]


def test_the_demo_refuses_an_unknown_fault_and_a_target():
    done = validator("demo", "--fault", "frozen-countr")
    assert done.returncode == 2
    assert "did you mean 'frozen-counter'?" in done.stderr
    done = validator("demo", "--url", "http://localhost:8000")
    assert done.returncode == 2
    assert "--url" in done.stderr


def test_the_demo_runs_a_spec_of_ones_own(tmp_path):
    done = validator("demo", "--spec", written(tmp_path), "--report", "json")
    assert done.returncode == 0, done.stderr
    assert report(done)["title"] == "The one"


# Flags that change the spec


def test_flags_win_over_the_environment_and_the_spec(server):
    done = validator(
        "run", DASHBOARD, "--requests", "7", "--concurrency", "3", "--var", "model=other/model",
        "--set", "load.max_tokens=4", "--set", "title=changed", "--report", "json",
        env={"FAKEAI_URL": server},
    )  # fmt: skip
    found = report(done)
    assert found["target"] == server
    assert found["title"] == "changed"
    assert found["load"]["sent"] == 7
    assert found["load"]["in_flight_max"] == 3
    assert list(found["load"]["models"]) == ["other/model"]
    assert found["load"]["tokens"]["completion"] <= 28


def test_url_wins_over_the_environment(server):
    done = validator(
        "run", DASHBOARD, "--requests", "3", "--url", server, "--report", "json",
        env={"FAKEAI_URL": "http://127.0.0.1:1"},
    )  # fmt: skip
    assert report(done)["target"] == server


def test_a_warm_server_passes_because_changes_are_asked_for(server):
    for _ in range(2):
        done = validator("run", DASHBOARD, "--requests", "5", "--url", server, "--report", "json")
        assert done.returncode == 0, done.stderr


# Reports


def test_a_json_report_on_stdout_is_pure_and_the_tables_go_to_stderr(recorded):
    assert "PASSED" in recorded.stderr
    assert "waiting for counters to settle" in recorded.stderr


def test_a_csv_report_on_stdout_is_pure(recorded):
    done = validator("run", DASHBOARD, "--replay", recorded.file, "--report", "csv", text=False)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode("utf-8"), newline="")))
    assert len(rows) == len(recorded.report["verdicts"])
    assert [row["status"] for row in rows] == [v["status"] for v in recorded.report["verdicts"]]
    assert b"\x1b" not in done.stdout


def test_a_table_report_on_stdout_is_what_the_terminal_shows(recorded):
    done = validator("run", DASHBOARD, "--replay", recorded.file, "--report", "table")
    assert "PASSED" in done.stdout
    assert "every success is counted" in done.stdout


def test_reports_go_to_files_while_the_tables_stay_on_stdout(recorded, tmp_path):
    files = {name: tmp_path / f"r.{name}" for name in REPORTERS}
    flags = [part for name, file in files.items() for part in ("--report", f"{name}={file}")]
    done = validator("run", DASHBOARD, "--replay", recorded.file, *flags)
    assert done.returncode == 0, done.stderr
    assert "PASSED" in done.stdout
    assert json.loads(files["json"].read_text())["verdicts"] == recorded.report["verdicts"]
    assert files["csv"].read_text().startswith("spec,endpoint,")
    assert "PASSED" in files["table"].read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f.name for f in files.values())


def test_a_report_can_go_to_a_file_and_another_to_stdout(recorded, tmp_path):
    done = validator(
        "run", DASHBOARD, "--replay", recorded.file,
        "--report", "json", "--report", f"csv={tmp_path / 'r.csv'}",
    )  # fmt: skip
    assert report(done)["passed"] is True
    assert (tmp_path / "r.csv").exists()


@pytest.mark.parametrize("path", ["no/such/folder/r.json", "."])
def test_a_report_that_could_not_be_written_is_refused_before_the_load(server, tmp_path, path):
    done = validator("run", DASHBOARD, "--url", server, "--report", f"json={path}", cwd=tmp_path)
    assert done.returncode == 2
    assert path in done.stderr
    assert "looking before" not in done.stderr


def test_a_report_replaces_an_older_one_whole(recorded, tmp_path):
    file = tmp_path / "r.json"
    file.write_text("x" * 1_000_000)
    file.chmod(0o640)
    validator("run", DASHBOARD, "--replay", recorded.file, "--report", f"json={file}")
    assert json.loads(file.read_text())["passed"] is True
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_quiet_shows_only_the_result(recorded):
    done = validator("run", DASHBOARD, "--replay", recorded.file, "-q")
    assert "PASSED" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_verbose_shows_where_every_assertion_stands_and_its_values(recorded):
    usual = validator("run", DASHBOARD, "--replay", recorded.file).stdout
    done = validator("run", DASHBOARD, "--replay", recorded.file, "-v")
    assert len(done.stdout.splitlines()) > len(usual.splitlines())
    changed = next(v for v in recorded.report["verdicts"] if v["before"] is not None)
    assert f"before {changed['before']}" in done.stdout
    assert f"{changed['line']}:{changed['column']}" in done.stdout
    both = validator("run", DASHBOARD, "--replay", recorded.file, "-q", "-v")
    assert both.returncode == 2


# Several specs


def test_several_specs_are_one_report_and_one_exit_code(server, tmp_path):
    good, wrong = written(tmp_path, "good"), written(tmp_path, "wrong", wanted="perfect")
    done = validator("run", good, wrong, "--url", server, "--report", "json")
    assert done.returncode == 1
    found = report(done)
    assert found["exit_code"] == 1
    assert found["passed"] is False
    assert [(run["title"], run["passed"]) for run in found["runs"]] == [
        ("The good", True),
        ("The wrong", False),
    ]
    assert "2 specs" in done.stderr


def test_a_folder_and_a_glob_stand_for_the_specs_in_them(server, tmp_path):
    written(tmp_path, "a")
    (tmp_path / "deeper").mkdir()
    written(tmp_path / "deeper", "b")
    for word in (str(tmp_path), f"{tmp_path}/**/*.yaml"):
        done = validator("run", word, "--url", server, "--report", "json")
        assert done.returncode == 0, done.stderr
        assert len(report(done)["runs"]) == 2


def test_the_same_spec_named_twice_runs_once(server, tmp_path):
    path = written(tmp_path)
    done = validator("run", path, path, "--url", server, "--report", "json")
    assert "runs" not in report(done)


def test_when_one_of_several_specs_is_wrong_none_is_run(server, tmp_path):
    good = written(tmp_path, "good")
    for name in ("x", "y"):
        (tmp_path / f"{name}.yaml").write_text("version: 1\nendpoints: 5\n")
    done = validator("run", good, tmp_path / "x.yaml", tmp_path / "y.yaml", "--url", server)
    assert done.returncode == 2
    assert "x.yaml:2" in done.stderr
    assert "y.yaml:2" in done.stderr
    assert done.stdout == ""


def test_an_empty_folder_is_a_usage_error(tmp_path):
    done = validator("run", tmp_path)
    assert done.returncode == 2
    assert "no .yaml file" in done.stderr


# Terminals, pipes and what may not reach them


def too_wide(text: str, columns: int) -> list[str]:
    from rich.cells import cell_len

    return [line for line in plain(text).splitlines() if cell_len(line.rstrip()) > columns]


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """A recording in which much is wrong."""
    file = tmp_path_factory.mktemp("failed") / "run.json"
    done = validator(
        "demo", "--fault", "moved-names", "--requests", "5", "--set", "settle.within=500ms",
        "--record", file,
    )  # fmt: skip
    assert done.returncode == 1
    return file


def test_a_pipe_gets_no_escape_codes(recorded, failed):
    for file in (recorded.file, failed):
        done = validator("run", DASHBOARD, "--replay", file)
        assert "\x1b" not in done.stdout + done.stderr
        assert "\r" not in done.stdout


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_columns(recorded, failed, columns):
    for file in (recorded.file, failed):
        done = validator("run", DASHBOARD, "--replay", file, env={"COLUMNS": str(columns)})
        assert too_wide(done.stdout, columns) == []


def test_a_terminal_gets_colours_within_its_width(failed):
    code, shown = on_terminal("run", DASHBOARD, "--replay", failed, columns=80)
    assert code == 1
    assert "\x1b[1;31m" in shown or "\x1b[31m" in shown or "\x1b[1m" in shown
    assert "\x1b[32m" in shown
    assert too_wide(shown, 80) == []


def test_no_color_is_obeyed(failed):
    code, shown = on_terminal("run", DASHBOARD, "--replay", failed, env={"NO_COLOR": "1"})
    assert code == 1
    colours = {m for m in ESCAPE.findall(shown) if any(f"3{n}" in m for n in range(1, 8))}
    assert colours == set()


def test_a_terminal_gets_a_live_bar_that_is_gone_in_the_end():
    code, shown = on_terminal("demo", "--requests", "40", columns=100)
    assert code == 0
    assert "%" in shown
    assert "40/40" in shown
    assert "ok 40 failed 0" in shown
    assert "TTFT" in shown
    assert "━" in shown
    assert "\x1b[?25h" in shown  # the cursor is back
    assert "━━━━" not in plain(shown.rpartition("\x1b[2K")[2])


def test_on_a_terminal_a_remark_stays_beside_the_result_only(tmp_path):
    spec = tmp_path / "started.yaml"
    spec.write_text(
        "version: 1\ntarget: {url: http://127.0.0.1}\n"
        f"server: {{command: '{sys.executable} -m http.server ${{port}}', ready: /}}\n"
        "endpoints: {page: {get: /, format: text, assert: [{path: $, exists: true}]}}\n"
    )
    code, written = on_terminal("run", spec, columns=160)
    assert code == 0
    stays = left(written)
    assert written.count("-m http.server") > stays.count("-m http.server") == 1
    assert stays.index("present") < stays.index("-m http.server") < stays.index("PASSED")
    assert "looking" in written
    assert "looking" not in stays


def test_a_pipe_gets_plain_progress_lines(recorded):
    lines = recorded.stderr.splitlines()
    assert lines[0] == "looking before the load"
    assert sum(" % " in line and "/20 " in line for line in lines) == 10
    assert any("100 % 20/20" in line and "ok 20 failed 0 TTFT" in line for line in lines)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
def test_every_locale_gets_its_report(failed, locale):
    done = validator(
        "run", DASHBOARD, "--replay", failed,
        env={"LC_ALL": locale, "LANG": locale, "PYTHONCOERCECLOCALE": "0"}, text=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"FAILED" in done.stdout
    assert b"Traceback" not in done.stderr


def test_an_encoding_without_our_marks_still_gets_its_report(failed):
    done = validator(
        "run", DASHBOARD, "--replay", failed, env={"PYTHONIOENCODING": "ascii"}, text=False
    )
    assert done.returncode == 1
    assert b"FAILED" in done.stdout
    assert b"Traceback" not in done.stderr
    # Colour is no signal here, and what passed must not look as what failed.
    assert re.search(rb"\n\+ +\|reachable", done.stdout)
    assert re.search(rb"\nX +\|", done.stdout)
    assert b">= 5 (load.sent)" in done.stdout
    assert b"?" not in done.stdout


def test_no_line_of_the_table_is_a_command_to_githubs_runner(tmp_path):
    spec = tmp_path / "spec.yaml"
    text = (
        "version: 1\ntarget: {{url: http://127.0.0.1:9}}\n"
        "load: {{model: m, requests: 1, prompts: [hi],"
        " assert: [{{path: $.ok, eq: 1, why: '{why}'}}]}}\n"
    )
    spec.write_text(text.format(why=f"{'x' * 40} {'y' * 40} ::error::pwned"))
    done = validator("run", spec, env={"GITHUB_ACTIONS": "true"})
    first, *within, last = done.stdout.splitlines()
    assert any(line.strip().startswith("::error::pwned") for line in within)
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
    spec.write_text(text.format(why="harmless"))
    assert "stop-commands" not in validator("run", spec, env={"GITHUB_ACTIONS": "true"}).stdout


def test_a_reader_that_leaves_early_gets_no_traceback(recorded):
    with subprocess.Popen(
        [*COMMAND, "run", DASHBOARD, "--replay", str(recorded.file)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        _, complaints = process.communicate(timeout=30)
    assert b"Traceback" not in complaints
    assert b"Exception" not in complaints
    assert process.returncode in (0, 1)


def test_a_reader_that_leaves_early_still_gets_its_files(recorded, tmp_path):
    file = tmp_path / "report.json"
    read, write = os.pipe()
    os.close(read)
    replay = [*COMMAND, "run", DASHBOARD, "--replay", str(recorded.file)]
    with os.fdopen(write, "wb") as gone:
        subprocess.run(
            [*replay, "--report", f"json={file}"],
            stdout=gone, stderr=subprocess.PIPE, env=environment(), check=False, timeout=60,
        )  # fmt: skip
    assert json.loads(file.read_text())["verdicts"]


@pytest.mark.parametrize("verb", ["run --replay {}", "run --record {}", "report {}"])
def test_no_report_overwrites_what_it_is_made_of(verb, recorded, tmp_path):
    file = tmp_path / "run.json"
    file.write_bytes(recorded.file.read_bytes())
    words = [word.format(file) for word in verb.split()]
    spec = [DASHBOARD] if words[0] == "run" else []
    done = validator(*words, *spec, "--report", f"json={file}")
    assert done.returncode == 2
    assert done.stderr.strip().endswith(
        "run.json: a report would overwrite it; give it another name"
    )
    assert file.read_bytes() == recorded.file.read_bytes()


def test_a_recording_of_another_spec_is_refused(recorded, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text("{version: 1, target: {url: 'http://x'}, endpoints: {other: {get: /other}}}")
    done = validator("run", spec, "--replay", recorded.file)
    assert done.returncode == 2
    assert "a recording of another spec: it has the endpoints dynamo, kv_cache, and" in done.stderr


def test_a_full_disk_or_closed_stdout_is_no_traceback(recorded):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "run", DASHBOARD, "--replay", str(recorded.file)],
            stdout=full, stderr=subprocess.PIPE, env=environment(), check=False, timeout=30,
        )  # fmt: skip
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a shell closes them")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_nobody_and_no_socket_takes_its_place(server, tmp_path, closed):
    report = tmp_path / "report.json"
    words = ("run", "examples/01-first.yaml", "--url", server, "--report", f"json={report}")
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *words],
        capture_output=True, env=environment(), check=False, timeout=60,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["passed"]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody can take a folder away")
def test_a_working_folder_that_is_gone_is_said_in_one_line(tmp_path):
    script = f'cd "{tmp_path}" && rmdir "{tmp_path}" && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "lint", DASHBOARD],
        capture_output=True, text=True, env=environment(), check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: the working folder: No such file or directory\n"


@pytest.mark.parametrize("flag", ["--record=/dev/full", "--report=json=/dev/full"])
def test_a_file_that_cannot_be_written_loses_neither_verdicts_nor_other_files(tmp_path, flag):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    kept = tmp_path / "kept.csv"
    done = validator("run", written(tmp_path), flag, "--report", f"csv={kept}")
    assert done.returncode == 2
    assert done.stderr.endswith("error: /dev/full: cannot be written: No space left on device\n")
    assert "FAILED" in done.stdout
    assert "healthy" in kept.read_text()


EVIL = "\x1b]0;owned\x07\x1b[31m[red]bold[/red]\x9b2J\u202egnp.exe\u2066\r\n::error::x\x00\x7f"


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory, recorded):
    """A recording full of text that wants to be taken for something else, and a spec for it."""
    folder = tmp_path_factory.mktemp("hostile")
    document = json.loads(recorded.file.read_text())
    document["remarks"] = [EVIL]
    document["target"] = f"http://x/{EVIL}"
    (seen,) = document["rounds"]
    seen["ledger"]["outcomes"] = {"ok": 1, EVIL: 3}
    seen["ledger"]["errors"] = {EVIL: [EVIL]}
    page = {"text": EVIL, EVIL: 1, "formula": '=HYPERLINK("http://x","y")', "list": [EVIL] * 3,
            "plus": "+1+cmd|' /C calc'!A0", "at": "@SUM(1)", "tab": "\t=1"}  # fmt: skip
    for phase in ("before", "after"):
        seen[phase] = {
            "page": {"document": page, "error": None, "status": 200, "taken_s": 0, "elapsed_s": 0},
            "gone": {
                "document": None, "error": {"cause": "status", "text": EVIL}, "status": 500,
                "taken_s": 0, "elapsed_s": 0,
            },
        }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(document))
    (folder / "spec.yaml").write_text("""
version: 1
title: "[red]hostile[/red] \\e[31m"
target: {url: http://localhost:1}
load: {model: m, requests: 20, prompts: [a]}
endpoints:
  page:
    get: /page
    assert:
      - {path: $.text, eq: x, name: "=cmd|'[bold]name[/bold]'\\e[2J\\n"}
      - {path: $.formula, eq: x, why: "[link=http://x]why[/link]\\e[0m"}
      - {path: $.plus, eq: x}
      - {path: $.at, eq: x}
      - {path: $.tab, eq: x}
      - {path: "$.list[*]", eq: "[green]"}
      - {path: "$.*", type: number, name: keys}
      - {path: $, type: array}
      - {expr: a == b, let: {a: $.text, b: $.formula}, name: relation}
      - {path: $.text, sum: {gt: 0}}
      - {path: $.text, delta: {gt: 0}}
  gone:
    get: /gone
    assert: [{path: $.x, eq: 1}]
""")
    return "run", folder / "spec.yaml", "--replay", folder / "run.json"


def controls(text: str, allowed: str = "\n") -> set[str]:
    return {c for c in text if not c.isprintable() and c not in allowed}


@pytest.mark.parametrize("columns", ["80", "140"])
def test_text_from_the_wire_reaches_a_pipe_neither_as_codes_nor_as_markup(hostile_run, columns):
    done = validator(*hostile_run, env={"COLUMNS": columns})
    assert done.returncode == 1
    assert controls(done.stdout) == set()
    assert controls(done.stderr) == set()
    squeezed = "".join(done.stdout.split())
    assert "[red]hostile[/red]" in squeezed
    assert "[red]bold[/red]" in squeezed
    assert "\\x1b" in squeezed
    assert "\\u202e" in squeezed


def test_text_from_the_wire_reaches_a_terminal_neither_as_codes_nor_as_markup(hostile_run):
    _, shown = on_terminal(*hostile_run, columns=100)
    assert controls(plain(shown)) == set()
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "[bold]name[/bold]" in "".join(plain(shown).split())


def test_text_from_the_wire_is_escaped_in_json(hostile_run):
    done = validator(*hostile_run, "--report", "json")
    found = report(done)
    assert controls(done.stdout) == set()
    assert controls(done.stderr) == set()
    assert found["passed"] is False


def test_text_from_the_wire_is_no_formula_in_csv(hostile_run):
    done = validator(*hostile_run, "--report", "csv", text=False)
    text = done.stdout.decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len({len(row) for row in rows}) == 1
    cells = [cell for row in rows for cell in row]
    assert controls("".join(cells)) == set()
    for cell in cells:
        assert cell[:1] not in ("=", "@", "\t", "\r")
        if cell[:1] in ("+", "-"):
            float(cell)
    assert any(cell.startswith("'=cmd") for cell in cells)


def test_text_from_the_wire_is_harmless_in_a_table_file(hostile_run, tmp_path):
    file = tmp_path / "r.txt"
    validator(*hostile_run, "--report", f"table={file}")
    assert controls(file.read_text()) == set()
    assert file.stat().st_size > 1000


def test_hostile_text_in_a_spec_is_harmless_in_its_problems(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text('version: 1\n"\\e[31mkey\\e]0;x\\a": 1\ntitle: "\x1b[31m\u202e"\n', "utf-8")
    done = validator("lint", path)
    assert done.returncode == 2
    assert controls(done.stderr) == set()
    done = validator("run", "\x1b[31m\nx")
    assert done.returncode == 2
    assert controls(done.stderr) == set()


INTERRUPTED = """
import os, signal, sys
from validator import cli

def tell(*_):
    os.write(2, b"interrupted")

def work():
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    print("x" * 1_000_000)
    return 0

cli._main = work
signal.signal(signal.SIGALRM, tell)
cli.main()
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nothing_is_lost_that_a_pipe_takes_in_parts(unbuffered):
    with subprocess.Popen(
        [COMMAND[0], "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED=unbuffered),
    ) as process:
        # Nothing is read before a signal ended the first write, to a pipe that was full by then.
        assert process.stderr.read(11) == b"interrupted"
        assert len(process.stdout.read()) == 1_000_001
    assert process.returncode == 0
