"""Writes `sample_logs/`: the week, rotated and compressed as servers do it, and the traps."""

from __future__ import annotations

import bz2
import csv
import datetime as dt
import gzip
import io
import json
import lzma
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import zstandard

from samples.configs import APACHE_TRUTH, NGINX_TRUTH, SQUID_TRUTH, VARNISH_TRUTH
from samples.traps import TARGETS, Exchange
from samples.workday import Line


class Product(NamedTuple):
    """Where a log of the week goes, how it is rotated, and what its format is."""

    path: str
    rotation: str  # "numbered" (.1, .2.gz), "dated" (-20261103.gz) or the suffix of one whole file
    format: str
    shows: str


PRODUCTS = {
    "pypi": Product("nginx/access.log", "numbered", "nginx combined", "a Python index: pip, uv, poetry, crawlers"),
    "npm": Product("nginx-l7meter/npm.log", "zst", "nginx custom, tab-separated: the format l7meter recommends", "an npm registry: npm, pnpm, Yarn"),
    "cargo": Product("nginx-json/crates.json.log", "gz", "nginx JSON (`escape=json`)", "a sparse index and crates: Cargo over HTTP/2"),
    "maven": Product("apache/other_vhosts_access.log", "dated", "Apache vhost_combined, `%O`, zone +0100", "a Maven repository: mvn, Artifactory, Nexus"),
    "debian": Product("apache/access.log", "bz2", "Apache combined as Debian ships it: `%O`, not `%b`", "a Debian archive: apt"),
    "gems": Product("caddy/gems.log", "xz", "Caddy JSON", "a gem server: gem, Bundler"),
    "git": Product("haproxy/haproxy.log", "gz", "HAProxy HTTP log with syslog head", "git and curl over HTTP/2 behind a load balancer"),
    "squid": Product("squid/access.log", "gz", "Squid native", "a company's forward proxy, seen from inside"),
    "varnish": Product("varnish/varnishncsa.log", "", "varnishncsa", "a Debian archive behind a cache"),
}  # fmt: skip

# Files of each server's traps: our name -> the server's log, and the heading of truth files
TRAPS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "nginx": {
        f"{form}.log": (f"nginx/traps.{form}.log", ())
        for form in ("combined", "main", "l7meter", "json")
    } | {"truth.tsv": ("nginx/traps.truth.log", NGINX_TRUTH),
         "behind-proxies.log": ("nginx/origin.main.log", ())},
    "apache": {
        f"{form}.log": (f"apache/traps.{form}.log", ())
        for form in ("common", "combined-b", "combined-O", "combinedio", "vhost_combined")
    } | {"truth.tsv": ("apache/traps.truth.log", APACHE_TRUTH)},
    "caddy": {"access.log": ("caddy/traps.log", ())},
    "haproxy": {"haproxy.log": ("haproxy/haproxy.log", ())},
    "squid": {
        "access.log": ("squid/access.log", ()),
        "truth.tsv": ("squid/truth.log", SQUID_TRUTH),
    },
    "varnish": {
        "varnishncsa.log": ("varnish/varnishncsa.log", ()),
        "truth.tsv": ("varnish/truth.log", VARNISH_TRUTH),
    },
}  # fmt: skip


def compress(data: bytes, suffix: str) -> bytes:
    """`data` as a file ending in `suffix` holds it; deterministic."""
    match suffix:
        case "gz":
            return gzip.compress(data, 9, mtime=0)
        case "bz2":
            return bz2.compress(data)
        case "xz":
            return lzma.compress(data)
        case "zst":
            return zstandard.ZstdCompressor(level=19).compress(data)
    return data


def _files(product: Product, lines: list[Line]) -> dict[str, list[Line]]:
    """The lines of the week by file name, by the days (UTC) they were logged on."""
    if product.rotation not in ("numbered", "dated"):
        suffix = f".{product.rotation}" if product.rotation else ""
        return {product.path + suffix: lines}
    days: dict[dt.date, list[Line]] = defaultdict(list)
    for line in lines:
        days[dt.datetime.fromtimestamp(line.epoch, dt.UTC).date()].append(line)
    newest, files = max(days), {}
    for day, found in sorted(days.items(), reverse=True):
        age = (newest - day).days
        if age == 0:
            name = product.path
        elif product.rotation == "numbered":
            name = f"{product.path}.{age}" + (".gz" if age > 1 else "")
        else:
            name = f"{product.path}-{day:%Y%m%d}.gz"
        files[name] = found
    return files


def week(out: Path, logs: dict[str, list[Line]]) -> list[dict[str, object]]:
    """Write the week; give the manifest's rows."""
    rows = []
    for name, product in PRODUCTS.items():
        for path, lines in sorted(_files(product, logs.get(name, [])).items()):
            if not lines:
                continue
            data = b"".join(line.text for line in lines)
            suffix = path.rsplit(".", 1)[-1]
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_bytes(compress(data, suffix))
            first, last = (
                dt.datetime.fromtimestamp(line.epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                for line in (lines[0], lines[-1])
            )
            rows.append(
                {
                    "path": path,
                    "format": product.format,
                    "shows": product.shows,
                    "lines": len(lines),
                    "octets": len(data),
                    "first": first,
                    "last": last,
                }
            )
    return rows


def traps(
    out: Path, logs: Path, counts: dict[str, int], exchanges: dict[str, list[Exchange]]
) -> list[dict[str, object]]:
    """Write the traps as the servers wrote them, with `exchanges.tsv` beside; manifest's rows.

    `counts` says how many lines of each log belong to the traps; sessions follow in the same files.
    """
    rows: list[dict[str, object]] = []
    for server in (name for name in TARGETS if name in exchanges):
        folder = out / "traps" / server
        folder.mkdir(parents=True, exist_ok=True)
        for name, (log, heading) in TRAPS[server].items():
            lines = (logs / log).read_bytes().splitlines(keepends=True)[: counts[log]]
            head = "\t".join(heading).encode() + b"\n" if heading else b""
            (folder / name).write_bytes(head + b"".join(lines))
            rows.append({"path": f"traps/{server}/{name}", "lines": len(lines)})
        text = io.StringIO()
        table = csv.writer(
            text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        table.writerow(Exchange._fields)
        table.writerows(
            ["" if value is None else value for value in row] for row in exchanges[server]
        )
        (folder / "exchanges.tsv").write_text(text.getvalue())
        rows.append({"path": f"traps/{server}/exchanges.tsv", "lines": len(exchanges[server])})
    return rows


def manifest(
    out: Path,
    rows: list[dict[str, object]],
    trap_rows: list[dict[str, object]],
    versions: dict[str, str],
) -> None:
    """`manifest.json`: what the tests hold the files against."""
    content = {"servers": versions, "week": rows, "traps": trap_rows}
    (out / "manifest.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
