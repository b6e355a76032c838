"""Whole runs against servers that are late, restless, silent, rude or wrong."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from command_line import COMMAND, bad, environment, report, validator
from demo_process import demo
from hostile_http import drip, hostile, in_turn, never, redirect, reply
from hostile_llm import DONE, ROLE, answer, delta, stream
from scripted_server import CHAT, COUNTED, LOAD, Books, chat, document, judged, scripted, spec

from validator import Status, UsageError, library, parse, run_async
from validator.server import free_port

PATIENT = "settle: {within: 8s, every: 100ms, stable_for: 300ms}"
PRESENT = """
  counts:
    get: /metrics
    assert:
      - {path: $.total, ge: 0, name: present}
"""
OTHER = """
  other:
    get: /other
    assert:
      - {path: $.value, gt: 0, name: other is good}
"""


def verdict(found, name, endpoint=None):
    (one,) = [
        v for v in found.verdicts if v.name == name and (endpoint is None or v.endpoint == endpoint)
    ]
    return one


# Counters, and when they move


def test_a_truthful_counter_passes():
    found, server = judged()
    assert found.exit_code == 0
    assert {v.status for v in found.verdicts} == {Status.PASS}
    assert sum(r.path == CHAT for r in server.requests) == 5


def test_counters_published_three_seconds_late_pass():
    found, _ = judged(Books(late=3.0), settle=PATIENT)
    assert found.exit_code == 0
    assert verdict(found, "counted").actual == "+5 (0 → 5)"
    assert found.settled is not None
    assert found.settled.settled
    assert found.settled.elapsed > 2.5


# What is sent before, and what is given up


def paced(more):
    return LOAD.replace("concurrency: 5", f"concurrency: 5, {more}")


def test_a_warmup_is_in_no_ledger_and_no_delta_even_if_it_counts_late():
    found, server = judged(Books(late=0.6), settle=PATIENT, load=paced("warmup: {requests: 3}"))
    assert found.exit_code == 0, found.verdicts
    assert found.load["sent"] == 5
    assert sum(r.path == CHAT for r in server.requests) == 8
    assert found.remarks == ()


def test_a_warmup_that_fails_is_remarked_upon():
    bad_chat = {CHAT: reply(b"{}", status=500)}
    found, _ = judged(pages=bad_chat, load=paced("warmup: {requests: 3}"))
    assert "all 3 warmup requests failed: status_500" in found.remarks
    assert found.exit_code == 1


def test_a_load_that_is_given_up_fails_and_is_judged_by_what_was_sent():
    books = Books()
    found, server = judged(
        books,
        pages={CHAT: reply(b"{}", status=500)},
        load=LOAD.replace("requests: 5, concurrency: 5", "requests: 99, abort_on: {failed: 4}"),
        endpoints=COUNTED.replace("load.ok", "load.sent"),
    )
    assert found.load["sent"] == sum(r.path == CHAT for r in server.requests) == 4
    given_up = verdict(found, "the load was not given up")
    assert (given_up.status, given_up.severity) == (Status.FAIL, "critical")
    assert "4 of 4 requests failed" in given_up.actual
    assert "the load was given up: 4 of 4 requests failed" in found.remarks
    assert verdict(found, "counted").status is Status.FAIL  # judged all the same


def test_a_client_that_held_requests_back_is_remarked_upon():
    text = "load: {model: m, requests: 9, concurrency: 1, rate: 100000, prompts: [hello]}"
    found, _ = judged(load=text)
    assert found.exit_code == 0, found.verdicts
    assert any("8 requests were due and had to wait" in remark for remark in found.remarks)


def test_goodput_is_asked_like_any_figure():
    text = paced("slo: {latency: 1m}, assert: [{path: $.goodput.share, eq: 1}]")
    found, _ = judged(load=text)
    assert verdict(found, "goodput.share").status is Status.PASS
    assert found.load["goodput"]["met"] == 5


def test_a_figure_that_is_missing_does_not_meet_an_slo():
    one_token = stream(ROLE, delta("Hi"), delta(finish="stop"), DONE)
    books = Books()
    text = paced("slo: {tpot: 1m}, assert: [{path: $.goodput.share, gt: 0}]")
    found, _ = judged(books, {CHAT: chat(books, one_token)}, load=text)
    goodput = found.load["goodput"]
    assert (goodput["met"], goodput["undetermined"], goodput["share"]) == (0, 5, 0)
    assert verdict(found, "goodput.share").status is Status.FAIL


def test_a_counter_that_never_stops_is_judged_in_time_and_reported_as_not_settled():
    began = time.monotonic()
    found, _ = judged(Books(moving=100))
    assert time.monotonic() - began < 6
    assert found.settled is not None
    assert not found.settled.settled
    assert found.settled.moving == ("counts",)
    assert found.settled.elapsed < 1.5
    assert any("not settled" in remark and "counts" in remark for remark in found.remarks)
    assert verdict(found, "counted").status is Status.FAIL
    assert found.exit_code == 1


def test_a_page_with_another_order_at_each_look_is_still():
    """Some servers write a hash table as it comes."""
    books = Books()
    names = ["a", "b", "c"]

    def page():
        names.append(names.pop(0))
        return {"by": {name: {"n": books.total} for name in names}}

    found, _ = judged(
        books,
        {"/metrics": document(page)},
        '  counts: {get: /metrics, assert: [{path: $.by.*.n, delta: {eq: "${load.ok}"}}]}',
    )
    assert found.exit_code == 0, found.verdicts
    assert found.settled is not None
    assert found.settled.settled


def test_a_restless_counter_that_satisfies_its_assertion_passes_and_is_reported_all_the_same():
    found, _ = judged(
        Books(moving=100),
        endpoints="  counts: {get: /metrics, assert: [{path: $.total, delta: {gt: 0}}]}",
    )
    assert found.exit_code == 0
    assert found.settled is not None
    assert not found.settled.settled
    assert any("not settled" in remark for remark in found.remarks)


def test_counters_that_moved_before_the_run_do_not_pass():
    found, _ = judged(Books(already=100, lost=5))
    counted = verdict(found, "counted")
    assert counted.status is Status.FAIL
    assert counted.actual == "+0 (100 → 100)"
    assert counted.note == "unchanged while 5 requests succeeded"
    assert (counted.before, counted.after) == ("100", "100")
    assert found.exit_code == 1


def test_a_counter_that_starts_high_and_counts_right_passes():
    found, _ = judged(Books(already=100))
    assert found.exit_code == 0


def test_only_endpoints_that_deltas_ask_about_are_polled():
    pages = {"/other": document(lambda: {"value": 1})}
    endpoints = OTHER + "  counts: {get: /metrics, assert: [{path: $.total, delta: {eq: 5}}]}"
    _, server = judged(Books(late=0.5), pages, endpoints)
    asked = [request.path for request in server.requests]
    assert asked.count("/other") == 2
    assert asked.count("/metrics") > 3


# Endpoints that cannot be read, while others can


def test_an_endpoint_that_hangs_costs_its_own_timeout_and_the_others_are_judged():
    endpoints = """
  stuck: {get: /stuck, timeout: 300ms, assert: [{path: $.x, exists: true, name: stuck}]}
  counts: {get: /metrics, assert: [{path: $.total, delta: {eq: 5}, name: counted}]}
