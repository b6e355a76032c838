"""What keeps the command line quick: nothing is imported that the call does not need.

How quick it is, `make bench` measures; this is what must hold on any machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from command_line import environment

CLIENTS = {"openai", "httpx", "httpx2", "httpcore", "aiohttp", "httptools", "msgspec", "uvloop"}
HEAVY = CLIENTS | {"pydantic", "yaml", "rich", "jsonpath_ng", "asyncio", "starlette", "uvicorn"}


def imported(*arguments: object) -> set[str]:
    """Return the top-level modules that `validator` with *arguments* imports."""
    code = (
        "import sys, json\n"
        "from validator.cli import cli\n"
        "try: cli.main(sys.argv[1:], standalone_mode=False)\n"
        "finally: print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})),"
        " file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment(),
        timeout=30,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_little_more_than_the_argument_parser(arguments):
    found = imported(*arguments)
    assert "click" in found
    assert found & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["lint", "fakeai/dashboard"],
        ["list"],
        ["explain"],
        ["explain", "between"],
        ["schema"],
        ["schema", "report"],
        ["demo", "--fault", "list"],
    ],
    ids=" ".join,
)
def test_what_needs_no_server_imports_no_client(arguments):
    assert imported(*arguments) & CLIENTS == set()


def test_a_replay_imports_no_client(recorded):
    assert imported("run", "fakeai/dashboard", "--replay", recorded.file) & CLIENTS == set()


def test_a_run_without_a_load_does_not_import_the_openai_package(tmp_path):
    spec = tmp_path / "look.yaml"
    spec.write_text(
        "version: 1\ntarget: {url: 'http://127.0.0.1:1'}\n"
        "endpoints: {a: {get: /a, assert: [{path: $.a, exists: true}]}}\n"
    )
    assert "openai" not in imported("run", spec)


def test_the_package_itself_imports_nothing_until_a_name_is_asked_for():
    code = "import sys, validator; print(sorted(m for m in sys.modules if 'validator.' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
