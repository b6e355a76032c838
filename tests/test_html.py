"""The HTML report is one file that shows everything, runs nothing of others, and can be used."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import CHROMIUM, browsing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from validator import conclude, load_spec, read_recording
from validator.errors import MissingExtra
from validator.records.chart import By, Chart, Form, Series
from validator.records.verdict import Report, Severity, Status, Verdict
from validator.reporters import REPORTERS, check_usable, wording
from validator.reporters.drawing import drawn
from validator.span import Span
from validator.spec.parse import Overrides

RUNS = Path(__file__).parent / "cases" / "runs"
MOST_BYTES = 2 * 1024 * 1024
HOSTILE = (
    "</script><script>window.hacked = 1</script>\\u003c/style><b onclick=x>&amp;\x00\u202e{{ 7*7 }}"
)
CHARTS = (
    Chart(
        "TTFT", Form.HISTOGRAM, (Series("TTFT", ((1.0, 2.0, 3), (2.0, 3.0, 5))),),
        "load", "ms", "requests",
    ),
    Chart("one bar", Form.HISTOGRAM, (Series("x", ((5.0, 5.0, 3),)),), "load", "ms", "requests"),
    Chart("all", Form.SCATTER, (Series("TTFT", ((0.1, 5.0), (0.2, 6.0))),), "load", "s", "ms"),
    Chart(
        HOSTILE,
        Form.STEPS,
        (
            Series(HOSTILE, ((0.0, 0.0), (1.0, 5.0))),
            Series(HOSTILE, ((0.5, 1.0), (1.0, 4.0)), By.SERVER),
        ),
        HOSTILE, HOSTILE, HOSTILE, HOSTILE,
    ),
    Chart("ladder", Form.LADDER, (Series("s", ((50.0, 1.0), (99.9, 4.0)), By.SERVER),), "page"),
    Chart("nothing", Form.STEPS, (Series("s", ()),), "page"),
)  # fmt: skip


def verdict(status=Status.FAIL, severity=Severity.CRITICAL, **more):
    given = {"name": "name", "expected": "expected", "actual": "actual", "section": "page"}
    return Verdict(status=status, severity=severity, **{**given, **more})


def real():
    folder = RUNS / "every-status"
    spec = load_spec(folder / "spec.yaml", Overrides(environment={}))
    return conclude(spec, read_recording(folder / "recording.json"))


def hostile():
    texts = dict.fromkeys(
        (
            "name",
            "expected",
            "actual",
            "note",
            "why",
            "path",
            "before",
            "after",
            "source",
            "section",
        ),
        HOSTILE,
    )
    bad = verdict(**texts, span=Span(HOSTILE, 1, 1, 1, 2))
    passed = verdict(Status.PASS, vacuous=True, **{**texts, "section": "page"})
    return Report(
        HOSTILE, HOSTILE, (bad, passed), spec=HOSTILE, remarks=(HOSTILE,), charts=CHARTS,
        load={"sent": 1, "ok": 0, "outcomes": {HOSTILE: 1}, "errors": {HOSTILE: [HOSTILE]}},
    )  # fmt: skip


def written(tmp_path, *reports):
    file = tmp_path / "report.html"
    file.write_text(REPORTERS["html"](reports), encoding="utf-8")
    return file


class Outline(HTMLParser):
    """The tags of a page, whatever they refer to, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.references, self.places, self.texts = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [v for k, v in attrs if k in ("src", "href", "action", "xlink:href")]
        self.places += [v for k, v in attrs if k == "id"]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data)


def test_the_result_comes_first_then_what_is_wrong_then_everything():
    html = REPORTERS["html"]([real()])
    marks = [html.index(text) for text in (">FAILED<", ">What is wrong<", ">All assertions<")]
    assert marks == sorted(marks)
    for v in real().verdicts:
        if v.source:
            assert v.source.split("\n")[0].strip().split("{")[0] in html
    assert "change = 9 (load.ok)" in html
    assert "$.total, delta" in html  # the line of the spec


def test_a_page_refers_to_nothing_outside_itself():
    html = REPORTERS["html"]([real(), hostile(), replace(real(), charts=CHARTS)])
    outline = Outline(html)
    assert {r[:1] for r in outline.references} <= {"#", "d"}
    assert not any(r.startswith("d") and r != "data:," for r in outline.references)
    assert outline.tags.count("script") == 1
    assert "b" not in outline.tags
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html
    assert not re.search(r"url\(|@import", html)


