"""The verdicts as JUnit XML, for CI servers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final
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
    where,
)
from validator.values import printable

_SEPARATOR: Final = re.compile(r"[./\\:\s]+")


@reporter("junit")
def render(reports: Sequence[Report]) -> str:
    """One test suite per endpoint and one test case per assertion, as JUnit XML.

    It follows the schema of Jenkins, and each suite that of Surefire. A case is a failure or an
    error only if it broke the run: CI servers turn red for either. A warning or info that went
    wrong, what was skipped and what failed as announced are skipped cases, which say so. The class
    name is made of the spec's name and the endpoint's, so that a case stays itself when lines of
    the spec move; the severity is its `group`. The place in the spec is in its text.

    ```yaml
    # validator run SPEC --report junit=report.xml
    ```
    """
    root = ET.Element("testsuites", name="validator")
    classes = _classes(reports)
    for label, stem, report in zip(labels(reports), classes, reports, strict=True):
        breaking = set(map(id, report.breaking))
        for section, verdicts in sections(report).items():
            suite = _suite(root, f"{label}: {place(section)}", report)
            for verdict in verdicts:
                _case(suite, verdict, stem, breaks=id(verdict) in breaking)
            _counted(suite)
        if why := unexplained(report):
            suite = _suite(root, f"{label}: run", report)
            case = ET.SubElement(
                suite, "testcase", name="run", classname=_class(stem, "run"), time="0"
            )
            ET.SubElement(case, "error", type="critical", message=_clean(why))
            _counted(suite)
    _totalled(root, reports)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: ET.Element, name: str, report: Report) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=name)
    facts = {
        "spec": report.spec,
        "target": report.target,
        "started": report.started,
        "result": counts(report),
    }
    properties = ET.SubElement(suite, "properties")
    for key, value in facts.items():
        ET.SubElement(properties, "property", name=key, value=_clean(value))
    return suite


def _case(suite: ET.Element, verdict: Verdict, stem: str, *, breaks: bool) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        name=_clean(verdict.name),
        classname=_class(stem, verdict.section),
        group=verdict.severity.value,
        time="0",  # an assertion takes none; Surefire wants it said
    )
    told = message(verdict)
    first = told.partition("\n")[0]
    severity, status = verdict.severity.value, verdict.status
    if breaks:
        element = "error" if status is Status.ERROR else "failure"
        said = ET.SubElement(case, element, type=severity, message=first)
    elif status is not Status.PASS:
        said = ET.SubElement(case, "skipped", message=f"{severity} {status}: {first}")
    else:
        return
    said.text = f"{told}\n{where(verdict)} {_clean(verdict.path or '')}".rstrip()


def _classes(reports: Sequence[Report]) -> list[str]:
    """Return the name of each spec, with as much of its folder as tells it from the others."""
    paths = [PurePath(report.spec or report.title).with_suffix("") for report in reports]
    length = 1
    while length < max((len(path.parts) for path in paths), default=1):
        if len({path.parts[-length:] for path in paths}) == len(set(paths)):
            break
        length += 1
    return ["/".join(path.parts[-length:]) for path in paths]


def _class(stem: str, section: str) -> str:
    """Return the class of a case: Jenkins takes what stands before the last dot for a package."""
    return ".".join(_SEPARATOR.sub("_", _clean(name)) for name in (stem, section))


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
