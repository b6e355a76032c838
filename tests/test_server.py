"""A server is started, waited for and always stopped with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hostile_http import hostile, never, reply

from validator import server as module
from validator.errors import ServerError
from validator.server import free_port, started
from validator.spec.model import ServerPlan

SERVE = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(os.environ.get("GREETING", "").encode())
    def log_message(self, *args): print("asked for", self.path, flush=True)
def serve(): http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
"""


def plan(code, port, **fields):
    fields.setdefault("within", 20)
    return ServerPlan((sys.executable, "-c", code, str(port)), "/health", **fields)


def run(what, port, inside=None, said=None):
    """Start *what*, do *inside* with it, and return what that returned and the server."""

    async def once():
        url = f"http://127.0.0.1:{port}"
        announce = (lambda _: None) if said is None else said.append
        async with started(what, url, announce=announce) as running:
            found = None if inside is None else await inside(running)
        return found, running

    return asyncio.run(once())


async def get(port, path="/health"):
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{port}{path}")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # an orphan nobody reaps is dead all the same
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return sys.platform != "linux"


def gone(pid):
    deadline = time.monotonic() + 3
    while alive(pid):
        if time.monotonic() > deadline:
            return False
    return True


def test_a_server_is_there_in_the_block_and_gone_after_it():
    port = free_port()
    said = []

    async def inside(running):
        assert running.exit_code is None
        assert not running.reused
        answer = await get(port)
        return answer.text, running.output_tail()

    (greeting, output), running = run(
        plan(SERVE + "serve()", port, env=(("GREETING", "hello"),)), port, inside, said
    )
    assert greeting == "hello"
    assert "asked for /health" in output
    assert running.exit_code == -signal.SIGTERM
    assert "asked for /health" in running.output_tail()
    assert running.output_tail(1).count("\n") == 0
    assert len(said) == 1
    assert said[0].startswith(f"starting {sys.executable} -c ")
    with pytest.raises(httpx.ConnectError):
        asyncio.run(get(port))


def test_a_server_that_ends_early_says_how_and_shows_its_last_lines():
    code = "for n in range(99): print('line', n)\nraise SystemExit('\\x1b[31mno config')"
    with pytest.raises(ServerError, match=r"^the server ended before it was ready") as refused:
        run(plan(code, 0), free_port())
    assert "(exit code 1)" in str(refused.value)
    lines = refused.value.output.splitlines()
    assert len(lines) == 20
    assert lines[-1] in {"line 98", "\\x1b[31mno config"}
    assert "\\x1b[31mno config" in lines


def test_a_server_that_is_killed_early_names_the_signal():
    code = "import os; os.kill(os.getpid(), 9)"
    with pytest.raises(ServerError, match=r"\(killed by SIGKILL\)$"):
        run(plan(code, 0), free_port())


def test_a_server_that_is_never_ready_is_stopped_when_time_is_up():
    port = free_port()
    code = FAMILY + "time.sleep(600)"
    began = time.monotonic()
    with pytest.raises(ServerError) as refused:
        run(plan(code, port, within=1.5), port)
    assert time.monotonic() - began < 5
    assert str(refused.value) == (
        "the server was not ready within 1.5s "
        f"(http://127.0.0.1:{port}/health: cannot connect: connection refused)"
    )
    assert gone(int(refused.value.output.split()[1]))


def test_a_server_whose_ready_path_answers_an_error_is_not_ready():
    port = free_port()
    what = ServerPlan((sys.executable, "-c", SERVE + "serve()", str(port)), "/nope", within=1.5)
    with pytest.raises(ServerError, match=r"/nope: HTTP 404\)$"):
        run(what, port)


@pytest.mark.parametrize(
    "command,text",
    [
        (("no-such-command-anywhere",), "no command 'no-such-command-anywhere': is it installed"),
        (("/",), "cannot run '/': Permission denied"),
        (("/bin/sh", "a\0b"), "cannot run '/bin/sh': embedded null byte"),
    ],
)
def test_a_command_that_cannot_be_run(command, text):
    with pytest.raises(ServerError) as refused:
        run(ServerPlan(command, "/health"), free_port())
    assert str(refused.value).startswith(text)


