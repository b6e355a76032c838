"""`validator watch`: a spec judged again each time it is saved."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from command_line import COMMAND, environment, validator

from validator.bundled import located

WITHIN = 30.0
BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""How a script starts what it does not wait for."""


@contextmanager
def watching(
    *words: str | Path, by: Sequence[str] = ()
) -> Iterator[tuple[Callable[[str], str], subprocess.Popen[str]]]:
    """Run `validator watch`, perhaps *by* another; yields what waits for a line with a text."""
    with subprocess.Popen(
        [*by, *COMMAND, "watch", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=environment(PYTHONUNBUFFERED="1"),
    ) as process:
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        stream = process.stdout
        reader = threading.Thread(target=lambda: [lines.put(line) for line in stream], daemon=True)
        reader.start()

        def until(text: str) -> str:
            while text not in (line := lines.get(timeout=WITHIN)):
                pass
            return line

        try:
            yield until, process
        finally:
            process.kill()
            process.wait()
            reader.join()


def test_each_save_is_judged_until_it_is_interrupted(recorded, tmp_path):
    (shipped,) = located(("fakeai/dashboard",))
    text = shipped.read_text(encoding="utf-8")
    spec = tmp_path / "spec.yaml"
    spec.write_text(text, encoding="utf-8")
    with watching(spec, "--replay", recorded.file, "--requests", "20", "-q") as (until, process):
        until("PASSED")
        assert "waiting for" in until("judged in")
        spec.write_text(text.replace("ge: 0.9", "ge: 1.5"), encoding="utf-8")
        until("FAILED")
        until("judged in")
        spec.write_text(text.replace("ge: 0.9", "gee: 0.9"), encoding="utf-8")
        until("did you mean 'ge'?")
        spec.unlink()
        until("No such file")
        spec.write_text(text, encoding="utf-8")
        until("PASSED")
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN) == 0


def test_a_file_that_is_included_is_watched_too(recorded, tmp_path):
    part = tmp_path / "part.yaml"
    part.write_text(
        "version: 1\nendpoints: {kv_cache: {get: /kv-cache/metrics,"
        " assert: [{path: $.cache_performance, type: object}]}}\n"
    )
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "version: 1\ntarget: {url: http://localhost:1}\ninclude: [part.yaml]\n"
        "load: {model: m, requests: 20, prompts: [hi]}\n"
        "endpoints: {dynamo: {get: /dynamo/metrics/json, assert: [{path: $, type: object}]}}\n"
    )
    with watching(spec, "--replay", recorded.file, "-q") as (until, _):
        until("judged in")
        part.write_text(part.read_text().replace("object", "objcet"))
        until("part.yaml:2:")


def test_what_cannot_be_watched_is_a_usage_error(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("version: 1\n")
    done = validator("watch", tmp_path, "--replay", os.devnull)
    assert done.returncode == 2
    assert "2 specs" in done.stderr
    done = validator("watch", "fakeai/dashboard", "--replay", tmp_path / "none.json")
    assert done.returncode == 2
    assert "none.json" in done.stderr


def test_watching_in_the_background_ends_by_ctrl_c_too(recorded):
    (shipped,) = located(("fakeai/dashboard",))
    words = (shipped, "--replay", recorded.file, "-q")
    with watching(*words, by=BACKGROUND) as (until, process):
        until("judged in")
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN) == 0


def test_watching_ends_by_ctrl_c_after_a_run_of_its_own(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "version: 1\ntarget: {url: http://127.0.0.1:9}\n"
        "endpoints: {page: {get: /page, assert: [{path: $, type: object}]}}\n"
    )
    with watching(spec, "-q") as (until, process):
        until("judged in")
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN) == 0


def test_a_recording_of_another_spec_is_not_watched(recorded, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "version: 1\ntarget: {url: http://127.0.0.1:9}\n"
        "endpoints: {page: {get: /page, assert: [{path: $, type: object}]}}\n"
    )
    done = validator("watch", spec, "--replay", recorded.file)
    assert done.returncode == 2
    assert "a recording of another spec" in done.stderr
