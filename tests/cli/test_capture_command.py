"""`l7meter capture` with a capturer of ours in the place of dumpcap."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from l7meter import cli

SAMPLES = Path(__file__).resolve().parents[2] / "sample_pcaps"
# Says its arguments, writes two files, then has the meter stopped as systemd would.
FAKE = """#!{python}
import json, os, shutil, signal, sys
def end(*_):
    sys.stderr.write("Packets received/dropped on interface 'eth9': 20/7 (pcap:7/dumpcap:0/flushed:0/ps_ifdrop:0) (25.9%)\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with open({said!r}, "w") as said:
    json.dump(sys.argv[1:], said)
if "nonsense" in sys.argv:
    sys.exit("dumpcap: Invalid capture filter")
name = sys.argv[sys.argv.index("-w") + 1].removesuffix(".pcapng")
for number, sample in enumerate(("chunked", "ipv6"), 1):
    shutil.copyfile({samples!r} + "/" + sample + ".pcap", f"{{name}}_{{number:05}}.pcapng")
os.kill(os.getppid(), signal.SIGTERM)
signal.pause()
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command line with the capturer: exit code, standard output, standard error."""
    program = tmp_path / "bin" / "dumpcap"
    program.parent.mkdir()
    said = str(tmp_path / "said")
    program.write_text(FAKE.format(python=sys.executable, said=said, samples=str(SAMPLES)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv("L7METER_STORE", str(tmp_path / "store"))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["l7meter", "capture", *map(str, arguments)])
        try:
            cli.run()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return code, *capfd.readouterr()

    return run


def test_interface_is_metered_until_a_signal(run: Run, tmp_path: Path) -> None:
    code, out, error = run("eth9")
    assert code == 0
    assert out.startswith("2 files in ")
    assert "packets = " in out
    assert "Sent to clients: " in out
    assert "7 packets dropped" in out
    assert f"dumpcap captures eth9 into {tmp_path}/store/captures/l7meter-" in error
    captures = tmp_path / "store" / "captures"
    assert captures.stat().st_mode & 0o777 == 0o700
    assert len(list(captures.iterdir())) == 2
    arguments = json.loads((tmp_path / "said").read_text())
    assert arguments[arguments.index("-f") + 1] == "tcp or udp port 443"


def test_files_go_where_they_are_told_and_are_deleted(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "spool"
    code, out, _ = run("eth9", "--directory", place, "--delete", "--every", 60, "--size", 20, "--snap", 2048)  # fmt: skip
    assert (code, out[:8]) == (0, "2 files ")
    assert list(place.iterdir()) == []
    assert {"duration:60", "filesize:20000", "2048"} <= set(json.loads((tmp_path / "said").read_text()))  # fmt: skip


def test_error_of_the_capturer_is_passed_on(run: Run) -> None:
    code, out, error = run("eth9", "--filter", "nonsense")
    assert (code, out) == (3, "")
    assert "l7meter: eth9: dumpcap ended (status 1): dumpcap: Invalid capture filter\n" in error
    assert "man pcap-filter" in error
    assert "Traceback" not in error
