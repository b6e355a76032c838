"""The specs that come with the package, and what the names on a command line stand for."""

from __future__ import annotations

import glob
from pathlib import Path

from validator.errors import UsageError
from validator.registry import suggest

_SUFFIXES = (".yaml", ".yml")


def folder() -> Path:
    """Return where the bundled specs are: inside the wheel, else beside the package."""
    inside = Path(__file__).parent / "specs"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "specs"


def names() -> tuple[str, ...]:
    """Return the names of the bundled specs, such as `product/dashboard`."""
    root = folder()
    found = (p.relative_to(root).with_suffix("") for p in root.rglob("*") if p.suffix in _SUFFIXES)
    return tuple(sorted(name.as_posix() for name in found))


def located(words: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the spec files that *words* stand for: paths, folders, globs and bundled names.

    Raises `UsageError` for a word that stands for nothing.
    """
    found: dict[Path, None] = {}
    for word in words:
        for path in _located(word):
            found.setdefault(_short(path))
    return tuple(found)


def _short(path: Path) -> Path:
    """Return *path* as a person would write it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _located(word: str) -> list[Path]:
    path = Path(word)
    if path.is_file():
        return [path]
    if path.is_dir():
        inside = sorted(
            p
            for p in path.rglob("*")
            if p.suffix in _SUFFIXES
            and not any(part.startswith(".") for part in p.relative_to(path).parts)
        )
        if not inside:
            raise UsageError(f"{word}: no .yaml file in this folder")
        return inside
    if any(c in word for c in "*?[") and (matched := sorted(glob.glob(word, recursive=True))):  # noqa: PTH207 - absolute patterns too
        return [Path(m) for m in matched if Path(m).is_file()]
    known = names()
    if word in known:
        return [next(p for s in _SUFFIXES if (p := folder() / f"{word}{s}").is_file())]
    raise UsageError(f"no spec {word!r}: no such file, and {suggest(word, known, 'bundled specs')}")
