"""Specs as tests: one test for each assertion, and the load sent once for each spec.

`pytest --validator SPEC` runs specs by name, and any file called `test_*.validator.yaml` is
collected where it stands.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from validator.records.verdict import Report, Severity, Verdict
    from validator.spec.model import Spec

SUFFIX: Final = ".validator.yaml"
LEVELS: Final = ("critical", "warning", "info")
SHARED_WITHIN: Final = 3600.0
"""Seconds that a worker waits for the run of another one."""


class AssertionNotHeldWarning(UserWarning):
    """An assertion did not hold, and is not severe enough to fail a test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flags; they are those of `validator run`."""
    group = parser.getgroup("validator", "specs as tests (validator)")
    group.addoption(
        "--validator",
        action="append",
        default=[],
        metavar="SPEC",
        help="Run a spec: a file, folder, glob or bundled name. May be given several times.",
    )
    group.addoption("--validator-url", metavar="URL", help="Base URL of the target.")
    group.addoption(
        "--validator-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="Set any key of the specs, such as load.requests=20.",
    )
    group.addoption(
        "--validator-var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="Set a variable of the specs.",
    )
    group.addoption(
        "--validator-fail-on",
        choices=[*LEVELS, "vacuous"],
        action="append",
        default=[],
        help="The least severity that fails a test (critical unless given), and vacuous for "
        "passes that could not have failed. What is less severe becomes a warning.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let `-m critical` choose by severity."""
    for level in LEVELS:
        config.addinivalue_line("markers", f"{level}: an assertion of a spec of this severity")
    config.addinivalue_line("markers", "validator: an assertion of a spec")
    given = config.getoption("validator")
    if not given:
        return
    from validator.bundled import located
    from validator.errors import ValidatorError

    try:
        # As pytest itself does it: without `..`, and a link stays what it is called.
        chosen = tuple(Path(os.path.abspath(path)) for path in located(tuple(given)))  # noqa: PTH100
    except ValidatorError as error:
        raise pytest.UsageError(f"--validator: {error}") from None
    config.stash[_CHOSEN] = frozenset(chosen)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args.clear()  # nothing else was asked for
    # A worker of pytest-xdist is given the command line; by older ones, what we made of it.
    config.args.extend(str(path) for path in chosen if str(path) not in config.args)


_CHOSEN: Final = pytest.StashKey[frozenset[Path]]()
_SHARED: Final = pytest.StashKey[Any]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecFile | None:
    """Collect the specs that were chosen, and those whose names say that they are tests."""
    chosen = file_path in parent.config.stash.get(_CHOSEN, frozenset())
    named = file_path.name.startswith("test_") and file_path.name.endswith(SUFFIX)
    return SpecFile.from_parent(parent, path=file_path) if chosen or named else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where runs are shared."""
    import tempfile

    stash = node.config.stash
    if _SHARED not in stash:
        stash[_SHARED] = tempfile.TemporaryDirectory(prefix="validator-")
    node.workerinput["validator_shared"] = stash[_SHARED].name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the workers shared."""
    if _SHARED in config.stash:
        config.stash[_SHARED].cleanup()


