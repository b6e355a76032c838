"""The same streams on FakeAI by the validator, by aiperf, and by a script with the openai package.

python benchmarks/rivals.py [--rounds N] [--streams N] [--concurrency N] [--cache FOLDER]

Each is a whole process, from its start to its end; CPU is that of it and of its children. All take
turns on one server for each round, another first each time. aiperf and FakeAI are installed from
PyPI into environments of their own under the cache folder, unless VALIDATOR_FAKEAI names a fakeai.
What cannot be installed or run is said to have failed, and the others are measured without it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MODEL = "openai/gpt-oss-120b"
TOKENS = 50
PROMPTS = (
    "Write a haiku about programming",
    "Describe what an API is",
    "Explain what a cache is good for",
    "Name three uses of a queue",
    "Say why tests matter",
)
LIMIT = 180.0
"""Seconds that one process has."""

SCRIPT = f"""
import asyncio, statistics, sys, time
import openai

async def main(url, streams, concurrency):
    numbers, first, gaps, whole, tokens = iter(range(streams)), [], [], [], 0
    client = openai.AsyncOpenAI(base_url=f"{{url}}/v1", api_key="none", max_retries=0)
    async def work():
        nonlocal tokens
        for number in numbers:
            sent = last = time.perf_counter()
            seen = 0
            stream = await client.chat.completions.create(
                model={MODEL!r}, max_tokens={TOKENS}, stream=True,
                stream_options={{"include_usage": True}},
                messages=[{{"role": "user", "content": {PROMPTS!r}[number % {len(PROMPTS)}]}}])
            async for chunk in stream:
                if chunk.usage:
                    tokens += chunk.usage.completion_tokens
                if chunk.choices and chunk.choices[0].delta.content:
                    now = time.perf_counter()
                    (gaps if seen else first).append(now - last)
                    last, seen = now, seen + 1
            assert seen
            whole.append(last - sent)
    async with client:
        await asyncio.gather(*(work() for _ in range(concurrency)))
    for name, values in (("TTFT", first), ("ITL", gaps), ("latency", whole)):
        cuts = statistics.quantiles(values, n=100)
        print(name, *(round(1000 * cuts[at - 1], 2) for at in (50, 90, 99)))
    print(tokens, "tokens")
    assert len(whole) == streams

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""

SPEC = """\
version: 1
target: {{url: "{url}", api_key: none}}
load:
  model: {model}
  requests: {streams}
  concurrency: {concurrency}
  max_tokens: {tokens}
  prompts: {prompts}
  assert:
    - {{path: $.ok, eq: {streams}}}
    - {{path: $.ttft_ms.p50, gt: 0}}
    - {{path: $.itl_ms.p99, gt: 0}}
"""

TOKENIZER = """
import json, pathlib, sys
from tokenizers import Tokenizer, models, pre_tokenizers
tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "the": 1, "a": 2}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
tokenizer.save(str(folder / "tokenizer.json"))
settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
(folder / "tokenizer_config.json").write_text(json.dumps(settings))
"""


@dataclass(frozen=True)
class Work:
    """What each of them is to do."""

    url: str
    streams: int
    concurrency: int
    folder: Path


@dataclass(frozen=True)
class Cost:
    """What a whole process took, in seconds."""

    wall: float
    cpu: float


class Failed(Exception):  # noqa: N818 - it says what became of a rival
    """A rival could not be installed, or did not do its work."""


