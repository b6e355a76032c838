"""`validator explain` knows every word of a spec and of what a run comes up with."""

from __future__ import annotations

import json
import re

import pytest
from command_line import validator
from terminal import on_terminal, plain

from validator import ledger, meanings
from validator.errors import UsageError
from validator.explain import explained, overview
from validator.records.verdict import Severity, Status
from validator.schema import spec_schema, suite_schema


def properties(schema):
    """Yield every key that a schema has a description of."""
    if isinstance(schema, dict):
        members = schema.get("properties", {})
        yield from members if isinstance(members, dict) else ()
        for part in schema.values():
            yield from properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


def leaves(document, path="load"):
    for key, value in document.items():
        if isinstance(value, dict) and value and key != "slo_ms":
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}"


KEYS = sorted({*properties(json.loads(spec_schema())), *properties(json.loads(suite_schema()))})
FIELDS = sorted(leaves(ledger._example()))


@pytest.mark.parametrize("name", KEYS)
def test_every_key_that_an_editor_completes_is_explained(name):
    first = explained(name).splitlines()[0]
    assert re.match(rf"(\S+\.)?{name} \(", first)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_the_ledger_is_explained(name):
    assert "(the ledger)" in explained(name)
    assert "(the ledger)" in explained(name.removeprefix("load.").split(".")[0])


def test_no_field_is_explained_that_the_ledger_does_not_have():
    for name in meanings.FIELDS:
        keys = re.sub(r"\.[A-Z]+(?=\.|$)", ".ok", name).split(".")
        assert ledger.unknown_field(keys) is None, name


@pytest.mark.parametrize("name", [*Status, *Severity, "vacuous", "known"])
def test_every_word_of_a_verdict_is_explained(name):
    assert explained(str(name)).startswith(f"{name} (")


@pytest.mark.parametrize(
    "name, places",
    [
        ("within", ["server.within", "settle.within", "tracks.within"]),
        ("settle.within", ["settle.within"]),
        ("severity", ["endpoints.reachable.severity", "assert.severity"]),
        ("absent_before", ["assert.let.absent_before", "delta.absent_before"]),
        ("slo", ["load.slo"]),
        ("slo.ttft", ["load.slo.ttft"]),
        ("let", ["let", "assert.let"]),
        ("poisson", ["load.rate.arrivals"]),
        ("load.ttft_ms.p50", ["load.ttft_ms"]),
        ("load.streams.ttft_ms.p50", ["load.ttft_ms"]),
        ("outcomes.status_429", ["load.outcomes.CLASS"]),
        ("models.some/model.tokens", ["load.models.NAME.tokens"]),
        ("percentiles", ["load.percentiles.exact", "load.percentiles.relative_error"]),
    ],
)
def test_a_word_is_explained_at_all_of_its_places(name, places):
    found = re.findall(r"^(\S+) \(", explained(name), re.MULTILINE)
    assert set(places) <= set(found)


def test_a_word_in_two_roles_shows_both():
    assert re.findall(r"^json \((.+)\)$", explained("json"), re.MULTILINE) == ["formats", "reports"]
    found = re.findall(r"^(\S+) \((.+)\)$", explained("p50"), re.MULTILINE)
    assert found == [("p50", "measures"), ("p50", "figures of a time")]


def test_a_field_says_its_meaning_and_its_unit():
    text = explained("load.ttft_ms")
    assert "t0 to the first event with content" in text
    assert "in ms" in text
    assert re.search(r"^ +p99 +99 % of them", text, re.MULTILINE)


def test_a_key_of_one_driver_says_so():
    assert "With driver http." in explained("load.method")


def test_what_has_another_name_here_is_suggested():
    with pytest.raises(UsageError, match="nothing is called 'average': did you mean 'mean'"):
        explained("average")
    with pytest.raises(UsageError, match="did you mean 'severity'"):
        explained("sevrity")
    with pytest.raises(UsageError, match="nothing is called 'RPS': did you mean 'rate'"):
        explained("RPS")
    with pytest.raises(UsageError, match="nothing is called 'timeouts': did you mean 'timeout'"):
        explained("timeouts")


def test_what_is_known_is_listed_once_by_kind_and_wrapped():
    code, text = on_terminal("explain", "qqqqq", columns=80)
    assert code == 2
    lines = plain(text).splitlines()
    assert all(len(line) <= 80 for line in lines)
    kinds = [line for line in validator("explain", "qqqqq").stderr.splitlines() if "  " in line]
    for line in kinds:
        _, names = re.split(r"(?<=\S)  ", line)
        words = names.split(", ")
        assert len(words) == len(set(words))
    assert len(kinds) > 8


def test_the_overview_has_each_kind_and_says_what_else_is_known():
    text = overview()
    assert "\nstatuses\n" in text
    assert "settle.within" in text.splitlines()[-1]