def test_the_names_of_charts_take_their_room():
    names = tuple(Series(f"{n}.{HOSTILE * 20}", ((0.0, 1.0), (1.0, 1.0))) for n in range(8))
    charts = tuple(Chart(f"{n}", Form.STEPS, names, "page") for n in range(110))
    html = REPORTERS["html"]([Report("t", "u", (), charts=charts)])
    assert len(html.encode()) < MOST_BYTES
    assert "more charts" in html


def test_every_part_of_a_report_is_one_click_away():
    whole, bare = replace(real(), charts=CHARTS), Report("t", "u", ())
    outline = Outline(REPORTERS["html"]([whole, bare]))
    linked = [r.removeprefix("#") for r in outline.references if r.startswith("#")]
    assert set(linked) <= set(outline.places)
    assert len(outline.places) == len(set(outline.places))
    assert outline.tags.count("main") == 1
    assert [r for r in linked if r.endswith("-1")] == [
        "run-1", "run-1", "wrong-1", "load-1-1", "charts-1-1", "all-1",
    ]  # fmt: skip
    assert linked.count("run-2") == 2
    assert "all-2" not in linked


def test_a_page_stays_below_two_megabytes():
    many = tuple(
        verdict(
            status, actual=HOSTILE * 50, name=f"{n} {HOSTILE * 9}", note="ü" * 3000,
            source="x\n" * 999,
        )
        for n in range(3000) for status in (Status.FAIL, Status.PASS)
    )  # fmt: skip
    dots = tuple((float(n), float(n % 7)) for n in range(1000))
    charts = tuple(
        Chart(f"{n}", Form.SCATTER, (Series("a", dots), Series("b", dots)), "page")
        for n in range(6)
    )
    for runs in (1, 12):
        reports = [Report(f"t{n}", "u", many[: 6000 // runs], charts=charts) for n in range(runs)]
        html = REPORTERS["html"](reports if runs == 1 else [replace(r, charts=()) for r in reports])
        assert len(html.encode()) < MOST_BYTES
        assert "more, not listed" in html


def test_the_bar_of_a_section_has_the_colour_and_the_mark_of_its_worst():
    def bar(*verdicts):
        html = REPORTERS["html"]([Report("t", "u", verdicts)])
        tone, before = re.search(r'<li class="(.*)"><span class="name">(.*)page<', html).groups()
        return tone, re.sub("<[^>]*>", "", before).strip()

    good, info = verdict(Status.PASS), verdict(severity=Severity.INFO)
    assert bar(good) == ("tone-pass", "")
    assert bar(good, verdict(Status.SKIP)) == ("tone-muted", "")
    assert bar(good, info) == ("tone-info", "ℹ")
    assert bar(good, info, verdict(), info) == ("tone-critical", "✗")


def test_a_picture_says_a_name_what_it_shows_and_no_more_than_it_needs():
    whole = drawn(CHARTS[0]).svg
    assert whole.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert whole.count("data-tip=") == 2
    assert len(whole) < 4000
    assert "font-family" not in whole


def test_what_is_wrong_has_its_chart_beside_it():
    name = "every request is counted"
    counted = Chart(name, Form.STEPS, steps((0.0, 0), (1.0, 9)).series, "page", "s", "change")
    other = replace(counted, title="other")
    bad, good = verdict(name=name), verdict(Status.PASS, name="other")
    html = REPORTERS["html"]([Report("t", "u", (bad, good), charts=(counted, other))])
    wrong, _, rest = html.partition('<section class="charts">')
    assert (wrong.count("<svg"), rest.count("<svg")) == (1, 1)
    assert "<figcaption>other" in rest
    (part,) = re.findall(r'<div class="beside">.*?</svg>', html, re.DOTALL)
    assert "expected" in part


def test_a_page_without_charts_and_verdicts_is_a_page():
    html = REPORTERS["html"]([Report("t", "u", ())])
    assert "nothing was judged" in html


def test_without_the_extra_one_line_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['vl_convert'] = None\n"
        "from validator.cli import main\n"
        "sys.argv = ['validator', 'run', 'none.yaml', '--report', 'html=x.html']\nmain()\n"
    )
    (tmp_path / "none.yaml").write_text("version: 1")
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    told = "error: --report html needs an extra: pip install 'metrics-validator[html]'\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_the_extra_is_not_imported_before_it_is_used():
    code = (
        "import sys, validator.reporters; sys.exit(bool({'jinja2', 'vl_convert'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_check_says_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra):
        check_usable("html")
    check_usable("json")


@given(
    st.sampled_from(Form),
    st.lists(
        st.tuples(*[st.floats(allow_nan=False, allow_infinity=False) | st.integers()] * 3),
        min_size=1, max_size=3,
    ),
)  # fmt: skip
@example(Form.STEPS, [(0, 10**400, 0), (1, -(10**30), 0)])
@example(Form.SCATTER, [(0, 5e-324, 0), (1, -5e-324, 0)])
@example(Form.HISTOGRAM, [(1e308, 1e308, 10**400)])
@settings(max_examples=25, deadline=None)
def test_whatever_a_server_counted_makes_a_page(form, points):
    size = 3 if form is Form.HISTOGRAM else 2
    chart = Chart("c", form, (Series("s", tuple(p[:size] for p in points)),), "load")
    html = REPORTERS["html"]([Report("t", "u", (), charts=(chart,))])
    assert ("<svg" in html) != ("cannot be drawn" in html)


def axis(chart, name):
    """Return the labels of the X or Y axis of *chart*, and its title."""
    groups = re.split('role-axis"|role-mark', drawn(chart).svg)
    texts = [re.findall(r"<text[^>]*>([^<]*)</text>", group) for group in groups]
    return [labels for labels in texts if labels]["XY".index(name)]


def steps(*points, y="change", name="counted"):
    series = Series(name, tuple(points), By.SERVER)
    return Chart("c", Form.STEPS, (series,), "page", "s", y)


@pytest.mark.parametrize(
    "values, labels",
    [
        ((0, 0), ["0", "1"]),
        ((0, 2), ["0", "1", "2"]),
        ((0, 100), ["0", "20", "40", "60", "80", "100"]),
        ((5350, 5650), ["5,300", "5,400", "5,500", "5,600", "5,700"]),
        ((5350, 5352), ["5350", "5351", "5352"]),
        ((0, 0.5), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ((0, 1.5e12), ["0T", "0.5T", "1T", "1.5T"]),
    ],
)
def test_an_axis_has_the_numbers_that_people_count_in(values, labels):
    assert axis(steps(*enumerate(values)), "Y") == [*labels, "change"]


def test_time_begins_with_the_load_and_ends_with_the_last_look():
    assert axis(steps((0.0, 0), (10.7, 3)), "X") == [*map(str, range(11)), "s"]


def test_the_key_of_a_line_looks_like_the_line():
    for form in (Form.STEPS, Form.LADDER):
        points = ((50.0, 1.0), (99.0, 2.0))
        series = (Series("client", points), Series("server", points, By.SERVER))
        drawing = drawn(Chart("c", form, series, "page"))
        dashes = re.findall('stroke-dasharray="4,3"', drawing.svg)
        assert (len(dashes), [key.by for key in drawing.keys]) == (1, ["client", "server"])
    style = (Path(wording.__file__).parent / "page" / "report.css").read_text()
    assert re.search(r"\.keys i\.server { border-top-style: dashed", style)


def test_percentiles_of_two_ladders_stand_in_order():
    one = Series("a", ((50.0, 1.0), (99.0, 9.0)))
    other = Series("b", ((0.0, 1.0), (90.0, 2.0), (99.9, 3.0), (100.0, 4.0)), By.SERVER)
    ladder = Chart("c", Form.LADDER, (one, other), "page", "percentile")
    assert axis(ladder, "X") == ["min", "p50", "p90", "p99", "p99.9", "max", "percentile"]


def test_a_server_that_was_often_looked_at_does_not_fill_the_page():
    often = steps(*((n / 10, n % 17) for n in range(200)))
    assert len(drawn(often).svg) < 10_000


# In a browser


@pytest.fixture(scope="module")
def page():
    if CHROMIUM is None:
        pytest.skip("there is no chromium here to look at the page with")
    with browsing() as found:
        yield found


SHOWN = "[...document.querySelectorAll('table.all tbody tr')].filter(r => r.offsetParent).length"


def test_a_browser_has_nothing_to_complain_about(page, tmp_path):
    for report in (real(), hostile(), replace(real(), charts=CHARTS)):
        file = written(tmp_path, report, report)
        page.open(file)
        assert page.complaints == []
        assert [url for url in page.requested if url != "data:,"] == [file.as_uri()]


def test_hostile_names_stay_text(page, tmp_path):
    page.open(written(tmp_path, hostile()))
    assert page.run("window.hacked === undefined")
    assert page.run("document.querySelectorAll('b, script').length") == 1
    shown = page.run("document.querySelector('.card').textContent")
    assert "</script><script>window.hacked = 1</script>" in shown
    assert "{{ 7*7 }}" in shown
    assert page.run("document.querySelectorAll('figure svg').length") == len(CHARTS) - 1
    assert page.run("document.querySelectorAll('parsererror').length") == 0


def test_the_table_is_filtered_by_text_status_severity_and_endpoint(page, tmp_path):
    report = real()
    page.open(written(tmp_path, report))
    assert page.run(SHOWN) == len(report.verdicts)

    def change(script):
        page.run(
            f"{{const f = document.querySelector('form.filter'); {script};"
            " f.dispatchEvent(new Event('input', {bubbles: true}))}"
        )
        assert page.run("document.querySelector('form.filter output').textContent") == (
            f"{page.run(SHOWN)} of {len(report.verdicts)} shown"
        )
        return page.run(SHOWN)

    box = "f.querySelector('input[value={}]').checked = {}".format
    vacuous = sum(v.vacuous for v in report.verdicts)
    assert vacuous
    without_passes = change(box("pass", "false")) - vacuous
    assert change(box("vacuous", "false")) == without_passes
    assert without_passes == sum(v.status is not Status.PASS for v in report.verdicts)
    critical = change(f"{box('warning', 'false')}; {box('info', 'false')}")
    assert critical == sum(
        v.status is not Status.PASS and v.severity is Severity.CRITICAL for v in report.verdicts
    )
    assert change("f.elements.section.value = 'hidden'") == 3
    assert change("f.elements.text.value = 'REACHABLE'") == 1
    assert change("f.elements.text.value = 'nothing like it'") == 0


def test_the_page_is_used_by_keyboard(page, tmp_path):
    page.open(written(tmp_path, real()))
    page.press("/")
    assert page.run("document.activeElement.name") == "text"
    for key in "books":
        page.press(key)
    assert page.run("document.activeElement.value") == "books"
    assert page.run(SHOWN) == 1
    reached = page.run(
        "[...document.querySelectorAll('a, input, select, summary')].every(e => e.tabIndex === 0)"
    )
    assert reached


def test_the_page_is_light_or_dark_as_the_reader_likes(page, tmp_path):
    page.open(written(tmp_path, replace(real(), charts=CHARTS)))
    looks = {}
    for scheme in ("light", "dark"):
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        looks[scheme] = page.run(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('figure svg .mark-rect path')).fill,"
            " getComputedStyle(document.querySelector('figure svg text')).fill].join()"
        )
    page.call("Emulation.setEmulatedMedia", features=[])
    light, dark = (set(re.findall(r"rgb\([^)]*\)", look)) for look in looks.values())
    assert len(light) == len(dark) == 3
    assert not light & dark


@pytest.mark.parametrize("width", [360, 800])
def test_nothing_runs_out_of_a_narrow_window(page, tmp_path, width):
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=800, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    page.open(written(tmp_path, replace(real(), charts=CHARTS), hostile()))
    try:
        assert page.run("document.documentElement.scrollWidth") <= width
    finally:
        page.call("Emulation.clearDeviceMetricsOverride")


def test_a_bar_says_what_it_is(page, tmp_path):
    page.open(written(tmp_path, Report("t", "u", (verdict(),), charts=CHARTS[:1])))
    spot = page.run(
        "{const b = document.querySelector('figure svg .mark-rect path');"
        " b.scrollIntoView({block: 'center'}); const r = b.getBoundingClientRect();"
        " ({x: r.x + r.width / 2, y: r.y + r.height / 2})}"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", **spot)
    assert page.run("document.getElementById('tip').hidden") is False
    assert page.run("document.getElementById('tip').textContent") == "1 – 2 ms: 3 requests"


def test_the_page_prints_whole(page, tmp_path):
    page.open(written(tmp_path, real()))
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.run("getComputedStyle(document.querySelector('form.filter')).display") == "none"
    page.call("Emulation.setEmulatedMedia", media="")


def test_paper_is_not_wasted_on_narrow_columns(page, tmp_path):
    many = tuple(
        verdict(
            status, name=f"every request of the server {n} is counted", path=f"$.n{n}",
            expected="change = 100 (load.sent)", actual="+0 (0 → 0)", before="0", after="0",
            why="a request that is not counted is invisible on the dashboard",
        )
        for n in range(30) for status in (Status.PASS, Status.FAIL)
    )  # fmt: skip
    page.open(written(tmp_path, Report("t", "u", many)))
    paper = base64.b64decode(page.call("Page.printToPDF")["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) <= 9  # 30 cards take 6 of them
    assert page.run("document.querySelectorAll('details[open]').length") == 0


def test_a_long_name_stays_beside_its_triangle_and_breaks_between_words(page, tmp_path):
    name = "smart_router.radix_tree.total_cached_blocks_of_all_the_workers"
    page.open(written(tmp_path, Report("t", "u", (verdict(name=name, path="$.x"),))))
    assert page.run("document.querySelector('.all summary').textContent") == name
    assert page.run("document.querySelectorAll('.all summary wbr').length") == 10
    first, height = page.run(
        "{const t = document.querySelector('.all summary');"
        " const r = document.createRange(); r.selectNode(t.firstChild);"
        " [r.getBoundingClientRect().top - t.getBoundingClientRect().top, t.offsetHeight]}"
    )
    assert first < height / 3


def heard(page):
    """Return the role and the name of all that a screen reader comes across."""
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]


def test_a_chart_is_read_out_as_one_picture(page, tmp_path):
    counted = steps((0.0, 0), (2.0, 7), name="total, by the server")
    page.open(written(tmp_path, Report("t", "u", (), charts=(*CHARTS, counted))))
    found = heard(page)
    assert not [name for role, name in found if "graphics" in role.lower()]
    pictures = [name for role, name in found if role in ("img", "image")]
    assert len(pictures) == len(CHARTS)  # one of them has nothing to show
    assert pictures[0] == "TTFT: 8 requests from 1 to 3 ms"
    assert pictures[-1] == "c: total, by the server from 0 to 7"
    assert "ladder: s from 1 at p50 to 4 at p99.9" in pictures


def test_no_percentile_is_out_of_sight_on_a_phone(page, tmp_path):
    figures = dict.fromkeys(("mean", "min", "p50", "p90", "p95", "p99", "max"), 12345.67)
    names = ("ttft_ms", "itl_ms", "tpot_ms", "latency_ms", "wall_ms")
    load = {"sent": 1, "ok": 1, **{name: {**figures, "count": 1000} for name in names}}
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=390, height=800, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    page.open(written(tmp_path, Report("t", "u", (verdict(),), load=load)))
    try:
        right = "Math.max(...[...document.querySelectorAll('.figures :is(td, th)')].map({}))"
        assert page.run(right.format("e => e.getBoundingClientRect().right")) <= 390
        heads = page.run(
            "[...document.querySelectorAll('.figures thead th')].map(e => e.offsetTop)"
        )
        assert heads == sorted(set(heads))  # one line for each
    finally:
        page.call("Emulation.clearDeviceMetricsOverride")


@pytest.mark.parametrize("width", [360, 800, 1200])
def test_what_a_row_unfolds_is_as_wide_as_the_table(page, tmp_path, width):
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=800, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip
    page.open(written(tmp_path, hostile()))
    wide = "{const r = document.querySelector('.all .more .facts'); r.offsetWidth}"
    try:
        assert page.run(wide) == 0
        page.run("document.querySelector('.all summary').click()")
        assert page.run(wide) > 0.8 * page.run("document.querySelector('.all').offsetWidth")
        page.run(
            "{const f = document.querySelector('form.filter'); f.elements.text.value = 'no such';"
            " f.dispatchEvent(new Event('input', {bubbles: true}))}"
        )
        assert page.run(wide) == 0
    finally:
        page.call("Emulation.clearDeviceMetricsOverride")
