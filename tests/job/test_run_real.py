"""A real nginx writes, logrotate rotates and packs, runs come in between: each line counts once."""

from __future__ import annotations

import gzip
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from jobbing import Job

from l7meter.store import verify

NGINX, LOGROTATE = shutil.which("nginx"), shutil.which("logrotate")
CONFIGURATION = """
user root;  # its workers open the log again; said to whom is not root, it is ignored
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log {folder}/logs/access.log combined;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 10;
        location / {{ return 200 "$request_uri $request_id"; }}
    }}
}}
"""
ROTATION = """
{folder}/logs/access.log {{
    rotate 9
    compress
    {delay}
    create
    postrotate
        kill -USR1 $(cat {folder}/nginx.pid)
    endscript
}}
"""
pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed"),
]


class Server:
    """nginx, and requests to it; `sent` counts them."""

    def __init__(self, folder: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.folder, self.sent = folder, 0
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=self.port))
        assert NGINX
        self.process = subprocess.Popen(
            [NGINX, "-p", folder, "-c", configuration, "-g", "daemon off;"],
            stderr=subprocess.DEVNULL,
        )
        self._wait(lambda: bool(self._answers()))

    def ask(self, count: int) -> None:
        """So many requests; their lines are in the log when this returns."""
        connection = HTTPConnection("127.0.0.1", self.port)
        for _ in range(count):
            connection.request("GET", f"/simple/{self.sent % 7}/{self.sent}", headers={"User-Agent": "pip/23.3"})  # fmt: skip
            connection.getresponse().read()
            self.sent += 1
        connection.close()
        self._wait(lambda: len(lines(self.folder)) == self.sent)

    def rotate(self, delay: str) -> None:
        """As Debian does it every night; nginx then writes a new file."""
        rules = self.folder / "logrotate.conf"
        rules.write_text(ROTATION.format(folder=self.folder, delay=delay))
        assert LOGROTATE
        subprocess.run([LOGROTATE, "-f", "-s", self.folder / "state", rules], check=True)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _wait(self, ready: object) -> None:
        assert callable(ready)
        ends = time.monotonic() + 30  # nginx writes a line after the client has the answer
        while not ready():
            assert time.monotonic() < ends, (self.folder / "error.log").read_text()
            assert self.process.poll() is None


def lines(folder: Path) -> list[str]:
    """All that nginx logged, by reading the files there are."""
    found: list[str] = []
    for path in sorted((folder / "logs").iterdir()):
        content = path.read_bytes()
        found += (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()  # fmt: skip
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "logs").mkdir()
    server = Server(tmp_path)
    yield server
    server.process.terminate()
    server.process.wait(30)


@pytest.mark.parametrize("delay", ["", "delaycompress"])
def test_log_that_grows_and_is_rotated_counts_once(server: Server, delay: str) -> None:
    job = Job(server.folder)
    said = job.file.read_text()
    job.file.write_text(said.replace("logs/cdn*.log", "logs/access.log*"))
    read = []

    def run() -> None:
        result = job.run(now=None)  # type: ignore[arg-type]
        assert result.problems == []
        read.append(result.parts["sources"][0])

    for growth, rotate in ((30, False), (25, False), (0, True), (40, False), (11, True), (12, True), (0, False)):  # fmt: skip
        server.ask(growth)
        if rotate:
            server.rotate(delay)
        run()
    server.ask(5)
    run()
    assert [each["records"] for each in read] == [30, 25, 0, 40, 11, 12, 0, 5]
    logged = lines(server.folder)
    assert server.sent == len(logged) == 123
    octets = sum(int(line.split()[9]) for line in logged)
    assert job.ask("SELECT count(*), sum(server_bytes) FROM records") == [(123, octets)]
    targets = {target for (target,) in job.ask("SELECT url_original FROM records")}
    assert targets == {line.split()[6] for line in logged}
    assert len(list((server.folder / "logs").glob("*.gz"))) == (2 if delay else 3)
    assert read[-1]["known_sources"] == 3  # the files that were rotated, packed or not
    assert job.store.ledger()["begins_at"].drop_nulls().len() >= 2  # what came of a file that grew
    assert verify(job.store) == []
