"""What a client of load costs, and how true its times are, against a server that does not think.

python benchmarks/load.py [--repeats N] [--quick]

Each client is a process of its own; all take turns, several times over, so that a busy machine is
busy for each of them, and what counts is CPU time and ratios within one run. Needs a C compiler.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

CHUNKS = 50
TTFT_MS = 50.0
ITL_MS = 5.0
BURST = 10
TIMED = 100
"""Concurrent requests."""
HERE = Path(__file__).parent
LAST = b"0\r\n\r\n"
BARE = "bare sockets, uvloop"
"""The least that any client in Python can cost; all others are compared with it."""

Figures = dict[str, Any]


# The clients, each in a process of its own


async def by_openai(url: str, requests: int, concurrency: int) -> list[Figures]:
    """Do what scripts do: iterate the stream, note the first content."""
    import openai  # noqa: PLC0415 - each client imports its own

    found: list[Figures] = []
    numbers = iter(range(requests))
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:

        async def work() -> None:
            for number in numbers:
                sent = time.perf_counter()
                stream = await client.chat.completions.create(
                    model="bench",
                    messages=[{"role": "user", "content": f"#{number}"}],
                    stream=True,
                    stream_options={"include_usage": True},
                )
                stamps = [
                    time.perf_counter()
                    async for chunk in stream
                    if chunk.choices and chunk.choices[0].delta.content
                ]
                found.append(_figures(number, sent, stamps[0], _gaps(stamps), len(stamps)))

        return await _measured(concurrency, work, found)


def by_driver(kind: str) -> Callable[[str, int, int], Coroutine[Any, Any, list[Figures]]]:
    """Return what sends by the chat driver, whose requests take this way."""

    async def send(url: str, requests: int, concurrency: int) -> list[Figures]:
        from validator.drivers import Connection  # noqa: PLC0415 - as above
        from validator.drivers.chat import Chat  # noqa: PLC0415 - as above

        prompts = tuple(f"#{number}" for number in range(requests))
        driver = Chat(Connection(url, "", 120.0), model="bench", prompts=prompts)
        found: list[Figures] = []
        numbers = iter(range(requests))
        clock = time.perf_counter
        if kind == "raw":
            way = driver._plain(clock, concurrency)  # noqa: SLF001 - as behind a proxy
        else:
            way = driver.open(clock, concurrency)
        async with way as sender:

            async def work() -> None:
                for number in numbers:
                    e = await sender.send(number)
                    assert e.ok, e.detail
                    assert e.first_token is not None
                    found.append(_figures(number, e.sent, e.first_token, e.gaps, e.chunks))

            return await _measured(concurrency, work, found)

    return send


class Bare(asyncio.Protocol):
    """A connection that looks at nothing but the last bytes."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self.stamps.append(now)
        if data.endswith(LAST):
            self.done.set_result(None)


async def by_bare_sockets(url: str, requests: int, concurrency: int) -> list[Figures]:
    """Write bytes and read bytes, and decode nothing."""
    loop = asyncio.get_running_loop()
    host, _, port = url.removeprefix("http://").partition(":")
    found: list[Figures] = []
    numbers = iter(range(requests))

    async def work() -> None:
        _, bare = await loop.create_connection(Bare, host, int(port))
        for number in numbers:
            request = _request(host, number)
            bare.stamps, bare.done = [], loop.create_future()
            sent = time.perf_counter()
            bare.transport.write(request)
            await bare.done
            first = bare.stamps[1] if len(bare.stamps) > 1 else bare.stamps[0]
            found.append(_figures(number, sent, first, _gaps(bare.stamps[1:]), CHUNKS))
        bare.transport.close()

    return await _measured(concurrency, work, found)


async def by_lines(url: str, requests: int, concurrency: int) -> list[Figures]:
    """Read a line at a time, note when each event came, and decode no JSON."""
    host, _, port = url.removeprefix("http://").partition(":")
    found: list[Figures] = []
    numbers = iter(range(requests))

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in numbers:
            sent = time.perf_counter()
            writer.write(_request(host, number))
            stamps = []
            while (line := await reader.readline()) != b"0\r\n":
                if line.startswith(b"data: "):
                    stamps.append(time.perf_counter())
            await reader.readline()
            content = stamps[1 : CHUNKS + 1]  # of the others one has a role, the last say the end
            found.append(_figures(number, sent, content[0], _gaps(content), len(content)))
        writer.close()

    return await _measured(concurrency, work, found)


