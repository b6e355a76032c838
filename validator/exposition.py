"""Prometheus text and OpenMetrics, read line by line.

Every line keeps its number and every series the name it has on the wire: the parser of
prometheus-client renames counters to `_total`, forgets where a sample stood and swallows a second
TYPE line, and the questions of `validator.conformance` are about just these. As this pass then
knows the values too, at a quarter of the library's time (6 µs for a sample, not 20 to 70), the
library is the second opinion in the tests, which read every page with both, and has no part here.

What could only be guessed at is refused (`ExpositionError`: no value, an open quote, a word for a
number). What can be told apart but breaks a rule of the format (an illegal name, a wrong escape,
a second TYPE line) is kept, and a `Remark` says so.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import NoReturn

from validator.page import (
    OPENMETRICS,
    SUFFIXES,
    Declaration,
    Exemplar,
    Family,
    Labels,
    Page,
    Remark,
    Sample,
    media_type,
)
from validator.values import Number, printable

MOST_LINES = 2_000_000
MOST_SAMPLES = 250_000
MOST_DECLARATIONS = 200_000
MOST_LABELS = 1_000
LONGEST_LINE = 1_048_576
"""Bounds of one page, so that no server can fill the memory of the one who looks."""


class ExpositionError(ValueError):
    """The text cannot be read as metrics; the message says what stands in which line."""


def read(text: str, content_type: str = "") -> Page:
    """Read a page; its format is OpenMetrics if the content type says so, else text 0.0.4.

    Raises `ExpositionError` at the first line that cannot be told apart, and when a page of
    OpenMetrics does not end with `# EOF`: then it was cut short.
    """
    if text.count("\n") > MOST_LINES:
        raise ExpositionError(f"a page of more than {MOST_LINES} lines")
    lines = text.split("\n")  # not splitlines: a label value may hold what Unicode calls a line end
    page = Page(content_type, media_type(content_type) == OPENMETRICS, lines)
    last = len(lines)
    if lines[-1] == "":
        lines.pop()
    else:
        page.remarks.append(Remark("final-newline", last, "the last line has no end: was it cut?"))
    _Reader(page).read_lines()
    _gather(page)
    return page


# Possessive throughout, so that no text makes these go back over what they have read. A name is
# anything that can be told from what follows; whether it is a legal one is a rule's question.
_NAME = r'[^\s{}"#,=\x00-\x1f\x7f]++'
_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BLOCK = rf'\{{([^"{{}}]*+(?:{_QUOTED}[^"{{}}]*+)*+)\}}'
_SAMPLE = re.compile(rf"[ \t]*+({_NAME})?[ \t]*+(?:{_BLOCK})?[ \t]*+([^\s#{{]\S*+)?(.*+)")
_REST = re.compile(rf"[ \t]*+([^\s#]\S*+)?[ \t]*+(?:#[ \t]*+{_BLOCK}[ \t]*+(\S++)(.*+))?")
_LABEL = re.compile(
    r"[ \t]*+"
    rf'(?:([^\s="{{}},]++)|({_QUOTED}))[ \t]*+'
    rf"(?:=[ \t]*+({_QUOTED}))?[ \t]*+(?:,[ \t]*+|\Z)"
)
_TEXTS = re.compile(_QUOTED)
_PLAIN = re.compile(r'([^\s="{},\\]++)="([^"\\]*+)"(?:,(?!\Z)|\Z)')
_COMMENT = re.compile(
    rf"[ \t]*+#[ \t]*+(HELP|TYPE|UNIT)[ \t]++(?:({_QUOTED})|([^\s]++))(?:[ \t]++(.*+)|[ \t]*+\Z)"
)
_ESCAPE = re.compile(r"\\(.?)")
_ESCAPED = {"\\": "\\", "n": "\n", '"': '"'}
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_INFINITE = re.compile(r"inf", re.IGNORECASE)


class _Reader:
    """What reading the lines of one page needs to remember."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.line = 0
        self.ended = 0
        # Most lines repeat the labels of another, and every string kept twice costs memory.
        self.blocks: dict[str, tuple[str | None, Labels]] = {}
        self.texts: dict[str, str] = {}

    def read_lines(self) -> None:
        page, crs = self.page, 0
        for number, line in enumerate(page.lines, 1):
            self.line = number
            if len(line) > LONGEST_LINE:
                raise ExpositionError(f"line {number} is longer than {LONGEST_LINE} characters")
            if line.endswith("\r"):
                crs = crs or number
                line = line[:-1]  # noqa: PLW2901 - the line is what stands before its end
            start = line.lstrip(" \t")[:1]
            if page.openmetrics:
                self.strict(line)
            if start == "#":
                self.comment(line)
            elif start:
                self.sample(line)
        if crs:
            page.remarks.append(Remark("line-ends", crs, r"the line ends with \r\n, not \n"))
        if page.openmetrics and not self.ended:
            # No remark, since what is missing may be any part of the page.
            raise ExpositionError(
                f"cut short: a page of OpenMetrics ends with # EOF, and this one after"
                f" line {len(page.lines)}"
            )

    def strict(self, line: str) -> None:
        """Look at what OpenMetrics demands of a line and the older format does not."""
        if self.ended:
            self.remark("eof", f"a line after the # EOF of line {self.ended}")
        elif line == "# EOF":
            self.ended = self.line
        elif not line.startswith("# HELP "):  # whose text may hold any blanks
            bare = _TEXTS.sub("", line) if '"' in line else line
            if not line or bare.strip(" ") != bare or "\t" in bare or "  " in bare:
                self.remark("blanks", "OpenMetrics separates by one blank and has no empty lines")

    def remark(self, about: str, text: str) -> None:
        self.page.remarks.append(Remark(about, self.line, text))

    def refuse(self, what: str, line: str, at: int = 0) -> NoReturn:
        start = max(0, at - 20)
        where = f"line {self.line}, column {at + 1}"
        raise ExpositionError(f"{what} at {where}, near {line[start : at + 40]!r}")

    def comment(self, line: str) -> None:
        found = _COMMENT.match(line)
        if found is None:
            return  # any other comment is free text
        keyword, quoted, bare, text = found.groups(default="")
        if keyword == "UNIT" and not self.page.openmetrics:
            return
        name = bare
        if quoted:
            name = self.unescaped(quoted[1:-1])
            self.page.quoted.add(name)
        if keyword == "HELP":
            text = self.unescaped(text, '"' if self.page.openmetrics else "")
        else:
            text = text.rstrip(" \t")
        self.page.declarations.append(Declaration(keyword, name, text, self.line))
        if len(self.page.declarations) > MOST_DECLARATIONS:
            raise ExpositionError(f"more than {MOST_DECLARATIONS} lines of TYPE, HELP and UNIT")

    def sample(self, line: str) -> None:
        page = self.page
        found = _SAMPLE.match(line)
        assert found is not None  # every part of it may be missing
        name, block, written, rest = found.groups()
        labels: Labels = {}
        if block is not None:
            inner, labels = self.block(block, line, found.start(2))
            if name is None:
                name = inner
            elif inner is not None:
                self.refuse("a second name", line, found.start(2))
        if written is None:
            self.refuse(*self._why_no_value(line, name, block, rest))
        if name is None:
            self.refuse("a value without a name", line)
        value = self.number(written, line, found.start(3))
        timestamp, exemplar = None, None
        if rest and not rest.isspace():
            timestamp, exemplar = self.rest(rest, line, found.start(4))
        name = self.texts.setdefault(name, name)
        page.samples.append(Sample(name, labels, value, self.line, timestamp, exemplar))
        if len(page.samples) > MOST_SAMPLES:
            raise ExpositionError(f"more than {MOST_SAMPLES} samples")

    def _why_no_value(
        self, line: str, name: str | None, block: str | None, rest: str
    ) -> tuple[str, str, int]:
        at = len(line) - len(rest)
        if rest.startswith("{") and block is None:
            return ("labels that are not closed", line, at)
        if name is None and block is None:
            return ("no name", line, at)
        return ("no value", line, at)

    def block(self, block: str, line: str, start: int) -> tuple[str | None, Labels]:
        """Read what stands between braces: the labels, and the name if it stands there too."""
        known = self.blocks.get(block)
        if known is not None:
            return known
        # Nearly all blocks are plain: no blanks, escapes or quoted names. They are when the parts
        # found account for every character.
        plain = _PLAIN.findall(block)
        if sum(map(len, itertools.chain.from_iterable(plain))) + 4 * len(plain) - 1 == len(block):
            keep = self.texts.setdefault
            labels = {keep(label, label): keep(text, text) for label, text in plain}
            if len(labels) == len(plain) <= MOST_LABELS:
                self.blocks[block] = (None, labels)
                return None, labels
        return self.unusual(block, line, start)

    def unusual(self, block: str, line: str, start: int) -> tuple[str | None, Labels]:
        remarks = len(self.page.remarks)
        labels: dict[str, str] = {}
        name = None
        at, end = 0, len(block)
        if block.isspace():
            at = end
        while at < end:
            found = _LABEL.match(block, at)
            if found is None:
                self.refuse("not a label", line, start + at)
            label, quoted, text = found.groups()
            if quoted is not None:
                label = self.unescaped(quoted[1:-1])
                self.page.quoted.add(label)
            if text is None:
                if quoted is None or name is not None or labels:
                    self.refuse("a label without a value", line, start + at)
                name = label
            elif label in labels:
                self.remark("duplicate-label", f"the label {printable(label)!r} is given twice")
            else:
                value = self.unescaped(text[1:-1]) if "\\" in text else text[1:-1]
                labels[self.texts.setdefault(label, label)] = self.texts.setdefault(value, value)
            if len(labels) > MOST_LABELS:
                raise ExpositionError(f"more than {MOST_LABELS} labels at line {self.line}")
            at = found.end()
        if len(self.page.remarks) == remarks:  # else each line is to get its own remark
            self.blocks[block] = (name, labels)
        return name, labels

    def unescaped(self, text: str, also: str = '"') -> str:
        if "\\" not in text:
            return text
        known = "\\n" + also

        def written(found: re.Match[str]) -> str:
            if found[1] and found[1] in known:
                return _ESCAPED[found[1]]
            self.remark("escape", f"{printable(found[0])} is no escape of the format")
            return found[0]

        return _ESCAPE.sub(written, text)

    def number(self, written: str, line: str, at: int) -> float:
        # Python reads more than Go does: 1_000, and the digits of every script.
        if not written.isascii() or "_" in written:
            self.refuse(f"{written[:40]!r} is not a number", line, at)
        try:
            value = float(written)
        except ValueError:
            self.refuse(f"{written[:40]!r} is not a number", line, at)
        if math.isinf(value) and not _INFINITE.search(written):
            self.remark("number", f"{printable(written[:40])} does not fit into 64 bits")
        return value

    def rest(self, rest: str, line: str, at: int) -> tuple[Number | None, Exemplar | None]:
        """Read what follows the value: a timestamp and an exemplar."""
        found = _REST.fullmatch(rest.rstrip(" \t"))
        if found is None:
            self.refuse("more than a value and a timestamp", line, at)
        written, block, value, then = found.groups()
        timestamp: Number | None = None
        if written is not None:
            timestamp = self.timestamp(written, line, at, openmetrics=self.page.openmetrics)
        if block is None:
            return timestamp, None
        name, labels = self.block(block, line, at + found.start(2))
        if name is not None:
            self.refuse("a label without a value", line, at + found.start(2))
        then = then.strip(" \t")
        taken = self.timestamp(then, line, at + found.start(4), openmetrics=True) if then else None
        return timestamp, Exemplar(labels, self.number(value, line, at + found.start(3)), taken)

    def timestamp(self, written: str, line: str, at: int, *, openmetrics: bool) -> Number:
        value = self.number(written, line, at)
        if not math.isfinite(value):
            self.refuse("a timestamp that is no instant", line, at)
        if openmetrics:
            return int(value) if value.is_integer() else value
        if not _WHOLE.fullmatch(written):
            self.remark("timestamp", "a timestamp is a whole number of milliseconds")
        seconds = value / 1000
        return int(seconds) if seconds.is_integer() else seconds


def _gather(page: Page) -> None:
    """Put the samples into families: declarations first, for they may stand behind a sample."""
    families = page.families
    for declared in page.declarations:
        family = families.get(declared.name)
        if family is None:
            family = families[declared.name] = Family(declared.name)
        match declared.keyword:
            case "TYPE":
                family.type = family.type or declared.text.lower()
            case "HELP" if family.help is None:
                family.help = declared.text
            case "UNIT" if family.unit is None:
                family.unit = declared.text
    homes: dict[str, list[Sample]] = {}
    for sample in page.samples:
        home = homes.get(sample.name)
        if home is None:
            home = homes[sample.name] = _home(page, sample.name).samples
        home.append(sample)


def _home(page: Page, name: str) -> Family:
    families = page.families
    if name in families:
        return families[name]
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            family = families.get(name.removesuffix(suffix))
            if family is not None and suffix in page.suffixes(family.type):
                return family
    families[name] = Family(name)
    return families[name]
