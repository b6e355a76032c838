"""Draw the pictures of the README from real runs: a terminal as SVG, the HTML report as PNG.

`python docs/pictures.py` needs the extras demo and html, and chromium for the second.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from validator.reporters.saved import read
from validator.reporters.table import THEME, tables

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "pictures"
SPEC = "examples/01-first.yaml"
FAULT = "uncounted-streams"
WIDTH = 100
WINDOW = "1100,866"
PAPER = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        *((72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34)),
        *((88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)),
    ],
    [
        *((110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65)),
        *((121, 192, 255), (210, 168, 255), (86, 212, 221), (240, 246, 252)),
    ],
)


def main() -> int:
    """Draw what can be drawn here."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        _demo("--spec", SPEC, "--fault", FAULT, "--report", f"json={report}")
        terminal(report, FOLDER / "terminal.svg")
        page = Path(folder, "report.html")
        _demo("--fault", FAULT, "--requests", "60", "--report", f"html={page}")
        if browser := shutil.which("chromium") or shutil.which("chromium-browser"):
            photograph(browser, page, FOLDER / "report.png")
        else:
            print("no chromium: report.png is left as it was")
    return 0


def _demo(*words: str) -> None:
    # Not checked: this run is meant to fail.
    subprocess.run(  # noqa: S603 - this Python, and words from above
        [sys.executable, "-m", "validator", "demo", "--quiet", *words],
        cwd=ROOT,
        check=False,
        timeout=120,
    )


def terminal(report: Path, picture: Path) -> None:
    """Draw what a terminal shows of a JSON report."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=WIDTH, theme=THEME, force_terminal=True, file=nowhere,
            color_system="standard", legacy_windows=False,
        )  # fmt: skip
        console.print(tables(read(str(report)), WIDTH))
    title = f"validator demo --spec {SPEC} --fault {FAULT}"
    svg = console.export_svg(title=title, theme=PAPER, unique_id="terminal")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # they would be fetched
    picture.write_text(svg.replace("Fira Code,", "").rstrip() + "\n", encoding="utf-8")


def photograph(browser: str, page: Path, picture: Path) -> None:
    """Draw what a browser shows of an HTML report."""
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    subprocess.run(  # noqa: S603 - a browser of this machine
        [browser, *flags, f"--window-size={WINDOW}", f"--screenshot={picture}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )


if __name__ == "__main__":
    sys.exit(main())
