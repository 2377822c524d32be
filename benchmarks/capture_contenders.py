"""Who reads captures: l7meter and its peers, each a whole command, and what it found."""

from __future__ import annotations

import io
import shutil
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import polars as pl

from benchmarks.contenders import L7METER, Answer, Contender, Job, printed

TLS_CASE = "capture-tls"
_HTTP = ("http.request.method", "http.request.uri", "http.response.code", "http.content_length_header")  # fmt: skip
_TLS = ("tls.handshake.type", "tls.handshake.extensions_server_name", "tls.record.content_type", "tls.record.length")  # fmt: skip
_WHO = ("ip.src", "tcp.stream", "frame.time_epoch")
CLIENT_HELLO = "1"  # RFC 8446 section 4


def _l7meter_answer(job: Job, _: str) -> Answer:
    """Exchanges; in TLS connections, and their plaintext, which is all that nginx sent."""
    records = pl.scan_parquet(job.out / "store" / "data" / "records" / "**" / "*.parquet")
    kind = pl.col("exchange_kind").cast(pl.String)
    of = records.filter(kind == ("tls" if job.format == TLS_CASE else "http"))
    sums = of.select(pl.len(), pl.col("response_body_size", "response_size").sum().cast(pl.Int64))
    count, octets, messages = sums.collect().row(0)
    return Answer(count, octets, None if job.format == TLS_CASE else messages)


def _tshark(job: Job) -> list[str]:
    shows, fields = ("tls", _TLS) if job.format == TLS_CASE else ("http", _HTTP)
    # without this it loses exchanges as soon as packets are out of order
    command = ["tshark", "-n", "-r", job.source, "-o", "tcp.reassemble_out_of_order:TRUE"]
    command += ["-Y", shows, "-T", "fields"]
    return [*command, *(word for field in (*fields, *_WHO) for word in ("-e", field))]


def _tshark_answer(job: Job, output: str) -> Answer:
    fields = (*(_TLS if job.format == TLS_CASE else _HTTP), *_WHO)
    frame = pl.read_csv(
        io.BytesIO(output.encode()),
        separator="\t",
        quote_char=None,
        has_header=False,
        schema=dict.fromkeys(fields, pl.String()),
    )
    if job.format == TLS_CASE:
        types = frame["tls.handshake.type"].fill_null("").str.split(",")
        return Answer(int(types.list.contains(CLIENT_HELLO).sum()), None)
    answers = frame.filter(pl.col("http.response.code").fill_null("") != "")
    sizes = answers["http.content_length_header"].cast(pl.Int64, strict=False)
    return Answer(answers.height, int(sizes.sum()))


def _tshark_missing() -> str | None:
    return None if shutil.which("tshark") else "the Debian package `tshark` is not installed"


def _python_missing(package: str) -> str | None:
    try:
        version(package)
    except PackageNotFoundError:
        return f"the package `{package}` is not installed"
    return _tshark_missing() if package == "pyshark" else None


def _python(package: str, does: str, *, part: bool = False) -> Contender:
    return Contender(
        name=package,
        does=does,
        missing=partial(_python_missing, package),
        version=lambda: f"{package} {version(package)}",
        command=lambda job: [
            sys.executable, "-m", "benchmarks.capture_peers", package, job.source,
        ],
        answer=None,
        part=part,
    )  # fmt: skip


L7METER_CAPTURE = replace(
    L7METER,
    does="ingest into a store: streams reassembled, exchanges or TLS connections as attributed "
    "records, every packet accounted for, files durable",
    answer=_l7meter_answer,
)
TSHARK = Contender(
    name="tshark",
    does="writes seven fields of each HTTP message (or TLS packet) as text",
    missing=_tshark_missing,
    version=lambda: printed(["tshark", "--version"]),
    command=_tshark,
    answer=_tshark_answer,
)
PYSHARK = _python(
    "pyshark",
    "a loop over the HTTP messages of the first 20,000 packets (a tenth if that is less); its time is "
    "extrapolated to all",
    part=True,
)
DPKT = _python("dpkt", "a loop that decodes Ethernet, IP and TCP of each packet, and no more")
