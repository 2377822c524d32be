"""The capturing programs themselves: their arguments, their words, and one capture of loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest

from l7meter.errors import UsageError
from l7meter.ingest.capturer import Capturer, Wanted, command, dropped, found
from l7meter.ingest.capturing import Metered, Metering, private_directory
from l7meter.store import Store, connect

LIMIT = 20.0  # seconds, so that a test which fails ends


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("5 packets captured\n9 packets received by filter\n1 packet dropped by kernel\n2 packets dropped by interface\n", 3),
        ("0 packets captured\n0 packets received by filter\n0 packets dropped by kernel\n", 0),
        ("Packets captured: 197\nPackets received/dropped on interface 'Loopback: lo': 197/324 (pcap:324/dumpcap:0/flushed:0/ps_ifdrop:0) (37.8%)\n", 324),
        ("tcpdump: listening on lo\n", None),
    ],
)  # fmt: skip
def test_drops_are_the_capturers_own_count(said: str, lost: int | None) -> None:
    assert dropped(said) == lost


@pytest.mark.parametrize("program", ["dumpcap", "tcpdump"])
def test_arguments_are_words_not_a_shells_line(program: str) -> None:
    wanted = Wanted("eth0; reboot", "tcp port 80 or $(id)", 2048, 60, 20)
    arguments = command(Path("/bin") / program, wanted, "l7meter-1")
    assert {wanted.interface, wanted.filter, "2048"} <= set(arguments)
    assert arguments.index("-i") + 1 == arguments.index(wanted.interface)


def test_no_capturing_program_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="neither dumpcap nor tcpdump"):
        found()


BODY = b"w" * 300_000


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        return


def assert_metered(metered: Metered, store: Store) -> None:
    assert (metered.problem, metered.files, metered.failed) == (None, 1, 0)
    assert metered.dropped is not None
    with connect(store.path) as connection:
        paths = connection.execute("SELECT DISTINCT url_original FROM requests").fetchall()
    assert paths == [("/wheel",)]


@pytest.mark.parametrize("program", ["tcpdump", "dumpcap"])
def test_loopback_is_metered(program: str, tmp_path: Path) -> None:
    path = shutil.which(program)
    if path is None or os.geteuid() != 0:
        pytest.skip(f"needs {program}, and root to capture on loopback")
    if subprocess.run([path, "-D"], capture_output=True, timeout=LIMIT).returncode:
        pytest.skip(f"{program} may not capture here")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    wanted = Wanted("lo", f"tcp port {port}", 0, 3600, 100)
    place, store = private_directory(tmp_path / "captures"), Store.create(tmp_path / "store")
    metering = Metering(command(Path(path), wanted, "t-"), place, "t-", store)

    def pause(capturer: Capturer, seconds: float) -> None:
        """Ask until a request has been captured: the capturer needs a moment to begin."""
        with urlopen(f"http://127.0.0.1:{port}/wheel", timeout=LIMIT) as answer:
            assert answer.read() == BODY
        capturer.pause(0.1)
        files = list(place.iterdir())
        if sum(file.stat().st_size for file in files) > len(BODY):
            metering.stop()

    try:
        with store:
            metered = metering.run("lo", LIMIT, pause=pause)
    finally:
        server.shutdown()
        server.server_close()
    assert_metered(metered, store)
