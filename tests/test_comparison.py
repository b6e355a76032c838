"""Two runs compared: what `--baseline` forgives, and what `validator diff` shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import validator
from hypothesis import given
from hypothesis import strategies as st

from validator.comparison import Figure, Kind, against, check_baseline, difference, pairs
from validator.errors import UsageError
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.reporters import REPORTERS

GOOD, BAD, ERROR = Status.PASS, Status.FAIL, Status.ERROR


def verdict(name: str, status: Status = GOOD, **more: object) -> Verdict:
    told = {"severity": Severity.CRITICAL, "expected": "> 0", "actual": "1", **more}
    return Verdict(name, status, **told)  # type: ignore[arg-type]


def report(*verdicts: Verdict, title: str = "t", spec: str = "a/t.yaml", **more: object) -> Report:
    return Report(title, "http://x", verdicts, spec=spec, **more)  # type: ignore[arg-type]


names = st.sampled_from("abc")
verdicts = st.lists(
    st.builds(
        verdict, names, st.sampled_from(Status), expected=st.sampled_from(["> 0", "= 1"]),
        vacuous=st.booleans(), severity=st.sampled_from(Severity),
    ),
    max_size=6,
).map(tuple)  # fmt: skip


@given(verdicts, verdicts)
def test_every_verdict_is_paired_once_and_only_with_its_like(earlier, later):
    found = list(pairs(report(*earlier), report(*later)))
    assert sorted(map(id, earlier)) == sorted(id(was) for was, _ in found if was)
    assert [id(v) for v in later] == [id(now) for _, now in found if now]
    assert all(was.name == now.name for was, now in found if was and now)
    for name in "abc":
        counts = [sum(v.name == name for v in one) for one in (earlier, later)]
        matched = sum(1 for was, now in found if was and now and now.name == name)
        assert matched == min(counts)


@given(verdicts)
def test_a_run_is_no_different_from_itself(found):
    assert difference(report(*found), report(*found), tolerance=0).changes == ()


@given(verdicts, st.sampled_from(Severity), st.booleans())
def test_against_itself_as_baseline_no_verdict_is_new(found, fail_on, vacuous):
    run = report(*found, fail_on=fail_on, fail_on_vacuous=vacuous)
    assert against(run, [run], only_new=True).breaking == ()


@given(verdicts, verdicts)
def test_a_baseline_forgives_and_never_accuses(earlier, later):
    run = report(*later)
    marked = against(run, [report(*earlier)], only_new=True)
    assert {id(v) for v in marked.breaking if not v.known} == {id(v) for v in marked.breaking}
    assert [v.name for v in marked.breaking if v.bad] == [
        v.name for v in marked.verdicts if v.bad and not v.known and v in marked.breaking
    ]
    assert len(marked.breaking) <= len(run.breaking)
    assert against(run, [report(*earlier)], only_new=False).breaking == tuple(
        v for v in against(run, [report(*earlier)], only_new=False).verdicts if v.bad
        and v.severity is Severity.CRITICAL
    )  # fmt: skip


@pytest.mark.parametrize(
    "was, now, kind",
    [
        (verdict("a"), verdict("a", BAD), Kind.WORSE),
        (verdict("a"), verdict("a", ERROR), Kind.WORSE),
        (verdict("a", BAD), verdict("a"), Kind.BETTER),
        (verdict("a", BAD), verdict("a", ERROR), Kind.VALUE),
        (None, verdict("a", BAD), Kind.NEW),
        (None, verdict("a"), Kind.ADDED),
        (verdict("a"), None, Kind.GONE),
        (verdict("a"), verdict("a", vacuous=True), Kind.VACUOUS),
        (verdict("a", vacuous=True), verdict("a"), Kind.BETTER),
        (verdict("a"), verdict("a", actual="2"), Kind.VALUE),
        (verdict("a"), verdict("a", severity=Severity.INFO), Kind.VALUE),
    ],
)
def test_each_change_has_its_kind(was, now, kind):
    runs = [report(*([v] if v else [])) for v in (was, now)]
    (change,) = difference(*runs, tolerance=0).changes
    assert change.kind is kind


def test_the_worst_comes_first_and_then_the_most_severe():
    before = report(*(verdict(n) for n in "abc"), verdict("d", BAD))
    after = report(
        verdict("a", actual="2"), verdict("b", BAD, severity=Severity.INFO), verdict("c", BAD),
        verdict("d"),
    )  # fmt: skip
    found = difference(before, after, tolerance=0)
    assert [c.verdict.name for c in found.changes] == ["c", "b", "d", "a"]
    assert found.worse


def test_figures_of_the_ledger_are_compared_with_a_tolerance_the_largest_change_first():
    before = report(load={"ok": 100, "ttft_ms": {"p50": 10.0, "p99": 50.0}, "gone": 1})
    after = report(load={"ok": 104, "ttft_ms": {"p50": 30.0, "p99": 20.0}, "came": "x"})
    found = difference(before, after, tolerance=0.05)
    assert [figure.path for figure in found.figures] == [
        "load.came", "load.gone", "load.ttft_ms.p50", "load.ttft_ms.p99",
    ]  # fmt: skip


def test_of_the_figures_what_got_worse_comes_first():
    before = report(load={"ok": 100, "ttft_ms": {"p50": 10.0}, "requests_per_s": 50, "failed": 4})
    after = report(load={"ok": 90, "ttft_ms": {"p50": 1.0}, "requests_per_s": 40, "failed": 5})
    found = difference(before, after, tolerance=0.05)
    assert [(figure.path, figure.worse) for figure in found.figures] == [
        ("load.failed", True), ("load.requests_per_s", True), ("load.ok", True),
        ("load.ttft_ms.p50", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path,was,now,worse",
    [
        ("goodput.missed", 10, 2, False),
        ("goodput.missed", 2, 10, True),
        ("goodput.met", 10, 2, True),
        ("goodput.share", 0.9, 0.5, True),
        ("goodput.requests_per_s", 9, 5, True),
        ("goodput.undetermined", 4, 1, False),
        ("goodput.slo_ms.ttft", 100, 200, False),
        ("outcomes.timeout", 1, 9, True),
        ("outcomes.ok", 9, 1, True),
        ("ttft_ms.p50", 1, 9, True),
        ("ttft_ms.count", 1, 9, False),
        ("client.lag_ms.p50", 1, 9, False),
        ("chunks", 1, 9, False),
    ],
)
def test_a_figure_is_worse_where_nobody_wants_it_to_go(path, was, now, worse):
    assert Figure(f"load.{path}", was, now).worse == worse


def test_of_several_loads_each_ledger_is_compared():
    before, after = (
        replace(report(), load=None, loads={"one": {"sent": 5, "chunks": n}, "two": {"sent": n}})
        for n in (5, 10)
    )
    found = difference(before, after, tolerance=0)
    assert {figure.path for figure in found.figures} == {"load.one.chunks", "load.two.sent"}
    assert [figure.path for figure in found.loads] == ["load.two.sent"]


def test_a_known_failure_that_gets_another_status_is_still_known():
    marked = against(report(verdict("a", ERROR)), [report(verdict("a", BAD))], only_new=True)
    assert marked.passed
    assert marked.verdicts[0].known


def test_an_interrupted_run_fails_whatever_the_baseline_says():
    run = report(verdict("a", BAD), interrupted="run timeout")
    assert not against(run, [run], only_new=True).passed


def test_a_baseline_of_another_spec_says_which():
    with pytest.raises(
        UsageError, match=r"a report of 't' \(a/t.yaml\), and not of 'u' \(u.yaml\)"
    ):
        check_baseline([report()], {"u.yaml": "u"}, "b.json")
    check_baseline([report()], {"elsewhere/t.yaml": "renamed"}, "b.json")


# As people use it


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """A good run, a run that fails in one way, and one that fails in two."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for name, faults in {
        "good": (),
        "one": ("leaked-active",),
        "two": ("leaked-active", "frozen-counter"),
    }.items():
        found[name] = folder / f"{name}.json"
        flags = [word for fault in faults for word in ("--fault", fault)]
        record = folder / f"{name}.rec"
        settle = ("--set", "settle.within=1s")
        validator(
            "demo",
            "--requests",
            "10",
            *settle,
            *flags,
            "--record",
            record,
            "--report",
            f"json={found[name]}",
        )
        found[f"{name} seen"] = record
    return found


