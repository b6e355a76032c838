"""The format `csv`."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator

from validator.decoders.base import decoder, text_of
from validator.errors import DecodeError
from validator.records.observation import Payload
from validator.values import Json, brief

MOST_CELLS = 1_000_000
MOST_LINES_OF_A_ROW = 10_000
LONGEST_LINE = 1_048_576
"""Bounds, so that no server can fill the memory of the one who looks."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MOST_DIGITS = 300


@decoder("csv", accept="text/csv, text/plain; q=0.5, */*; q=0.1")
def decode_csv(payload: Payload, _depth: int) -> Json:
    """Read the body as a table: an array with one object for each row, keyed by the first row.

    ```yaml
    queues:
      get: /metrics/queues.csv
      format: csv
      assert:
        - {path: "$[*].waiting", each: {type: integer, ge: 0}}
        - {path: "$[?(@.queue == 'default')].rate", gt: 0}
    ```

    What JSON would call a number is one (`007`, `1_000` and `NaN` are texts), and an empty
    cell is null. Cells are separated by commas, or by semicolons or tabs if the first line has no
    comma. A row with more or fewer cells than the first makes the body undecodable, and so does
    a beginning with `<`, as HTML has it.
    """
    text = text_of(payload)
    if not text.strip():
        raise DecodeError("not CSV: the body is empty")
    if text.lstrip().startswith("<"):  # a login or an error page would be a table without rows
        raise DecodeError(f"not CSV: the body begins with {brief(text.split(maxsplit=1)[0])}")
    header: list[str] = []
    document: list[Json] = []
    for line, row in _rows(text, _delimiter(text)):
        if not header:
            header = _checked(row)
        elif len(row) != len(header):
            raise DecodeError(
                f"not CSV: {_cells(len(row))} at line {line}, where the first line has"
                f" {len(header)}, near {brief(row[0])}"
            )
        else:
            if len(document) * len(header) >= MOST_CELLS:
                raise DecodeError(f"more than {MOST_CELLS} cells")
            document.append(dict(zip(header, map(_value, row), strict=True)))
    return document


def _delimiter(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return next((mark for mark in ",;\t" if mark in first), ",")


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Return every row that is not empty, with the number of the line it begins in."""
    lines = _Lines(text)
    rows = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        begins = lines.begins = lines.count + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise DecodeError(f"not CSV: {error} at line {begins}") from None
        if row:
            yield begins, row


class _Lines:
    """The lines of a text, counted and bounded: the reader has a bound for cells only."""

    def __init__(self, text: str) -> None:
        self.source = io.StringIO(text, newline="")
        self.count = 0
        self.begins = 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.source.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.count += 1
        if len(line) > LONGEST_LINE:
            raise DecodeError(f"line {self.count} is longer than {LONGEST_LINE} characters")
        if self.count - self.begins > MOST_LINES_OF_A_ROW:
            raise DecodeError(
                f"a row of more than {MOST_LINES_OF_A_ROW} lines at line {self.begins}"
            )
        return line


def _checked(header: list[str]) -> list[str]:
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DecodeError(f"not CSV: the first line names {brief(name)} twice")
        seen.add(name)
    return header


def _cells(count: int) -> str:
    return f"{count} cell{'s' if count != 1 else ''}"


def _value(cell: str) -> Json:
    if not cell:
        return None
    if len(cell) > _MOST_DIGITS or (found := _NUMBER.fullmatch(cell)) is None:
        return cell
    if found[2] is None and found[3] is None:
        return int(cell)
    number = float(cell)
    return number if math.isfinite(number) else cell
