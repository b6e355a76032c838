"""A block is bounded in time as by asyncio.timeout, though many have one timer."""

import asyncio

import pytest

from validator.drivers.fast.bounds import Bound, Bounds

NONE = 0.0
SHORT = 0.01
LONG = 60.0
"""Seconds; no test waits for the last."""


async def for_ever():
    """Wait for what does not come."""
    await asyncio.get_running_loop().create_future()


async def ended(bounds):
    """Wait until *bounds* end a block, and return when."""
    with pytest.raises(TimeoutError), Bound(bounds):
        await for_ever()
    return asyncio.get_running_loop().time()


def test_a_block_ends_when_its_time_is_over():
    async def main():
        bound = Bound(Bounds(NONE))
        with pytest.raises(TimeoutError), bound:
            await for_ever()
        assert bound.expired

    asyncio.run(main())


def test_each_of_many_blocks_has_its_own_time():
    async def main():
        bounds = Bounds(SHORT)
        first = asyncio.create_task(ended(bounds))
        await ended(Bounds(SHORT / 2))
        second = asyncio.create_task(ended(bounds))  # while the timer is the first one's
        assert await second - await first >= SHORT / 4

    asyncio.run(main())


def test_a_block_that_is_over_is_ended_no_more():
    async def main():
        bounds = Bounds(NONE)
        with Bound(bounds) as bound:
            pass
        await ended(bounds)
        assert not bound.expired

    asyncio.run(main())


def test_a_block_may_be_given_less_time():
    async def main():
        with Bound(Bounds(LONG)) as bound:
            bound.move(Bounds(NONE))
            await for_ever()

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_a_block_may_be_given_more_time():
    async def main():
        bounds = Bounds(NONE)
        with Bound(bounds) as bound:
            bound.move(Bounds(LONG))
            await ended(bounds)
        assert not bound.expired

    asyncio.run(main())


def test_a_block_whose_time_is_over_is_given_no_more():
    async def main():
        with Bound(Bounds(LONG)) as bound:
            bound.expire()
            bound.move(Bounds(LONG))
            await for_ever()

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_what_others_cancel_stays_cancelled():
    async def main():
        with Bound(Bounds(LONG)) as bound:
            bound.expire()
            asyncio.current_task().cancel()
            await for_ever()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_closed_bounds_end_nothing():
    async def main():
        bounds = Bounds(NONE)
        with Bound(bounds) as bound:
            bounds.close()
            await ended(Bounds(SHORT))
        assert not bound.expired

    asyncio.run(main())
