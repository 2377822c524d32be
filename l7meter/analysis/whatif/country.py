"""The country of a client, which no record has: from imported reference data, as a column of `records`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from l7meter.analysis.whatif.scope import Selection
from l7meter.attribution.ranges import Keys, Ranges, keys_of
from l7meter.attribution.reference.choosing import at_hand, chosen, read_pins
from l7meter.attribution.reference.making import borders
from l7meter.attribution.reference.shelf import Shelf, Snapshot
from l7meter.errors import UsageError
from l7meter.store import Connection

DIMENSION = "country"
_FEED = "geofeed"
_PAIR = "hash(client_network, client_asn)"
Tables = list[tuple[Snapshot, pl.DataFrame]]  # the newest first


def with_country(
    con: Connection, selection: Selection, by: Sequence[str], refdata: Path | None = None
) -> list[str]:
    """Give `records` of this connection the column `client_country` (ISO 3166-1 alpha-2, or null), where
    the dimension `country` is asked for, be it in `by` or in the selection; gives what is assumed by it.

    The country is that which a geofeed (RFC 8805) gives the client's network, else that of the holder
    of its AS, in the snapshots of `refdata` that hold on the last day of the period.
    Raises `UsageError` where none of these says a country.
    """
    if DIMENSION not in (*by, *(name for name, _ in selection.only)):
        return []
    shelf = Shelf(refdata)
    snapshots = chosen(at_hand(shelf), read_pins(shelf), _day(con, selection))
    snapshots.sort(key=lambda each: (each.as_of, each.name), reverse=True)
    feeds = [(each, table) for each in snapshots if (table := _feed(shelf, each)) is not None]
    holders = [(each, table) for each in snapshots if (table := _holders(shelf, each)) is not None]
    if not feeds and not holders:
        raise UsageError(
            f"country: no reference data in {shelf.folder} say a country; import a list of systems that has "
            "them (ripe-asn, as2org, ipverse, peeringdb) or a geofeed, by 'l7meter refdata import'"
        )
    pairs = con.sql(
        f"SELECT DISTINCT {_PAIR} AS pair, client_network, client_asn FROM records"
    ).pl()
    _register(con, pairs.select("pair", client_country=_countries(pairs, feeds, holders)))
    return _assumed(feeds, holders)


def _day(con: Connection, selection: Selection) -> date:
    (last,) = con.sql("SELECT epoch_us(max(ts)) FROM records").fetchall()[0]
    ends = [] if last is None else [datetime.fromtimestamp(last / 1e6, UTC)]
    ends += [selection.until] if selection.until else []
    return min(ends, default=datetime.now(UTC)).date()


def _feed(shelf: Shelf, snapshot: Snapshot) -> pl.DataFrame | None:
    """Ranges of a geofeed with `country`, the head of an ISO 3166-2 region; None where there is none."""
    if snapshot.series.partition(".")[0] != _FEED:
        return None
    code = pl.col("region").str.extract(r"^([A-Z]{2})(?:-|$)")
    table = shelf.table(snapshot).with_columns(country=code).drop_nulls("country")
    return table if table.height else None


def _holders(shelf: Shelf, snapshot: Snapshot) -> pl.DataFrame | None:
    """Systems with the country of their holders; None where the list has no countries."""
    if snapshot.kind != "systems":
        return None
    table = shelf.table(snapshot).select("asn", "country").drop_nulls()
    return table if table.height else None


def _countries(pairs: pl.DataFrame, feeds: Tables, holders: Tables) -> pl.Series:
    """The country of each network and AS: what is newer goes before what is older."""
    found = pl.Series("country", [None] * pairs.height, pl.String)
    if feeds:
        # Each distinct network once, not each record: 500,000 a second.
        read = [borders(text or "") for text in pairs["client_network"]]
        first, last = (keys_of([0 if isinstance(each, str) else each[at] for each in read], 6) for at in (0, 1))  # fmt: skip
        for _, table in feeds:
            found = _or(found, _placed(table, first, last))
    asn = pairs.select(asn=pl.col("client_asn").cast(pl.UInt32, strict=False))
    for _, table in holders:
        found = _or(found, asn.join(table, on="asn", how="left", maintain_order="left")["country"])
    return found


def _or(one: pl.Series, other: pl.Series) -> pl.Series:
    return one.zip_with(one.is_not_null(), other)


def _placed(table: pl.DataFrame, first: Keys, last: Keys) -> pl.Series:
    """Null where the network is not within one range of the feed."""
    sides = (
        np.stack([table[f"{side}_hi"], table[f"{side}_lo"]], 1).astype(">u8").tobytes()
        for side in ("start", "end")
    )
    starts, ends = (np.frombuffer(side, "S16") for side in sides)
    ranges = Ranges(starts, ends, np.arange(len(starts)))
    at = ranges.locate(first)
    within = (at >= 0) & (at == ranges.locate(last))
    return table["country"].gather(pl.Series(np.where(within, at, 0))).set(pl.Series(~within), None)


def _register(con: Connection, countries: pl.DataFrame) -> None:
    """A temporary `records`, which goes before the store's, with the column."""
    (database,) = con.sql("SELECT current_database()").fetchall()[0]
    con.register("country_frame", countries.to_arrow(compat_level=pl.CompatLevel.oldest()))
    con.execute("CREATE OR REPLACE TEMP TABLE client_countries AS FROM country_frame")
    con.unregister("country_frame")
    con.execute(
        "CREATE OR REPLACE TEMP VIEW records AS SELECT records.*, client_country "
        f"FROM {database}.main.records LEFT JOIN client_countries ON pair = {_PAIR}"
    )


def _assumed(feeds: Tables, holders: Tables) -> list[str]:
    texts = [f"where a geofeed has the client's network ({_told(feeds)})"] if feeds else []
    texts += [f"where the holder of its AS is registered ({_told(holders)})"] if holders else []
    return [f"A country is {', else '.join(texts)}; it need not be where the machine stands."]


def _told(tables: Tables) -> str:
    return ", ".join(
        f"{each.name}; {each.attribution}" if each.attribution else each.name for each, _ in tables
    )