"""
    began = time.monotonic()
    found, _ = judged(pages={"/stuck": never()}, endpoints=endpoints)
    assert time.monotonic() - began < 6
    assert verdict(found, "counted").status is Status.PASS
    assert verdict(found, "reachable", "stuck").status is Status.ERROR
    assert verdict(found, "stuck").status is Status.ERROR
    assert "no answer within 300ms" in verdict(found, "stuck").actual
    assert found.exit_code == 1


@pytest.mark.parametrize(
    "page,said",
    [
        (drip(b" " * 10_000, every=0.05), "did not end within 300ms"),
        (never(b"HTTP/1.1 200 OK\r\nContent-Le"), "no answer within 300ms"),
        (redirect("/page"), "redirect"),
        (redirect("http://127.0.0.1:1/elsewhere"), "127.0.0.1:1"),
        (reply(b'{"value": 1}', status=500), "HTTP 500"),
        (reply(b'{"value": 1}', status=404), "HTTP 404"),
        (reply(b""), "not JSON"),
        (reply(b"<html>"), "not JSON"),
        (reply(b'{"value": NaN}'), "NaN"),
        (reply(b'{"value": 1e999}'), "1e999"),
        (reply(b"[" * 100_000), "deep"),
        (reply(b'{"value": 1}', headers={"Content-Encoding": "gzip"}), "gzip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_assertion_of_an_unreadable_endpoint_is_an_error_that_says_why(page, said):
    endpoints = """
  page:
    get: /page
    timeout: 300ms
    assert:
      - {path: $.value, gt: 0, name: first}
      - {path: $.value, exists: true, name: second}
      - {path: $.value, absent: true, name: absence}
      - {path: "$.value[*]", count: {eq: 0}, name: none}
      - {expr: x >= 0, let: {x: $.value}, name: relation}
