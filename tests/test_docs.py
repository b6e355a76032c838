"""The documentation: its specs are specs, its commands do what it says, nothing is stale."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from demo_process import ROOT, demo

from validator.decoders import DECODERS
from validator.drivers import DRIVERS
from validator.explain import topics
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.reporters import REPORTERS
from validator.spec.parse import Overrides, parse
from validator.spec.written import SpecFile
from validator.verbs import VERBS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
README = PAGES[0]
CI_README = ROOT / "examples" / "ci" / "README.md"

A_LOAD = "{model: m, requests: 1, prompts: [hi]}"
SPEC_PARTS = {
    "version": "version: 1\n",
    "target": "target: {url: http://localhost:8000}\n",
    "load": f"load: {A_LOAD}\n",
    "endpoints": "endpoints: {dynamo: {get: /d}, kv_cache: {get: /kv}}\n",
}
"""What a fragment needs around it to be a spec."""

KNOWN = {field.alias or name for name, field in SpecFile.model_fields.items()}
"""The keys of a spec."""

OWN_SERVER = "07-server.yaml"
OFFLINE = ("demo", "explain", "lint", "list", "mutate", "report", "schema")
"""The verbs that need no server."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(language: str) -> list[Block]:
    return [b for page in PAGES for b in blocks_of(page) if b.language == language]


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(page, text[: found.start()].count("\n") + 1, found[1], found[2])


# Specs and fragments of specs


def as_spec(text: str) -> str:
    """Return *text* as a spec: as it is, or with the parts that it lacks."""
    if text.startswith("- "):
        listed = textwrap.indent(text, " " * 6)
        page = "    format: prometheus\n" if re.search(r"metric:|conforms:", text) else ""
        page += "    during: {every: 1s}\n" if "over: during" in text else ""
        text = (
            "endpoints:\n  kv_cache: {get: /kv}\n"
            f"  dynamo:\n    get: /d\n{page}    assert:\n{listed}"
        )
    keys = re.findall(r"^(\w+):", text, re.MULTILINE)
    if not set(keys) & KNOWN:  # a single endpoint
        text, keys = f"endpoints:\n{textwrap.indent(text, '  ')}", ["endpoints"]
    if "version" in keys:
        return text
    named = re.findall(
        r"(?m)(?:, |^ *)load: (\w+)", text
    )  # an assertion about one of several loads
    if named and "loads" not in keys:
        text += "".join(["loads:\n", *(f"  {name}: {A_LOAD}\n" for name in {*named, "other"})])
        keys.append("loads")
    if "loads" in keys:
        keys.append("load")
    return text + "".join(part for key, part in SPEC_PARTS.items() if key not in keys)


def only_comments(text: str) -> bool:
    return all(line.startswith("#") for line in text.splitlines())


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_yaml_block_is_a_spec_or_fits_into_one(block: Block, tmp_path: Path) -> None:
    if only_comments(block.text):
        return
    included = tmp_path / "parts"
    included.mkdir()
    for file in ("cache.yaml", "workers.yaml"):
        (included / file).write_text("version: 1\nendpoints: {a: {get: /a}}\n", encoding="utf-8")
    parse(as_spec(block.text), str(block), Overrides(environment={}), folder=tmp_path)


REGISTRIES = (PREDICATES, MEASURES, DRIVERS, DECODERS, REPORTERS)


@pytest.mark.parametrize(
    "text",
    [pytest.param(r.documentation(name), id=name) for r in REGISTRIES for name in r]
    + [pytest.param(text, id=name) for name, text in topics().items()],
)
def test_every_plug_in_says_what_it_is_and_shows_it_in_yaml(text: str) -> None:
    first = text.partition("\n\n")[0]
    assert first.endswith(".")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    if not only_comments(found[1]):
        parse(as_spec(found[1]), overrides=Overrides(environment={}))


# Commands


@dataclass(frozen=True)
class Command:
    """A `validator …` command line, and the exit code that its page states."""

    block: Block
    text: str
    expected: int

    def __str__(self) -> str:
        return f"{self.block}: {self.text}"

    @property
    def offline(self) -> bool:
        """Whether it needs no server."""
        program, verb, *_ = self.text.split()
        return program == "validator" and verb in OFFLINE


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    code: int
    shown: str
    complaints: str


def commands_of(block: Block) -> Iterator[Command]:
    for line in block.text.splitlines():
        text, _, comment = line.partition("  # ")
        stated = re.search(r"exit (\d+)", comment)
        for part in map(str.strip, text.split("&&")):
            if part.startswith(("validator ", "pytest --validator ")) and "needs" not in comment:
                yield Command(block, part, int(stated[1]) if stated else 0)


SCENARIOS = [found for block in blocks("sh") if (found := list(commands_of(block)))]
COMMANDS = [command for scenario in SCENARIOS for command in scenario]


