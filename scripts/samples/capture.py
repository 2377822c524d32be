"""Captures real sessions on loopback with tcpdump, beside nginx's log of exactly those exchanges."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from samples.clients import Clients
from samples.configs import PORTS

HOSTS = ("pypi", "npm", "debian")
LOGS = {"access.log": "combined", "l7meter.log": "l7meter"}


def possible() -> bool:
    """Whether this user can capture here."""
    return os.getuid() == 0 and shutil.which("tcpdump") is not None


def capture(
    out: Path, name: str, filter_: str, logs: Path, session: Callable[[], None]
) -> list[object]:
    """Run `session` under tcpdump; write `NAME.pcap` and the logs; give the README's row."""
    before = {path: path.stat().st_size for path in _paths(logs)}
    target = out / f"{name}.pcap"
    command = [
        "tcpdump",
        "-i",
        "lo",
        "-U",
        "--immediate-mode",
        "-s",
        "0",
        "-Z",
        "root",
        "-w",
        str(target),
        filter_,
    ]
    dump = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert dump.stderr is not None
    while "listening" not in dump.stderr.readline():
        if dump.poll() is not None:
            raise SystemExit(f"{name}: tcpdump did not start")
    session()
    time.sleep(1.0)  # the last FIN and its acknowledgement
    dump.send_signal(signal.SIGINT)
    packets = next(
        line.split()[0] for line in dump.stderr.read().splitlines() if "captured" in line
    )
    dump.wait()
    exchanges = 0
    for suffix, form in LOGS.items():
        lines: list[tuple[bytes, bytes]] = []
        for host in HOSTS:
            stamps = _added(logs / f"nginx/{host}.l7meter.log", before)
            lines += zip(stamps, _added(logs / f"nginx/{host}.{form}.log", before), strict=True)
        lines.sort(key=lambda pair: pair[0].split(b"\t")[0])  # by $msec, over the hosts
        (out / f"{name}.{suffix}").write_bytes(b"".join(line for _, line in lines))
        exchanges = len(lines)
    return [f"`{name}.pcap`", target.stat().st_size, packets, exchanges]


def _paths(logs: Path) -> list[Path]:
    return [logs / f"nginx/{host}.{form}.log" for host in HOSTS for form in LOGS.values()]


def _added(path: Path, before: dict[Path, int]) -> list[bytes]:
    return path.read_bytes()[before[path] :].splitlines(keepends=True)


def plain(clients: Clients) -> None:
    """pip, npm, apt and curl over plain HTTP/1.1: keep-alive, gzip, ranges, 304, HEAD, an abort."""
    index = "http://127.0.0.1:{port}/simple/"
    pip = ["pip", "install", "-q", "--target", "t", "--index-url", index, "wick"]
    clients.run("capture", pip, direct=PORTS["pypi"])
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "wisp",
           "--registry=http://127.0.0.1:{port}/", "--replace-registry-host=always"]  # fmt: skip
    clients.run("capture", npm, files={"package.json": '{"name":"app"}'}, direct=PORTS["npm"])
    base = "http://127.0.0.1:{port}"
    page, deb = f"{base}/simple/lantern/", f"{base}/pool/main/libg/libglow1/libglow1_1.2-1_all.deb"
    clients.run(
        "capture",
        ["curl", "-s", "--compressed", "--etag-save", "e", "-o", "o", page],
        ["curl", "-s", "--compressed", "--etag-compare", "e", "-o", "o", page],
        ["curl", "-sI", page],
        ["curl", "-s", "-o", "o", f"{base}/simple/missing/", "-o", "o", page],
        direct=PORTS["pypi"],
    )
    clients.run(
        "capture",
        ["curl", "-s", "-r", "1000-4999", "-o", "o", deb],
        ["curl", "-s", "--http1.0", "-r", "0-99", "-o", "o", deb],
        ["curl", "-s", "-d", "a=b", "-o", "o", f"{base}/dists/stable/Release"],
        ["curl", "-s", "--limit-rate", "50k", "-m", "1", "-o", "o", deb],
        direct=PORTS["debian"],
    )


def secure(clients: Clients, keylog: Path) -> None:
    """curl over TLS, HTTP/2 and HTTP/1.1, with its secrets written to `keylog`."""
    env = {"SSLKEYLOGFILE": str(keylog)}
    for version in ("--http2", "--http1.1"):
        page = "https://pypi.example.org/simple/lantern/"
        tarball = "https://registry.npm.example.net/wisp/-/wisp-4.0.3.tgz"
        outputs = [part for url in (page, page, tarball) for part in ("-o", "o", url)]
        clients.run("capture", ["curl", "-s", version, "--compressed", *outputs], env=env)
