"""Names in a spec, and the code each one stands for."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

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

    def __getitem__(self, name: str) -> T:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def suggest(name: str, known: Iterable[str], noun: str) -> str:
    """Say what *name* may have been meant to be."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known {noun}: {', '.join(names)}"


def import_siblings(package: str, path: Iterable[str]) -> None:
    """Import every module of *package*, so that each can register itself."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")
