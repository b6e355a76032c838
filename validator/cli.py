"""The command line: flags to calls, outcomes to exit codes. It prints; nothing else does."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from validator import __version__
from validator.errors import SpecProblems, UsageError, ValidatorError

# Everything else is imported by the verb that needs it: `--help` costs no more than click.
if TYPE_CHECKING:
    from rich.console import Console

    from validator.records.recording import Recording
    from validator.records.verdict import Report, Severity
    from validator.spec.model import Spec
    from validator.spec.parse import Overrides

INTERRUPTED = 130

_EXIT_CODES = """\b
Exit codes: 0 passed
            1 a critical assertion failed or could not be judged
            2 usage or spec error
            130 interrupted
"""
VACUOUS = "vacuous"


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of `run`, which `demo` takes too."""

    url: str | None = None
    requests: str | None = None
    concurrency: str | None = None
    timeout: str | None = None
    variables: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    record: str | None = None
    replay: str | None = None
    fail_on: tuple[str, ...] = ()
    quiet: bool = False


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EXIT_CODES,
)
@click.version_option(__version__, "-V", "--version", message="validator %(version)s")
def cli() -> None:
    """Find out whether an LLM server's metrics endpoints tell the truth.

    A spec says what the endpoints must show after a known load. The validator sends the load,
    looks before and after, and judges every assertion against what the client itself saw.
    """