"""
    found, _ = judged(pages={"/page": page}, endpoints=endpoints)
    assert verdict(found, "reachable", "page").bad
    assert said in verdict(found, "reachable", "page").actual
    for name in ("first", "second", "absence", "none", "relation"):
        one = verdict(found, name)
        assert one.status is Status.ERROR
        assert said in one.actual + one.note
    assert found.exit_code == 1


def test_a_page_unreadable_before_and_readable_after_decides_all_but_the_changes():
    page = in_turn(reply(b"busy", status=503), reply(b'{"value": 7}'))
    endpoints = """
  page:
    get: /page
    assert:
      - {path: $.value, eq: 7, name: absolute}
      - {path: $.value, delta: {ge: 0}, name: change}
      - {expr: delta(v) >= 0, let: {v: $.value}, name: relation}
"""
    found, _ = judged(pages={"/page": page}, endpoints=endpoints)
    assert verdict(found, "absolute").status is Status.PASS
    reachable = verdict(found, "reachable", "page")
    assert reachable.bad
    assert "503" in reachable.actual
    assert reachable.note == "before the load"
    for name in ("change", "relation"):
        assert verdict(found, name).status is Status.ERROR
        assert "before the load" in verdict(found, name).note
    assert found.exit_code == 1


def test_a_page_readable_before_and_unreadable_after_passes_nothing():
    page = in_turn(reply(b'{"value": 7}'), reply(b"down", status=503))
    endpoints = "  page: {get: /page, assert: [{path: $.value, eq: 7, name: absolute}]}"
    found, _ = judged(pages={"/page": page}, endpoints=endpoints)
    assert verdict(found, "absolute").status is Status.ERROR
    assert verdict(found, "reachable", "page").note == "after the load"


# Payloads that are not what they should be

WRONG = {
    "a text for a number": ('{"v": "22"}', "type: number", '"22"'),
    "a text for a counter": ('{"v": "22"}', "ge: 0", '"22"'),
    "a text under a sum": ('{"v": "22"}', "sum: {ge: 0}", '"22"'),
    "a text under a delta": ('{"v": "22"}', "delta: {ge: 0}", '"22"'),
    "null": ('{"v": null}', "ge: 0", "null"),
    "null that exists": ('{"v": null}', "exists: true", "null"),
    "null under a delta": ('{"v": null}', "delta: {ge: 0}", "null"),
    "null against a number": ('{"v": null}', "ne: 5", "null"),
    "true for a number": ('{"v": true}', "ge: 0", "true"),
    "true for 1": ('{"v": true}', "eq: 1", "true"),
    "2.5 for an integer": ('{"v": 2.5}', "type: integer", "2.5"),
    "a missing field": ('{"w": 1}', "ge: 0", "absent"),
    "a missing field that is compared": ('{"w": 1}', "ne: 5", "absent"),
    "a missing field under a count": ('{"w": 1}', "count: {gt: 0}", "0"),
    "a missing field under a length": ('{"w": 1}', "length: {ge: 0}", "absent"),
    "a missing field that changes": ('{"w": 1}', "delta: {ge: 0}", "absent"),
    "an empty array": ('{"v": []}', "length: {gt: 0}", "0"),
    "an empty object": ('{"v": {}}', "type: array", "object"),
    "an array for a number": ('{"v": [1]}', "ge: 0", "array"),
    "a whole document that is null": ("null", "ge: 0", "absent"),
    "a whole document that is an array": ("[]", "exists: true", "absent"),
    "a number as wide as a page": ('{"v": 1' + "0" * 400 + "}", "lt: 5", ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_payload_fails_its_assertion_and_names_what_was_found(case):
    body, condition, said = WRONG[case]
    found, _ = judged(
        pages={"/page": reply(body.encode())},
        endpoints=f"  page: {{get: /page, assert: [{{path: $.v, {condition}, name: asked}}]}}",
    )
    asked = verdict(found, "asked")
    assert asked.bad
    assert said in f"{asked.actual} {asked.note}"
    assert asked.path == "$.v"
    assert verdict(found, "reachable", "page").status is Status.PASS
    assert found.exit_code == 1


@pytest.mark.parametrize("condition", ["ge: 0", "exists: true", "each: {ge: 0}", "none: {lt: 0}",
                                       "any: {ge: 0}", "sum: {ge: 0}", "min: {ge: 0}",
                                       "p99: {ge: 0}", "delta: {ge: 0}"])  # fmt: skip
def test_a_quantifier_or_measure_over_nothing_fails(condition):
    found, _ = judged(
        pages={"/page": reply(b'{"workers": []}')},
        endpoints=(
            "  page: {get: /page, assert: "
            f'[{{path: "$.workers[*].total", {condition}, name: asked}}]}}'
        ),
    )
    assert verdict(found, "asked").bad
    assert found.exit_code == 1


def test_a_body_of_ten_megabytes_is_judged():
    big = json.dumps({"rows": [{"n": n, "pad": "x" * 80} for n in range(100_000)]}).encode()
    assert len(big) > 10_000_000
    found, _ = judged(
        pages={"/big": reply(big)},
        endpoints="""
  big:
    get: /big
    timeout: 30s
    assert:
      - {path: $.rows, length: {eq: 100000}, name: long}
      - {path: "$.rows[99999].n", eq: 99999, name: last}
      - {path: "$.rows[100000].n", eq: 0, name: beyond}
      - {path: $.rows, eq: 5, name: quoted}
