"""`python -m validator`, and the command `validator`."""

import os

INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C ends it as quietly while it is still being imported."""
    try:
        from validator.cli import main as command_line  # noqa: PLC0415 - what takes the time

        command_line()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
