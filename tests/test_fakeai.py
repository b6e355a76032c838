"""The seed's job on the real server: FakeAI 0.3.2 counts no streamed request, and we say so.

`VALIDATOR_FAKEAI` names the command; without it, it is looked for on the PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest
from command_line import bad, report, validator

from validator.server import free_port

pytestmark = pytest.mark.fakeai

NAMED = os.environ.get("VALIDATOR_FAKEAI")
COMMAND = NAMED or shutil.which("fakeai")
REQUESTS = 40
READY_WITHIN = 60.0

BREAKING = {
    "dynamo: summary.total_requests",
    "dynamo: every streamed request is counted",
    "dynamo: latency.ttft.avg",
    "dynamo: throughput.requests_per_second",
}


@pytest.fixture(scope="module")
def fakeai() -> Iterator[str]:
    """Run the real FakeAI on a free port; yields its URL."""
    if COMMAND is None:
        pytest.skip("there is no command fakeai: pip install fakeai pillow, in any environment")
    assert shutil.which(COMMAND), f"VALIDATOR_FAKEAI names {COMMAND}, which is no command"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            [COMMAND, "server", "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    import httpx

    deadline = time.monotonic() + READY_WITHIN
    while True:
        assert process.poll() is None, "fakeai ended before it was ready"
        try:
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            assert time.monotonic() < deadline, "fakeai was not ready in time"


@pytest.fixture(scope="module")
def first(fakeai):
    """The bundled spec on a fresh server, with fewer requests and otherwise as it is shipped."""
    return validator(
        "run", "fakeai/dashboard", "--url", fakeai, "--requests", str(REQUESTS), "--report", "json"
    )


def test_it_fails_because_streamed_requests_are_not_counted(first):
    assert first.returncode == 1, first.stderr
    found = report(first)
    breaking = {k for k, v in bad(found).items() if v["severity"] == "critical"}
    assert breaking == BREAKING
    assert found["load"]["ok"] == REQUESTS
    assert found["load"]["success_rate"] == 1
    counted = bad(found)["dynamo: every streamed request is counted"]
    assert counted["status"] == "fail"
    assert (counted["before"], counted["after"]) == ("0", "0")
    assert f"unchanged while {REQUESTS} requests succeeded" in counted["note"]


def test_it_says_so_to_a_person(first):
    assert "FAILED" in first.stderr
    assert f"unchanged while {REQUESTS} requests succeeded" in first.stderr
    assert "every streamed request is counted" in first.stderr


def test_what_it_counts_right_is_green(first):
    found = report(first)
    critical = [
        v for v in found["verdicts"]
        if v["endpoint"] == "kv_cache" and v["severity"] == "critical"
    ]  # fmt: skip
    assert len(critical) >= 4
    assert {v["status"] for v in critical} == {"pass"}
    assert "dynamo: reachable" not in bad(found)


def test_what_it_does_not_serve_is_reported_as_missing_and_never_passed(first):
    found = report(first)
    for path in ("$.latency_breakdown", "$.request_lifecycles", "$.worker_stats.total_workers",
                 "$.cache_performance.tokens_saved", "$.smart_router.total_routed"):  # fmt: skip
        about = [v for v in found["verdicts"] if v["path"] == path]
        assert about
        for verdict in about:
            assert verdict["status"] == "fail"
            assert verdict["severity"] == "info"
            assert "absent" in verdict["actual"]


def test_a_second_run_on_the_warm_server_says_the_same(fakeai, first):
    assert first.returncode == 1
    again = validator(
        "run", "fakeai/dashboard", "--url", fakeai, "--requests", str(REQUESTS), "--report", "json"
    )
    assert again.returncode == 1
    assert set(bad(report(again))) >= BREAKING


def test_requests_that_are_not_streamed_are_counted(fakeai, first):
    assert first.returncode == 1
    plain = validator(
        "run", "fakeai/dashboard", "--url", fakeai, "--requests", str(REQUESTS),
        "--set", "load.stream=false", "--report", "json",
    )  # fmt: skip
    found = report(plain)
    assert found["load"]["ok"] == REQUESTS
    assert "dynamo: every streamed request is counted" not in bad(found)
    assert "dynamo: summary.total_requests" not in bad(found)


STREAMS_THEN_PLAIN = """
version: 1
title: Streams, then plain requests
target: {url: http://localhost:8000}
loads:
  streams: {model: openai/gpt-oss-120b, requests: 6, concurrency: 3, prompts: [Write a haiku]}
  plain:
    {model: openai/gpt-oss-120b, requests: 9, concurrency: 3, stream: false, prompts: [Say hello]}
settle: {within: 2s}
endpoints:
  dynamo:
    get: /dynamo/metrics/json
    assert:
      - {path: $.summary.total_requests, load: streams, delta: {eq: "${load.ok}"}, name: streamed}
      - {path: $.summary.total_requests, load: streams, delta: {eq: 0}, name: no stream}
      - {path: $.summary.total_requests, load: plain, delta: {eq: "${load.ok}"}, name: plain}
      - {path: $.summary.total_requests, delta: {eq: "${load.plain.ok}"}, name: together}
  kv_cache:
    get: /kv-cache/metrics
    assert:
      - path: "$.smart_router.workers[*].total_requests"
        delta: {sum: {eq: "${load.ok}"}}
        load: streams
        name: workers take the streams
      - path: "$.smart_router.workers[*].total_requests"
        delta: {sum: {eq: "${load.ok}"}}
        load: plain
        name: workers take the plain ones
"""


def test_of_streams_and_then_plain_requests_only_the_plain_ones_are_counted(fakeai, tmp_path):
    path = tmp_path / "loads.yaml"
    path.write_text(STREAMS_THEN_PLAIN)
    found = report(validator("run", path, "--url", fakeai, "--report", "json"))
    assert {name: one["ok"] for name, one in found["loads"].items()} == {"streams": 6, "plain": 9}
    assert set(bad(found)) == {"dynamo: streamed"}
    together = next(v for v in found["verdicts"] if v["name"] == "together")
    assert together["actual"].startswith("+9 ")
