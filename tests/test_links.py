"""What came in is known to have come when it came, and not when the client got round to it."""

import asyncio
import socket
import sys
from contextlib import asynccontextmanager

import pytest

from validator.drivers.fast.links import SocketLink

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what comes in")


class Clock:
    """The client's clock: it stands still while a byte comes in, however late that is noticed."""

    now = 100.0

    def __call__(self):
        return self.now


class Heard:
    """When bytes came in, as a connection is told."""

    def __init__(self):
        self.instants = asyncio.Queue()

    def received(self, data, now):
        del data
        self.instants.put_nowait(now)


@asynccontextmanager
async def linked():
    """Yield a link, its clock, and what to call to have a byte come in and to learn when it did."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.settimeout(0)
    wire, clock = Heard(), Clock()
    link = SocketLink(asyncio.get_running_loop(), ours, memoryview(bytearray(64)), wire, clock)
    if not link._ancillary:
        pytest.skip("a sandbox that does not let the kernel stamp what comes in")

    async def arrival():
        theirs.sendall(b"!")
        return await wire.instants.get()

    with theirs:
        yield link, clock, arrival
        link.close()


async def stamped(clock, arrival):
    """Return when the first byte came in that the kernel stamped: it takes a moment to begin."""
    for _ in range(10_000):
        clock.now += 10  # what has come without a stamp came long before
        if (found := await arrival()) != clock.now:
            return found
    return clock.now


def test_the_kernel_says_when_bytes_came_in():
    async def main():
        async with linked() as (_, clock, arrival):
            came = await stamped(clock, arrival)
            assert clock.now - 10 < came < clock.now

    asyncio.run(main())


def test_nothing_comes_in_before_what_it_answers_was_sent():
    async def main():
        async with linked() as (link, clock, arrival):
            await stamped(clock, arrival)
            link.write(b"?")
            assert await arrival() == clock.now

    asyncio.run(main())
