"""A recording read again is what was written; anything else is refused in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.errors import UsageError
from validator.recording import _recording, read, written
from validator.records.observation import Observations, Progress, Settled, Snapshot, Unreadable
from validator.records.recording import Recording, Round
from validator.records.trace import Trace

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
COUNTS = st.dictionaries(st.sampled_from(["sent", "ok"]), st.integers(0))
TIMES = st.floats(0, 1e6)
SNAPSHOTS = st.builds(
    Snapshot,
    st.just("s"),
    JSON,
    st.none() | st.builds(Unreadable, st.sampled_from(["timeout", "status"]), st.text()),
    st.none() | st.integers(100, 599),
    TIMES,
    TIMES,
    st.none() | st.builds(Progress, COUNTS, COUNTS),
)
ROUNDS = st.builds(
    Round,
    st.text(),
    JSON,
    st.builds(
        Observations,
        before=st.fixed_dictionaries({}, optional={"s": SNAPSHOTS}),
        after=st.fixed_dictionaries({}, optional={"s": SNAPSHOTS}),
        during=st.fixed_dictionaries(
            {}, optional={"s": st.lists(SNAPSHOTS, max_size=3).map(tuple)}
        ),
        settled=st.none()
        | st.builds(Settled, st.booleans(), TIMES, st.integers(0, 9), st.just(("a",))),
        settling=st.fixed_dictionaries(
            {}, optional={"s": st.lists(SNAPSHOTS, max_size=3).map(tuple)}
        ),
    ),
    st.booleans(),
    st.none()
    | st.builds(
        Trace,
        st.none() | TIMES,
        st.integers(1, 9),
        st.dictionaries(st.text(), st.lists(st.tuples(TIMES, TIMES, st.integers(0))).map(tuple)),
        st.dictionaries(st.text(), st.lists(st.tuples(TIMES, TIMES)).map(tuple)),
    ),
)
RECORDINGS = st.builds(
    Recording,
    st.text(),
    st.text(),
    st.text(),
    st.just("2026-11-23T00:00:00+00:00"),
    TIMES,
    st.lists(ROUNDS, min_size=1, max_size=3).map(tuple),
    st.sampled_from(["", "interrupted"]),
    st.lists(st.text()).map(tuple),
)


@given(RECORDINGS)
def test_what_is_written_is_read_again(recording):
    text = written(recording)
    text.encode()  # a file must be able to hold it, whatever a server sent
    assert _recording(json.loads(text)) == recording


GOOD = json.loads(written(Recording("t", "s", "u", "2026-11-23")))
(ROUND,) = GOOD["rounds"]


def of_version_1(recording):
    """Return a recording as the tool wrote it when it knew one load at most."""
    (one,) = recording["rounds"]
    top = {key: value for key, value in recording.items() if key != "rounds"}
    seen = {key: one[key] for key in ("trace", "settle", "before", "during", "after")}
    return {**top, "recording": 1, "load": one["ledger"], **seen}


@given(RECORDINGS.filter(lambda r: len(r.rounds) == 1))
def test_a_recording_of_the_first_version_is_read(recording):
    (one,) = recording.rounds
    seen = replace(one.observations, settling={})
    whole = replace(one, load="", interrupted=bool(recording.interrupted), observations=seen)
    found = _recording(of_version_1(json.loads(written(recording))))
    assert found == replace(recording, rounds=(whole,))


@pytest.mark.parametrize(
    "content,message",
    [
        (b"", "not a recording, not even JSON"),
        (b"{", "not a recording, not even JSON"),
        (b"\xff\xfe\x00", "not a recording"),
        (b"[]", "not a recording; `validator run SPEC --record FILE` writes one"),
        (b"{}", "not a recording; `validator run SPEC --record FILE` writes one"),
        (b"[" * 100_000, "not a recording"),
        (json.dumps({**GOOD, "recording": 9}).encode(), "version 9; this tool reads 1 and 2"),
        (json.dumps({**GOOD, "rounds": []}).encode(), "a damaged recording"),
        (json.dumps({**GOOD, "rounds": [{**ROUND, "after": []}]}).encode(), "damaged"),
        (json.dumps({**GOOD, "rounds": [{**ROUND, "after": {"s": 5}}]}).encode(), "damaged"),
        (json.dumps({**of_version_1(GOOD), "after": []}).encode(), "a damaged recording"),
        (json.dumps({**GOOD, "title": 5}).encode(), "a damaged recording"),
        (json.dumps({"recording": 1}).encode(), "a damaged recording"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, content, message):
    file = tmp_path / "seen.json"
    file.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        read(file)
    assert message in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"seen\.json: No such file"):
        read(tmp_path / "seen.json")