class SpecFile(pytest.File):
    """A spec; its tests are its assertions."""

    _report: Report | None = None

    def collect(self) -> Iterable[pytest.Item]:
        """Yield one test for each assertion, in spec order."""
        from validator.conclusion import planned
        from validator.errors import SpecProblems, ValidatorError

        try:
            spec = self._spec()
        except SpecProblems as problems:
            raise self.CollectError(problems.drawn()) from None
        except ValidatorError as error:
            raise self.CollectError(str(error)) from None
        seen: dict[str, int] = {}
        for index, verdict in enumerate(planned(spec)):
            name = _name(verdict)
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name = f"{name} [{seen[name]}]"
            yield SpecItem.from_parent(self, name=name, index=index, verdict=verdict)

    def _spec(self) -> Spec:
        from validator.errors import UsageError
        from validator.server import free_port
        from validator.spec.parse import Overrides, Setting, load_spec

        option = self.config.getoption

        def pairs(flag: str) -> Iterator[tuple[str, str]]:
            for word in option(flag.removeprefix("--").replace("-", "_")):
                key, equals, value = word.partition("=")
                if not equals or not key:
                    raise UsageError(f"{flag} {word}: expected a name, = and a value")
                yield key, value

        overrides = Overrides(
            url=option("validator_url"),
            variables=tuple(pairs("--validator-var")),
            settings=tuple(
                Setting(f"--validator-set {key}", tuple(key.split(".")), value)
                for key, value in pairs("--validator-set")
            ),
            free_port=free_port,
        )
        return load_spec(self.path, overrides)

    def report(self) -> Report:
        """Return the report of the one run of this spec, which the first test to ask begins."""
        if self._report is None:
            workerinput = getattr(self.config, "workerinput", {})
            folder = workerinput.get("validator_shared")
            self._report = self._run() if folder is None else self._shared(Path(folder))
        return self._report

    def _run(self) -> Report:
        from validator import library

        return library.run(self._spec())

    def _shared(self, folder: Path) -> Report:
        """Return what the first worker to get here has seen."""
        import hashlib
        import pickle

        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:16]
        kept = folder / f"{name}.report"
        with _locked(folder / f"{name}.lock"):
            if kept.exists():
                found: Report = pickle.loads(kept.read_bytes())  # noqa: S301 - we wrote it
                return found
            report = self._run()
            kept.write_bytes(pickle.dumps(report))
            return report


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        import filelock
    except ModuleNotFoundError:
        from validator.errors import MissingExtra

        raise MissingExtra("sharing one run among workers of pytest-xdist", "pytest") from None
    with filelock.FileLock(path, timeout=SHARED_WITHIN):
        yield


class SpecItem(pytest.Item):
    """An assertion of a spec."""

    def __init__(self, *, index: int, verdict: Verdict, **options: Any) -> None:
        super().__init__(**options)
        self._index = index
        self._span = verdict.span
        self.add_marker(verdict.severity.value)
        self.add_marker("validator")
        if verdict.status.value == "skip":
            self.add_marker(pytest.mark.skip(reason=verdict.note))

    def runtest(self) -> None:
        """Run the spec unless that is done, and pass or fail as its verdict says."""
        from validator.records.verdict import Status

        assert isinstance(self.parent, SpecFile)
        report = self.parent.report()
        verdict = report.verdicts[self._index]
        if verdict.status is Status.XFAIL:
            pytest.xfail(verdict.note)
        least, vacuous = self._fail_on()
        failed = verdict.bad or (vacuous and verdict.vacuous)
        if failed and verdict.severity.rank >= least.rank:
            raise NotHeldError(verdict, report)
        if verdict.bad:
            self.warn(AssertionNotHeldWarning(_told(verdict, report)))

    def _fail_on(self) -> tuple[Severity, bool]:
        from validator.records.verdict import Severity

        words = self.config.getoption("validator_fail_on")
        severities = [Severity(word) for word in words if word != "vacuous"]
        return min(severities, default=Severity.CRITICAL, key=lambda s: s.rank), "vacuous" in words

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Say what the command line would; of an error of ours its one line."""
        from validator.errors import ValidatorError

        if isinstance(excinfo.value, NotHeldError | AssertionNotHeldWarning | ValidatorError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the assertion stands."""
        return Path(self._span.file or self.path), max(0, self._span.line - 1), self.name


class NotHeldError(Exception):
    """An assertion did not hold."""

    def __init__(self, verdict: Verdict, report: Report) -> None:
        super().__init__(_told(verdict, report))


def _told(verdict: Verdict, report: Report) -> str:
    from validator.reporters.wording import message, where

    lines = [message(verdict), where(verdict)]
    lines += [f"note: {remark}" for remark in report.remarks]
    return "\n".join(lines)


def _name(verdict: Verdict) -> str:
    from validator.values import printable

    return printable(f"{verdict.section}: {verdict.name}")
