"""`python -m validator.demo`: the demo server as a process of its own.

It prints one line, `ready URL`, when it accepts connections, and then nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence

from validator.demo import FAULTS, PAGE_FAULTS
from validator.demo.faults import chosen
from validator.errors import MissingExtra, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop; return the exit code."""
    options = _parser().parse_args(arguments)
    if "list" in options.fault:
        faults = {**FAULTS, **PAGE_FAULTS}
        width = max(map(len, faults))
        sys.stdout.writelines(f"{name:{width}}  {says}\n" for name, says in faults.items())
        return 0
    try:
        chosen(options.fault)
        with contextlib.suppress(KeyboardInterrupt):
            _serve(options)
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m validator.demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="go wrong in one way; repeatable; `list` prints the names",
    )
    parser.add_argument(
        "--rpm", type=int, metavar="N", help="let each key in N times a minute, then answer 429"
    )
    parser.add_argument(
        "--token", type=float, default=5.0, metavar="MS", help="milliseconds a token takes (5)"
    )
    parser.add_argument(
        "--with-parent", action="store_true", help="stop when the process that started this ends"
    )
    return parser


def _serve(options: argparse.Namespace) -> None:
    try:
        from validator.demo.chat import Pace  # noqa: PLC0415 - an optional extra
        from validator.demo.server import listen, serve  # noqa: PLC0415 - the same
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in {"starlette", "uvicorn"}:
            raise
        raise MissingExtra("the demo server", "demo") from missing
    try:
        listener = listen(options.host, options.port)
    except (OSError, OverflowError) as error:
        where = f"{options.host}:{options.port}"
        raise UsageError(f"cannot listen on {where}: {error}") from error
    serve(
        listener,
        options.fault,
        with_parent=options.with_parent,
        rpm=options.rpm,
        pace=Pace(token=options.token / 1000),
    )


if __name__ == "__main__":
    sys.exit(main())
