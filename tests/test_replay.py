"""A recording is judged again without a server, and gives the same report."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys

import pytest
from command_line import bad, environment, report, validator
from demo_process import demo
from hostile_http import hostile, reply
from scripted_server import spec

from validator import conclude, recording
from validator.reporters import REPORTERS
from validator.run import run

TIMES = ("elapsed_s", "started")
SPEC = "fakeai/dashboard"
PAGE = "  page: {get: /page, assert: [{path: $.text, eq: x, name: odd}]}"


def replayed(file, *more, **options):
    return validator("run", SPEC, "--replay", file, *more, **options)


def test_a_replay_gives_the_same_report(recorded):
    done = replayed(recorded.file, "--requests", "20", "--report", "json")
    assert done.returncode == 0, done.stderr
    again = report(done)
    assert again.keys() == recorded.report.keys()
    for key in again:
        if key not in TIMES:
            assert again[key] == recorded.report[key], key


def test_a_replay_needs_no_flags_of_the_run_it_replays(recorded):
    again = report(replayed(recorded.file, "--report", "json"))
    assert again["target"] == recorded.report["target"]
    assert again["load"] == recorded.report["load"]
    assert again["verdicts"] == recorded.report["verdicts"]


@pytest.mark.parametrize("fault", ["uncounted-streams", "nan"])
def test_a_replay_of_a_failed_run_fails_the_same_way(tmp_path, fault):
    file = tmp_path / "run.json"
    first = validator(
        "demo", "--fault", fault, "--requests", "20", "--record", file, "--report", "json"
    )
    again = replayed(file, "--report", "json")
    assert first.returncode == again.returncode == 1
    assert report(again)["verdicts"] == report(first)["verdicts"]
    assert bad(report(again))


def test_the_demo_replays_without_starting_its_server(recorded):
    done = validator("demo", "--replay", recorded.file, "--report", "json")
    assert done.returncode == 0, done.stderr
    assert report(done)["verdicts"] == recorded.report["verdicts"]


def test_an_edited_spec_is_judged_by_what_was_recorded(recorded, tmp_path):
    spec = tmp_path / "edited.yaml"
    spec.write_text("""
