"""Names in a spec, and the code each one stands for."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from validator.errors import PluginError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping filled by decorators at import time and only read afterwards."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its argument under *name*."""

        def file(item: T) -> T:
            if name in self._items:
                raise RuntimeError(f"{self.noun} {name!r} is registered twice")
            self._items[name] = item
            return item

        return file

    def documentation(self, name: str) -> str:
        """Return what the plug-in *name* says about itself."""
        return inspect.cleandoc(self._items[name].__doc__ or "")

    def meant_by(self, name: str) -> str:
        """Return the plug-in that others call *name*; nothing if there is none."""
        known = name.lower()
        return next(
            (n for n, item in self._items.items() if known in getattr(item, "also", ())), ""
        )

    def __getitem__(self, name: str) -> T:
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items  # as Mapping has it, each unknown name would raise and catch

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def suggest(name: str, known: Iterable[str], noun: str, elsewhere: Mapping[str, str] = {}) -> str:
    """Say what *name* may have been meant to be, as `near` does, or which names are *known*."""
    names = sorted(known)
    return near(name, names, elsewhere) or f"known {noun}: {', '.join(names)}"


def near(name: str, known: Iterable[str], elsewhere: Mapping[str, str] = {}) -> str:
    """Say what *name* may have been meant to be; nothing when nobody can tell.

    *elsewhere* has, in lower case, what others write, and what of it is written here.
    """
    names = sorted(known)
    other = elsewhere.get(name.lower(), "")
    close = difflib.get_close_matches(other if other in names else name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def import_siblings(package: str, path: Iterable[str]) -> None:
    """Import every module of *package*, so that each can register itself."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")


def import_plugins(package: str, path: Iterable[str]) -> None:
    """Import every module of *package*, and what other distributions add to it.

    They do so by entry points whose group is the name of *package*. Raises `PluginError` for one
    that cannot be imported or takes a name that is taken.
    """
    import_siblings(package, path)
    for entry in _entry_points().select(group=package):
        try:
            entry.load()
        except (Exception, SystemExit) as error:  # whatever goes wrong in there: say where
            owner = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
            cause = f"{type(error).__name__}: {error}"
            raise PluginError(f"{package}: {entry.name} ({entry.value}){owner}: {cause}") from error


@functools.cache
def _entry_points() -> Any:  # 3.11 has another type for them than 3.12
    from importlib.metadata import entry_points  # noqa: PLC0415 - `--help` needs none

    return entry_points()