""",
    )
    assert verdict(found, "long").status is Status.PASS
    assert verdict(found, "last").status is Status.PASS
    assert verdict(found, "beyond").bad
    assert verdict(found, "quoted").bad
    assert len(verdict(found, "quoted").actual) < 500


def test_a_body_beyond_its_bound_is_an_error_that_names_the_bound():
    found, _ = judged(
        pages={"/big": reply(b" " * 50_000)},
        endpoints="  big: {get: /big, max_body: 10KiB, assert: [{path: $, exists: true}]}",
    )
    assert "10 KiB" in verdict(found, "reachable", "big").actual


# The load


def test_a_load_of_which_too_little_succeeds_fails_the_run():
    empty = stream(ROLE, delta(finish="stop"), DONE)
    found, _ = judged(pages={CHAT: chat(Books(), empty)}, endpoints=PRESENT)
    assert verdict(found, "success_rate").status is Status.FAIL
    assert verdict(found, "some request succeeded").status is Status.FAIL
    assert found.exit_code == 1
    assert found.load["outcomes"] == {"ok": 0, "empty": 5}


def test_requests_that_are_refused_are_counted_by_their_status():
    refused = answer(b'{"error": {"message": "slow down"}}', "429 Too Many Requests")
    found, server = judged(pages={CHAT: chat(Books(), refused)})
    assert found.load["outcomes"] == {"ok": 0, "status_429": 5}
    assert sum(r.path == CHAT for r in server.requests) == 5  # none was tried again


def test_a_reference_to_what_the_load_did_not_measure_is_an_error_that_names_it():
    found, _ = judged(
        endpoints="""
  counts:
    get: /metrics
    assert: [{path: $.total, delta: {eq: "${load.tokens.prompt}"}, name: tokens}]