def cost(command: list[str | Path], work: Work, **environment: str) -> Cost:
    """Run a process to its end; raise Failed unless it ends well."""
    # As installed packages are: compiled. And with nobody between them and the server.
    odd = ("pythondontwritebytecode", "pythonunbuffered")
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.lower().endswith("_proxy") and k.lower() not in odd
    }
    log = work.folder / "log"
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=work.folder, env={**clean, **environment}
        )
    late = began + LIMIT
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.perf_counter() > late:
            process.kill()
        time.sleep(0.002)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise Failed(f"exit code {process.returncode}: {' '.join(last)}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime)


def by_validator(work: Work) -> Cost:
    """Run a spec that asks only for the load."""
    spec = work.folder / "spec.yaml"
    spec.write_text(
        SPEC.format(
            url=work.url,
            model=MODEL,
            streams=work.streams,
            concurrency=work.concurrency,
            tokens=TOKENS,
            prompts=json.dumps(PROMPTS),
        )
    )
    return cost([sys.executable, "-m", "validator", "run", spec], work)


def by_script(work: Work) -> Cost:
    """Run what people write themselves."""
    script = work.folder / "script.py"
    script.write_text(SCRIPT)
    return cost([sys.executable, script, work.url, str(work.streams), str(work.concurrency)], work)


def by_aiperf(cache: Path) -> Callable[[Work], Cost]:
    """Return what runs aiperf, installed if need be."""
    program = installed(cache, "aiperf", "tokenizers")
    tokenizer = cache / "tokenizer"
    subprocess.run(
        [program.with_name("python"), "-c", TOKENIZER, tokenizer], check=True, timeout=LIMIT
    )

    def run(work: Work) -> Cost:
        prompts = work.folder / "prompts.jsonl"
        prompts.write_text("".join(json.dumps({"text": text}) + "\n" for text in PROMPTS))
        found = cost(
            [
                *(program, "profile", "--model", MODEL, "--url", work.url),
                *("--endpoint-type", "chat", "--streaming", "--use-server-token-count"),
                *("--request-count", str(work.streams), "--concurrency", str(work.concurrency)),
                *("--input-file", prompts, "--custom-dataset-type", "single_turn"),
                *("--extra-inputs", f"max_tokens:{TOKENS}", "--tokenizer", tokenizer),
                *("--ui", "none", "--no-gpu-telemetry", "--no-server-metrics"),
                *("--output-artifact-dir", work.folder / "artifacts"),
            ],
            work,
            HF_ENDPOINT="http://127.0.0.1:9",  # nothing is there: all it needs is here
        )
        told = json.loads((work.folder / "artifacts/profile_export_aiperf.json").read_bytes())
        if told["request_count"]["avg"] != work.streams:
            raise Failed(f"{told['request_count']['avg']:g} of {work.streams} streams succeeded")
        return found

    return run


def installed(cache: Path, name: str, *more: str) -> Path:
    """Return a program of PyPI, in an environment of its own."""
    folder = cache / name
    program = folder / "bin" / name
    if not program.exists():
        print(f"installing {name} in {folder} …", file=sys.stderr)
        venv.create(folder, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", name, *more]
        done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=1200)
        if done.returncode or not program.exists():
            last = done.stderr.strip().splitlines()[-1:]
            raise Failed(f"not installed: {' '.join(last)}")
    return program


@contextmanager
def fakeai(program: str | Path) -> Iterator[str]:
    """Have FakeAI run, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "server", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                    break
                time.sleep(0.1)
            yield url
        finally:
            process.kill()


async def own_time(work: Work) -> float:
    """Return the seconds in which the server answers who looks at nothing but the last bytes."""
    host, port = work.url.removeprefix("http://").split(":")
    numbers = iter(range(work.streams))

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in numbers:
            body = json.dumps(
                {
                    "model": MODEL,
                    "messages": [{"role": "user", "content": PROMPTS[number % len(PROMPTS)]}],
                    "stream": True,
                    "stream_options": {"include_usage": True},
                    "max_tokens": TOKENS,
                }
            ).encode()
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            assert await reader.readuntil(b"0\r\n\r\n")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(work.concurrency)))
    return time.perf_counter() - began


def measure(
    clients: dict[str, Callable[[Work], Cost]], program: str | Path, options: argparse.Namespace
) -> tuple[dict[str, list[Cost]], dict[str, str], list[float]]:
    """Return what each took in each round, who failed and why, and the server's own times."""
    found: dict[str, list[Cost]] = {name: [] for name in clients}
    failed: dict[str, str] = {}
    own = []
    for number in range(options.rounds):
        with fakeai(program) as url:
            order = list(clients)
            order = order[number % len(order) :] + order[: number % len(order)]
            for name in ["", *order]:
                if name in failed:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    work = Work(url, options.streams, options.concurrency, Path(folder))
                    if not name:  # the first to come also warms the server up
                        asyncio.run(own_time(work))
                        own.append(asyncio.run(own_time(work)))
                        continue
                    try:
                        found[name].append(clients[name](work))
                    except Failed as failure:
                        failed[name] = str(failure)
    return found, failed, own


def row(name: str, values: list[float], reference: list[float]) -> str:
    """Return minimum, median and maximum, and the ratios to the reference, round by round."""
    figures = (min(values), statistics.median(values), max(values))
    ratios = sorted(a / b for a, b in zip(values, reference, strict=True))
    shown = "".join(f"{figure:>9.2f}" for figure in figures)
    middle = statistics.median(ratios)
    return f"  {name:<28}{shown}   {ratios[0]:.1f} {middle:.1f} {ratios[-1]:.1f}"


def main() -> None:
    """Measure in turns, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=10)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "validator-rivals"
    )
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    clients = {"validator": by_validator, "openai script": by_script}
    absent: dict[str, str] = {}
    try:
        clients["aiperf"] = by_aiperf(options.cache.resolve())
    except (Failed, OSError, subprocess.SubprocessError) as failure:
        absent["aiperf"] = str(failure)
    program = os.environ.get("VALIDATOR_FAKEAI") or installed(options.cache, "fakeai", "pillow")
    found, failed, own = measure(clients, program, options)
    print(f"{options.streams} streams of FakeAI, {options.concurrency} at a time, whole processes")
    for title, of in (("wall", lambda c: c.wall), ("CPU", lambda c: c.cpu)):
        print(f"\n  {f'{title}, s':<28}{'min':>9}{'median':>9}{'max':>9}   × validator, each round")
        ours = [of(each) for each in found["validator"]]
        for name in clients:
            if name not in failed and "validator" not in failed:
                print(row(name, [of(each) for each in found[name]], ours))
        if title == "wall" and "validator" not in failed:
            print(row("the server's own time", own, ours))
    for name, why in {**absent, **failed}.items():
        print(f"  {name} was not measured: {why}")
    print(f"\n{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    sys.exit(1 if failed or absent else 0)


if __name__ == "__main__":
    main()
