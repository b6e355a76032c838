"""Write `fakeai-0.3.2.md`: what the bundled specs find wrong with a real FakeAI.

`python docs/truth.py --fakeai PATH` runs each spec on a server of its own and takes about two
minutes. The command may also come from `VALIDATOR_FAKEAI` or from the PATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from validator import Overrides, Report, Setting, Verdict, load_spec, run
from validator.bundled import located
from validator.server import free_port

PAGE = Path(__file__).parent / "fakeai-0.3.2.md"
VERSION = "0.3.2"
READY_WITHIN = 60.0
LONGEST = 160
LIMITED = {"FAKEAI_RATE_LIMITS__ENABLED": "true", "FAKEAI_RATE_LIMITS__RPM_OVERRIDE": "60"}


ACTIVE_STREAMS = "streams are active while the load runs, and no more than were sent at once"
ACTUAL_TTFT = "the times to first token were measured, and not only planned"


@dataclass(frozen=True, slots=True)
class Trial:
    """A bundled spec, how it is run, and the server it is run on."""

    spec: str
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """How a person runs it."""
        words = [f"--set '{key}={value}'" for key, value in self.settings.items()]
        return " ".join(["validator run", self.spec, *words])


TRIALS = {
    "dashboard": Trial("fakeai/dashboard"),
    "dynamo": Trial("fakeai/dynamo"),
    "cache": Trial("fakeai/kv-cache"),
    "broken off": Trial("fakeai/kv-cache", {"load.timeout": "60ms"}),
    "metrics": Trial("fakeai/metrics"),
    "models": Trial("fakeai/by-model"),
    "hostile name": Trial("fakeai/by-model", {"load.model": r'"a\"b\\c\nd"'}),
    "costs": Trial("fakeai/costs-and-usage"),
    "costs of streams": Trial("fakeai/costs-and-usage", {"load.stream": "true"}),
    "GPUs": Trial("fakeai/dcgm"),
    "GPUs, plain": Trial("fakeai/dcgm", {"load.stream": "false"}),
    "health": Trial("fakeai/health"),
    "limits": Trial("fakeai/rate-limits", environment=LIMITED),
    "embeddings": Trial("fakeai/embeddings"),
    "client": Trial("openai/client"),
    "three choices": Trial("openai/client", {"vars.choices": "3", "vars.max_tokens": "50"}),
}


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that is not as it should be, and where that shows."""

    says: str
    shows: Sequence[tuple[str, str]]
    """Trials, and the verdicts in them as `section: name`."""
    rest: str = ""
    """What of it no bundled spec asks about, and why."""


