"""Specs, as the verbs load them."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from validator.errors import SpecProblems
from validator.verbs.flags import Flags, overrides

if TYPE_CHECKING:
    from validator.spec.model import Spec


def files(words: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the spec files that *words* of a command line stand for, those of suites too."""
    from validator.bundled import located
    from validator.spec.suite import members

    return members(located(words))


def loaded(paths: Sequence[Path], flags: Flags, url: str | None) -> list[Spec]:
    """Load every spec before any runs; raise with the problems of all."""
    specs: list[Spec] = []
    found: list[SpecProblems] = []
    gc.disable()  # specs stay to the end: to look for cycles in them would cost a tenth of this
    try:
        for path in paths:
            try:
                specs.append(load(path, flags, url))
            except SpecProblems as problems:
                found.append(problems)
    finally:
        gc.freeze()
        gc.enable()
    if found:
        everything = tuple(p for one in found for p in one.problems)
        raise SpecProblems(everything, {k: v for one in found for k, v in one.sources.items()})
    return specs


def load(path: Path, flags: Flags, url: str | None = None) -> Spec:
    """Load a spec with what the flags set; raise `SpecProblems` with all that is wrong."""
    from validator.spec.parse import load_spec

    return load_spec(path, overrides(flags, url))
