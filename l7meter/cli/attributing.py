"""`l7meter attribute`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import (
    DEFAULT_STORE,
    OrganizationsOption,
    Output,
    OutputOption,
    RefdataOption,
    RegistryOption,
    StoreOption,
    examples,
    parse_day,
)
from l7meter.cli.printing import console, literal, print_rows

if TYPE_CHECKING:
    from l7meter.ingest import Reattributed

EXAMPLES = examples(
    "l7meter attribute --organizations customers.toml --dry-run",
    "l7meter attribute --since 2026-10-01 --until 2026-11-01 --organizations customers.toml",
    "l7meter attribute --dry-run -o json",
)


def attribute(
    store: StoreOption = DEFAULT_STORE,
    since: Annotated[str | None, typer.Option("--since", metavar="YYYY-MM-DD", help="The first day (UTC) whose records are concluded anew.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="The day after the last.")] = None,
    registry: RegistryOption = None,
    organizations: OrganizationsOption = None,
    refdata: RefdataOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Conclude stored records anew: with newer reference data, other declarations or rules.

    What the sources said is never changed. All of it is one commit, or nothing; the former
    conclusions stay in the store's earlier snapshot. json gives one object.
    """
    from l7meter.attribution import Attribution
    from l7meter.cli.progress import counting
    from l7meter.ingest import attribute as run
    from l7meter.store import Store

    attribution = Attribution(registry, organizations=organizations, refdata=refdata)
    first, behind = parse_day(since, "--since"), parse_day(until, "--until")
    with Store.open(store) as opened, counting("records") as report:
        done = run(opened, attribution, since=first, until=behind, dry_run=dry_run, progress=report)
    if output is Output.json:
        print(json.dumps(_plain(done), ensure_ascii=False, default=str))
        return
    print_rows(done.changes, output)
    if output is Output.table:
        out = console()
        for line in _told(done, dry_run):
            out.print(literal(line), highlight=False)
        for note in attribution.declared.notes:
            out.print(literal(note), highlight=False)


def _told(done: Reattributed, dry_run: bool) -> list[str]:
    columns = ", ".join(f"{name} ({count:,})" for name, count in done.by_column.most_common())
    lines = [
        f"{done.records:,} records: {done.looked_at:,} were concluded by other data or rules, "
        f"{done.changed:,} of them otherwise{': ' + columns if columns else ''}"
    ]
    if dry_run:
        lines.append("Nothing was changed (--dry-run)")
    elif done.snapshot is None:
        lines.append("Nothing is to be changed")
    else:
        lines.append(
            f"Snapshot {done.snapshot} has the new conclusions, snapshot {done.before} the former "
            f"(l7meter query --snapshot {done.before})"
        )
    return lines


def _plain(done: Reattributed) -> dict[str, object]:
    return {
        "records": done.records,
        "looked_at": done.looked_at,
        "changed": done.changed,
        "by_column": dict(done.by_column.most_common()),
        "before": done.before,
        "snapshot": done.snapshot,
        "changes": done.changes.to_dicts(),
    }


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(attribute)
