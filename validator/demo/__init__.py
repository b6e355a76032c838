"""The demo server: an LLM server whose metrics pages tell the truth, until told to lie.

`python -m validator.demo` starts it; importing this package needs neither starlette nor uvicorn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType

from validator.demo import (
    field_lies,
    lies,
    owner_lies,
    reply_lies,
    shapes,
    traffic_lies,
    troubles,
)
from validator.demo.faults import REGISTRY

__all__ = ["FAULTS", "PAGE_FAULTS", "SPEC"]

SPEC = "fakeai/dashboard"
"""The bundled spec that `validator demo` runs."""


def _faults(*modules: ModuleType) -> Mapping[str, str]:
    """Return what the faults registered by *modules* say of themselves."""
    homes = {module.__name__ for module in modules}
    names: Iterable[str] = (name for name in REGISTRY if REGISTRY[name].__module__ in homes)
    return MappingProxyType({name: REGISTRY.documentation(name) for name in names})


FAULTS = _faults(lies, shapes, troubles)
"""The faults that the dashboard spec is about: name, and what it does in one sentence."""

PAGE_FAULTS = _faults(field_lies, owner_lies, reply_lies, traffic_lies)
"""The faults that take another spec, another load or another page to see."""