def in_order(scenario: list[Command], folder: Path) -> dict[Command, Done]:
    """Run the commands of one block, one after another, with a demo server of their own."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    for block in blocks_of(scenario[0].block.page):  # a spec that begins with its name is saved
        if named := re.match(r"# (\S+\.yaml)\n", block.text):
            (folder / named[1]).write_text(block.text, encoding="utf-8")
    if all(command.offline for command in scenario):
        return {command: done(command, folder, "") for command in scenario}
    with demo() as url:
        return {command: done(command, folder, url) for command in scenario}


def done(command: Command, folder: Path, url: str) -> Done:
    program, verb, *words = shlex.split(command.text)
    if program == "pytest":
        words = [verb, *(word.replace("http://localhost:8000", url) for word in words)]
        return finished([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words], folder)
    specs = [word for word in words if word.endswith(".yaml")]
    if verb in ("run", "bench") and specs and not any(OWN_SERVER in word for word in specs):
        words += ["--url", url]
    return finished([sys.executable, "-m", "validator", verb, *words], folder)


def finished(words: list[str], folder: Path) -> Done:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    process = subprocess.run(
        words,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    return Done(process.returncode, process.stdout, process.stderr)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Command, Done]:
    """What became of every command; blocks run side by side, for most of them wait."""
    with ThreadPoolExecutor(3) as pool:
        running = [
            pool.submit(in_order, scenario, tmp_path_factory.mktemp("docs"))
            for scenario in SCENARIOS
        ]
        return {command: one for future in running for command, one in future.result().items()}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_ends_as_its_page_says(command: Command, outcomes: dict[Command, Done]) -> None:
    found = outcomes[command]
    assert found.code == command.expected, found.shown + found.complaints


def test_the_first_table_of_the_readme_is_what_its_command_prints(
    outcomes: dict[Command, Done],
) -> None:
    def shape(line: str) -> str:
        return " ".join(re.sub(r"\d+(\.\d+)?", "N", line).split())

    shown = {shape(line) for line in outcomes[COMMANDS[0]].shown.splitlines()}
    table = next(b for b in blocks_of(README) if b.language == "text")
    promised = [line for line in table.text.splitlines() if line.strip() not in ("", "…")]
    assert [line for line in promised if shape(line) not in shown] == []


def test_the_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = (b for b in blocks_of(README) if b.language == "python")
    with demo() as url:
        exec(block.text.replace("http://localhost:8000", url), {})
    assert capsys.readouterr().out == ""


# The README


def test_the_pictures_fetch_nothing_and_are_small() -> None:
    pictures = re.findall(r"!\[.+\]\((\S+)\)", README.read_text(encoding="utf-8"))
    assert {Path(picture).suffix for picture in pictures} == {".svg", ".png"}
    for picture in pictures:
        content = (ROOT / picture).read_bytes()
        assert len(content) < 150_000
        assert not re.search(rb"(?:url\(|href=|src=)[\"']?(?:https?:)?//", content)


def test_the_readme_begins_with_a_sentence_a_spec_a_command_a_table_and_exit_codes() -> None:
    text = README.read_text(encoding="utf-8")
    first_screen = text.partition("\n## ")[0]
    assert [b.language for b in blocks_of(README)][:3] == ["yaml", "sh", "text"]
    assert first_screen.index("Exit codes: 0 passed;") > first_screen.index("```text")
    title, blank, sentence = text.splitlines()[:3]
    assert (title, blank, sentence[-1]) == ("# validator", "", ".")


@pytest.mark.parametrize(
    "command", ["pip install -e '.[demo]' && validator demo", "pip install -e '.[dev]' && pytest"]
)
def test_the_readme_gives_each_way_in_as_one_command_in_its_own_block(command: str) -> None:
    assert [b.text for b in blocks_of(README)].count(f"{command}\n") == 1


def test_the_page_of_the_command_line_names_every_flag_of_run() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    options = [o for o in VERBS["run"].params if o.param_type_name == "option"]
    flags = [flag for option in options for flag in option.opts if flag.startswith("--")]
    assert [flag for flag in flags if f"`{flag}" not in text] == []


def test_the_migration_names_only_paths_that_the_dashboard_asks_about() -> None:
    page = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
    spec = (ROOT / "specs" / "fakeai" / "dashboard.yaml").read_text(encoding="utf-8")
    paths = re.findall(r"`(\$\.[^` ]+)`", page)
    assert len(paths) > 25
    assert [path for path in paths if path not in spec] == []


# Generated files and links


@pytest.fixture(scope="module")
def build() -> ModuleType:
    found = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_generated_documents_are_current(build: ModuleType) -> None:
    assert build.main(["--check"]) == 0, "run python docs/build.py"


def test_a_stale_document_is_named_and_written_anew(
    build: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    assert build.main(["--check"]) == 1
    assert "reference.md is stale: run python docs/build.py" in capsys.readouterr().out
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0


@pytest.mark.parametrize("page", [*PAGES, CI_README], ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, heading = link.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        file = page.parent / target if target else page
        assert file.exists(), link
        if heading:
            assert heading in anchors(file), link


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


# The site


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"^ +- .+: (\S+\.md)$", text.partition("\nnav:\n")[2], re.MULTILINE)
    pages = {page.name for page in PAGES} - {"README.md"}
    assert sorted(named) == sorted({*pages, "index.md", "examples.md"})


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="needs the extra docs")
    words = ["-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = finished([sys.executable, *words], ROOT)
    assert built.code == 0, built.complaints
    assert (tmp_path / "site" / "examples" / "ci" / ".gitlab-ci.yml").is_file()
    tutorial = (tmp_path / "site" / "tutorial.html").read_text(encoding="utf-8")
    assert 'href="library.html#in-pytest"' in tutorial


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_things_without_praising_them(page: Path) -> None:
    text = page.read_text(encoding="utf-8").lower()
    praise = "comprehensive robust powerful flexible advanced enhanced production-ready simple easy"
    found = [word for word in [*praise.split(), "beautiful"] if re.search(rf"\b{word}\b", text)]
    assert found == []


def test_every_topic_stands_in_the_overview_with_one_sentence() -> None:
    for name, text in topics().items():
        first = inspect.cleandoc(text).partition("\n\n")[0]
        assert len(first) <= 100, name