"""
    )
    tokens = verdict(found, "tokens")
    assert tokens.status is Status.ERROR
    assert "load.tokens.prompt" in tokens.note


def test_without_a_load_the_endpoints_are_looked_at_once():
    found, server = judged(
        load="", settle="", endpoints="  counts: {get: /metrics, assert: [{path: $.total, eq: 0}]}"
    )
    assert found.exit_code == 0
    assert found.load is None
    assert [r.path for r in server.requests] == ["/metrics"]


def test_where_nobody_listens_no_load_is_sent_and_the_run_ends_at_once():
    url = f"http://127.0.0.1:{free_port()}"
    began = time.monotonic()
    found = asyncio.run(run_async(spec(url)))
    assert time.monotonic() - began < 2
    assert found.exit_code == 1
    assert found.load is None
    assert all(v.status is Status.ERROR for v in found.verdicts)
    assert any("nothing answers" in r and "not sent" in r for r in found.remarks)


def test_where_nobody_listens_the_command_line_says_so(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    done = validator("run", "fakeai/dashboard", "--url", url, cwd=tmp_path)
    assert done.returncode == 1
    assert f"nothing answers at {url}: the load was not sent" in done.stdout
    assert "sending the load" not in done.stderr


def test_a_port_that_accepts_and_says_nothing_is_an_error_within_the_bounds():
    async def once():
        async with hostile({"/metrics": never(), CHAT: never()}) as server:
            load = "load: {model: m, requests: 2, concurrency: 2, timeout: 300ms, prompts: [a]}"
            endpoints = "  counts: {get: /metrics, timeout: 300ms, assert: [{path: $.t, ge: 0}]}"
            return await run_async(spec(server.url, endpoints, load=load))

    began = time.monotonic()
    found = asyncio.run(once())
    assert time.monotonic() - began < 6
    assert found.exit_code == 1
    assert not any(v.status is Status.PASS for v in found.verdicts)
    assert found.load["outcomes"] == {"ok": 0, "timeout": 2}


def test_the_whole_run_is_bounded_by_its_timeout():
    began = time.monotonic()
    found, _ = judged(pages={CHAT: never()}, more="timeout: 1s", endpoints=PRESENT)
    assert time.monotonic() - began < 5
    assert found.interrupted == "run timeout"
    assert found.exit_code == 1
    assert verdict(found, "present").status is Status.ERROR
    assert found.load["sent"] == 5
    assert found.load["outcomes"] == {"ok": 0, "interrupted": 5}


def test_the_timeout_flag_bounds_the_whole_run(tmp_path):
    with demo() as url:
        began = time.monotonic()
        done = validator(
            "run", "fakeai/dashboard", "--url", url, "--requests", "5000", "--timeout", "2s",
            "--report", "json", cwd=tmp_path,
        )  # fmt: skip
    assert time.monotonic() - began < 15
    assert done.returncode == 1
    found = report(done)
    assert found["interrupted"] == "run timeout"
    assert found["passed"] is False
    assert found["elapsed_s"] < 4


def test_several_endpoints_can_be_read_in_order():
    endpoints = "".join(
        f"  e{n}: {{get: /e{n}, assert: [{{path: $.value, eq: {n}}}]}}\n" for n in range(6)
    )
    pages = {f"/e{n}": document(lambda n=n: {"value": n}) for n in range(6)}
    found, server = judged(pages=pages, endpoints=endpoints, load="", more="sequential: true")
    assert found.exit_code == 0
    assert [r.path for r in server.requests] == [f"/e{n}" for n in range(6)]


# A server of our own

HEALTH = """
import http.server, os, sys
BODY = (b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}'
        b'\\n\\ndata: [DONE]\\n\\n')
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"value": 1}')
    def do_POST(self):
        asked()
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(BODY)
    def log_message(self, *args): pass
