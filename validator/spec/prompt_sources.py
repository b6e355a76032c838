"""Prompts of a load, from wherever the spec says they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from validator import files
from validator.drivers.prompts import Prompts, Shuffled, Synthetic
from validator.errors import Problems
from validator.source import Node
from validator.span import Span
from validator.spec.load_keys import PromptsBlock, SyntheticBlock
from validator.values import Json, brief, kind

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a file of prompts; what a load sends over and over should fit into memory."""
_COMPLAINTS: Final = 5
"""Bad lines of one file that are told; the others are likely bad in the same way."""
_WAYS: Final = ("texts", "file", "jsonl", "synthetic")


def prompts(
    written: PromptsBlock, node: Node, folder: Path, seed: int, problems: Problems
) -> Prompts | None:
    """Return what *node* stands for, files relative to *folder*; None and problems if nothing."""
    ways = [way for way in _WAYS if getattr(written, way) is not None]
    known = len(problems.found)
    if len(ways) != 1:
        message = (
            f"prompts come from one of {', '.join(_WAYS)}; found {' and '.join(ways) or 'none'}"
        )
        problems.add(message, node.span, "such as {file: prompts.txt}")
    if written.field is not None and written.jsonl is None:
        problems.add("field: goes with jsonl:", node.place("field"))
    if written.synthetic is not None and written.order == "shuffled":
        problems.add("synthetic prompts come in turn", node.place("order"), "leave order: out")
    if len(problems.found) > known:
        return None
    if written.synthetic is not None:
        return _synthetic(written.synthetic, seed)
    if written.texts is not None:
        texts = tuple(written.texts)
    elif written.file is not None:
        texts = tuple(line for _, line in _lines(node, "file", written.file, folder, problems))
    else:
        texts = _from_jsonl(written, node, folder, problems)
    if len(problems.found) > known:
        return None
    if not texts:
        problems.add("prompts: at least one is needed", node.key_span)
    return Shuffled(texts, seed) if written.order == "shuffled" and texts else texts


def _synthetic(written: SyntheticBlock, seed: int) -> Synthetic:
    prefix = written.prefix
    more = {} if written.distinct is None else {"distinct": written.distinct}
    if prefix is None:
        return Synthetic(written.words, seed=seed, **more)
    return Synthetic(written.words, prefix.share, prefix.groups or 1, seed=seed, **more)


def _from_jsonl(
    written: PromptsBlock, node: Node, folder: Path, problems: Problems
) -> tuple[str, ...]:
    key = written.field or "prompt"
    file = str(folder / written.jsonl)
    texts: list[str] = []
    wrong: dict[int, str] = {}
    for number, line in _lines(node, "jsonl", written.jsonl, folder, problems):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = f"not JSON: {getattr(error, 'msg', 'nested too deep')}"
        else:
            if isinstance(record, dict) and isinstance(record.get(key), str):
                texts.append(record[key])
                continue
            why = _lacking(record, key)
        if len(wrong) < _COMPLAINTS:
            wrong[number] = line
            problems.add(why, Span(file, number, 1, number, len(line) + 1))
    if wrong:  # the text that the complaints point into: only of lines that are wrong
        shown = (wrong.get(number, "") for number in range(1, max(wrong) + 1))
        problems.sources[file] = "\n".join(shown)
    return tuple(texts)


def _lacking(record: Json, key: str) -> str:
    if not isinstance(record, dict):
        return f"expected an object, found {kind(record)} {brief(record)}"
    if key not in record:
        return f"no {key!r} in it; it has {', '.join(map(str, record)) or 'nothing'}"
    return f"{key}: expected a text, found {kind(record[key])} {brief(record[key])}"


def _lines(
    node: Node, key: str, name: str, folder: Path, problems: Problems
) -> list[tuple[int, str]]:
    """Return the lines of a file that are not blank, with their numbers."""
    path = folder / name
    place = node.at(key) or node
    try:
        text = files.read(path, MOST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        problems.add(f"{path}: {why or error}", place.span, "the path is relative to the spec")
        return []
    found = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not found:
        problems.add(f"{path}: no prompts in it", place.span)
    return found
