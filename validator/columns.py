"""Many records of one kind, kept by column: a few bytes a field, and no object per record."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import compress
from typing import Any, Final, Generic, Protocol, TypeVar, overload

T = TypeVar("T")

_NO_INTEGER: Final = -(2**63)
"""What stands for None among integers; none that counts something is as small."""


class Column(Protocol):
    """The values of one field, in the order of their records."""

    def append(self, value: Any) -> None:
        """Add one value at the end."""

    def __getitem__(self, at: int) -> Any:
        """Return one value."""

    def __iter__(self) -> Iterator[Any]:
        """Yield every value."""
        ...

    def extend(self, other: Any) -> None:
        """Add all values of another such column."""

    def taken(self, at: Sequence[int]) -> Column:
        """Return a column of the values at these places."""
        ...


class Numbers:
    """Integers or floats, eight bytes each; None is one value that is never measured."""

    def __init__(self, code: str, values: Iterable[float] = ()) -> None:
        self._values = array(code, values)
        self._none: float = _NO_INTEGER if code == "q" else float("nan")

    def append(self, value: float | None) -> None:
        self._values.append(self._none if value is None else value)

    def __getitem__(self, at: int) -> float | None:
        return self._meant(self._values[at])

    def __iter__(self) -> Iterator[float | None]:
        return map(self._meant, self._values)

    def _meant(self, value: float) -> float | None:
        return None if value == self._none or value != value else value  # noqa: PLR0124 - NaN

    def extend(self, other: Numbers) -> None:
        self._values.extend(other._values)

    def taken(self, at: Sequence[int]) -> Numbers:
        return Numbers(self._values.typecode, map(self._values.__getitem__, at))


class Known(Numbers):
    """Numbers that are never None: nothing to look at when they are read."""

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    def __getitem__(self, at: int) -> float:
        return self._values[at]

    def taken(self, at: Sequence[int]) -> Known:
        return Known(self._values.typecode, map(self._values.__getitem__, at))


class Words:
    """Values of which few are different, such as names: each is kept once, four bytes a record."""

    def __init__(self, words: Iterable[Hashable] = (), codes: Iterable[int] = ()) -> None:
        self._words = list(words)
        self._codes = {word: code for code, word in enumerate(self._words)}
        self._values = array("I", codes)

    def append(self, value: Hashable) -> None:
        code = self._codes.get(value)
        if code is None:
            code = self._codes[value] = len(self._words)
            self._words.append(value)
        self._values.append(code)

    def __getitem__(self, at: int) -> Hashable:
        return self._words[self._values[at]]

    def __iter__(self) -> Iterator[Hashable]:
        return map(self._words.__getitem__, self._values)

    def extend(self, other: Words) -> None:
        for word in other._words:
            if word not in self._codes:
                self._codes[word] = len(self._words)
                self._words.append(word)
        ours = [self._codes[word] for word in other._words]
        self._values.extend(map(ours.__getitem__, other._values))

    def taken(self, at: Sequence[int]) -> Words:
        return Words(self._words, map(self._values.__getitem__, at))


class Lists:
    """Lists of floats, one after the other in one array."""

    def __init__(self) -> None:
        self._values = array("d")
        self._starts = array("q")
        self._lengths = array("q")

    def append(self, value: array[float]) -> None:
        self._starts.append(len(self._values))
        self._lengths.append(len(value))
        self._values.extend(value)

    def __getitem__(self, at: int) -> array[float]:
        start = self._starts[at]
        return self._values[start : start + self._lengths[at]]

    def __iter__(self) -> Iterator[array[float]]:
        values = self._values
        for start, length in zip(self._starts, self._lengths, strict=True):
            yield values[start : start + length]

    def extend(self, other: Lists) -> None:
        moved = len(self._values)
        self._values.extend(other._values)
        self._starts.extend(map(moved.__add__, other._starts))
        self._lengths.extend(other._lengths)

    def taken(self, at: Sequence[int]) -> Lists:
        """Return the lists at these places; what they hold is shared, and not to be added to."""
        found = Lists()
        found._values = self._values  # a copy could be most of the memory there is
        found._starts.extend(map(self._starts.__getitem__, at))
        found._lengths.extend(map(self._lengths.__getitem__, at))
        return found

    def joined(self) -> array[float]:
        """Return the elements of all lists, in any order; not to be changed."""
        if sum(self._lengths) == len(self._values):
            return self._values
        found = array("d")
        for elements in self:
            found.extend(elements)
        return found


_KINDS: Final[Mapping[str, Callable[[], Column]]] = {
    "int": lambda: Known("q"),
    "float": lambda: Known("d"),
    "int | None": lambda: Numbers("q"),
    "float | None": lambda: Numbers("d"),
    "array[float]": Lists,
}
"""How a field is kept, by its type as it is written; all others are `Words`."""


class Columns(Sequence[T], Generic[T]):
    """A sequence of records of one dataclass; the type of a field decides how it is kept.

    A field of another type than those of `_KINDS` is taken to have few different values.
    """

    def __init__(self, record: type[T], records: Iterable[T] = ()) -> None:
        self._record = record
        self._columns = {name: _KINDS.get(kind, Words)() for name, kind in _fields(record)}
        self._length = 0
        for each in records:
            self.append(each)

    def append(self, record: T) -> None:
        """Keep one more record."""
        for name, column in self._columns.items():
            column.append(getattr(record, name))
        self._length += 1

    def extend(self, other: Columns[T]) -> None:
        """Keep the records of *other* as well."""
        for name, column in self._columns.items():
            column.extend(other._columns[name])
        self._length += len(other)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return map(self._record, *self._columns.values())

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Columns[T]: ...
    def __getitem__(self, at: int | slice) -> T | Columns[T]:
        if isinstance(at, slice):
            return self._taken(range(self._length)[at])
        place = range(self._length)[at]  # which knows what to say of a place that is not there
        return self._record(*(column[place] for column in self._columns.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment] # it grows

    def column(self, name: str) -> Iterable[Any]:
        """Return the values of one field."""
        return self._columns[name]

    def joined(self, name: str) -> array[float]:
        """Return the elements of a field of lists, in any order; not to be changed."""
        lists = self._columns[name]
        assert isinstance(lists, Lists)
        return lists.joined()

    def ordered(self, *by: str) -> Columns[T]:
        """Return the same records, sorted by these fields."""
        order: Sequence[int] = range(self._length)
        for name in reversed(by):  # a sort keeps the order of what is equal
            order = sorted(order, key=list(self._columns[name]).__getitem__)
        return self._taken(order)

    def where(self, name: str, value: object) -> Columns[T]:
        """Return the records of which this field has this value."""
        same = [found == value for found in self._columns[name]]
        return self if all(same) else self._taken([*compress(range(self._length), same)])

    def _taken(self, at: Sequence[int]) -> Columns[T]:
        found: Columns[T] = Columns(self._record)
        found._columns = {name: column.taken(at) for name, column in self._columns.items()}
        found._length = len(at)
        return found


def _fields(record: type) -> list[tuple[str, str]]:
    return [(field.name, str(field.type)) for field in fields(record)]
