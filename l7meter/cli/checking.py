"""`l7meter check`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import (
    FormatOption,
    HopsOption,
    LogFormatOption,
    MapOption,
    ZoneOption,
    examples,
    said,
)
from l7meter.cli.printing import console, literal
from l7meter.errors import SourceError

if TYPE_CHECKING:
    from rich.console import Console

    from l7meter.ingest import Checked
    from l7meter.ingest.checking import Captured

EXAMPLES = examples(
    "l7meter check access.log",
    "l7meter check --log-format /etc/apache2/apache2.conf:combined access.log",
    "l7meter check capture.pcapng",
)
# https://www.tcpdump.org/linktypes.html
LINKS = {
    0: "BSD loopback", 1: "Ethernet", 9: "PPP", 10: "FDDI", 12: "raw IP", 14: "raw IP", 50: "PPP in HDLC",
    51: "PPPoE", 101: "raw IP", 104: "Cisco HDLC", 105: "802.11", 108: "OpenBSD loopback", 109: "ENC",
    113: "Linux cooked", 117: "PFLOG", 119: "Prism", 127: "radiotap", 163: "AVS", 192: "PPI",
    204: "PPP with direction", 228: "raw IPv4", 229: "raw IPv6", 239: "NFLOG", 258: "PKTAP",
    276: "Linux cooked v2",
}  # fmt: skip


def check(
    source: Annotated[str, typer.Argument(help="A file, or - for standard input.")],
    format_: FormatOption = None,
    log_format: LogFormatOption = None,
    map_: MapOption = None,
    trusted_hops: HopsOption = 0,
    timezone: ZoneOption = "UTC",
) -> None:
    """Say what a source is: its format and why, what its size means, the first lines that fail.

    Of a packet capture: its packets and connections, what was skipped and why.
    """
    from l7meter.ingest import check as run

    found = run(source, said(format_, log_format, map_, trusted_hops, timezone))
    out = console()
    if found.format is None:
        _unclaimed(found, out)
        raise SourceError(f"{source}: no format claims it")
    _claimed(found, out)
    _failing(found, out)
    given = [
        *(("--format", format_) if format_ else ()),
        *(("--log-format", log_format) if log_format else ()),
        *(word for pair in map_ or () for word in ("--map", pair)),
        *(("--trusted-hops", str(trusted_hops)) if trusted_hops else ()),
        *(("--timezone", timezone) if timezone != "UTC" else ()),
    ]
    command = shlex.join(["l7meter", "ingest", *given, source])
    out.print(f"\nNext: [bold]{literal(command)}[/]", highlight=False)


def _claimed(found: Checked, out: Console) -> None:
    from l7meter.formats.envelopes import Enveloped

    format_ = found.format
    assert format_ is not None
    best = found.claims[0] if found.claims else None
    others = found.claims[1:]
    name, title = literal(format_.name), literal(format_.title)
    out.print(f"[bold]{literal(found.name)}[/]: {name} — {title}", highlight=False)
    if best:
        why = (
            f"{best.records:,} of {best.records + best.rejects:,} lines of a sample are its records"
        )
        also = [other.format.name for other in others if other.share >= 0.5]
        if also:
            why += f"; {', '.join(also)} reads them too, but less of each"
        out.print(f"  why      {why}", highlight=False)
    reader = format_.reader
    while isinstance(reader, Enveloped):
        out.print(f"  around   {literal(reader.envelope.name)}, taken off", highlight=False)
        reader = reader.inner
    if found.folded:
        out.print(
            "  folded   an array, or objects over several lines: each object is taken as a line"
        )
    out.print(f"  size     {format_.size}", highlight=False)
    out.print(f"  moment   {format_.moment}", highlight=False)
    if format_.note:
        out.print(f"  note     {format_.note}", highlight=False)
    out.print(f"  source   {found.compression if found.compression != 'none' else 'not compressed'}", highlight=False)  # fmt: skip
    if found.captured:
        _packets(found.captured, out)
    else:
        skipped = "".join(
            f", {count:,} skipped ({reason})" for reason, count in found.skipped.items()
        )
        out.print(f"  lines    {found.lines:,} in the first blocks: {found.records:,} records, {found.rejects.height:,} rejects{skipped}", highlight=False)  # fmt: skip
    if found.problem:
        out.print(f"  [red]broken[/]   {literal(found.problem)}", highlight=False)
    if format_.specification.startswith("https://"):
        out.print(f"  see      {literal(format_.specification)}", highlight=False)


def _packets(found: Captured, out: Console) -> None:
    from l7meter.cli.summary import captured

    if not found.whole:
        out.print("  part     the first 64 MiB; connections that go on beyond are cut there")
    links = ", ".join(LINKS.get(link, f"number {link}, which is not read") for link in found.links)
    out.print(f"  links    {links or 'no packet tells'}", highlight=False)
    for name, line in zip(("read", "octets", ""), captured(found.sums), strict=False):
        out.print(f"  {name:8} {line}", highlight=False)
    if found.sums.bad_checksums:
        out.print(f"  notice   {found.sums.bad_checksums:,} packets with a wrong checksum, kept: offload to the network card makes them", highlight=False)  # fmt: skip
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items())
    out.print(f"  records  {kinds or 'none'}", highlight=False)


def _failing(found: Checked, out: Console) -> None:
    from rich.text import Text

    from l7meter.reports.cells import visible

    for row, nearest in zip(
        found.rejects.head(5).iter_rows(named=True), found.nearest, strict=False
    ):
        hint = (
            f" (it is {nearest})"
            if nearest and nearest != getattr(found.format, "name", "")
            else ""
        )
        out.print(
            f"\n  line {row['source_line']:,}: {literal(row['reason'])}{hint}", highlight=False
        )
        out.print(Text("    " + visible((row["line"] or "")[:300])))


def _unclaimed(found: Checked, out: Console) -> None:
    name = literal(found.name)
    out.print(f"[bold]{name}[/]: no format reads half of its first lines", highlight=False)
    for claim in found.claims[:3]:
        out.print(f"  {claim.format.name} reads {claim.records:,} of {claim.records + claim.rejects:,}", highlight=False)  # fmt: skip
    out.print("\nNext: give the format string that wrote it, or map its fields:", highlight=False)
    out.print(f"  l7meter check --log-format /etc/nginx/nginx.conf {name}", highlight=False)
    out.print(f"  l7meter check --map time=ts --map ip=client_address {name}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(check)