def test_what_the_server_started_is_stopped_with_it():
    port = free_port()

    async def inside(running):
        return int(running.output_tail().split("child ")[1].split()[0])

    child, _ = run(plan(FAMILY + SERVE + "serve()", port), port, inside)
    assert gone(child)


def test_a_server_deaf_to_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    port = free_port()
    _, running = run(plan(STUBBORN + SERVE + "serve()", port), port)
    assert running.exit_code == -signal.SIGKILL


def test_a_child_deaf_to_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr(module, "_ORPHANS", 0.3)
    port = free_port()

    async def inside(running):
        return int(running.output_tail().split("child ")[1].split()[0])

    code = FAMILY.replace("import time;", "import signal, time; signal.signal(15, signal.SIG_IGN);")
    child, _ = run(plan(code + SERVE + "serve()", port), port, inside)
    assert gone(child)


def test_an_exception_in_the_block_stops_the_server():
    port = free_port()

    async def inside(_):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        run(plan(SERVE + "serve()", port), port, inside)
    with pytest.raises(httpx.ConnectError):
        asyncio.run(get(port))


def test_cancellation_stops_the_server_even_when_it_comes_twice():
    port = free_port()
    pids = []

    async def hold(ready):
        what = plan(STUBBORN + SERVE + "serve()", port)
        async with started(what, f"http://127.0.0.1:{port}", announce=lambda _: None) as running:
            pids.append(running._process.pid)
            ready.set()
            await asyncio.Event().wait()

    async def once():
        ready = asyncio.Event()
        task = asyncio.create_task(hold(ready))
        await ready.wait()
        task.cancel()
        await asyncio.sleep(0.1)
        assert not task.done()  # it waits for a server that does not listen
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    began = time.monotonic()
    asyncio.run(once())
    assert time.monotonic() - began < 4
    assert gone(pids[0])


def test_a_server_that_dies_in_the_block_can_be_asked_how():
    port = free_port()
    code = SERVE + "import threading\nthreading.Timer(0.5, os._exit, [7]).start()\nserve()"

    async def inside(running):
        for _ in range(500):
            if running.exit_code is not None:
                break
            await asyncio.sleep(0.02)
        return running.exit_code

    code, running = run(plan(code, port), port, inside)
    assert code == running.exit_code == 7


def reuse(scripts, **fields):
    said = []

    async def once():
        async with hostile(scripts) as already:
            what = ServerPlan(("no-such-command",), "/health", **fields)
            async with started(what, already.url, announce=said.append) as running:
                found = running.reused, running.exit_code, running.output_tail()
            async with httpx.AsyncClient() as client:
                still_there = (await client.get(f"{already.url}/health")).is_success
            return found, still_there

    return *asyncio.run(once()), said


def test_a_server_that_answers_already_is_used_and_left_alone():
    found, still_there, said = reuse({"/health": reply(b"ok")})
    assert found == (True, None, "")
    assert still_there
    assert len(said) == 1
    assert said[0].startswith("a server already answers at http://127.0.0.1:")


def test_a_server_that_answers_already_can_be_refused():
    with pytest.raises(ServerError, match=r"^a server already answers at .*/health: stop it"):
        reuse({"/health": reply(b"ok")}, reuse=False)


@pytest.mark.parametrize("script", [reply(status=503), never()], ids=["error", "hangs"])
def test_an_answer_that_is_not_ready_is_not_used(script, monkeypatch):
    monkeypatch.setattr(module, "_ANSWER", 0.3)
    with pytest.raises(ServerError, match=r"^no command 'no-such-command'"):
        reuse({"/health": script})


def test_of_much_output_only_the_end_is_kept():
    with module._kept_output() as output:
        code = "for n in range(30_000): print('word', n)"
        subprocess.run([sys.executable, "-c", code], stdout=output.file, check=True)
        output.trim(most=1_000_000)
        assert output.path.stat().st_size > 300_000
        output.trim(most=100_000)
        assert output.path.stat().st_size == 0
        assert output.tail(2) == "word 29998\nword 29999"
        subprocess.run([sys.executable, "-c", "print('more')"], stdout=output.file, check=True)
        assert output.path.stat().st_size == 5
        assert output.tail(2) == "word 29999\nmore"
    assert output.tail(2) == "word 29999\nmore"


def test_a_free_port_is_one_that_can_be_listened_at():
    async def listen():
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", free_port()):
            pass

    asyncio.run(listen())
