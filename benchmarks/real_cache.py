"""A real cache (nginx's proxy_cache) beside what `whatif cache` predicts of it.

`python -m benchmarks.real_cache [--seconds 90]`. Requests are replayed twice on loopback: straight to an origin, whose log
is ingested and predicts; and through the cache, where the origin's log then says what it was asked for. A
cache without limit has to agree to the octet. nginx makes room every ten seconds only, so that a limited one lies
between what is predicted for its limit and for the most that it held; in `--seconds` so many times less room is
made than requests come.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from l7meter.analysis.whatif import caches
from l7meter.attribution import Attribution
from l7meter.ingest import Said, ingest
from l7meter.store import Store, connect

LOG = '$remote_addr [$msec] "$request" $status $bytes_sent $body_bytes_sent'
KEPT = {**caches.LIFETIMES, "index": timedelta(hours=1)}
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; default_type application/octet-stream; keepalive_requests 1000000;
  log_format l7 '{log}';
  proxy_temp_path {folder}/proxy; client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  proxy_cache_path {folder}/cache levels=2 keys_zone=kept:8m inactive=30d use_temp_path=off{limit};
  server {{ listen 127.0.0.1:{origin}; root {folder}/files; access_log {folder}/origin.log l7;
    location /packages/ {{ add_header Cache-Control "max-age=31536000, immutable"; }}
    location /simple/ {{ add_header Cache-Control "max-age={lifetime}"; try_files $uri/index.html =404; }} }}
  upstream there {{ server 127.0.0.1:{origin}; keepalive 8; }}
  server {{ listen 127.0.0.1:{cache}; location / {{
    proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_cache kept; proxy_cache_key $uri; proxy_cache_revalidate on; }} }}
}}
"""  # fmt: skip


class Request(NamedTuple):
    """A GET of a path, of a part of it, or on the condition that it changed."""

    path: str
    kind: str = "whole"  # part, again


class Asked(NamedTuple):
    """What the origin was asked for: requests, and octets of messages."""

    requests: int
    octets: int


def files(folder: Path, count: int, seed: int = 7) -> list[str]:
    """`count` artifacts of 20 kB to some MB, and an index page for each ten; gives their paths."""
    draw = random.Random(seed)
    paths = []
    for n in range(count):
        path = f"/packages/{n % 7:02x}/{n:02x}/{n:060x}/pkg{n}-1.0-py3-none-any.whl"
        target = folder / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(draw.randbytes(20_000 + int(min(draw.lognormvariate(11, 1), 3e6))))
        paths.append(path)
        if n % 10 == 0:
            page = folder / "simple" / f"pkg{n}" / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_bytes(draw.randbytes(3000))
            paths.append(f"/simple/pkg{n}/")
    return paths


