"""What a spec refers to: variables, the environment, flags, the port and the load."""

from __future__ import annotations

import pytest

from validator.errors import SpecProblems, UsageError
from validator.spec.parse import Overrides, Setting, parse

SPEC = """version: 1
title: "{title}"
vars: {{one: 1, text: x, flag: true, listed: [1, 5], port_like: "010"}}
target: {{url: "http://localhost:9"}}
load: {{model: m, requests: 4, prompts: [hi]}}
endpoints:
  s: {{get: /s, assert: [{{path: $.a, {ask}}}]}}
"""


def parsed(ask="ge: 0", title="t", **overrides):
    text = SPEC.format(ask=ask, title=title)
    return parse(text, overrides=Overrides(**{"environment": {}, **overrides}))


def asked(ask, **overrides):
    spec = parsed(ask, **overrides)
    return str(spec.endpoints[0].assertions[0].condition[0].predicate)


@pytest.mark.parametrize(
    "ask,found",
    [
        ('eq: "${vars.one}"', "= 1"),
        ('eq: "${ vars.one }"', "= 1"),
        ('eq: "${vars.flag}"', "= true"),
        ('eq: "n${vars.one}"', '= "n1"'),
        ('eq: "${vars.text}${vars.flag}"', '= "xtrue"'),
        ('between: "${vars.listed}"', "1 … 5"),
        ('eq: "${vars.port_like}"', '= "010"'),
        ('eq: "${env.N:-5}"', "= 5"),
        ('eq: "${env.N:-a:-b}"', '= "a:-b"'),
        ('eq: "$${load.ok}"', '= "${load.ok}"'),
        ("eq: $5", '= "$5"'),
        ('eq: "${load.ok}"', "= load.ok"),
    ],
)
def test_a_whole_reference_keeps_its_kind_and_an_embedded_one_is_text(ask, found):
    assert asked(ask) == found


@pytest.mark.parametrize("text,found", [("5", "= 5"), ("true", "= true"), ("010", '= "010"')])
def test_text_from_outside_is_read_as_a_scalar(text, found):
    assert asked('eq: "${env.N:-9}"', environment={"N": text}) == found
    assert asked('eq: "${vars.one}"', variables=(("one", text),)) == found


def test_an_empty_variable_of_the_environment_counts_as_unset():
    assert asked('eq: "${env.N:-9}"', environment={"N": ""}) == "= 9"


def test_a_flag_adds_and_replaces_what_the_file_says():
    settings = (
        Setting("--requests", ("load", "requests"), "7"),
        Setting("--set load.max_tokens", ("load", "max_tokens"), "50"),
        Setting("--set settle.within", ("settle", "within"), "3s"),
        Setting("--set target.url", ("target", "url"), "http://other:1"),
    )
    spec = parsed(settings=settings)
    assert (spec.loads[0].plan.requests, spec.loads[0].plan.driver.max_tokens) == (7, 50)
    assert (spec.settle.within, spec.target.url) == (3, "http://other:1")


def test_a_bad_flag_is_drawn_with_its_own_text():
    with pytest.raises(SpecProblems) as refused:
        parsed(settings=(Setting("--requests", ("load", "requests"), "many"),))
    assert "--requests: requests: expected a whole number" in refused.value.drawn()
    assert "many" in refused.value.drawn()


def test_load_settings_need_a_load():
    text = "version: 1\ntarget: {url: http://a}\nendpoints: {s: {get: /s}}\n"
    with pytest.raises(UsageError, match="--requests: the spec has no load: block"):
        parse(
            text, overrides=Overrides(settings=(Setting("--requests", ("load", "requests"), "7"),))
        )


def test_the_url_of_the_caller_wins():
    assert parsed(url="http://elsewhere:80/").target.url == "http://elsewhere:80"
    with pytest.raises(UsageError, match="--url: expected a base URL"):
        parsed(url="elsewhere")


SERVER = """version: 1
target: {{url: "{url}"}}
server: {{command: "run --port ${{port}}", ready: /}}
endpoints: {{s: {{get: /s}}}}
"""


@pytest.mark.parametrize(
    "url,found",
    [
        ("http://localhost:4711", ("4711", "http://localhost:4711")),
        ("http://localhost", ("5555", "http://localhost:5555")),
        ("http://localhost:${port}/x", ("5555", "http://localhost:5555/x")),
    ],
)
def test_the_port_is_the_targets_own_or_a_free_one_and_both_agree(url, found):
    overrides = Overrides(environment={}, free_port=lambda: 5555)
    spec = parse(SERVER.format(url=url), overrides=overrides)
    assert (spec.server.command[-1], spec.target.url) == found


def test_reading_a_spec_twice_gives_the_same():
    assert parsed('eq: "${load.ok}"') == parsed('eq: "${load.ok}"')