version: 1
title: edited
target: {url: http://localhost:1}
load: {model: m, requests: 20, prompts: [a]}
endpoints:
  dynamo:
    get: /dynamo/metrics/json
    assert:
      - {path: $.summary.total_requests, delta: {eq: 20}, name: right}
      - {path: $.summary.total_requests, delta: {eq: 21}, name: wrong}
      - {path: $.summary.no_such_field, ge: 0, name: absent}
  unrecorded:
    get: /elsewhere
    assert: [{path: $.x, ge: 0, name: unseen}]
""")
    done = validator("run", spec, "--replay", recorded.file, "--report", "json")
    assert done.returncode == 1
    found = {v["name"]: v for v in report(done)["verdicts"]}
    assert found["right"]["status"] == "pass"
    assert found["wrong"]["actual"] == "+20 (0 → 20)"
    assert found["absent"]["status"] == "fail"
    assert found["unseen"]["status"] == "error"
    assert found["unseen"]["actual"] == "never looked at"


def test_a_replay_imports_no_client_and_takes_less_than_a_second_of_cpu(recorded):
    code = (
        "import sys\nfrom validator.cli import cli\n"
        f"cli.main(['run', {SPEC!r}, '--replay', {str(recorded.file)!r}], standalone_mode=False)\n"
        "print([m for m in ('openai', 'httpx', 'httpx2', 'starlette') if m in sys.modules],"
        " file=sys.stderr)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.splitlines()[-1] == "[]"
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 2.0  # a second on a quiet machine; `make bench` measures it


SECRET = "sk-very-secret-0123456789"


def test_secrets_are_in_neither_the_recording_nor_any_report(tmp_path):
    spec = tmp_path / "secret.yaml"
    spec.write_text(f"""
version: 1
title: secret {SECRET}
target:
  url: http://localhost:1
  api_key: {SECRET}
  headers: {{X-Access: header-secret-98765}}
load: {{model: m, requests: 3, prompts: [{SECRET}]}}
endpoints:
  health:
    get: /health
    assert:
      - {{path: $.status, eq: {SECRET}, name: "is {SECRET}", why: header-secret-98765}}
""")
    files = {name: tmp_path / name for name in ("run.json", "r.json", "r.csv", "r.txt")}
    with demo() as url:
        done = validator(
            "run", spec, "--url", url, "--record", files["run.json"],
            "--report", f"json={files['r.json']}", "--report", f"csv={files['r.csv']}",
            "--report", f"table={files['r.txt']}",
        )  # fmt: skip
    assert done.returncode == 1
    texts = [done.stdout, done.stderr, *(file.read_text() for file in files.values())]
    for text in texts:
        assert text
        assert SECRET not in text
        assert "header-secret" not in text


@pytest.mark.parametrize(
    "text,said",
    [
        ("", "not even JSON"),
        ("[1]", "not a recording"),
        ('{"title": 1}', "not a recording"),
        ('{"recording": 99}', "version 99"),
        ('{"recording": 1}', "damaged"),
        ("[" * 100_000, "not even JSON"),
        ("\x00\xff", "not even JSON"),
    ],
)
def test_what_is_no_recording_is_a_usage_error(tmp_path, text, said):
    file = tmp_path / "run.json"
    file.write_text(text, encoding="latin-1")
    done = replayed(file)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert str(file) in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "key,value",
    [
        ("started", "yesterday"),
        ("elapsed_s", "long"),
        ("ledger", [1]),
        ("rounds", []),
        ("rounds", [1]),
        ("before", []),
        ("after", {"dynamo": {}}),
        ("after", None),
        ("settle", {"settled": True}),
        ("remarks", [1]),
        ("target", None),
    ],
)
def test_a_damaged_recording_is_refused_and_never_passes(recorded, tmp_path, key, value):
    file = tmp_path / "damaged.json"
    whole = json.loads(recorded.file.read_text())
    holder = whole if key in whole else whole["rounds"][0]
    assert key in holder
    holder[key] = value
    file.write_text(json.dumps(whole))
    done = replayed(file)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2 or "FAILED" in done.stdout


def test_a_recording_that_is_not_there_is_a_usage_error(tmp_path):
    done = replayed(tmp_path / "none.json")
    assert done.returncode == 2
    assert "No such file" in done.stderr


def test_record_and_replay_go_with_one_spec(recorded):
    for flags in (("--replay", recorded.file), ("--record", "x.json")):
        done = validator("run", SPEC, SPEC + ".yaml", *flags, cwd=recorded.file.parent)
        assert done.returncode == 2


def test_a_recording_that_could_not_be_written_is_refused_before_the_load(tmp_path):
    with demo() as url:
        done = validator("run", SPEC, "--url", url, "--record", tmp_path / "no" / "run.json")
    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert "sending the load" not in done.stderr


def test_a_replay_is_not_recorded_again(recorded, tmp_path):
    done = replayed(recorded.file, "--record", tmp_path / "again.json")
    assert done.returncode == 2
    assert "--record" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_text_that_utf_8_cannot_hold_is_recorded_and_reported(tmp_path):
    async def once():
        page = reply(b'{"text": "\\ud800\\u202e\\u0000"}')
        async with hostile({"/page": page}) as server:
            return await run(spec(server.url, PAGE, load="", settle=""))

    file = tmp_path / "run.json"
    file.write_text(recording.written(asyncio.run(once())), encoding="utf-8")
    found = recording.read(file)
    assert found.rounds[0].observations.after["page"].document == {"text": "\ud800\u202e\x00"}
    judged = conclude(spec("http://x", PAGE, load="", settle=""), found)
    for render in REPORTERS.values():
        assert render([judged]).encode("utf-8")


def test_a_replay_says_what_it_is_and_where_the_spec_asks_for_another_load(recorded):
    done = replayed(recorded.file, "--requests", "50")
    said = " ".join(done.stderr.split())
    assert "nothing is sent or read: judging" in said
    assert "the load of the spec is 50 requests, that of the recording 20" in said
    assert (
        "requests, that of the recording" not in replayed(recorded.file, "--requests", "20").stderr
    )
