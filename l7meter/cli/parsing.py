"""`l7meter parse`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import (
    EngineOption,
    FormatOption,
    HopsOption,
    KeysOption,
    LogFormatOption,
    MapOption,
    OrganizationsOption,
    Output,
    OutputOption,
    RefdataOption,
    RegistryOption,
    ZoneOption,
    examples,
    said,
)
from l7meter.cli.printing import row_writer

if TYPE_CHECKING:
    from l7meter.formats import Parsed
    from l7meter.ingest import Reading

EXAMPLES = examples(
    "l7meter parse access.log.gz -o jsonl | head -1",
    "tail -n 1000 access.log | l7meter parse - -o table",
    "l7meter parse --log-format '$remote_addr [$time_local] \"$request\" $status $bytes_sent' a.log -o csv",
    "l7meter parse capture.pcap --engine exact",
)


def parse(
    source: Annotated[str, typer.Argument(help="A file, or - for standard input.")],
    format_: FormatOption = None,
    log_format: LogFormatOption = None,
    map_: MapOption = None,
    trusted_hops: HopsOption = 0,
    timezone: ZoneOption = "UTC",
    registry: RegistryOption = None,
    organizations: OrganizationsOption = None,
    refdata: RefdataOption = None,
    engine: EngineOption = None,
    tls_keys: KeysOption = None,
    output: OutputOption = Output.jsonl,
) -> None:
    """Print the records of one source, said and concluded, in its own order; touch no store.

    JSON lines leave out what is null; timestamps are ISO 8601 in UTC. Rejected lines are counted on
    standard error, which also tells where a source broke.
    """
    from l7meter.attribution import Attribution
    from l7meter.ingest import parse as frames
    from l7meter.reports.cells import visible

    readings: list[Reading] = []
    rejected = lines = 0

    def count(parsed: Parsed) -> None:
        nonlocal rejected, lines
        rejected += parsed.rejects.height
        lines += parsed.lines

    what = said(format_, log_format, map_, trusted_hops, timezone, engine, tls_keys)
    attribution = Attribution(registry, organizations=organizations, refdata=refdata)
    with row_writer(output) as write:
        for frame in frames(
            source, what, attribution=attribution, rejected=count, opened=readings.append
        ):
            write(frame)
    for reading in readings:
        if reading.problem:
            print(visible(f"l7meter: {source}: {reading.problem}"), file=sys.stderr)
    if rejected:
        print(visible(f"l7meter: {source}: {rejected:,} of {lines:,} lines rejected: 'l7meter check {source}' says why"), file=sys.stderr)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(parse)
