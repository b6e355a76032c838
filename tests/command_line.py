"""Run the command line as people do: a process of its own, watched and bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WITHIN = 60.0
COMMAND = (sys.executable, "-m", "validator")


def environment(**more: str) -> dict[str, str]:
    """Return our environment, of which little is left, and *more*."""
    return {**os.environ, "PYTHONWARNINGS": "error", "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8", **more}


def validator(
    *arguments: str | Path, env: Mapping[str, str] = {}, cwd: Path | None = None, text: bool = True
) -> subprocess.CompletedProcess[Any]:
    """Run `validator` with *arguments* to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=cwd,
        encoding="utf-8" if text else None,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        timeout=WITHIN,
    )


def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON report that *done* printed, and nothing else."""
    return json.loads(done.stdout)


def bad(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the verdicts that failed or could not be decided, as `section: name`."""
    return {
        f"{v['section']}: {v['name']}": v
        for v in document["verdicts"]
        if v["status"] in ("fail", "error")
    }
