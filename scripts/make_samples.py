"""Make `sample_logs/` and `sample_pcaps/`: `python scripts/make_samples.py` (or `make samples`).

Needs nginx, and takes what else is installed of: Apache, Caddy, HAProxy, Squid, Varnish; pip, uv,
poetry, npm, yarn, pnpm, cargo, mvn, gem, bundle, apt-get, curl, wget, aria2c, git; openssl, zstd,
dpkg-deb, tcpdump (as root). What is missing is named and left out. About three minutes.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from captures.making import write_page
from samples import (
    capture,
    clients,
    configs,
    guard,
    material,
    publish,
    readme,
    servers,
    sessions,
    traps,
    workday,
)

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Build, serve, fetch, map, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, default=ROOT / "sample_logs")
    parser.add_argument("--pcaps", type=Path, default=ROOT / "sample_pcaps")
    parser.add_argument(
        "--tools", type=Path, default=Path(tempfile.gettempdir()) / "l7meter-sample-tools"
    )
    parser.add_argument("--keep", action="store_true", help="keep the working folder")
    args = parser.parse_args()
    args.pcaps = args.pcaps.resolve()  # curl writes its key log from another folder
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the servers stop too

    def step(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    work = Path(tempfile.mkdtemp(prefix="l7meter-samples-"))
    args.tools.mkdir(parents=True, exist_ok=True)
    clients.install_tools(args.tools, lambda c: subprocess.run(c, check=True))
    step("tools are there")
    material.prepare(work)
    running, client = servers.Servers(work), clients.Clients(work, args.tools)
    captures: list[list[object]] = []
    try:
        running.start()
        step(
            f"running: {', '.join(running.versions)}; missing: {', '.join(running.missing) or 'none'}"
        )
        exchanges = traps.run(work, list(running.versions))
        counts = {
            str(path.relative_to(running.logs)): path.read_bytes().count(b"\n")
            for path in running.logs.rglob("*.log")
        }
        step("traps sent")
        if capture.possible():
            captures = captured(args.pcaps, running.logs, client)
            step("captures written")
        for session in sessions.ALL:
            session(client)
            step(f"{session.__name__}: {len(client.sessions)} sessions so far")
    finally:
        running.stop()
    logs = workday.week(running.logs, client.sessions)
    drawn = [session for session in client.sessions if session.kind != "capture"]
    lines = workday.templates(running.logs)
    real = sum(len(lines.get(session.source, [])) for session in drawn)
    out = work / "sample_logs"
    rows = publish.week(out, logs)
    trap_rows = publish.traps(out, running.logs, counts, exchanges)
    publish.manifest(out, rows, trap_rows, running.versions)
    readme.logs(out, rows, trap_rows, running.versions, drawn, exchanges, real)
    guard.refuse(out, guard.LOGS_LIMIT)
    shutil.rmtree(args.logs, ignore_errors=True)
    shutil.copytree(out, args.logs)
    if captures:
        write_page(args.pcaps)
        guard.refuse(args.pcaps, guard.PCAPS_LIMIT)
    failed = [f"{s.kind} ({s.exit_code})" for s in client.sessions if s.exit_code]
    step(f"{sum(len(found) for found in logs.values()):,} lines")
    step(f"skipped tools: {', '.join(sorted(client.skipped)) or 'none'}; "
         f"exit codes other than 0: {', '.join(failed) or 'none'}")  # fmt: skip
    if args.keep:
        step(f"kept: {work}")
    else:
        shutil.rmtree(work)


def captured(out: Path, logs: Path, client: clients.Clients) -> list[list[object]]:
    """The two captures of `sample_pcaps/`."""
    out.mkdir(parents=True, exist_ok=True)
    ports = configs.PORTS
    plain = f"tcp port {ports['pypi']} or tcp port {ports['npm']} or tcp port {ports['debian']}"
    name = "nginx-pip-npm-session"
    rows = [
        [*capture.capture(out, name, plain, logs, lambda: capture.plain(client)),
         "plain HTTP/1.1: pip, npm, curl; keep-alive, gzip, range, 304, HEAD, POST, HTTP/1.0, an abort"]
    ]  # fmt: skip
    name = "nginx-curl-tls-session"
    keylog = out / f"{name}.keylog"
    keylog.unlink(missing_ok=True)
    rows.append(
        [*capture.capture(out, name, f"tcp port {ports['nginx-tls']}", logs, lambda: capture.secure(client, keylog)),
         "TLS 1.3 with its key log: HTTP/2, then HTTP/1.1; two hosts"]
    )  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