DEFECTS = (
    Defect(
        "After one plain request, reading all models or their ranking deadlocks the whole server.",
        (
            ("models", "all: reachable"),
            ("models", "ranking: reachable"),
            ("models", "alive: reachable"),
        ),
    ),
    Defect(
        "Streams are invisible to the request metrics.",
        (
            ("dashboard", "dynamo: every streamed request is counted"),
            ("dashboard", "dynamo: latency.ttft.avg"),
        ),
    ),
    Defect(
        "`/metrics/prometheus` answers 500 whenever there was traffic in the last minute.",
        (("metrics", "prometheus: reachable"),),
    ),
    Defect(
        "The statistics of streams are 0 always.",
        (
            ("metrics", "metrics: every completed stream is counted"),
            (
                "metrics",
                "metrics: " + ACTIVE_STREAMS,
            ),
        ),
    ),
    Defect(
        "Of a plain request, the time to the first token is the total, decode and the gaps "
        "between tokens take no time, and the tokens of a model are its output only.",
        (
            ("dynamo", "dynamo: the first token comes well before the last"),
            ("dynamo", "dynamo: a token takes time"),
            ("dynamo", "dynamo: the tokens of a model are its prompts and its answers"),
        ),
        "That the queue time is noise cannot be told: a short wait is possible.",
    ),
    Defect(
        "Requests a second are divided by 60 seconds, however short the load.",
        (("dynamo", "dynamo: requests a second are those of the load, not of a minute"),),
    ),
    Defect(
        "The latency of a stream in `/metrics` is the time to its headers.",
        (("metrics", "metrics: a streamed response lasts until its end"),),
    ),
    Defect(
        "Rates are divided by the age of the oldest event: they fall when nothing happens, and "
        "those of requests and responses disagree.",
        (
            ("metrics", "metrics: requests a second are those of the load"),
            ("metrics", "metrics: there are no more responses than requests"),
        ),
    ),
    Defect(
        "Streams that were broken off stay active on their worker for ever.",
        (("broken off", "kv_cache: no worker is active after the load"),),
    ),
    Defect(
        "Many fields are never filled.",
        (
            ("metrics", "metrics: requests are measured and not only counted"),
            ("metrics", "metrics: latency is measured"),
            ("metrics", "metrics: streaming is measured"),
            ("dynamo", "dynamo: the queue was seen"),
            ("dynamo", "dynamo: the batch was seen"),
            ("dynamo", "dynamo: overlap is measured"),
            ("cache", "kv_cache: the tree holds the blocks of the workers"),
        ),
        "The transfer of caches between workers is not asked about: a server that serves a "
        "request on one worker has nothing to transfer.",
    ),
    Defect(
        "Only unhandled exceptions count as errors: refused and broken requests do not.",
        (
            ("limits", "metrics: throttled requests are errors"),
            ("limits", "health: throttled requests are in the share of errors"),
        ),
    ),
    Defect(
        "The error percentage divides two rates of different spans.",
        (("health", "detailed: errors are a share of the requests"),),
    ),
    Defect(
        "The uptime is a few microseconds less than nothing.",
        (
            ("health", "detailed: the server has been up for some time"),
            ("health", "detailed: the uptime goes on as the clock does"),
        ),
    ),
    Defect(
        "The actual time to first token of the cache is the planned one.",
        (
            (
                "cache",
                "kv_cache: " + ACTUAL_TTFT,
            ),
        ),
    ),
    Defect(
        "Models, costs and usage do not see streams, and every page of usage shows all kinds.",
        (
            ("costs of streams", "completions: every request is counted"),
            ("costs", "embeddings: no chat is counted as an embedding"),
            ("embeddings", "completions: no embedding is counted as a completion"),
        ),
    ),
    Defect(
        "The page of costs shows twice what the organization is charged.",
        (("costs", "across: the organization is charged what the models cost"),),
    ),
    Defect(
        "The pages of rate limits answer 500 for a minute after a request was throttled; peaks "
        "are extrapolated, or 0.",
        (
            ("limits", "overview: reachable"),
            ("limits", "throttling: reachable"),
            ("limits", "key: the peak of requests is no more than all requests"),
            ("limits", "key: the peak of tokens was seen"),
        ),
    ),
    Defect(
        "GPUs do nothing under streams, and after plain requests stay busy for ever.",
        (
            ("GPUs", "gpus: each GPU was busy while the load ran"),
            ("GPUs, plain", "gpus: no GPU is busy after the load"),
        ),
    ),
    Defect(
        "A model with quotes in its name makes its Prometheus page unreadable.",
        (("hostile name", "prometheus: reachable"),),
    ),
    Defect(
        "A small limit of tokens is not kept, and streams always end with `stop`; of several "
        "choices one is billed.",
        (
            ("client", "across: no answer is longer than its limit"),
            ("client", "limited: an answer that ran into its limit says so"),
            ("three choices", "across: nothing is sent that is not counted"),
        ),
    ),
    Defect(
        "The WebSocket has no cache metrics, and its filters do not do what they say.",
        (
            ("metrics", "live: it shows the cache"),
            ("metrics", "live_latency: a kind that is not asked for is not shown"),
            ("metrics", "live_path: a path that is asked for has its latency"),
        ),
    ),
    Defect(
        "The cost counter is declared a gauge; some options have no effect and some pages "
        "answer 500 always.",
        (("models", "declared: the cost is declared a counter"),),
        "Command-line options are not asked about, for a spec sees a server and not its command "
        "line; nor are pages that are not about metrics.",
    ),
)


