"""What is said of captures that are other than their user may think."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from conftest import Run

from l7meter.captures import Capture
from l7meter.captures.frames import LINKS, RARE_LINKS
from l7meter.cli import checking
from l7meter.cli.summary import captured

SAMPLES = Path(__file__).parents[2] / "sample_pcaps"
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


def copied(path: Path, times: int) -> bytes:
    """A capture with each packet so many times in a row."""
    octets = path.read_bytes()
    made, place = [octets[:24]], 24
    while place < len(octets):
        end = place + 16 + struct.unpack_from("<I", octets, place + 8)[0]
        made += [octets[place:end]] * times
        place = end
    return b"".join(made)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.pcap")), ids=lambda path: path.stem)
def test_packets_of_several_interfaces_are_noticed(path: Path) -> None:
    def noticed(octets: bytes) -> bool:
        capture = Capture([octets])
        for _ in capture.frames():
            pass
        return "Content passed" in " ".join(captured(capture.sums))

    assert not noticed(path.read_bytes())
    if path.stem in ("keep-alive", "gre", "midstream", "tls13"):
        assert noticed(copied(path, 2))


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_keys_that_open_nothing_are_noticed(run: Run, tmp_path: Path) -> None:
    for keys, said in (
        ("tls13", "1 of 1 connection of TLS and QUIC opened"),
        ("tls12", "0 of 1 connection of TLS and QUIC opened: the keys are those of other"),
    ):
        options = ["--tls-keys", str(SAMPLES / f"{keys}.keylog"), "--store", str(tmp_path / keys)]
        code, out, error = run("ingest", str(SAMPLES / "tls13.pcap"), *options)
        assert code == 0
        assert said in " ".join((out.decode() + error).split())