def _run_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags of `run`."""
    options = (
        click.option(
            "--url", metavar="URL", help="Base URL of the target; a `server:` block is ignored."
        ),
        click.option("--requests", metavar="N", help="How many requests the load sends."),
        click.option("--concurrency", metavar="N", help="How many are in flight at most."),
        click.option("--timeout", metavar="DURATION", help="For the whole run, such as 90s."),
        click.option(
            "--var",
            "variables",
            metavar="NAME=VALUE",
            multiple=True,
            help="Set a variable of the spec.",
        ),
        click.option(
            "--set",
            "settings",
            metavar="KEY=VALUE",
            multiple=True,
            help="Set any key of the spec, such as load.model=x.",
        ),
        click.option(
            "--report",
            "reports",
            metavar="FORMAT[=PATH]",
            multiple=True,
            help="Also write a report: json, csv or table; to stdout without PATH.",
        ),
        click.option("--record", metavar="FILE", help="Keep everything seen, to judge it again."),
        click.option("--replay", metavar="FILE", help="Judge a recording; no server is needed."),
        click.option(
            "--fail-on",
            type=click.Choice(["critical", "warning", "info", VACUOUS]),
            multiple=True,
            help="What makes the run fail: the least severity (critical unless given), and vacuous "
            "for passes that could not have failed.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Only what is wrong, and the result."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command("run")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@_run_flags
def run_command(specs: tuple[str, ...], **flags: Any) -> None:
    """Run specs: files, folders, globs or bundled names such as those of `validator list`."""
    from validator.bundled import located  # noqa: PLC0415 - see the top

    _exit(_run(located(specs), Flags(**flags)))


@cli.command()
@click.option("--spec", "spec", metavar="SPEC", help="Instead of the demo's own dashboard spec.")
@click.option(
    "--fault",
    "faults",
    metavar="NAME",
    multiple=True,
    help="Make the server lie in one way; `list` names them.",
)
@_run_flags
def demo(spec: str | None, faults: tuple[str, ...], **flags: Any) -> None:
    """Run the dashboard spec against the embedded demo server."""
    from validator import demo as demonstration  # noqa: PLC0415 - see the top
    from validator.bundled import located  # noqa: PLC0415

    if "list" in faults:
        known = {**demonstration.FAULTS, **demonstration.PAGE_FAULTS}
        width = max(map(len, known))
        for name, text in known.items():
            click.echo(f"{name:{width}}  {text}")
        return
    given = Flags(**flags)
    paths = located((spec or demonstration.SPEC,))
    if given.url is not None:
        raise UsageError("--url: the demo brings its own server; use `validator run`")
    if given.replay is not None:
        _exit(_run(paths, given))
    from validator.demo.process import serving  # noqa: PLC0415 - see the top

    with serving(faults) as url:
        _exit(_run(paths, given, url=url))


@cli.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
def lint(specs: tuple[str, ...]) -> None:
    """Check specs without any server: everything wrong with them, and where."""
    from validator.bundled import located  # noqa: PLC0415 - see the top

    good = True
    for path in located(specs):
        try:
            spec = _load(path, Flags())
        except SpecProblems as problems:
            good = False
            click.echo(problems.drawn(), err=True)
        else:
            count = _assertions(spec)
            click.echo(f"{path}: {count} assertion{'s' if count != 1 else ''}, no problem")
    _exit(0 if good else SpecProblems.exit_code)


def _assertions(spec: Spec) -> int:
    own = sum(len(e.assertions) for e in spec.endpoints) + len(spec.assertions)
    return own + (len(spec.load.assertions) if spec.load else 0)


@cli.command("list")
def list_command() -> None:
    """List the bundled specs."""
    from validator import bundled  # noqa: PLC0415 - see the top
    from validator.errors import Problems  # noqa: PLC0415
    from validator.source import read  # noqa: PLC0415

    names = bundled.names()
    width = max(map(len, names), default=0)
    for name in names:
        (path,) = bundled.located((name,))
        node = read(path.read_text(encoding="utf-8"), str(path), Problems())
        title = node.at("title") if node is not None else None
        click.echo(f"{name:{width}}  {title.value if title is not None else ''}")


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def explain(names: tuple[str, ...]) -> None:
    """Explain what a spec may say: a predicate, a measure, a block, a report format ..."""
    from validator.explain import explained, overview  # noqa: PLC0415 - see the top

    click.echo("\n\n".join(map(explained, names)) if names else overview())


@cli.command()
@click.argument("what", type=click.Choice(["spec", "report"]), default="spec")
def schema(what: str) -> None:
    """Print the JSON Schema of specs, for editors, or of JSON reports."""
    from validator.schema import report_schema, spec_schema  # noqa: PLC0415 - see the top

    click.echo(spec_schema() if what == "spec" else report_schema(), nl=False)


# One invocation of `run`


@dataclass(slots=True)
class _Output:
    """Where reports go: formats with their paths, `-` for stdout."""

    to_files: list[tuple[str, Path]] = field(default_factory=list)
    to_stdout: str | None = None


def _run(paths: Sequence[Path], flags: Flags, url: str | None = None) -> int:
    """Run every spec and show the reports; return the exit code."""
    from validator.records.verdict import Severity  # noqa: PLC0415 - see the top

    output = _output(flags.reports)
    if len(paths) > 1 and (flags.record or flags.replay):
        raise UsageError("--record and --replay go with one spec")
    if flags.record and flags.replay:
        raise UsageError("--record keeps what a run sees, and --replay sees nothing new: give one")
    if flags.record is not None:
        from validator.files import check_writable  # noqa: PLC0415 - see the top

        check_writable(Path(flags.record))
    specs = _loaded(paths, flags, url)
    severities = [Severity(word) for word in flags.fail_on if word != VACUOUS]
    fail_on = min(severities, default=Severity.CRITICAL, key=lambda s: s.rank)
    reports: list[Report] = []
    for spec in specs:
        report = _one(spec, flags, fail_on)
        reports.append(report)
        if report.exit_code == INTERRUPTED:
            break
    _show(reports, output, flags)
    return max(report.exit_code for report in reports)


def _output(words: Sequence[str]) -> _Output:
    from validator.files import check_writable  # noqa: PLC0415 - see the top
    from validator.registry import suggest  # noqa: PLC0415
    from validator.reporters import REPORTERS  # noqa: PLC0415

    output = _Output()
    for word in words:
        name, _, path = word.partition("=")
        if name not in REPORTERS:
            raise UsageError(f"--report {name}: {suggest(name, REPORTERS, 'formats')}")
        if path and path != "-":
            check_writable(Path(path))
            output.to_files.append((name, Path(path)))
        elif output.to_stdout is not None:
            raise UsageError(
                "two reports without a path would mix on stdout: give --report FORMAT=PATH"
            )
        else:
            output.to_stdout = name
    return output


def _loaded(paths: Sequence[Path], flags: Flags, url: str | None) -> list[Spec]:
    """Load every spec before any runs; raise with the problems of all."""
    specs: list[Spec] = []
    found: list[SpecProblems] = []
    for path in paths:
        try:
            specs.append(_load(path, flags, url))
        except SpecProblems as problems:
            found.append(problems)
    if found:
        everything = tuple(p for one in found for p in one.problems)
        raise SpecProblems(everything, {k: v for one in found for k, v in one.sources.items()})
    return specs


def _load(path: Path, flags: Flags, url: str | None = None) -> Spec:
    from validator.spec.parse import load_spec  # noqa: PLC0415 - see the top

    return load_spec(path, _overrides(flags, url))


def _overrides(flags: Flags, url: str | None) -> Overrides:
    from validator.spec.parse import Overrides, Setting  # noqa: PLC0415 - see the top

    settings = [
        Setting(label, keys, text)
        for label, keys, text in (
            ("--requests", ("load", "requests"), flags.requests),
            ("--concurrency", ("load", "concurrency"), flags.concurrency),
            ("--timeout", ("timeout",), flags.timeout),
        )
        if text is not None
    ]
    for word in flags.settings:
        key, _, text = word.partition("=")
        if not _ or not key:
            raise UsageError(f"--set {word}: expected KEY=VALUE, such as load.model=x")
        settings.append(Setting(f"--set {key}", tuple(key.split(".")), text))
    return Overrides(
        url=url or flags.url,
        variables=tuple(_pair("--var", word) for word in flags.variables),
        settings=tuple(settings),
        free_port=_free_port,
    )


def _free_port() -> int:
    from validator.server import free_port  # noqa: PLC0415 - few specs start a server

    return free_port()


def _pair(flag: str, word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise UsageError(f"{flag} {word}: expected NAME=VALUE")
    return name, value


def _one(spec: Spec, flags: Flags, fail_on: Severity) -> Report:
    """Run or replay one spec."""
    from validator.conclusion import conclude  # noqa: PLC0415 - see the top

    vacuous = VACUOUS in flags.fail_on
    if flags.replay is not None:
        from validator.recording import read  # noqa: PLC0415 - see the top

        return conclude(spec, read(flags.replay), fail_on=fail_on, fail_on_vacuous=vacuous)
    recording = _watched(spec, flags)
    if flags.record is not None:
        from validator.files import write  # noqa: PLC0415 - see the top
        from validator.recording import written  # noqa: PLC0415
        from validator.redaction import Redaction  # noqa: PLC0415

        write(Path(flags.record), written(Redaction(spec.secrets).record(recording)))
    return conclude(spec, recording, fail_on=fail_on, fail_on_vacuous=vacuous)


def _watched(spec: Spec, flags: Flags) -> Recording:
    """Run *spec* with its progress on stderr; Ctrl-C ends it early, a second one at once."""
    import asyncio  # noqa: PLC0415 - see the top
    import signal  # noqa: PLC0415

    from validator.progress import shown  # noqa: PLC0415
    from validator.run import Silent, run  # noqa: PLC0415

    async def go(listener: Any) -> Recording:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # All of these end a process at once, and would leave a started server behind.
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]

        def interrupt() -> None:
            stop.set()
            for number in numbers:
                loop.remove_signal_handler(number)

        for number in numbers:
            try:
                loop.add_signal_handler(number, interrupt)
            except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt, and main ends
                break
        return await run(spec, listener=listener, interrupt=stop)

    if flags.quiet:
        return asyncio.run(go(Silent()))
    with shown(_console(stderr=True), spec.load.requests if spec.load else 0) as listener:
        return asyncio.run(go(listener))


def _show(reports: list[Report], output: _Output, flags: Flags) -> None:
    from validator.files import write  # noqa: PLC0415 - see the top
    from validator.reporters import REPORTERS  # noqa: PLC0415
    from validator.reporters.table import tables  # noqa: PLC0415

    # A report on stdout is for a program; what people read then goes where progress went.
    console = _console(stderr=output.to_stdout is not None)
    console.print(tables(reports, console.width, quiet=flags.quiet))
    if output.to_stdout is not None:
        click.echo(REPORTERS[output.to_stdout](reports), nl=False)
    for name, path in output.to_files:
        write(path, REPORTERS[name](reports))


def _console(*, stderr: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 - see the top

    from validator.reporters.table import THEME  # noqa: PLC0415

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 100
    return Console(stderr=stderr, theme=THEME, highlight=False, width=width)


def _exit(code: int) -> NoReturn:
    raise click.exceptions.Exit(code)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # A spec is many small objects that all live to the end: collecting cycles meanwhile is waste.
    gc.set_threshold(100_000, 20, 20)
    # pydantic would look for plug-ins in every installed distribution: 30 ms for none of ours.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # A closed stream is None to Python; nobody listens there, and that is all.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a mark is worth less than the line it stands in
    code = _main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        code = _unwritten(error)
    # Everything is closed; taking a large spec apart object by object would only cost time.
    os._exit(code)


def _main() -> int:
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SpecProblems as problems:
        click.echo(problems.drawn(), err=True, nl=False)
        return problems.exit_code
    except ValidatorError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except OSError as error:
        return _unwritten(error)
    return code if isinstance(code, int) else 0


def _unwritten(error: OSError) -> int:
    """Say why our output could not be written; say nothing to a reader who has left."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it must not complain again
    if error.errno != errno.EPIPE:
        click.echo(f"error: the output could not be written: {error.strerror}", err=True)
    return 1
