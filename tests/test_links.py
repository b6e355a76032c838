"""What came in is known to have come when it came, and not when the client got round to it."""

import asyncio
import socket
import sys
from contextlib import asynccontextmanager

import pytest

from validator.drivers.fast.links import SocketLink

NOW = 100.0
"""What the client's clock says, whenever it looks."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what comes in")


class Heard:
    """When bytes came in, as a connection is told."""

    def __init__(self):
        self.instants = asyncio.Queue()

    def received(self, data, now):
        del data
        self.instants.put_nowait(now)


@asynccontextmanager
async def linked():
    """Yield a link, and what to call to have a byte come in by it and to learn when it did."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.settimeout(0)
    wire = Heard()
    link = SocketLink(
        asyncio.get_running_loop(), ours, memoryview(bytearray(64)), wire, lambda: NOW
    )
    if not link._ancillary:
        pytest.skip("a sandbox that does not let the kernel stamp what comes in")

    async def arrival():
        theirs.sendall(b"!")
        return await wire.instants.get()

    with theirs:
        yield link, arrival
        link.close()


async def stamped(arrival):
    """Return when the first byte came in that the kernel stamped: it takes a moment to begin."""
    for _ in range(10_000):
        if (found := await arrival()) != NOW:
            return found
    return NOW


def test_the_kernel_says_when_bytes_came_in():
    async def main():
        async with linked() as (_, arrival):
            return await stamped(arrival)

    assert NOW - 10 < asyncio.run(main()) < NOW


def test_nothing_comes_in_before_what_it_answers_was_sent():
    async def main():
        async with linked() as (link, arrival):
            await stamped(arrival)
            link.write(b"?")
            return await arrival()

    assert asyncio.run(main()) == NOW
