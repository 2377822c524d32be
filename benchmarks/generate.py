"""Write a registry's log of any length: `python -m benchmarks.generate nginx --lines 4000000`.

The same exchanges in each format: what nginx writes (`combined`), the same compressed (`gzip`), what
Apache writes (`combined`), and JSON lines as a registry has Fastly write them. One line in a thousand
is spoilt: a binary request, an empty one, or a line cut short (not in JSON: Polars' own reader, a
peer, stops at such a line).

Beside each file stands `<file>.truth.json`: what a correct reader finds in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from isal import igzip

from benchmarks import exchanges
from benchmarks.exchanges import BINARY, CHOPPED, CHUNK, EMPTY, Population

DATA = Path(__file__).with_name("data")
SEED = 20260309
MADE_BY = hashlib.blake2b(
    exchanges.AGENTS.read_bytes()
    + Path(exchanges.__file__).read_bytes()
    + Path(__file__).read_bytes()
    + f"numpy {np.__version__} polars {pl.__version__}".encode()
).hexdigest()[:16]


@dataclass(frozen=True)
class Truth:
    """What is in a file; `octets` sums the format's own size field over the lines that are whole."""

    format: str
    lines: int
    chopped: int
    binary: int
    empty: int
    octets: int
    bad_octets: int  # of them, those answered to binary and empty requests
    file_bytes: int
    text_bytes: int
    seed: int
    made_by: str  # a file of another generator is made anew

    @property
    def whole(self) -> int:
        """Lines that were not cut."""
        return self.lines - self.chopped

    @property
    def well_formed(self) -> int:
        """Lines that hold a request."""
        return self.whole - self.binary - self.empty

    def times(self, count: int) -> Truth:
        """What the file holds when it is read `count` times over."""
        counts = (
            "lines",
            "chopped",
            "binary",
            "empty",
            "octets",
            "bad_octets",
            "file_bytes",
            "text_bytes",
        )
        return replace(self, **{name: getattr(self, name) * count for name in counts})


@dataclass(frozen=True)
class Writer:
    """How a format writes an exchange: one line as an expression, and the size it states."""

    suffix: str
    line: Callable[[], pl.Expr]
    octets: Callable[[], pl.Expr]
    cuts: bool = True


def _clf_request(binary: str, empty: str) -> pl.Expr:
    request = pl.format("{} {} {}", "method", "target", "version")
    return _by_ugliness(request, pl.lit(binary), pl.lit(empty))


def _by_ugliness(clean: pl.Expr, binary: pl.Expr, empty: pl.Expr) -> pl.Expr:
    ugly = pl.col("ugly")
    return pl.when(ugly == BINARY).then(binary).when(ugly == EMPTY).then(empty).otherwise(clean)


def _unless_bad_request(column: pl.Expr, otherwise: object) -> pl.Expr:
    bad = pl.col("ugly").is_in([BINARY, EMPTY])
    return pl.when(bad).then(pl.lit(otherwise)).otherwise(column)


def _status() -> pl.Expr:
    return _unless_bad_request(pl.col("status"), 400)


def _content() -> pl.Expr:
    return _unless_bad_request(pl.col("octets"), exchanges.ERROR_OCTETS)


def _agent() -> pl.Expr:
    return _unless_bad_request(pl.col("agent"), "-")


def _clf_line(request: pl.Expr, size: pl.Expr, agent: pl.Expr) -> pl.Expr:
    time = pl.col("ts").dt.strftime("%d/%b/%Y:%H:%M:%S +0000")
    return pl.format(
        '{} - - [{}] "{}" {} {} "{}" "{}"',
        "client", time, request, _status(), size, _unless_bad_request(pl.col("referrer"), "-"), agent,
    )  # fmt: skip


