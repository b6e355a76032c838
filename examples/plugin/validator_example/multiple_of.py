"""A predicate of one's own."""

from __future__ import annotations

from dataclasses import dataclass

from validator.arguments import NUMBER, given
from validator.predicates.base import NUMBERS, Predicate, predicate
from validator.values import Number


@predicate("multiple_of")
@dataclass(frozen=True, slots=True)
class MultipleOf(Predicate):
    """The number is a whole multiple of a step.

    ```yaml
    - {path: $.cache.block_tokens, multiple_of: 16}
    ```
    """

    accepts = NUMBERS
    step: Number = given(NUMBER)

    def check(self) -> None:
        """Refuse the one step that has no multiples."""
        if self.step == 0:
            raise ValueError("nothing but 0 is a multiple of 0")

    def holds(self, value: Number) -> bool:
        """Say whether *value* is so many whole steps."""
        return value % self.step == 0

    def __str__(self) -> str:
        """Complete the sentence "expected the value to be ..."."""
        return f"a multiple of {self.step:g}"
