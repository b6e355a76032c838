"""The engine knows no product."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import validator

ROOT = Path(validator.__file__).parent
PRODUCTS = re.compile(r"fakeai|dynamo|kv.?cache|dcgm|vllm|triton", re.IGNORECASE)
TEXTS = sorted(
    file
    for file in ROOT.rglob("*")
    if file.is_file()
    and file.suffix not in (".pyc", ".so")
    and file.relative_to(ROOT).parts[0] not in ("demo", "specs")
)


@pytest.mark.parametrize("file", [pytest.param(f, id=str(f.relative_to(ROOT))) for f in TEXTS])
def test_the_engine_names_no_product(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if PRODUCTS.search(line)] == []


def test_there_is_an_engine_to_look_at():
    assert {"run.py", "evaluate.py", "cli.py"} <= {file.name for file in TEXTS}
