"""Looks taken while counters settle are kept when they show something new, and only then."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from scripted_server import Books, scripted, spec

from validator.news import MOST_BYTES, MOST_LOOKS, News
from validator.records.observation import Snapshot, Unreadable
from validator.run import run


def looked(values, *, size=0):
    news = News()
    for at, value in enumerate(values):
        error = Unreadable("timeout", "too slow") if value is None else None
        look = Snapshot("a", value, error, taken=float(at), size=size)
        news.see({"a": look}, {"a": value})
    return [look.taken for look in news.looks().get("a", ())]


def test_of_each_change_the_looks_around_it_are_kept():
    assert looked([0, 0, 0, 60, 60, 60]) == [0, 2, 3]
    assert looked([0, 1, 2]) == [0, 1, 2]
    assert looked([60] * 9) == [0]


def test_what_could_not_be_read_is_no_news():
    assert looked([None, 0, None, 0, 1]) == [1, 3, 4]
    assert looked([None]) == []


def assert_spread(kept, of, most):
    """Hold that the first and the latest of so many looks were kept, and what is evenly between."""
    assert (kept[0], kept[-1]) == (0, of - 1)
    assert most // 2 <= len(kept) <= most
    assert max(b - a for a, b in pairwise(kept)) <= 4 * of / most


def test_what_never_stands_still_is_kept_now_and_then():
    assert looked(range(MOST_LOOKS)) == list(range(MOST_LOOKS))
    assert_spread(looked(range(1000)), 1000, MOST_LOOKS)


def test_of_large_pages_fewer_looks_are_kept():
    assert_spread(looked(range(1000), size=MOST_BYTES // 8), 1000, 8)
    assert looked([0, 0, 0, 60, 60, 90], size=MOST_BYTES // 3) == [0, 2, 5]
    assert looked([0, 0, 0, 60, 60], size=MOST_BYTES // 2) == [0, 3]


def test_of_pages_too_large_for_two_looks_the_latest_is_kept():
    assert looked([0, 1, 1, 2, 2], size=MOST_BYTES // 2 + 1) == [3]
    assert looked([0, 1, 1, 2, 2], size=MOST_BYTES + 1) == []


def test_the_size_of_a_look_is_that_of_its_body():
    async def recorded():
        async with scripted(Books(late=0.3), {}) as server:
            return await run(spec(server.url))

    (one,) = asyncio.run(recorded()).rounds
    sizes = [look.size for looks in one.observations.settling.values() for look in looks]
    assert sizes
    assert min(sizes) > 0
    assert one.observations.after["counts"].size > 0


def test_a_recording_has_the_looks_at_which_a_counter_moved_after_the_load():
    async def recorded():
        async with scripted(Books(late=0.5), {}) as server:
            wanted = spec(
                server.url, settle="settle: {within: 8s, every: 100ms, stable_for: 300ms}"
            )
            return await run(wanted)

    (one,) = asyncio.run(recorded()).rounds
    (looks,) = one.observations.settling.values()
    assert [look.document["total"] for look in looks] == [0, 0, 5]
    assert looks[-1].taken < one.observations.after["counts"].taken
