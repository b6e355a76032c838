"""Files are read up to a bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from validator import files


def test_a_file_is_read_up_to_its_bound(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 2**20)
    assert files.read(file, 2**20) == b"x" * 2**20
    with pytest.raises(OSError, match="larger than 0 MiB"):
        files.read(file, 2**20 - 1)


def test_what_has_no_end_is_read_up_to_its_bound_too():
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero on this system")
    with pytest.raises(OSError, match="larger than 3 MiB"):
        files.read(Path("/dev/zero"), 3 * 2**20)
    assert files.read(Path("/dev/null"), 1) == b""


def test_what_a_link_stands_for_is_written(tmp_path):
    there, link = tmp_path / "there.json", tmp_path / "link.json"
    there.write_text("old")
    link.symlink_to(there)
    files.write(link, "new")
    assert link.is_symlink()
    assert there.read_text() == "new"
