"""A stream is cut into the same events, however its bytes were split on the way."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.drivers.sse import Cutter


def events(*pieces, **options):
    cutter = Cutter(**options)
    return [event for piece in pieces for event in cutter.feed(piece)]


@pytest.mark.parametrize(
    "stream, expected",
    [
        (b"", []),
        (b"data: a\n\n", [b"a"]),
        (b"data: a\r\n\r\n", [b"a"]),
        (b"data: a\r\r", [b"a"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b": keep-alive\n\n:\n\ndata: a\n\n", [b"a"]),
        (b"event: x\nid: 1\nretry: 2\ndata: a\n\n", [b"a"]),
        (b"event: x\n\n", []),
        (b"\n\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b"data: a", []),
        (b"data: a\n", []),
        (b"data: a\x0bb\x85c\xe2\x80\xa8d\n\n", [b"a\x0bb\x85c\xe2\x80\xa8d"]),
        (b"data: {a: b}\n\n", [b"{a: b}"]),
    ],
)
def test_events_are_what_the_standard_says(stream, expected):
    assert events(stream) == expected
    assert events(*(stream[i : i + 1] for i in range(len(stream)))) == expected


FRAGMENTS = st.sampled_from(
    [b"data: a", b"data", b":", b"id: 7", b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b" ", b"b\xc3"]
)


@given(st.lists(FRAGMENTS, max_size=40).map(b"".join), st.lists(st.integers(0, 200)))
def test_any_cut_yields_the_same_events(stream, cuts):
    at = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(at)]
    assert b"".join(pieces) == stream
    assert events(*pieces) == events(stream)


def test_an_event_is_out_as_soon_as_its_blank_line_is():
    cutter = Cutter()
    assert cutter.feed(b"data: a\r\n\r") == [b"a"]
    assert cutter.feed(b"\ndata: b\n\n") == [b"b"]


@pytest.mark.parametrize(
    "pieces",
    [[b"data: 0123456789"], [b"data: 01", b"23456789"], [b"data:\n"] * 4, [b": 0123456789abc\n"]],
)
def test_an_event_beyond_the_limit_is_refused(pieces):
    with pytest.raises(ValueError, match="larger than 15 bytes"):
        events(*pieces, limit=15)


def test_the_limit_is_for_one_event_not_for_the_stream():
    assert events(b"data: 012345\n\n" * 100, limit=15) == [b"012345"] * 100
