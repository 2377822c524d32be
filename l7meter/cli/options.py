"""Options that several commands share."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.errors import UsageError

if TYPE_CHECKING:
    from l7meter.ingest import Said


class Output(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    parquet = "parquet"
    markdown = "markdown"


StoreOption = Annotated[
    Path,
    typer.Option("--store", "-s", envvar="L7METER_STORE", help="Directory of the store.", show_default=True),
]  # fmt: skip
OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="How rows are written; plain bytes and numbers in all but table.")
]  # fmt: skip
FormatOption = Annotated[
    str | None, typer.Option("--format", "-f", metavar="NAME", help="The sources' format ('l7meter formats'); told by their content if not given.")
]  # fmt: skip
LogFormatOption = Annotated[
    str | None, typer.Option("--log-format", metavar="STRING|FILE[:NAME]", help="Format string of nginx, Apache, HAProxy or Envoy; or a configuration file of the first three that holds it (HAProxy's says what it captures, too).")
]  # fmt: skip
MapOption = Annotated[
    list[str] | None, typer.Option("--map", metavar="FILE|FIELD=COLUMN", help="A mapping for JSON or for CSV with a header: a TOML file, or field=column pairs.")
]  # fmt: skip
HopsOption = Annotated[
    int, typer.Option("--trusted-hops", min=0, help="Proxies of your own in front of the server that logs: so many entries of the forwarded-for list, from its end, are theirs to vouch for.")
]  # fmt: skip
ZoneOption = Annotated[
    str, typer.Option("--timezone", metavar="ZONE", help="Zone of times that are logged without one.")
]  # fmt: skip
EngineOption = Annotated[
    str | None, typer.Option("--engine", metavar="ENGINE", help="What reads packet captures: columnar (the default) or exact, which takes one packet after the other: slower, the same records. tshark opens TLS with the secrets that a pcapng holds.")
]  # fmt: skip
KeysOption = Annotated[
    Path | None, typer.Option("--tls-keys", metavar="FILE", help="Key log (SSLKEYLOGFILE) that opens TLS and QUIC in packet captures; needs tshark and the extra 'tshark'.")
]  # fmt: skip
RegistryOption = Annotated[
    list[str] | None, typer.Option("--registry", metavar="[HOST=]ECOSYSTEM", help="What the sources are logs of (a purl type: pypi, npm, maven, oci, ...), where host and path do not tell; with HOST= (or *.DOMAIN=) what that host serves, whatever its name or paths look like.")
]  # fmt: skip
RefdataOption = Annotated[
    Path | None, typer.Option("--refdata", envvar="L7METER_REFDATA", metavar="DIR", help="Directory of imported reference data ('l7meter refdata').", show_default="the user's data directory")
]  # fmt: skip
OrganizationsOption = Annotated[
    Path | None, typer.Option("--organizations", envvar="L7METER_ORGANIZATIONS", metavar="FILE", help="The foundation's own organisations: their networks, ASNs, credentials and agents (TOML).")
]  # fmt: skip
SnapshotOption = Annotated[
    int | None, typer.Option("--snapshot", metavar="N", help="The store as of an earlier snapshot: before an ingest, or with former conclusions ('l7meter attribute' tells which).")
]  # fmt: skip

DEFAULT_STORE = Path("l7meter-store")


def examples(*lines: str) -> str:
    """The examples under a command's help."""
    return "[bold]Examples[/bold]\n\n" + "\n\n".join(f"[dim]$[/dim] {line}" for line in lines)


def parse_day(text: str | None, option: str) -> date | None:
    """The day that an option names. Raises `UsageError` for text that is none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(f"{option} {text}: no day; write it as in 2026-01-31") from error


def said(
    format_: str | None,
    log_format: str | None,
    map_: list[str] | None,
    hops: int,
    zone: str,
    engine: str | None = None,
    keys: Path | None = None,
) -> Said:
    """What the operator says of the sources.

    Raises `UsageError` where it contradicts itself or names nothing.
    """
    from l7meter.formats import Options
    from l7meter.formats.times import is_zone
    from l7meter.ingest import Said

    given = [name for name, value in (("--format", format_), ("--log-format", log_format), ("--map", map_)) if value]  # fmt: skip
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} contradict each other: give one of them")
    if not is_zone(zone):
        raise UsageError(f"--timezone {zone}: no such zone; give one like Europe/Paris")
    made = Said(format_, log_format, tuple(map_ or ()), Options(hops, zone), engine, keys)
    made.formats()
    return made