def traffic(paths: list[str], count: int, seed: int = 11) -> list[Request]:
    """Requests by Zipf's law; a part of an artifact, or a condition, only of what was asked for before."""
    draw = random.Random(seed)
    weights = [1 / (n + 1) ** 0.8 for n in range(len(paths))]
    order = draw.sample(paths, len(paths))
    seen: set[str] = set()
    requests = []
    for path in draw.choices(order, weights, k=count):
        kind = draw.choices(["whole", "part", "again"], [90, 4, 6])[0] if path in seen else "whole"
        if kind == "part" and path.startswith("/simple/"):
            kind = "whole"
        seen.add(path)
        requests.append(Request(path, kind))
    return requests


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nginx(folder: Path, limit: int | None, lifetime: int = 3600) -> Iterator[tuple[int, int]]:
    """An origin and a cache in front of it; gives their ports. Pages are fresh for `lifetime` seconds."""
    origin, cache = free_port(), free_port()
    room = f" max_size={limit}" if limit else ""
    user = "user root;" if os.getuid() == 0 else ""
    text = NGINX.format(
        folder=folder, log=LOG, origin=origin, cache=cache, limit=room, lifetime=lifetime
    )
    (folder / "nginx.conf").write_text(user + text)
    process = subprocess.Popen([shutil.which("nginx") or "nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])  # fmt: skip
    try:
        for port in (origin, cache):
            _listening(port, process)
        yield origin, cache
    finally:
        process.terminate()
        process.wait()


def _listening(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError("nginx does not listen")


def replay(
    port: int,
    requests: list[Request],
    seconds: float = 0,
    folder: Path | None = None,
    between: Callable[[int], None] | None = None,
) -> int:
    """Ask one after the other, over `seconds`; gives the most octets that a cache in `folder` held meanwhile.

    `between` is called with the number of each request before it, and with how many there were at the end.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port)
    tags: dict[str, str] = {}
    began, most = time.monotonic(), 0
    for number, request in enumerate(requests):
        wait = began + seconds * number / len(requests) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if between:
            between(number)
        fields = {"part": {"Range": "bytes=0-99"}, "again": {"If-None-Match": tags.get(request.path, "")}}  # fmt: skip
        connection.request("GET", request.path, headers=fields.get(request.kind, {}))
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 206, 304):
            raise RuntimeError(f"{request.path}: {answer.status}")
        tags[request.path] = answer.getheader("ETag") or tags.get(request.path, "")
        if folder and number % 50 == 0:
            most = max(most, held(folder))
    connection.close()
    if between:
        between(len(requests))
    return most


def held(folder: Path) -> int:
    """Octets of the files of a cache, in blocks, as nginx counts them."""
    sizes = []
    for each in (folder / "cache").rglob("*"):
        try:
            sizes.append(each.stat().st_blocks * 512 if each.is_file() else 0)
        except FileNotFoundError:  # removed meanwhile
            continue
    return sum(sizes)


def asked(log: Path) -> Asked:
    """What a log says the origin was asked for."""
    lines = log.read_text().splitlines()
    return Asked(len(lines), sum(int(line.split()[-2]) for line in lines))


def predicted(
    log: Path,
    store: Path,
    sizes: list[int | None],
    lifetimes: Mapping[str, timedelta | None] = KEPT,
) -> dict[int | None, Asked]:
    """What `whatif cache` says the origin is asked for with a cache of each size."""
    with Store.open_or_create(store) as opened:
        ingest([str(log)], opened, Said(log_format=LOG), attribution=Attribution(["pypi"]))
    with connect(store, locked=True) as con:
        rows = caches.cache(con, by="all", sizes=sizes, lifetimes=lifetimes).rows
    return {
        row["cache_size"]: Asked(row["origin_requests"], row["origin_bytes"])
        for row in rows.to_dicts()
        if row["cache"] != "for 90 %"
    }


def straight(folder: Path, requests: list[Request]) -> Path:
    """The origin's log of the requests without a cache."""
    (folder / "origin.log").unlink(missing_ok=True)
    with nginx(folder, None) as (origin, _):
        replay(origin, requests)
    log = folder / "straight.log"
    (folder / "origin.log").rename(log)
    return log


def cached(
    folder: Path, requests: list[Request], limit: int | None, seconds: float = 0
) -> tuple[Asked, int]:
    """What the origin was asked for through a cache, and the most that this held."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    (folder / "origin.log").unlink(missing_ok=True)
    with nginx(folder, limit) as (_, cache):
        most = replay(cache, requests, seconds, folder)
    return asked(folder / "origin.log"), most


def main() -> None:
    """Print a table of what was predicted and what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=90, help="of each run with a limit")
    parser.add_argument("--requests", type=int, default=6000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        paths = files(folder / "files", 600)
        requests = traffic(paths, given.requests)
        log = straight(folder, requests)
        everything, _ = cached(folder, requests, None)
        whole = predicted(log, folder / "store", [None])[None]
        stored = held(folder)
        content = sum(
            path.stat().st_size for path in (folder / "files").rglob("*") if path.is_file()
        )
        print(
            "| cache | measured: requests, MB | predicted | predicted for the most it held |\n|---|---|---|---|"
        )
        print(
            f"| no limit | {everything.requests:,}, {everything.octets / 1e6:.3f} | {whole.requests:,}, {whole.octets / 1e6:.3f} | |"
        )
        for limit in (10_000_000, 20_000_000, 40_000_000):
            measured, most = cached(folder, requests, limit, given.seconds)
            # what of a file is not content: its blocks, nginx's own head
            low, high = (int(octets * content / stored) for octets in (limit, max(most, limit)))
            found = predicted(log, folder / "store", [low, high])
            print(f"| {limit / 1e6:.0f} MB (held up to {most / 1e6:.1f}) | {measured.requests:,}, {measured.octets / 1e6:.1f} | {found[low].requests:,}, {found[low].octets / 1e6:.1f} | {found[high].requests:,}, {found[high].octets / 1e6:.1f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
