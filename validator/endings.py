"""Work that ends by itself, or is ended early."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

INTERRUPTED: Final = "interrupted"
TIMEOUT: Final = "timeout"


async def ended(
    work: Coroutine[Any, Any, None],
    *,
    interrupt: asyncio.Event | None,
    within: float | None,
) -> str:
    """Do *work* until it is done, *interrupt* is set, or *within* seconds are over.

    Return why it ended early, `interrupted` or `timeout`; nothing if it did not. Work that is ended
    early is cancelled and waited for; what it raises is raised here.
    """
    why = ""
    task = asyncio.create_task(work)
    stop = asyncio.create_task((interrupt or asyncio.Event()).wait())
    try:
        await asyncio.wait((task, stop), timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            why = INTERRUPTED if stop.done() else TIMEOUT
    finally:
        stop.cancel()
        task.cancel()
        await asyncio.wait((task, stop))
    if not task.cancelled():
        task.result()
    return why
