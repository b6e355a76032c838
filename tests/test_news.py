"""Looks taken while counters settle are kept when they show something new, and only then."""

from __future__ import annotations

import asyncio

from scripted_server import Books, scripted, spec

from validator.news import MOST_LOOKS, News
from validator.records.observation import Snapshot, Unreadable
from validator.run import run


def looked(values):
    news = News()
    for at, value in enumerate(values):
        error = Unreadable("timeout", "too slow") if value is None else None
        look = Snapshot("a", value, error, taken=float(at))
        news.see({"a": look}, {"a": value})
    return [look.taken for look in news.looks().get("a", ())]


def test_of_each_change_the_looks_around_it_are_kept():
    assert looked([0, 0, 0, 60, 60, 60]) == [0, 2, 3]
    assert looked([0, 1, 2]) == [0, 1, 2]
    assert looked([60] * 9) == [0]


def test_what_could_not_be_read_is_no_news():
    assert looked([None, 0, None, 0, 1]) == [1, 3, 4]
    assert looked([None]) == []


def test_what_never_stands_still_is_kept_for_a_while():
    assert looked(range(1000)) == list(range(MOST_LOOKS))


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
