"""Rules about the page as a whole and about how its lines are written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from validator.conformance.base import Finding, Rule, Subject, rule
from validator.page import OPENMETRICS, media_type
from validator.values import printable

_VERSION = re.compile(r"""version\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_VERSIONS = {"text/plain": {"0.0.4", "1.0.0"}, OPENMETRICS: {"0.0.1", "1.0.0"}}
_EXEMPLAR_LENGTH = 128


@rule("content-type")
def content_type(subject: Subject) -> Iterator[Finding]:
    """Content-Type says `text/plain; version=0.0.4` or `application/openmetrics-text`."""
    said = subject.page.content_type
    kind = media_type(said)
    version = _VERSION.search(said)
    if not kind:
        yield Finding(None, "the response has no Content-Type; Prometheus 3 then refuses the page")
    elif kind not in _VERSIONS:
        yield Finding(None, f"Content-Type is {printable(said[:80])!r}, not that of metrics")
    elif version and version[1] not in _VERSIONS[kind]:
        yield Finding(None, f"version {printable(version[1][:20])!r} of {kind} is unknown")


@rule("samples")
def samples(subject: Subject) -> Iterator[Finding]:
    """The page has at least one sample."""
    if not subject.page.samples:
        yield Finding(None, "no line of the page carries a value")


def _remarks(about: str, says: str) -> Rule:
    """Make a rule of what the reading itself has noticed."""

    def remarked(subject: Subject) -> Iterator[Finding]:
        for remark in subject.page.remarked(about):
            yield Finding(remark.line, remark.text)

    remarked.__doc__ = says
    return rule(about)(remarked)


_remarks("line-ends", "Lines end with a newline alone, not with a carriage return before it.")
_remarks("final-newline", "The last line ends with a newline too.")
_remarks("blanks", "OpenMetrics separates by one blank, and has no empty lines and no tabs.")
_remarks("eof", "Nothing stands after `# EOF` in OpenMetrics.")
_remarks("escape", "A backslash stands before a backslash, an n or a quote only.")
_remarks("duplicate-label", "A sample has each label once.")
_remarks("number", "Every number fits into 64 bits.")
_remarks("timestamp", "In the text format a timestamp is a whole number of milliseconds.")


@rule("exemplar")
def exemplar(subject: Subject) -> Iterator[Finding]:
    """Exemplars are for OpenMetrics, on buckets and counters, with short labels."""
    for sample in subject.page.samples:
        if sample.exemplar is None:
            continue
        length = sum(len(name) + len(text) for name, text in sample.exemplar.labels.items())
        if not subject.page.openmetrics:
            yield Finding(sample.line, "only OpenMetrics has exemplars, and this is text/plain")
        elif not sample.name.endswith(("_bucket", "_total")):
            yield Finding(sample.line, "only a bucket or a counter has an exemplar")
        elif length > _EXEMPLAR_LENGTH:
            yield Finding(sample.line, f"the labels of the exemplar take {length} of at most 128")
