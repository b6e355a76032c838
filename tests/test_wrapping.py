"""Lines break between words, and only where somebody sees how wide they are."""

from __future__ import annotations

import re

import pytest
from command_line import validator
from terminal import on_terminal, plain

from validator.wrapping import wrapped

SPEC = """\
version: 1
target: {url: http://localhost:9}
endpoints:
  stats:
    get: /stats
    assert:
      - {path: "$.a_rather_long_name_of_a_field_of_a_page", wobbles: {gt: 3}}
      - {wobbles: 1}
"""


@pytest.mark.parametrize(
    "line, width, broken",
    [
        ("one two", 7, "one two"),
        ("one two three", 8, "one two|  three"),
        ("  one two three", 9, "  one two|  three"),
        ("name  " + "five " * 7, 36, "name  five five five five five five|      five"),
        ("  a name too long to hang  4 → 5", 30, "  a name too long to hang  4 →|    5"),
        ("x" * 20 + " y", 8, "x" * 20 + "|  y"),
        ("12 :   - {path: $.a, wobbles: 3}", 8, "12 :   - {path: $.a, wobbles: 3}"),
        ("   :  ^^^ " + "hint " * 7, 40, "   :  ^^^ hint hint hint hint hint hint|   :      hint"),
        (f"   :{' ' * 20}^^^ hint hint hint", 40, f"   :{' ' * 20}^^^|   :   hint hint hint"),
        ("error: what is wrong| --> here:1:1", 9, "error: what is wrong| --> here:1:1"),
        ("```|a: long line|```|prose prose", 6, "```|a: long line|```|prose|  prose"),
    ],
)
def test_a_line_goes_on_where_it_began(line, width, broken):
    assert wrapped(_drawn(line).rstrip(), width) == _drawn(broken)


def _drawn(text):
    """Return *text* with its lines broken, and the bars of quoted sources drawn."""
    return re.sub(r"^(\s*|12 ):", r"\1|", text.replace("|", "\n"), flags=re.MULTILINE)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(
    "words", [("explain",), ("explain", "delta", "endpoints"), ("demo", "--fault", "list")]
)
def test_on_a_terminal_no_word_is_broken(words, width, unbuffered):
    code, text = on_terminal(*words, columns=width, env={"PYTHONUNBUFFERED": unbuffered})
    whole = validator(*words).stdout
    assert code == 0
    assert plain(text).split() == whole.split()
    example = False
    for line in plain(text).splitlines():
        example ^= line.strip().startswith("```")
        assert example or len(line) <= width or len(line.split()) == 1, line


def test_hints_are_wrapped_and_what_programs_read_is_not(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    _, text = on_terminal("lint", spec, columns=80)
    piped = validator("lint", spec).stderr
    for line in piped.splitlines():
        if line.startswith("error: ") or "-->" in line:
            assert line in plain(text).splitlines()
    hints = [line for line in plain(text).splitlines() if line.lstrip().startswith("|")]
    assert all(len(line) <= 80 for line in hints)
    assert " ".join(plain(text).replace("|", " ").split()) == " ".join(
        piped.replace("|", " ").split()
    )
