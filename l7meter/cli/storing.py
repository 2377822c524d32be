"""`l7meter store`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.asking import DryRun, Yes, asks, confirm
from l7meter.cli.options import (
    DEFAULT_STORE,
    Output,
    OutputOption,
    SnapshotOption,
    StoreOption,
    examples,
    parse_day,
)
from l7meter.cli.printing import print_rows
from l7meter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    help="Look after a store: its state, whether it is right, small files, left-overs.",
    no_args_is_help=True,
)
TablesOption = Annotated[
    list[str] | None, typer.Option("--table", metavar="NAME", help="Only this table; may be given again.")
]  # fmt: skip
DAMAGED = 3


class ExportFormat(StrEnum):
    """Formats of files that an export writes."""

    parquet = "parquet"
    csv = "csv"
    jsonl = "jsonl"


class Partition(StrEnum):
    """How the rows of a table are divided into files."""

    day = "day"
    none = "none"


def info(store: StoreOption = DEFAULT_STORE, output: OutputOption = Output.table) -> None:
    """Say what is in a store: rows, files, octets, sources, time range."""
    import polars as pl

    from l7meter.store import Store

    found = Store.open(store).info()
    if output is Output.table:
        rows = [(name, "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)) for name, value in found.items()]  # fmt: skip
        print_rows(pl.DataFrame(rows, schema=["what", "value"], orient="row"), output, wrapped=True)
    else:
        print_rows(pl.DataFrame([found]), output)


def verify(
    store: StoreOption = DEFAULT_STORE,
    quick: Annotated[bool, typer.Option("--quick", help="Files and ledger only; do not read every row.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Check that every file is there and whole, and that the rows add up to the ledger.

    Exits with 3 if anything is wrong.
    """
    import polars as pl

    from l7meter.store import Store
    from l7meter.store import verify as run

    problems = run(Store.open(store), deep=not quick)
    if problems or output is not Output.table:
        names = ["kind", "where", "message"]
        print_rows(pl.DataFrame([tuple(each) for each in problems], schema=dict.fromkeys(names, pl.String), orient="row"), output)  # fmt: skip
    else:
        print(f"{_name(store)}: nothing is wrong")
    if problems:
        raise typer.Exit(DAMAGED)


