"""No secret leaves the process: not in a report, a recording or an error."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator import recording
from validator.conclusion import conclude
from validator.errors import SpecProblems, UsageError
from validator.records.observation import Observations, Snapshot, Unreadable
from validator.records.recording import Recording, Round
from validator.redaction import MASK, Redaction
from validator.reporters.json import render
from validator.spec.parse import Overrides, parse

SECRET = "s3cret/va+lue="
FORMS = [
    SECRET,
    base64.b64encode(f"Bearer {SECRET}".encode()).decode(),
    base64.b64encode(f"a{SECRET}x".encode()).decode(),
    SECRET.encode().hex(),
    quote(SECRET, safe=""),
    base64.b64encode(SECRET.encode()).decode(),
    base64.urlsafe_b64encode(SECRET.encode()).decode(),
]
PLACES = {
    "api_key": 'target: {url: http://a, api_key: "%s"}',
    "header": 'target: {url: http://a, headers: {X-Tenant: "%s"}}',
    "bearer": 'target: {url: http://a, headers: {Authorization: "Bearer %s"}}',
    "endpoint header": 'target: {url: http://a}\n  # "%s"',
    "variable": 'target: {url: http://a}\nvars: {hub_token: "%s"}',
    "nested variable": 'target: {url: http://a}\nvars: {hub: {PASSWORD: "%s"}}',
    "list variable": 'target: {url: http://a}\nvars: {api_keys: ["%s"]}',
    "server": 'target: {url: http://a}\nserver: {command: x, ready: /, env: {A_SECRET: "%s"}}',
    "url": "target: {url: 'http://me:%s@a'}",
}
ENDPOINT = "endpoints:\n  s: {get: /s, assert: [{path: $.a, eq: 1, why: '%s'}]}\n"


def spec_with(place, more=""):
    secret = quote(SECRET, safe="") if place == "url" else SECRET
    endpoint = ENDPOINT % SECRET
    if place == "endpoint header":
        endpoint = endpoint.replace("get: /s", f'get: /s, headers: {{X-Key: "{SECRET}"}}')
    return f"version: 1\n{PLACES[place] % secret}\n{endpoint}{more}"


def seen_with(*texts):
    document = {"a": f"echo {texts[0]}", texts[-1]: list(texts)}
    after = {"s": Snapshot("s", document, status=200)}
    before = {"s": Snapshot("s", error=Unreadable("status", f"HTTP 500: {texts[-1]}"))}
    return Recording(
        "t", "t.yaml", "http://a", "2026-11-23T00:00:00+00:00",
        rounds=(Round(observations=Observations(before, after)),), remarks=tuple(texts),
    )  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_report_and_a_recording_show_no_form_of_a_secret(place):
    spec = parse(spec_with(place), overrides=Overrides(environment={}))
    safe = Redaction(spec.secrets).record(seen_with(*FORMS))
    report = render([conclude(spec, seen_with(*FORMS))])
    for text in (recording.written(safe), report):
        for form in FORMS:
            assert form.rstrip("=") not in text
        assert MASK in text


@pytest.mark.parametrize(
    "assertion,status",
    [
        ("{path: $.v, eq: '***'}", "fail"),
        ("{path: $.v, length: {eq: 14}}", "pass"),
        ("{path: $.v, none: {contains: '${vars.hub_token}'}}", "fail"),
        ("{path: \"$['s3cret/va+lue=']\", absent: true}", "fail"),
    ],
)
def test_what_was_seen_is_judged_and_then_hidden(assertion, status):
    text = f"version: 1\n{PLACES['variable'] % SECRET}\n{ENDPOINT % 'x'}"
    spec = parse(text.replace("{path: $.a, eq: 1, why: 'x'}", assertion))
    after = {"s": Snapshot("s", {"v": SECRET, SECRET: 1}, status=200)}
    rounds = (Round(observations=Observations({}, after)),)
    seen = Recording("t", "t.yaml", "http://a", "2026-11-23T00:00:00+00:00", rounds=rounds)
    report = conclude(spec, seen)
    assert report.verdicts[1].status == status
    assert SECRET not in render([report])


@pytest.mark.parametrize("place", PLACES)
def test_the_errors_of_a_spec_show_no_secret(place):
    with pytest.raises(SpecProblems) as refused:
        parse(
            spec_with(place).replace("target: {", "target: {typo: 1, ").replace("why: ", "name: ")
        )
    drawn = refused.value.drawn() + str(refused.value)
    assert SECRET not in drawn.replace(f"name: '{SECRET}'", "")
    assert "typo" in drawn


def test_secrets_of_the_environment_and_of_flags_are_secrets():
    text = "version: 1\ntarget: {url: http://a, api_key: '${env.THE_KEY}'}\nvars: {my_token: a}\n"
    text += ENDPOINT % ""
    given_ = Overrides(environment={"THE_KEY": SECRET}, variables=(("my_token", "other-s3cret"),))
    assert set(parse(text, overrides=given_).secrets) == {SECRET, "other-s3cret"}


def test_a_number_under_a_secret_name_is_a_count_when_it_is_short():
    text = "version: 1\ntarget: {url: http://a}\nvars: {max_tokens: 50, pin_token: 123456}\n"
    assert parse(text + ENDPOINT % "").secrets == ("123456",)


def test_a_short_secret_hides_words_and_not_their_parts():
    hidden = Redaction(("test",))
    assert hidden.text("latest tests: test, 'test'") == f"latest tests: {MASK}, '{MASK}'"


@given(st.text(min_size=4, max_size=12), st.text(max_size=10), st.text(max_size=10))
def test_a_long_text_is_found_wherever_it_stands(secret, left, right):
    long = secret + "-0123456789"
    assert long not in Redaction((long,)).text(left + long + right)


@given(st.text())
def test_without_secrets_nothing_changes(text):
    assert Redaction(()).text(text) is text


def test_a_masked_source_keeps_every_column():
    text = 'a: 1\napi_key: "x y"  # mine\nurl: http://me:pw@h/\nAuthorization: Bearer abc\n'
    masked = Redaction(("mine",)).source(text)
    assert [len(line) for line in masked.splitlines()] == [len(line) for line in text.splitlines()]
    for secret in ("x y", "mine", "me:pw", "abc"):
        assert secret not in masked
    assert "a: 1" in masked


def test_judging_a_redacted_recording_again_gives_the_same_report(tmp_path):
    spec = parse(spec_with("api_key"), overrides=Overrides(environment={}))
    first = Redaction(spec.secrets).record(seen_with(*FORMS))
    file = tmp_path / "seen.json"
    file.write_text(recording.written(first), encoding="utf-8")
    assert render([conclude(spec, recording.read(file))]) == render([conclude(spec, first)])
    assert json.loads(file.read_text(encoding="utf-8"))["recording"] == 2


def test_a_base_url_that_is_none_is_refused_without_its_password():
    text = "version: 1\ntarget: {url: http://a}\n" + ENDPOINT % ""
    with pytest.raises(UsageError) as refused:
        parse(text, overrides=Overrides(url="http://me:pa55word@host:99999", environment={}))
    assert "pa55word" not in str(refused.value)
    assert "host:99999" in str(refused.value)