@contextmanager
def fakeai(command: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a FakeAI on a free port; yields its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(  # noqa: S603 - the command is what this script is about
        [command, "server", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        wait_for(f"{url}/health", process)
        yield url
    finally:
        process.kill()  # a server that hangs hears nothing gentler
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when *url* answers."""
    until = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - our own URL
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"no FakeAI at {url}")


def version(command: str) -> str:
    """Return the version of the package that *command* belongs to."""
    ask = "from importlib.metadata import version; print(version('fakeai'))"
    python = Path(shutil.which(command) or command).parent / "python"
    done = subprocess.run(  # noqa: S603 - the interpreter beside the command
        [python, "-c", ask], capture_output=True, check=False, text=True
    )
    return done.stdout.strip() or "unknown"


def judged(trial: Trial, command: str) -> Report:
    """Run a trial on a server of its own."""
    (path,) = located((trial.spec,))
    settings = tuple(Setting(k, tuple(k.split(".")), v) for k, v in trial.settings.items())
    with fakeai(command, trial.environment) as url:
        return run(load_spec(path, Overrides(url=url, settings=settings)))


def page(reports: Mapping[str, Report]) -> tuple[str, int]:
    """Return the page, and how many defects were found."""
    rows, sections, found = [], [], 0
    for number, defect in enumerate(DEFECTS, 1):
        verdicts = [
            (trial, verdict)
            for trial, name in defect.shows
            for verdict in reports[trial].verdicts
            if f"{verdict.section}: {verdict.name}" == name
        ]
        bad = [(trial, verdict) for trial, verdict in verdicts if verdict.bad]
        found += bool(bad)
        mark = f"`{place(bad[0][1])}`" if bad else "not found"
        rows.append(f"| [{number}](#defect-{number}) | {defect.says} | {mark} |")
        sections.append(section(number, defect, verdicts))
    head = HEAD.format(version=VERSION, found=found, all=len(DEFECTS))
    table = "\n".join(["| | defect | found by |", "|---|---|---|", *rows])
    return "\n\n".join([head + table, *sections, trials(reports)]) + "\n", found


HEAD = """\
# What is not true in FakeAI {version}

The bundled specs were run against FakeAI {version}, each on a server of its own.
They find {found} of {all} known defects, some of which have several parts.
Each is listed with the assertions that ask about it and what their verdicts say.
This page is generated by `python docs/truth.py`; figures differ a little from run to run.

"""


def section(number: int, defect: Defect, verdicts: Sequence[tuple[str, Verdict]]) -> str:
    """Write what is known about one defect."""
    lines = [f"## Defect {number}", "", defect.says, ""]
    for trial, verdict in verdicts:
        expected, actual = short(verdict.expected), short(verdict.actual)
        note = f" ({short(verdict.note)})" if verdict.note else ""
        if verdict.bad:
            lines += [
                f"- **{verdict.section}: {verdict.name}**, `{place(verdict)}`, {verdict.severity}.",
                f"  Expected {expected}, found {actual}{note}: *{verdict.status}*.",
                f"  Shown by `{TRIALS[trial].command}`.",
            ]
        else:
            about = f"{verdict.section}: {verdict.name}, `{place(verdict)}`"
            lines.append(f"- {about}, did not show it: found {actual}.")
    if not any(verdict.bad for _, verdict in verdicts):
        lines += ["", "No bundled spec found this."]
    if defect.rest:
        lines += ["", defect.rest]
    return "\n".join(lines)


def trials(reports: Mapping[str, Report]) -> str:
    """Write what was run."""
    lines = [
        "## Runs",
        "",
        "| command | server | verdicts | bad | exit code |",
        "|---|---|---|---|---|",
    ]
    for name, trial in TRIALS.items():
        report = reports[name]
        server = " ".join(f"`{key}={value}`" for key, value in trial.environment.items())
        bad = sum(verdict.bad for verdict in report.verdicts)
        lines.append(
            f"| `{trial.command}` | {server or 'as it comes'} | {len(report.verdicts)} | {bad} "
            f"| {report.exit_code} |"
        )
    return "\n".join(lines)


def place(verdict: Verdict) -> str:
    """Return the spec and the line of an assertion, from the folder of the specs on."""
    file = Path(verdict.span.file)
    return f"{'/'.join(file.parts[-3:])}:{verdict.span.line}"


def short(text: str) -> str:
    """Return *text* as one piece of code, not too long."""
    one = " ".join(text.replace("`", "'").replace("|", "\\|").split())
    return f"`{one if len(one) <= LONGEST else one[:LONGEST] + '…'}`"


def main() -> int:
    """Run all trials and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    named = os.environ.get("VALIDATOR_FAKEAI") or shutil.which("fakeai")
    parser.add_argument("--fakeai", default=named, help="the command fakeai")
    command = parser.parse_args().fakeai
    if command is None or shutil.which(command) is None:
        print("there is no command fakeai: pip install fakeai pillow", file=sys.stderr)
        return 2
    if (served := version(command)) != VERSION:
        print(f"this is about FakeAI {VERSION}, and that is {served}", file=sys.stderr)
        return 2
    reports = {}
    for name, trial in TRIALS.items():
        print(trial.command, flush=True)
        reports[name] = judged(trial, command)
    text, found = page(reports)
    PAGE.write_text(text, encoding="utf-8")
    print(f"{found} of {len(DEFECTS)} found, {PAGE.name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