def repair(store: StoreOption = DEFAULT_STORE, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Remove the files that interrupted runs left behind; nothing that counts is touched."""
    from l7meter.store import Store
    from l7meter.store import repair as run

    opened = Store.open(store)
    found = run(opened, dry_run=True)
    _list(found, "would remove")
    if dry_run or not found:
        print(f"{_name(store)}: {len(found):,} left-over files{' (dry run)' if dry_run else ''}")
        return
    if not yes and asks():
        typer.confirm(f"Remove {len(found):,} files that nothing refers to?", abort=True)
    print(f"{_name(store)}: {len(run(opened)):,} left-over files removed")


def compact(
    store: StoreOption = DEFAULT_STORE, table: TablesOption = None, dry_run: DryRun = False
) -> None:
    """Merge small files; the rows and every answer stay the same.

    The old files stay for --snapshot until 'l7meter store expire'.
    """
    from l7meter.cli.progress import counting
    from l7meter.store import Store
    from l7meter.store import compact as run
    from l7meter.store.catalog import REQUIRED
    from l7meter.store.maintenance import mergeable

    if unknown := set(table or ()) - set(REQUIRED):
        raise UsageError(f"--table {min(unknown)}: there are {', '.join(REQUIRED)}")
    opened = Store.open(store)
    made = merged = 0
    for name in table or REQUIRED:
        groups = mergeable(opened, name)
        made, merged = made + len(groups), merged + sum(map(len, groups))
        if groups and not dry_run:
            with counting(f"files of {name} merged") as report:
                run(opened, name, report=report)
    would = "would merge" if dry_run else "merged"
    print(f"{_name(store)}: {would} {merged:,} files into {made:,}")


def rollup(
    store: StoreOption = DEFAULT_STORE,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make them all anew, but those whose records are gone.")] = False,
) -> None:  # fmt: skip
    """Sum up the records by the hour and the day that are not summed up yet; every answer stays the same.

    Of large files also what what-ifs of a sample need.
    """
    from l7meter.store import Store, cover
    from l7meter.store import rebuild as again

    with Store.open(store) as opened:
        done = again(opened) if rebuild else cover(opened)
    print(f"{_name(store)}: {done:,} records summed up")


def expire(
    store: StoreOption = DEFAULT_STORE,
    keep_days: Annotated[int | None, typer.Option("--keep-days", min=0, metavar="N", help="Keep every state that the store had in the last N days.")] = None,
    keep_snapshot: Annotated[int | None, typer.Option("--keep-snapshot", metavar="N", help="Keep this snapshot and the later ones.")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:  # fmt: skip
    """End --snapshot before a point, and remove the files that only earlier snapshots have.

    The latest state stays whole. What is removed cannot be had again.
    """
    from l7meter.store import Store
    from l7meter.store import expire as run
    from l7meter.store.maintenance import oldest_needed

    if (keep_days is None) == (keep_snapshot is None):
        raise UsageError("store expire: give --keep-days or --keep-snapshot, one of them")
    opened = Store.open(store)
    keep = keep_snapshot
    if keep_days is not None:
        keep = oldest_needed(opened, datetime.now(UTC) - timedelta(days=keep_days))
    found = run(opened, keep, dry_run=True)
    _list(found, "would remove")
    octets = sum(path.stat().st_size for path in found if path.exists())
    what = f"what was before snapshot {keep}: {len(found):,} files, {octets:,} octets"
    if dry_run:
        print(f"{_name(store)}: would expire {what} (dry run)")
        return
    confirm(f"Expire {what}?", yes, "store expire")
    removed = run(opened, keep)
    print(
        f"{_name(store)}: expired what was before snapshot {keep}: {len(removed):,} files removed"
    )


def export(
    directory: Annotated[Path, typer.Argument(help="A new or empty directory.", show_default=False)],
    store: StoreOption = DEFAULT_STORE,
    table: TablesOption = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DAY", help="First day (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DAY", help="The day after the last one (UTC).")] = None,
    format_: Annotated[ExportFormat, typer.Option("--format", "-f", help="Format of the files; csv is made safe for spreadsheets, the others are exact.")] = ExportFormat.parquet,
    partition: Annotated[Partition, typer.Option("--partition", help="A file for each day, or one for each table.")] = Partition.day,
    snapshot: SnapshotOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Copy the rows into plain files: a folder for each table and day, with a manifest.

    The directory appears once it is whole. The same snapshot gives the same octets.
    """
    from l7meter.cli.progress import counting
    from l7meter.reports.files import open_writer
    from l7meter.store import Store
    from l7meter.store.exporting import export as run

    with counting("files written") as report:
        files = run(
            Store.open(store),
            directory,
            lambda stream, schema: open_writer(format_.value, stream, schema),
            format_.value,
            tables=table or (),
            since=parse_day(since, "--since"),
            until=parse_day(until, "--until"),
            by_day=partition is Partition.day,
            snapshot=snapshot,
            force=force,
            dry_run=dry_run,
            report=report,
        )
    rows = sum(file.rows for file in files)
    if dry_run:
        _list([Path(file.path) for file in files], "would write")
        print(f"{_name(directory)}: would write {len(files):,} files, {rows:,} rows (dry run)")
    else:
        octets = sum(file.size_bytes or 0 for file in files)
        print(f"{_name(directory)}: {len(files):,} files, {rows:,} rows, {octets:,} octets")


def _list(paths: Sequence[Path], what: str) -> None:
    for path in paths:
        print(f"{what} {_name(path)}")


def _name(path: Path) -> str:
    from l7meter.reports.cells import visible

    return visible(str(path))


def register(root: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("l7meter store info", "l7meter store info -o json"))(info)
    app.command(epilog=examples("l7meter store verify", "l7meter store verify --quick"))(verify)
    app.command(epilog=examples("l7meter store repair --dry-run"))(repair)
    app.command(epilog=examples("l7meter store compact --store /srv/meter"))(compact)
    app.command(epilog=examples("l7meter store rollup"))(rollup)
    app.command(epilog=examples("l7meter store expire --keep-days 30 --dry-run", "l7meter store expire --keep-days 30 --yes"))(expire)  # fmt: skip
    app.command(epilog=examples("l7meter store export /srv/copy --since 2026-10-01 --until 2026-11-01", "l7meter store export ./usage --table records --format csv"))(export)  # fmt: skip
    root.add_typer(app, name="store")
