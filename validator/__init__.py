"""Find out whether an LLM server's metrics endpoints tell the truth.

```python
from validator import load_spec, run

report = run(load_spec("dashboard.yaml"))
assert report.passed, [verdict.name for verdict in report.breaking]
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Cluster",
    "Overrides",
    "Processes",
    "Recording",
    "Report",
    "Setting",
    "Severity",
    "Spec",
    "SpecProblems",
    "Status",
    "UsageError",
    "ValidatorError",
    "Verdict",
    "conclude",
    "load_spec",
    "parse",
    "read_recording",
    "render",
    "run",
    "run_async",
]

if TYPE_CHECKING:
    from validator.conclusion import conclude
    from validator.errors import SpecProblems, UsageError, ValidatorError
    from validator.executors.distributed import Cluster
    from validator.executors.processes import Processes
    from validator.library import render, run, run_async
    from validator.recording import read as read_recording
    from validator.records.recording import Recording
    from validator.records.verdict import Report, Severity, Status, Verdict
    from validator.spec.model import Spec
    from validator.spec.parse import Overrides, Setting, load_spec, parse

_HOMES = {
    "Cluster": "executors.distributed",
    "Processes": "executors.processes",
    "Overrides": "spec.parse",
    "Recording": "records.recording",
    "Report": "records.verdict",
    "Setting": "spec.parse",
    "Severity": "records.verdict",
    "Spec": "spec.model",
    "SpecProblems": "errors",
    "Status": "records.verdict",
    "UsageError": "errors",
    "ValidatorError": "errors",
    "Verdict": "records.verdict",
    "conclude": "conclusion",
    "load_spec": "spec.parse",
    "parse": "spec.parse",
    "render": "library",
    "run_async": "library",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `validator --help` needs none of them."""
    if name == "read_recording":
        return import_module("validator.recording").read
    if name == "run":
        # The module of that name, which is callable: once imported it stands under its name here.
        return import_module("validator.run")
    if name in _HOMES:
        return getattr(import_module(f"validator.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