def asked(): pass
def serve():
    print("serving", flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
WATCHED = """
endpoints:
  page: {get: /page, timeout: 1s, assert: [{path: $.value, eq: 1, name: good}]}
"""


def with_server(tmp_path: Path, code: str, *, url="http://127.0.0.1", more="", load="") -> Path:
    """Write a spec whose server runs *code*, with its port as the argument."""
    (tmp_path / "server.py").write_text(code)
    command = f"[{sys.executable}, {tmp_path / 'server.py'}, '${{port}}']"
    path = tmp_path / "own.yaml"
    path.write_text(
        f"version: 1\ntitle: own server\ntarget: {{url: '{url}'}}\n"
        f"server: {{command: {command}, ready: /health, within: 20s{more}}}\n{load}\n{WATCHED}"
    )
    return path


SENDING = "load: {driver: chat, model: m, requests: 20, concurrency: 2, timeout: 5s, prompts: [a]}"


def test_a_server_is_started_on_a_free_port_judged_and_stopped(tmp_path):
    path = with_server(
        tmp_path, HEALTH + f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nserve()"
    )
    done = validator("run", path, "--report", "json")
    assert done.returncode == 0, done.stderr
    found = report(done)
    assert found["target"].startswith("http://127.0.0.1:")
    assert any("starting" in remark for remark in found["remarks"])
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_server_takes_the_port_that_the_target_names(tmp_path):
    port = free_port()
    path = with_server(tmp_path, HEALTH + "serve()", url=f"http://127.0.0.1:{port}")
    found = report(validator("run", path, "--report", "json"))
    assert found["target"] == f"http://127.0.0.1:{port}"
    assert found["passed"] is True


@pytest.fixture
def running(tmp_path):
    """A server that answers already; yields its port."""
    port = free_port()
    code = tmp_path / "already.py"
    code.write_text(HEALTH + "serve()")
    with subprocess.Popen(
        [sys.executable, code, str(port)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        until_listening(port)
        yield port
        assert process.poll() is None  # whoever used it left it alone
        process.terminate()


def until_listening(port):
    import socket

    deadline = time.monotonic() + 10
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline


def test_a_server_that_answers_already_is_reused_visibly_and_left_alone(tmp_path, running):
    path = with_server(tmp_path, "raise SystemExit('started')", url=f"http://127.0.0.1:{running}")
    done = validator("run", path)
    assert done.returncode == 0, done.stderr
    assert "a server already answers" in done.stdout


def test_a_server_that_answers_already_can_be_refused(tmp_path, running):
    path = with_server(
        tmp_path, "raise SystemExit()", url=f"http://127.0.0.1:{running}", more=", reuse: false"
    )
    done = validator("run", path)
    assert done.returncode == 1
    assert "a server already answers" in done.stdout
    assert "reuse" in done.stdout


def test_with_url_no_server_is_started(tmp_path, running):
    path = with_server(tmp_path, f"open({str(tmp_path / 'started')!r}, 'w')")
    done = validator("run", path, "--url", f"http://127.0.0.1:{running}", "--report", "json")
    assert done.returncode == 0, done.stderr
    assert report(done)["target"] == f"http://127.0.0.1:{running}"
    assert not (tmp_path / "started").exists()


def test_a_server_that_does_not_start_fails_the_run_and_its_output_is_shown(tmp_path):
    path = with_server(tmp_path, "print('no such model: x1'); raise SystemExit(7)")
    done = validator("run", path, "--report", f"json={tmp_path / 'r.json'}")
    assert done.returncode == 1
    assert "exit code 7" in done.stdout
    assert "no such model: x1" in done.stdout
    found = json.loads((tmp_path / "r.json").read_text())
    assert {v["status"] for v in found["verdicts"]} == {"error"}
    assert found["load"] is None


def test_a_server_that_is_never_ready_is_given_up_in_time_and_stopped(tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    path = with_server(tmp_path, code)
    began = time.monotonic()
    done = validator("run", path, "--set", "server.within=1s")
    assert time.monotonic() - began < 12
    assert done.returncode == 1
    assert "not ready within 1s" in done.stdout
    assert gone(int(pid.read_text()))


def test_a_command_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "version: 1\ntitle: t\ntarget: {url: 'http://127.0.0.1'}\n"
        f"server: {{command: no-such-command-here, ready: /health}}\n{WATCHED}"
    )
    done = validator("run", path)
    assert done.returncode == 1
    assert "no-such-command-here" in done.stdout


def test_a_server_that_dies_during_the_load_is_reported_with_its_output(tmp_path):
    dying = (
        "count = 0\ndef asked():\n    global count\n    count += 1\n    if count == 5:\n"
        "        print('out of memory', flush=True)\n        os._exit(3)\nserve()"
    )
    path = with_server(tmp_path, HEALTH + dying, load=SENDING)
    began = time.monotonic()
    done = validator("run", path, "--report", f"json={tmp_path / 'r.json'}")
    assert time.monotonic() - began < 20
    assert done.returncode == 1
    assert "the server ended during the run with exit code 3" in done.stdout
    assert "out of memory" in done.stdout
    found = json.loads((tmp_path / "r.json").read_text())
    outcomes = found["load"]["outcomes"]
    assert outcomes["ok"] < 6
    assert sum(outcomes.values()) == 20
    assert {v["name"] for v in bad(found).values()} >= {"reachable", "good", "success_rate"}


def test_a_load_is_not_sent_to_a_server_that_died_in_the_one_before(tmp_path):
    dying = (
        "count = 0\ndef asked():\n    global count\n    count += 1\n    if count == 5:\n"
        "        os._exit(3)\nserve()"
    )
    one = SENDING.strip().removeprefix("load: ")
    loads = f"loads:\n  first: {one}\n  second: {one}\n"
    path = with_server(tmp_path, HEALTH + dying, load=loads)
    done = validator("run", path, "--report", f"json={tmp_path / 'r.json'}")
    assert done.returncode == 1
    assert "the load second was not sent" in done.stdout
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["loads"]["first"]["sent"] == 20
    assert found["loads"]["second"] is None
    said = {v["section"]: v for v in found["verdicts"] if v["name"] == "success_rate"}
    assert said["load first"]["status"] == "fail"
    assert said["load second"]["status"] == "error"
    assert said["load second"]["note"] == "the load was not sent"


# Interrupted


def gone(pid: int) -> bool:
    """Say whether process *pid* has ended, waiting a little for it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_shows_what_was_judged_so_far_and_stops_the_whole_server(tmp_path, number):
    pids = tmp_path / "pids"
    demo_server = shlex.join([sys.executable, "-m", "validator.demo", "--port"])
    script = f"sleep 600 & echo $! $$ > {shlex.quote(str(pids))}; exec {demo_server} $0"
    path = tmp_path / "long.yaml"
    path.write_text(f"""
version: 1
title: long
target: {{url: 'http://127.0.0.1'}}
server: {{command: [sh, -c, {json.dumps(script)}, '${{port}}'], ready: /health}}
load: {{driver: chat, model: m, requests: 600, concurrency: 10, stream: true, prompts: [hello]}}
endpoints:
  dynamo:
    get: /dynamo/metrics/json
    assert:
      - {{path: $.summary.total_requests, delta: {{eq: "${{load.sent}}"}}, name: counted}}
      - {{path: $.summary.total_requests, eq: 0, over: before, name: fresh}}
""")
    with subprocess.Popen(
        [*COMMAND, "run", path, "--report", f"json={tmp_path / 'r.json'}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=environment(),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if " % " in line:  # the load is on its way
                break
        process.send_signal(number)
        interrupted = time.monotonic()
        out, rest = process.communicate(timeout=30)
    assert time.monotonic() - interrupted < 10
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert "INTERRUPTED" in out
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["exit_code"] == 130
    assert found["passed"] is False
    assert found["interrupted"] == "interrupted"
    assert found["load"]["ok"] >= 60
    assert found["load"]["outcomes"]["interrupted"] >= 1
    statuses = {v["name"]: v["status"] for v in found["verdicts"]}
    assert statuses["fresh"] == "pass"
    assert statuses["counted"] == "error"
    for pid in map(int, pids.read_text().split()):
        assert gone(pid)


def test_a_run_within_an_event_loop_can_be_interrupted_by_its_caller():
    from validator.run import run

    async def once():
        async with scripted(Books(), {CHAT: never()}) as server:
            stop = asyncio.Event()
            work = asyncio.create_task(run(spec(server.url), interrupt=stop))
            await server.asked.wait()
            stop.set()
            return await asyncio.wait_for(work, 5)

    recording = asyncio.run(once())
    assert recording.interrupted == "interrupted"
    assert recording.rounds[0].observations.after["counts"].error is not None


def test_run_inside_an_event_loop_says_what_to_call_instead():
    spec = parse("{version: 1, target: {url: 'http://127.0.0.1:1'}, endpoints: {a: {get: /a}}}")

    async def notebook():
        library.run(spec)

    with pytest.raises(UsageError, match=r"await run_async\(spec\)"):
        asyncio.run(notebook())


def test_a_clock_that_is_to_go_on_is_not_waited_for():
    found, _ = judged(
        Books(moving=1000),
        endpoints="  counts: {get: /metrics, assert: [{path: $.total, delta: {gt: 0}}]}",
        settle="settle: {within: 60s, every: 20ms, stable_for: 60ms}",
    )
    assert found.exit_code == 0
    assert found.settled is not None
    assert found.settled.elapsed < 10
    assert found.settled.moving == ("counts",)


@pytest.mark.parametrize("more", ["xfail: {reason: known}", "skip: only looking"])
def test_what_nobody_waits_to_see_hold_is_waited_for_to_rest(more):
    found, _ = judged(
        Books(moving=100),
        endpoints=(
            "  counts: {get: /metrics, assert: [{path: $.total, name: late, delta: {ge: 60}, "
            f"{more}}}]}}"
        ),
    )
    assert found.settled is not None
    assert found.settled.elapsed > 0.9
    if more.startswith("xfail"):  # it came, if late, and is no failure any more
        assert verdict(found, "late").status is Status.FAIL
        assert "announced" in verdict(found, "late").note
