"""What is said of captures whose packets cannot be read, and which can."""

from __future__ import annotations

import struct
from pathlib import Path

from conftest import Run

from l7meter.captures.frames import LINKS, RARE_LINKS
from l7meter.cli import checking

CAPTURES = Path(__file__).parents[2] / "docs" / "captures.md"


def test_every_link_that_is_read_has_a_name_and_the_documentation_has_it() -> None:
    assert checking.LINKS.keys() == LINKS.keys() | RARE_LINKS
    told = " ".join(CAPTURES.read_text().split())
    section = told[told.index("## What is in front of IP") : told.index("## What is lost")]
    assert [name for name in checking.LINKS.values() if name not in section] == []


def test_a_capture_of_an_unknown_link_says_so(run: Run, tmp_path: Path) -> None:
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 147)
    path = tmp_path / "odd.pcap"
    path.write_bytes(header + struct.pack("<IIII", 1, 0, 4, 4) + b"odd!")
    for command in ("check", "ingest"):
        code, out, error = run(command, str(path))
        text = " ".join((out.decode() + error).split())
        assert code == 0
        assert "1 skipped: link type 147 (1)" in text
        assert "None of them is TCP or QUIC behind layers that are read" in text
        assert ("number 147, which is not read" in text) == (command == "check")