CLIENTS: dict[str, Callable[[str, int, int], Coroutine[Any, Any, list[Figures]]]] = {
    "openai stream loop": by_openai,
    "httpx, own cutting": by_driver("raw"),
    "validator": by_driver("fast"),
    BARE: by_bare_sockets,
    "bare sockets, asyncio": by_bare_sockets,
    "asyncio, by line": by_lines,
}
ON_ASYNCIO = ("bare sockets, asyncio", "asyncio, by line")
"""Clients on the loop that Python brings, not on uvloop."""


def _request(host: str, number: int) -> bytes:
    message = {"role": "user", "content": f"#{number}"}
    body = json.dumps({"model": "bench", "messages": [message], "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _figures(number: int, sent: float, first: float, gaps: Sequence[float], chunks: int) -> Figures:
    assert chunks == CHUNKS, chunks
    return {"number": number, "sent": sent, "first": first, "gaps": gaps}


def _gaps(stamps: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(stamps)]


_USED: dict[str, float] = {}


async def _measured(
    concurrency: int, work: Callable[[], Coroutine[Any, Any, None]], found: list[Figures]
) -> list[Figures]:
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    _USED["cpu"] = time.process_time() - cpu
    _USED["wall"] = time.perf_counter() - wall
    return found


def be_client(name: str, url: str, requests: int, concurrency: int, out: str) -> None:
    """Send, and write down what it took."""
    from validator.executors import loops  # noqa: PLC0415 - as above

    run = asyncio.run if name in ON_ASYNCIO else loops.run
    found = run(CLIENTS[name](url, requests, concurrency))
    told = json.dumps({**_USED, "requests": found}, default=list)  # arrays, until now
    Path(out).write_text(told, encoding="ascii")


# The measurements


@contextmanager
def compiled() -> Iterator[Path]:
    """Have the server as a program for the block."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("a C compiler is needed, for a server that is faster than its clients")
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "sse_server"
        subprocess.run([compiler, "-O2", "-o", binary, HERE / "sse_server.c"], check=True)
        yield binary


@contextmanager
def server(binary: Path, *arguments: object) -> Iterator[tuple[str, list[str]]]:
    """Have the server run; what it tells is in the list after the block."""
    with subprocess.Popen(
        [binary, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told: list[str] = []
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}", told
            assert process.stdin is not None
            process.stdin.close()
            told += process.stdout
        finally:
            process.kill()


def run_client(name: str, url: str, requests: int, concurrency: int) -> Figures:
    """Run a client in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(
            [
                sys.executable,
                __file__,
                "--client",
                name,
                url,
                str(requests),
                str(concurrency),
                out.name,
            ],
            check=True,
            timeout=300,
            env=environment,
        )
        figures: Figures = json.loads(Path(out.name).read_bytes())
    return figures


def run_wrk(url: str, folder: Path, seconds: float, concurrency: int) -> float | None:
    """Return the CPU milliseconds of wrk for one request, if there is wrk."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    script = folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        'wrk.body = \'{"model":"bench","messages":[{"content":"#1"}],"stream":true}\'\n'
        'done = function(s, l, r) io.write("requests " .. s.requests .. "\\n") end\n'
    )
    before = os.times()
    done = subprocess.run(
        [
            wrk,
            "-t1",
            f"-c{concurrency}",
            f"-d{max(1, round(seconds))}s",
            "-s",
            script,
            f"{url}/v1/x",
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=300,
    )
    after = os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    requests = int(done.stdout.rpartition("requests ")[2])
    return cpu * 1000 / requests


@dataclass(frozen=True)
class Case:
    """One measurement of what clients cost."""

    title: str
    kind: str
    concurrency: int
    counts: dict[str, int]
    """How many requests each client sends; of wrk, how many seconds."""


def costs(binary: Path, case: Case, repeats: int) -> dict[str, list[float]]:
    """Return the CPU milliseconds of a request by client, one for each repeat."""
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, count in case.counts.items():
            with server(binary, case.kind, CHUNKS, TTFT_MS, ITL_MS) as (url, _told):
                if name != "wrk":
                    cpu = run_client(name, url, count, case.concurrency)["cpu"] * 1000 / count
                elif (by_wrk := run_wrk(url, binary.parent, count, case.concurrency)) is not None:
                    cpu = by_wrk
                else:
                    continue
            found.setdefault(name, []).append(cpu)
    return found


def errors(binary: Path, name: str, requests: int) -> tuple[list[float], list[float]]:
    """Return how far the TTFTs and the gaps that a client reports are from the server's, in ms."""
    with server(binary, "timed", CHUNKS, TTFT_MS, ITL_MS) as (url, told):
        figures = run_client(name, url, requests, TIMED)
    truth = {}
    for line in told[:-1]:
        number, came, *stamps = map(int, line.split())
        truth[number] = (came, stamps)
    first, gaps = [], []
    for request in figures["requests"]:
        came, stamps = truth[request["number"]]
        first.append(abs((request["first"] - request["sent"]) * 1e3 - (stamps[0] - came) / 1e6))
        if len(request["gaps"]) == CHUNKS - 1:  # else it did not look that closely
            true = [(b - a) / 1e6 for a, b in pairwise(stamps)]
            gaps += [abs(g * 1e3 - t) for g, t in zip(request["gaps"], true, strict=True)]
    return first, gaps


def percentile(values: Iterable[float], percent: int) -> float:
    """Return a percentile of *values*."""
    ordered = sorted(values)
    return (
        ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else float("nan")
    )


def row(name: str, values: list[float], reference: list[float]) -> str:
    """Return a row: minimum, median and maximum, and the ratio of the minima to the reference's."""
    low, middle, high = min(values), statistics.median(values), max(values)
    ratios = [a / b for a, b in zip(values, reference, strict=True)]
    return (
        f"  {name:<22}{low:>9.3f}{middle:>9.3f}{high:>9.3f}"
        f"{min(values) / min(reference):>9.2f}   {min(ratios):.2f} … {max(ratios):.2f}"
    )


def show(title: str, found: dict[str, list[float]], reference: str) -> None:
    """Print the table of one measurement."""
    head = "".join(f"{word:>9}" for word in ("min", "median", "max", "ratio"))
    print(f"\n{title}\n  {'CPU ms a request':<22}{head}   each time")
    for name, values in found.items():
        print(row(name, values, found[reference]))
    if "openai stream loop" in found:
        loop, ours = found["openai stream loop"], found["validator"]
        ratios = sorted(a / b for a, b in zip(loop, ours, strict=True))
        print(
            f"  requests a CPU second: {1000 / min(ours):,.0f}, {min(loop) / min(ours):.0f} × the"
            f" openai stream loop (each time {ratios[0]:.0f} … {ratios[-1]:.0f})"
        )


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    parser.add_argument("--client", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        name, url, requests, concurrency, out = options.client
        be_client(name, url, int(requests), int(concurrency), out)
        return
    scale = 0.1 if options.quick else 1.0

    def some(requests: int) -> int:
        return max(TIMED, round(requests * scale))

    many = {
        BARE: some(5000),
        "bare sockets, asyncio": some(5000),
        "asyncio, by line": some(1000),
        "validator": some(3000),
        "httpx, own cutting": some(200),
        "openai stream loop": some(100),
        "wrk": 1,
    }
    timed = {
        BARE: some(400),
        "bare sockets, asyncio": some(400),
        "asyncio, by line": some(400),
        "validator": some(400),
        "httpx, own cutting": some(200),
        "wrk": 3,
    }
    cases = [
        Case(f"{CHUNKS} chunks at once, {BURST} at a time", "burst", BURST, many),
        Case("the same, chunks that differ in more than their text", "varied", BURST, many),
        Case(f"timed streams, {TIMED} at a time", "timed", TIMED, timed),
    ]
    with compiled() as binary:
        for case in cases:
            show(case.title, costs(binary, case, options.repeats), BARE)
        show_errors(
            binary,
            {
                "validator": some(400),
                "httpx, own cutting": some(200),
                "openai stream loop": TIMED,
            },
            options.repeats,
        )


def show_errors(binary: Path, counts: dict[str, int], repeats: int) -> None:
    """Print how true the times are that clients report: medians, then the p99 of each time."""
    print(
        f"\ntimed streams, {TIMED} at a time: how far reported times are from the server's, in ms"
    )
    head = "".join(f"{title:>10}" for title in ("TTFT p50", "p99", "ITL p50", "p99"))
    print(f"  {'':<22}{head}   p99s each time")
    for name, requests in counts.items():
        figures = []
        for _ in range(repeats):
            first, gaps = errors(binary, name, requests)
            figures.append([percentile(s, p) for s in (first, gaps) for p in (50, 99)])
        middle = [statistics.median(column) for column in zip(*figures, strict=True)]
        each = ["/".join(f"{run[at]:.1f}" for run in figures) for at in (1, 3)]
        print(f"  {name:<22}{''.join(f'{value:>10.3f}' for value in middle)}   {', '.join(each)}")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