def replayed(runs: dict[str, Path], seen: str, *words: object) -> tuple[int, dict[str, object]]:
    done = validator(
        "demo", "--requests", "10", "--replay", runs[f"{seen} seen"], "--report", "json", *words
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_what_failed_in_the_baseline_fails_the_run_only_until_told_not_to(runs):
    code, found = replayed(runs, "one", "--baseline", runs["one"])
    assert code == 1
    assert all(v["known"] for v in found["verdicts"] if v["status"] == "fail")
    code, found = replayed(runs, "one", "--baseline", runs["one"], "--fail-on", "new")
    assert (code, found["passed"]) == (0, True)


def test_what_is_new_fails_the_run(runs):
    code, found = replayed(runs, "two", "--baseline", runs["one"], "--fail-on", "new")
    assert code == 1
    assert {v["known"] for v in found["verdicts"] if v["status"] == "fail"} == {True, False}
    assert replayed(runs, "one", "--baseline", runs["good"], "--fail-on", "new")[0] == 1


def test_new_without_a_baseline_is_a_usage_error():
    done = validator("demo", "--fail-on", "new")
    assert done.returncode == 2
    assert "--baseline FILE" in done.stderr


@pytest.mark.parametrize("text", ["", "{}", "[1", '{"version": 1, "recording": 1}'])
def test_a_baseline_that_is_none_is_refused_before_anything_is_sent(tmp_path, text):
    file = tmp_path / "b.json"
    file.write_text(text)
    done = validator("run", "fakeai/dashboard", "--url", "http://127.0.0.1:1", "--baseline", file)
    assert done.returncode == 2
    assert str(file) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_diff_shows_what_got_worse_and_what_got_better(runs):
    done = validator("diff", runs["good"], runs["one"])
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("FakeAI dashboard: PASSED (")
    assert "→ FAILED (" in lines[0]
    assert any(line.startswith("worse  ") for line in lines)
    assert "\x1b" not in done.stdout
    assert any(
        line.startswith("better  ")
        for line in validator("diff", runs["one"], runs["good"]).stdout.splitlines()
    )


def test_diff_ends_as_asked(runs):
    assert validator("diff", "--exit-code", runs["good"], runs["one"]).returncode == 1
    assert validator("diff", "--exit-code", runs["one"], runs["good"]).returncode == 0
    done = validator("diff", runs["good"], runs["good"])
    assert "nothing changed" in done.stdout


def test_runs_of_different_specs_are_not_compared(runs, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(REPORTERS["json"]([replace(report(verdict("a")), title="another")]))
    done = validator("diff", runs["good"], other)
    assert done.returncode == 2
    assert "nothing to compare" in done.stderr
