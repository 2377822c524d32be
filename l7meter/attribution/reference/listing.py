"""Reference data as rows to show: what is at hand, what holds for a day, what can be imported."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from l7meter.attribution.reference.choosing import at_hand, chosen, doubts, read_pins
from l7meter.attribution.reference.importers import load
from l7meter.attribution.reference.shelf import Shelf, Snapshot


def holding(shelf: Shelf, day: date) -> list[Snapshot]:
    """The snapshots that hold for a day."""
    return chosen(at_hand(shelf), read_pins(shelf), day)


def warnings(shelf: Shelf, day: date) -> list[str]:
    """What is to be said of those that hold for a day."""
    return doubts(holding(shelf, day), day)


def listing(shelf: Shelf, day: date) -> pl.DataFrame:
    """A row for each snapshot: name, kind, as_of, rows, holds, state, licence, origin, retrieved."""
    hold = {each.name for each in holding(shelf, day)}
    rows = [_row(each, each.name in hold, "") for each in at_hand(shelf)]
    rows += [_row(each, False, "destroyed, as its terms demand") for each in shelf.gone()]
    return pl.DataFrame(rows)


def _row(each: Snapshot, holds: bool, state: str) -> dict[str, object]:
    return {
        "name": each.name,
        "kind": each.kind,
        "as_of": each.as_of,
        "rows": each.rows,
        "holds": holds,
        "state": state or "at hand",
        "licence": each.licence,
        "attribution": each.attribution,
        "origin": each.origin,
        "retrieved": each.retrieved,
    }


def importable() -> pl.DataFrame:
    """A row for each importer: source, what, kind, licence, attribution, kept, fetched, page."""
    return pl.DataFrame(
        [
            {
                "source": each.name,
                "what": each.title,
                "kind": each.kind,
                "licence": each.licence,
                "attribution": each.attribution,
                "old versions": "kept" if each.retain else "destroyed, as its terms demand",
                "by update": bool(each.urls),
                "page": each.page,
            }
            for each in load().values()
        ]
    )


def as_told(snapshots: Iterable[Snapshot]) -> list[dict[str, object]]:
    """What a statement must name of each snapshot."""
    return [
        {"name": each.name, "as_of": str(each.as_of), "sha256": each.digest, "licence": each.licence, "attribution": each.attribution}
        for each in snapshots
    ]  # fmt: skip
