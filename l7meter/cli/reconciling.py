"""`l7meter reconcile`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, StoreOption, examples
from l7meter.cli.printing import console, literal, print_rows, print_table
from l7meter.cli.quality import SinceOption, UntilOption, moment
from l7meter.errors import UsageError

if TYPE_CHECKING:
    from l7meter.analysis.reconcile import Reconciliation

PARTLY = 3
SHOWN = (
    "day", "region", "billed_bytes", "metered_bytes", "unexplained_bytes", "bytes_completeness", "requests_completeness",
    "lost_bytes", "header_bytes", "hop_bytes",
)  # fmt: skip
EXAMPLES = examples(
    "l7meter reconcile usage-report.csv",
    "l7meter reconcile stats.json --since 2026-10-01 --until 2026-11-01 -o json",
    "l7meter reconcile invoice.csv --map Date=day --map 'Volume=bytes' --unit GB --timezone Europe/Berlin",
    "l7meter reconcile usage-report.csv --region-of '*/eu-*=EU' --region-of '*/us-*=US'",
)


def reconcile(
    bill: Annotated[Path, typer.Argument(help="The provider's file: CloudFront or AWS usage (CSV), Fastly stats (JSON), Cloudflare analytics (JSON, CSV), any CSV.", metavar="BILL")],
    store: StoreOption = DEFAULT_STORE,
    provider: Annotated[str | None, typer.Option("--provider", metavar="NAME", help="cloudfront, fastly, cloudflare or generic; told by content if not given.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    map_: Annotated[list[str] | None, typer.Option("--map", metavar="COLUMN=MEANING", help="What a column of a CSV file is: day, region, bytes or requests.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Unit of the bill's bytes, where it does not say: bytes, GB (1000³), GiB (1024³), TB, TiB, ...")] = None,
    region_of: Annotated[list[str] | None, typer.Option("--region-of", metavar="PATTERN=REGION", help="Region of the sources whose name matches, as the bill calls it; the first that matches.")] = None,
    timezone: Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="Zone of the bill's days.", show_default="the provider's")] = None,
    header_bytes: Annotated[float | None, typer.Option("--header-bytes", min=0, help="Octets of a response's header section, where logs say only the content.", show_default="measured, or assumed")] = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Compare a provider's bill with what was metered, day by day: what differs, why, and how complete the logs are.

    Exits with 3 if lines of the bill cannot be read; the others are compared.
    """
    from l7meter.analysis.reconcile import read_bill
    from l7meter.analysis.reconcile import reconcile as run
    from l7meter.formats.times import is_zone
    from l7meter.store import connect

    if timezone is not None and not is_zone(timezone):
        raise UsageError(f"--timezone {timezone}: no such zone; give one like Europe/Paris")
    columns = dict(_pair(each, "--map", "COLUMN=MEANING") for each in map_ or ())
    regions = dict(_pair(each, "--region-of", "PATTERN=REGION") for each in region_of or ())
    period = {"since": moment(since, "since"), "until": moment(until, "until")}
    read = read_bill(bill, provider=provider, columns=columns, unit=unit, regions=bool(regions))
    with connect(store, locked=True) as connection:
        done = run(connection, read, zone=timezone, regions=regions, header=header_bytes, **period)
    if output is Output.json:
        print(json.dumps(done.as_dict(), ensure_ascii=False))
    elif output is Output.table:
        _print(done)
    else:
        print_rows(done.days, output)
    for problem in read.problems:
        print(f"l7meter: {literal_text(problem)}", file=sys.stderr)
    if read.problems:
        print(f"l7meter: {len(read.problems):,} of {read.lines:,} lines of the bill were not read: what it bills is more than is shown", file=sys.stderr)  # fmt: skip
        raise typer.Exit(PARTLY)


def literal_text(text: str) -> str:
    """Text without what steers a terminal."""
    from l7meter.reports.cells import visible

    return visible(text)


def _pair(text: str, option: str, shape: str) -> tuple[str, str]:
    key, equals, value = text.rpartition("=")
    if not equals or not key or not value:
        raise UsageError(f"{option} {text}: give {shape}")
    return key, value


def _print(done: Reconciliation) -> None:
    """The days as a table, their sums in words, the factors, and what is to be known."""
    from l7meter.units import bytes_text

    shown = [name for name in SHOWN if name != "region" or done.days["region"].is_not_null().any()]
    print_table(
        done.days.select(shown), f"{done.bill.provider.title} and the meter, days of {done.zone}"
    )
    out = console()

    def say(text: str) -> None:
        out.print(literal(text), highlight=False)

    say("")
    total = {name: value or 0 for name, value in done.total.items()}
    if done.total["billed_bytes"] is not None:
        parts = {
            "header fields": "header_bytes",
            "lost lines": "lost_bytes",
            "hops between caches": "hop_bytes",
            "to the origin": "origin_bytes",
            "borders of days": "border_bytes",
        }
        told = [
            f"{bytes_text(total[column])} {name}" for name, column in parts.items() if total[column]
        ]
        left = f"{bytes_text(total['unexplained_bytes'])} not explained ({bytes_text(total['unexplained_low_bytes'])} to {bytes_text(total['unexplained_high_bytes'])})"  # fmt: skip
        say(f"Billed {bytes_text(total['billed_bytes'])}, metered {bytes_text(total['metered_bytes'])}: a difference of {bytes_text(total['difference_bytes'])} = {' + '.join([*told, left])}")  # fmt: skip
    for what, factor in (("bytes", done.bytes_factor), ("requests", done.requests_factor)):
        if factor:
            days = "1 day" if factor.days == 1 else f"{factor.days} days"
            say(
                f"Completeness, {what}: {factor.factor:.4f} (95 %: {factor.low:.4f} to {factor.high:.4f}, {days})"
            )
    for note in done.notes:
        say(f"Note: {note}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(reconcile)
