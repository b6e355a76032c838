"""A hook of mkdocs: take into the site what its pages link to outside of `docs/`.

The pages are written for a reader of the repository, whose links lead to files beside the folder.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
}
"""Pages of the repository, and what they are in the site."""
EXAMPLES = "examples.md"
LINK = re.compile(r"(?<=\]\()(?!https?://|#|mailto:)([^)#\s]+)(?=[)#])")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside, one page of all examples, and the files that pages link to."""
    for source, name in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, EXAMPLES, content=_examples()))
    for path in sorted(_linked()):
        if files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Let the links of a page of `docs/` lead to where the site has what they mean."""
    here = page.file.src_uri
    outside = {name: path for path, name in PAGES.items()}
    source = outside.get(here, here if (ROOT / here).is_file() else f"docs/{here}")
    start = posixpath.dirname(here)
    return LINK.sub(lambda link: posixpath.relpath(_place(_path(source, link[1])), start), markdown)


def _path(source: str, link: str) -> str:
    """Return the path in the repository that a link of the page *source* leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def _place(path: str) -> str:
    """Return where the site has a file or folder of the repository."""
    if path in PAGES:
        return PAGES[path]
    if path == "examples":
        return EXAMPLES
    if (ROOT / path).is_dir():
        return f"{path}/README.md"
    return path.removeprefix("docs/")


def _linked() -> Iterator[str]:
    """Yield the files outside of `docs/`, and no pages, that some page links to."""
    found: set[str] = set()
    sources = [*PAGES, *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
    waiting = list(sources)
    while waiting:
        source = waiting.pop()
        for link in LINK.findall((ROOT / source).read_text(encoding="utf-8")):
            path = _path(source, link)
            path = f"{path}/README.md" if (ROOT / path / "README.md").is_file() else path
            if path.startswith("docs/") or path in {*PAGES, "examples", *found}:
                continue
            found.add(path)
            if path.endswith(".md"):
                waiting.append(path)
    yield from found


def _examples() -> str:
    """Return a page with every example, by what its first line says."""
    parts = ["# Examples\n"]
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        said, _, rest = text.partition("\n")
        body = "".join(
            line for line in rest.splitlines(keepends=True) if "yaml-language-server" not in line
        )
        parts.append(f"## {file.name}\n\n{said.lstrip('# ')}\n\n```yaml\n{body}```\n")
    return "\n".join(parts)
