"""Where prompts come from: a prompt is a function of its place, the same in every process."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias, overload

Prompts: TypeAlias = Sequence[str]
"""Taken in turn: request n gets the one at n modulo their number."""

_LISTED: Final = """
able air all along and answer any apple area arm art ask baby back bad ball bank base bath bed
bell best bird blue boat body bone book born box bread bring brown build busy cake call calm
camp card care cat chair city class clean clear clock cloud coat cold cook corn count cover
cow cup dance dark day deep desk dish door down draw dream dress drink drive dry duck early
earth east easy edge egg empty end evening eye face fact fair fall farm fast father feel field
find fine fire fish five floor flower fly food foot forest four free fresh friend front fruit
full game garden gate gift girl glass gold good grass great green grow half hand happy hard
hat heart heavy help high hill home horse hot hour house ice idea inch iron
"""
WORDS: Final = tuple(_LISTED.split())
"""Short and common, so that a word is about one token to most tokenizers."""
_WITHOUT_END: Final = 2**40
"""The number of prompts of a source that never repeats itself."""


class _Source(Sequence[str]):
    """A sequence by its length and its items alone."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self.at(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.at(index % len(self))

    def at(self, index: int) -> str:
        """Return the prompt at *index*, which is one."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Synthetic(_Source):
    """Prompts of a known length, whose beginnings are shared by as many as one says.

    A prompt belongs to one of *groups* groups, in turn. Those of one group begin with the same
    words, as many as *shared* says, and differ at the very next; those of different groups
    differ at the first. So a prefix cache that holds them all can reuse exactly that much.
    """

    words: int
    shared: float = 0.0
    """The share of the words that a whole group begins with."""
    groups: int = 1
    distinct: int = _WITHOUT_END
    """How many different prompts there are; then they come again."""
    seed: int = 0

    def __len__(self) -> int:
        return self.distinct

    @property
    def prefix_words(self) -> int:
        """How many words of a prompt its whole group begins with."""
        return round(self.words * self.shared)

    def at(self, index: int) -> str:
        ahead = self.prefix_words
        member, group = divmod(index, self.groups)
        beginning = _text(f"{self.seed} group", group, self.groups, ahead)
        end = _text(f"{self.seed} {group} member", member, self.distinct, self.words - ahead)
        return " ".join((*beginning, *end))


@dataclass(frozen=True, slots=True)
class Shuffled(_Source):
    """Prompts in another order on each pass through them; each pass has every one of them."""

    prompts: tuple[str, ...]
    seed: int = 0

    def __len__(self) -> int:
        return len(self.prompts) * _WITHOUT_END

    def at(self, index: int) -> str:
        turn, place = divmod(index, len(self.prompts))
        return self.prompts[_order(self.seed, turn, len(self.prompts))[place]]


@lru_cache(maxsize=8)
def _order(seed: int, turn: int, length: int) -> array[int]:
    order = list(range(length))
    random.Random(f"order {seed} {turn}").shuffle(order)  # noqa: S311 - repeatable, not secret
    return array("l", order)


@lru_cache(maxsize=1024)
def _text(kind: str, number: int, of: int, words: int) -> tuple[str, ...]:
    """Return *words* words that no other *number* of this kind begins with.

    The number itself, with a word for each digit, comes first and its last digit at the very
    front: what differs is then seen at once.
    """
    left, digits = number, []
    for _ in range(_digits(of)):
        left, digit = divmod(left, len(WORDS))
        digits.append(WORDS[digit])
    draw = random.Random(f"{kind} {number}")  # noqa: S311 - repeatable, not secret
    more = draw.choices(WORDS, k=max(0, words - len(digits)))
    return (*digits, *more)[:words]


def _digits(of: int) -> int:
    """Return how many words it takes to number *of* things; more than a load sends needs none."""
    digits, most = 1, len(WORDS)
    while most < min(of, 10**9):
        digits, most = digits + 1, most * len(WORDS)
    return digits
