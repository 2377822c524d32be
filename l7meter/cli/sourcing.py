"""`l7meter source`: what was read, and taking it out again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.asking import DryRun, Yes, confirm
from l7meter.cli.options import (
    DEFAULT_STORE,
    FormatOption,
    HopsOption,
    LogFormatOption,
    MapOption,
    OrganizationsOption,
    Output,
    OutputOption,
    RefdataOption,
    RegistryOption,
    StoreOption,
    ZoneOption,
    examples,
    said,
)
from l7meter.cli.printing import print_cards, print_rows
from l7meter.errors import UNREADABLE, UsageError

if TYPE_CHECKING:
    from l7meter.attribution import Attribution
    from l7meter.ingest import Said
    from l7meter.store import SourceRow, Store

app = typer.Typer(
    help="The sources that were read: list them, and take out one that should not count.",
    no_args_is_help=True,
)
_Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Sources as 'l7meter source list' names them: an id (its first digits will do), or the name of the file.")]  # fmt: skip


@app.command(
    "list", epilog=examples("l7meter source list", "l7meter source list --problems -o csv")
)
def list_(
    store: StoreOption = DEFAULT_STORE,
    problems: Annotated[bool, typer.Option("--problems", help="Only those that broke off, or have rejected lines.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """List the sources, the newest last."""
    import polars as pl

    from l7meter.store import Store

    frame = Store.open(store).ledger()
    if problems:
        frame = frame.filter(pl.col("problem").is_not_null() | (pl.col("rejects") > 0))
    if output is Output.table:  # what fits a terminal; the first digits of an id will do
        frame = frame.select(
            pl.col("source_id").str.head(12).alias("source"),
            "name",
            "format",
            pl.col("first_ts").dt.date().alias("from"),
            pl.col("last_ts").dt.date().alias("to"),
            "records",
            "rejects",
            "problem",
        )
        print_rows(frame.select(c for c in frame.columns if frame[c].null_count() < frame.height or not frame.height), output)  # fmt: skip
        return
    shown = ("source_id", "name", "format", "ingested_at", "first_ts", "last_ts", "lines", "records", "rejects", "problem")  # fmt: skip
    print_rows(frame.select(shown), output)


@app.command(epilog=examples("l7meter source show 3f2a", "l7meter source show access.log -o json"))
def show(
    ids: _Ids, store: StoreOption = DEFAULT_STORE, output: OutputOption = Output.table
) -> None:
    """Say all that the ledger knows of sources."""
    import polars as pl

    from l7meter.store import Store

    opened = Store.open(store)
    wanted = [row.source_id for row in _chosen(opened, ids)]
    frame = opened.ledger().filter(pl.col("source_id").is_in(wanted))
    if output is Output.table:
        print_cards(frame.select(c for c in frame.columns if frame[c].null_count() < frame.height))
    else:
        print_rows(frame, output)


@app.command(
    epilog=examples(
        "l7meter source forget 3f2a --dry-run",
        "l7meter source forget access.log --again --format debian-combined",
    )
)
def forget(
    ids: _Ids,
    store: StoreOption = DEFAULT_STORE,
    again: Annotated[bool, typer.Option("--again", help="Read the files anew, as the options say, and put that in their place, in one commit.")] = False,
    format_: FormatOption = None,
    log_format: LogFormatOption = None,
    map_: MapOption = None,
    trusted_hops: HopsOption = 0,
    timezone: ZoneOption = "UTC",
    registry: RegistryOption = None,
    organizations: OrganizationsOption = None,
    refdata: RefdataOption = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:  # fmt: skip
    """Take sources out with all of their records and rejects: a wrong file, a wrong format.

    Of a file that grew, all parts go. Its days are summed up anew, and closed ones become restated;
    'l7meter store expire' ends the time travel to what was.
    """
    from l7meter.attribution import Attribution
    from l7meter.store import Store
    from l7meter.store import forget as run

    with Store.open(store) as opened:
        rows = _chosen(opened, ids)
        wanted = [row.source_id for row in rows]
        found = run(opened, wanted, dry_run=True)
        what = f"{len(rows):,} sources: {found.records:,} records, {found.rejects:,} rejects of {len(found.days):,} days"  # fmt: skip
        _warn(found.frozen)
        if dry_run:
            print(f"would take out {what} (dry run)")
            return
        if again:
            told = said(format_, log_format, map_, trusted_hops, timezone)
            attribution = Attribution(registry, organizations=organizations, refdata=refdata)
            _again(opened, rows, told, attribution)
            return
        confirm(f"Take out {what}?", yes, "source forget")
        taken = run(opened, wanted)
    print(f"took out {what}; snapshot {taken.snapshot}")


def _warn(frozen: int) -> None:
    if frozen:
        print(f"l7meter: {frozen:,} of these records are of days whose other records retention has deleted: the sums of those days keep them", file=sys.stderr)  # fmt: skip


def _again(opened: Store, rows: list[SourceRow], told: Said, attribution: Attribution) -> None:
    from l7meter.ingest import ingest

    kept = {row.privacy for row in rows} - {None}
    if kept:
        raise UsageError("these were stored under a privacy policy, which only 'l7meter run' knows: forget them without --again, and run it")  # fmt: skip
    done = ingest(
        dict.fromkeys(row.name for row in rows),
        opened,
        told,
        attribution=attribution,
        anew=[row.source_id for row in rows],
    )
    for source in done.sources:
        instead = f" in the place of {len(source.instead):,} sources" if source.instead else ""
        print(f"{source.name}: {source.status}: {source.records:,} records, {source.rejects:,} rejects{instead}")  # fmt: skip
        if source.problem:
            print(f"l7meter: {source.name}: {source.problem}", file=sys.stderr)
    if done.failed:
        print("l7meter: what cannot be read again stays as it was", file=sys.stderr)
        raise typer.Exit(UNREADABLE)


def _chosen(opened: Store, ids: list[str]) -> list[SourceRow]:
    """The sources that are meant, with the other parts of files that grew; `UsageError` for none or several."""
    from l7meter.store.entries import all_sources, with_parts

    rows = all_sources(opened)
    found: set[str] = set()
    for given in ids:
        mine = [row for row in rows if row.source_id.startswith(given)] if len(given) > 3 else []
        named = [row for row in rows if row.name == given]
        if len({row.source_id for row in mine}) > 1:
            raise UsageError(f"{given}: {len(mine)} sources begin so; give more digits")
        if not (mine or named):
            raise UsageError(f"{given}: no such source; 'l7meter source list' has their ids and names")  # fmt: skip
        found |= {row.source_id for row in mine or named}
    return with_parts(opened, found)


def register(above: typer.Typer) -> None:
    """Add the commands."""
    above.add_typer(app, name="source")