def _nginx_line() -> pl.Expr:
    request = _clf_request(r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", "")
    return _clf_line(request, _content(), _agent().str.replace_all('"', r"\x22", literal=True))


def _apache_line() -> pl.Expr:
    request = _clf_request(r"\x16\x03\x01\x02", "-")
    size = pl.when(_content() == 0).then(pl.lit("-")).otherwise(_content().cast(pl.String))
    return _clf_line(request, size, _agent().str.replace_all('"', r"\"", literal=True))


def _message() -> pl.Expr:
    return (
        _content() + 300 + pl.col("duration") % 128
    )  # with a status line and fields of some length


def _fastly_line() -> pl.Expr:
    path, query = (
        pl.col("target").str.splitn("?", 2).struct.field(f"field_{part}").fill_null("")
        for part in (0, 1)
    )
    values: dict[str, pl.Expr] = {
        "timestamp": pl.format('"{}"', pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S")),
        "client_ip": pl.format('"{}"', "client"),
        "request": pl.format('"{}"', _by_ugliness(pl.col("method"), pl.lit(""), pl.lit(""))),
        "request_path": pl.format('"{}"', _by_ugliness(path, pl.lit(r"\u0016\u0003"), pl.lit(""))),
        "request_query": pl.format('"{}"', _unless_bad_request(query, "")),
        "request_bytes": 40 + pl.col("target").str.len_bytes() + pl.col("agent").str.len_bytes(),
        "response_bytes": _message(),
        "response_status": pl.format('"{}"', _status()),
        "http2": pl.when(pl.col("version") == "HTTP/2.0").then(pl.lit("true")).otherwise(pl.lit("false")),
        "tls_version": pl.lit('"TLSv1.3"'),
        "cache_state": pl.when(pl.col("octets") % 16 == 0).then(pl.lit('"MISS"')).otherwise(pl.lit('"HIT"')),
        "user_agent": pl.format('"{}"', _agent().str.replace_all('"', r"\"", literal=True)),
        "time_elapsed": pl.col("duration"),
    }  # fmt: skip
    braces = ",".join(f'"{key}":{{}}' for key in values)
    # pl.format has no escape for a literal brace, so the object's own braces are put around it
    return pl.concat_str(pl.lit("{"), pl.format(braces, *values.values()), pl.lit("}"))


WRITERS = {
    "nginx": Writer(".log", _nginx_line, _content),
    "apache": Writer(".log", _apache_line, _content),
    "fastly": Writer(".jsonl", _fastly_line, _message, cuts=False),
}
FORMATS = (*WRITERS, "gzip")


def make(
    format_name: str, lines: int, seed: int = SEED, directory: Path = DATA
) -> tuple[Path, Truth]:
    """Return the file of `lines` lines and its truth; make it unless this generator already has."""
    if format_name == "gzip":
        return _compressed(lines, seed, directory)
    path = directory / f"{format_name}-{lines}-{seed}{WRITERS[format_name].suffix}"
    if known := _known(path):
        return path, known
    directory.mkdir(parents=True, exist_ok=True)
    counts = write(format_name, lines, seed, path)
    size = path.stat().st_size
    truth = Truth(
        format=format_name,
        lines=lines,
        **counts,
        file_bytes=size,
        text_bytes=size,
        seed=seed,
        made_by=MADE_BY,
    )
    return path, _keep(path, truth)


def write(format_name: str, lines: int, seed: int, path: Path) -> dict[str, int]:
    """Write the lines to `path`; return the counts of `Truth`, from `chopped` to `bad_octets`."""
    population = Population(seed)
    writer = WRITERS[format_name]
    ugly = pl.col("ugly")
    chopped = (ugly == CHOPPED) & writer.cuts
    kept = pl.when(chopped).then(pl.col("cut"))  # null: all of it
    totals = []
    with path.open("wb") as file:
        for number in range(-(-lines // CHUNK)):
            frame = exchanges.chunk(population, number).head(lines - number * CHUNK)
            frame.select(writer.line().str.slice(0, kept)).write_csv(
                file, include_header=False, quote_style="never"
            )
            totals.append(
                frame.select(
                    chopped=chopped.sum(),
                    binary=(ugly == BINARY).sum(),
                    empty=(ugly == EMPTY).sum(),
                    octets=writer.octets().filter(~chopped).sum(),
                    bad_octets=writer.octets().filter(ugly.is_in([BINARY, EMPTY])).sum(),
                )
            )
    return pl.concat(totals).sum().row(0, named=True)


def _compressed(lines: int, seed: int, directory: Path) -> tuple[Path, Truth]:
    plain, truth = make("nginx", lines, seed, directory)
    path = plain.with_suffix(".log.gz")
    if known := _known(path):
        return path, known
    with (
        plain.open("rb") as text,
        path.open("wb") as raw,
        igzip.IGzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as file,
    ):
        shutil.copyfileobj(text, file, 1 << 20)
    changed = {"format": "gzip", "file_bytes": path.stat().st_size}
    return path, _keep(path, Truth(**(asdict(truth) | changed)))


def _truth_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.truth.json")


def _known(path: Path) -> Truth | None:
    if not (path.exists() and _truth_path(path).exists()):
        return None
    truth = Truth(**json.loads(_truth_path(path).read_text()))
    return truth if truth.made_by == MADE_BY else None


def _keep(path: Path, truth: Truth) -> Truth:
    _truth_path(path).write_text(json.dumps(asdict(truth), indent=1))
    return truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--directory", type=Path, default=DATA)
    options = parser.parse_args()
    path, truth = make(options.format, options.lines, options.seed, options.directory)
    print(json.dumps({"path": str(path)} | asdict(truth), indent=1))


if __name__ == "__main__":
    main()
