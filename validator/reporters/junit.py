"""The verdicts as JUnit XML, for CI servers."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET  # only written with, never read with

from validator.records.verdict import Report, Status, Verdict
from validator.reporters.base import reporter
from validator.reporters.wording import (
    counts,
    labels,
    message,
    place,
    sections,
    unexplained,
)
from validator.values import printable


@reporter("junit")
def render(reports: Sequence[Report]) -> str:
    """One test suite per endpoint and one test case per assertion, as JUnit XML.

    It follows the schema of Jenkins and Surefire. A case is a failure or an error only if it broke
    the run: CI servers turn red for either. A warning or info that went wrong, what was skipped and
    what failed as announced are skipped cases, which say so. The severity is the case's `group`
    and the `type` of what it says; the class name is the place in the spec.

    ```yaml
    # validator run SPEC --report junit=report.xml
    ```
    """
    root = ET.Element("testsuites", name="validator")
    for label, report in zip(labels(reports), reports, strict=True):
        breaking = set(map(id, report.breaking))
        for section, verdicts in sections(report).items():
            suite = _suite(root, f"{label}: {place(section)}", report)
            for verdict in verdicts:
                _case(suite, verdict, report, breaks=id(verdict) in breaking)
            _counted(suite)
        if why := unexplained(report):
            suite = _suite(root, f"{label}: run", report)
            case = ET.SubElement(suite, "testcase", name="run", classname=_clean(report.spec))
            ET.SubElement(case, "error", type="critical", message=_clean(why))
            _counted(suite)
    _totalled(root, reports)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: ET.Element, name: str, report: Report) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=name)
    if report.started:
        suite.set("timestamp", _clean(report.started))
    facts = {"spec": report.spec, "target": report.target, "result": counts(report)}
    properties = ET.SubElement(suite, "properties")
    for key, value in facts.items():
        ET.SubElement(properties, "property", name=key, value=_clean(value))
    return suite


def _case(suite: ET.Element, verdict: Verdict, report: Report, *, breaks: bool) -> None:
    place_in_spec = str(verdict.span) if verdict.span.file else report.spec or "implied"
    case = ET.SubElement(
        suite,
        "testcase",
        name=_clean(verdict.name),
        classname=_clean(place_in_spec),
        group=verdict.severity.value,
    )
    element, kind = _element(verdict, breaks=breaks)
    if element:
        told = message(verdict)
        said = ET.SubElement(case, element, type=kind, message=told.partition("\n")[0])
        said.text = f"{told}\n{_clean(place_in_spec)} {_clean(verdict.path or '')}".rstrip()


def _element(verdict: Verdict, *, breaks: bool) -> tuple[str, str]:
    """Return what a case holds, and its type; nothing for a pass."""
    severity, status = verdict.severity.value, verdict.status
    if breaks:
        return ("error" if status is Status.ERROR else "failure"), severity
    return ("", "") if status is Status.PASS else ("skipped", f"{severity} {status}")


def _counted(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{element}"))))


def _totalled(root: ET.Element, reports: Sequence[Report]) -> None:
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(r.elapsed for r in reports):.3f}")


def _clean(text: str) -> str:
    """Return *text* without what XML cannot hold: control characters come from the wire."""
    return printable(text)
