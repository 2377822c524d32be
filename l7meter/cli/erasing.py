"""`l7meter privacy erase`: the records of a person or a network are removed, for good."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.asking import DryRun, Yes, confirm
from l7meter.cli.options import DEFAULT_STORE, StoreOption, examples
from l7meter.errors import UsageError

if TYPE_CHECKING:
    import polars as pl


def erase(
    addresses: Annotated[list[str] | None, typer.Argument(metavar="[ADDRESS|NETWORK]...", help="Whose records go: addresses, or networks as in 192.0.2.0/24.")] = None,
    user_name: Annotated[list[str] | None, typer.Option("--user-name", metavar="NAME", help="A user name; may be given several times.")] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", envvar="L7METER_PRIVACY_KEY_FILE", metavar="FILE", help="Keys of pseudonyms, to find those, too.")] = None,
    store: StoreOption = DEFAULT_STORE,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:  # fmt: skip
    """Remove the records of a person or a network, and every earlier state of the store that has them.

    Says first what cannot be found. Rejected lines that hold an address or a name as it is written go, too.
    The logs themselves and your backups are not touched: read again, they would bring the records back.
    """
    from l7meter.privacy import Keys, selection, untold
    from l7meter.store import Store, expire, take_out

    keys = Keys.read(key_file) if key_file else None
    names = user_name or []
    mine = selection(addresses or (), names, keys)
    with Store.open(store) as opened:
        lines = _lines([*(each for each in addresses or () if "/" not in each), *names])
        reason = "erase: asked for by a person or a network"
        found = take_out(opened, mine, lines, reason=reason, dry_run=True)
        for sentence in untold(addresses or (), names, keys):
            print(f"l7meter: {sentence}", file=sys.stderr)
        if any("/" in each for each in addresses or ()):
            print("l7meter: Rejected lines are searched for addresses and names, not for networks.", file=sys.stderr)  # fmt: skip
        what = f"{found.records:,} records and {found.rejects:,} rejected lines of {len(found.sources):,} sources, {len(found.days):,} days"  # fmt: skip
        if dry_run or not (found.records or found.rejects):
            print(f"{'would erase' if dry_run else 'nothing to erase:'} {what}")
            return
        confirm(f"Erase {what}, and all earlier snapshots?", yes, "privacy erase")
        taken = take_out(opened, mine, lines, reason=reason)
        if taken.snapshot is None:
            raise UsageError("nothing was erased: other processes changed the store; try again")
        removed = expire(opened, taken.snapshot)
    print(f"erased {what}; {len(removed):,} files removed; snapshot {taken.snapshot} is the oldest now")  # fmt: skip


def _lines(texts: list[str]) -> pl.Expr:
    """Whether a rejected line holds one of these texts."""
    import polars as pl

    if not texts:
        return pl.lit(False)
    return pl.any_horizontal(pl.col("line").str.contains(each, literal=True) for each in texts)


def register(app: typer.Typer) -> None:
    """Add the command to those of privacy."""
    app.command(
        epilog=examples(
            "l7meter privacy erase 192.0.2.17 --dry-run",
            "l7meter privacy erase --key-file pseudonyms.key 192.0.2.17 2001:db8:1::/48 --yes",
            "l7meter privacy erase --user-name alice",
        )
    )(erase)
