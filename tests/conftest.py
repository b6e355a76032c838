"""What all tests share."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import validator
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing
settings.load_profile("any machine")


_ABOUT_US = {
    "API_KEY", "COLUMNS", "FAKEAI_API_KEY", "FAKEAI_URL", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES",
    "NO_COLOR", "PYTEST_ADDOPTS", "SSL_CERT_DIR", "SSL_CERT_FILE", "TARGET_URL", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
}  # fmt: skip
"""What the machine or the person says to every program, and so to those that are tested."""


def _forget():
    for name in [*os.environ]:  # what is sent here stays here, whichever proxies there are
        if name in _ABOUT_US or name.startswith("OPENAI_") or name.lower().endswith("_proxy"):
            del os.environ[name]


_forget()


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


@pytest.fixture(scope="session", autouse=True)
def anywhere():
    """Let the tests see the same wherever they run; pytest-xdist sets a width once it has begun."""
    _forget()


@dataclass(frozen=True)
class Recorded:
    """A run of the dashboard spec against the truthful demo, kept to be judged again."""

    file: Path
    report: dict[str, Any]
    stderr: str


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Record one run; every test may replay it."""
    file = tmp_path_factory.mktemp("recorded") / "run.json"
    done = validator("demo", "--requests", "20", "--record", file, "--report", "json")
    assert done.returncode == 0, done.stderr
    return Recorded(file, json.loads(done.stdout), done.stderr)
