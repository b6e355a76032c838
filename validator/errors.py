"""Every error this package raises on purpose.

* ValidatorError       base; the command line prints these without a traceback
  - SpecProblems       a spec cannot be used; carries every problem, in file order
  - UsageError         the call is wrong: a missing file, a flag that does not fit
  - MissingExtra       an optional package is not installed; says which one to install
  - PluginError        a plug-in of another package cannot be used
  - ProbeError         an endpoint could not be read
    + DecodeError      ...or was read, but is not in the format it claims
  - ServerError        the server of a `server:` block did not start
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from validator.span import Span, excerpt


class ValidatorError(Exception):
    """Base of every deliberate error."""

    exit_code = 1


class UsageError(ValidatorError):
    """The call is wrong, and the message says how to mend it."""

    exit_code = 2


def together(errors: Sequence[UsageError]) -> UsageError:
    """Return one error that says what each of several does."""
    return errors[0] if len(errors) == 1 else UsageError("\nerror: ".join(map(str, errors)))


class MissingExtra(UsageError):  # noqa: N818 - says what is missing
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'metrics-validator[{extra}]'")


class PluginError(UsageError):
    """A plug-in of another package cannot be used; the message names the package."""

    def __init__(self, message: str) -> None:
        super().__init__(f"a plug-in could not be loaded: {message}")


class ProbeError(ValidatorError):
    """An endpoint could not be read; *cause* is one of the words of `Unreadable.cause`."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class DecodeError(ProbeError):
    """A payload is not in the format the spec says it is."""

    def __init__(self, message: str) -> None:
        super().__init__("decode", message)


class ServerError(ValidatorError):
    """The server of a `server:` block did not start; *output* is the end of what it printed."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a spec: what, where, and what to do about it."""

    message: str
    span: Span
    hint: str = ""

    def drawn(self, sources: Mapping[str, str], word: str = "error") -> str:
        """Draw it with its line of the source and a caret."""
        file = self.span.file
        if file.startswith("--"):  # a flag is a line of its own, and its place is itself
            hint = f" ({self.hint})" if self.hint else ""
            return f"{word}: {file}: {self.message}{hint}\n"
        return f"{word}: {self.message}\n{excerpt(sources.get(file, ''), self.span, self.hint)}"


class SpecProblems(ValidatorError):  # noqa: N818 - they are several
    """A spec cannot be used; *problems* says everything there is to mend."""

    exit_code = 2

    def __init__(self, problems: tuple[Problem, ...], sources: Mapping[str, str]) -> None:
        super().__init__("\n".join(f"{p.span}: {p.message}" for p in problems))
        self.problems = problems
        self.sources = sources

    def drawn(self) -> str:
        """Draw every problem with its line of the source and a caret."""
        count = len(self.problems)
        drawn = [p.drawn(self.sources) for p in self.problems]
        return "\n".join([*drawn, f"{count} problem{'s' if count != 1 else ''}\n"])


@dataclass(slots=True)
class Problems:
    """Everything found wrong so far; reading goes on after each."""

    found: list[Problem] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)

    def add(self, message: str, span: Span, hint: str = "") -> None:
        """Record a problem, once."""
        problem = Problem(message, span, hint)
        if problem not in self.found:
            self.found.append(problem)

    def raise_if_any(self) -> None:
        """Raise `SpecProblems` with all problems in the order they stand in the files."""
        if self.found:
            files = list(self.sources)
            order = sorted(
                self.found,
                key=lambda p: (
                    files.index(p.span.file) if p.span.file in files else len(files),
                    p.span.line,
                    p.span.column,
                ),
            )
            raise SpecProblems(tuple(order), dict(self.sources))


class QueryError(ValueError):
    """The text is not a JSONPath; *at* is the offset of the first character that is not."""

    def __init__(self, message: str, at: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.hint = hint
