"""The demo server: OpenAI-compatible chat whose metrics pages tell the truth, until told to lie.

`python -m validator.demo` starts it; importing this package needs neither starlette nor uvicorn.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from validator.demo import lies, shapes, troubles  # noqa: F401 - each registers its faults
from validator.demo.faults import REGISTRY

__all__ = ["FAULTS", "SPEC"]

SPEC = "fakeai/dashboard"
"""The bundled spec that `validator demo` runs."""

FAULTS: Mapping[str, str] = MappingProxyType({n: REGISTRY.documentation(n) for n in REGISTRY})
"""The name of every fault, and what it does in one sentence."""
