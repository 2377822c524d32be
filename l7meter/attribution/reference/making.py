"""An imported frame as the table of a snapshot: ranges disjoint, numbers usable, order and hash fixed."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

import polars as pl

from l7meter.attribution.ranges import flatten
from l7meter.attribution.reference.importers import KINDS, Imported

MAPPED = 0xFFFF << 32  # ::ffff:0:0/96, where IPv4 stands
BORDERS = ("start_hi", "start_lo", "end_hi", "end_lo")
_HALF = (1 << 64) - 1
_PREFIX_LENGTH = re.compile(r"[0-9]{1,3}")

NOT_A_NETWORK = "no network"
HOST_BITS = "host bits are set"
UNUSABLE = "no origin of public routes"
NAMELESS = "no number of a public system"


class Made(NamedTuple):
    """The table of a snapshot, what was left out by reason, and the hash of the table's content."""

    table: pl.DataFrame
    dropped: dict[str, int]
    digest: str  # SHA-256 of the table as CSV


def make(kind: str, imported: Imported) -> Made:
    """Flatten and sort; columns are the kind's, with four halves of the borders for `network`.

    Of several networks that hold an address the narrowest wins, among equals the later row. A network with
    several origins (MOAS) or an AS-set keeps all of them in `origins`; `asn` is the one most
    often seen, the lowest among equals. Raises ValueError where nothing is left.
    """
    dropped = Counter(imported.dropped)
    table = imported.table.cast(dict(KINDS[kind])).select(KINDS[kind].names())  # type: ignore[arg-type]
    if kind != "systems":
        dropped[NOT_A_NETWORK] += table["network"].null_count()
        table = table.drop_nulls("network")
    if kind == "systems":
        made = _systems(table, dropped)
    else:
        made = _disjoint(_routes(table, dropped) if kind == "routes" else table, dropped)
    if not made.height:
        raise ValueError(f"nothing is left of {table.height:,} rows: {dict(dropped)}")
    return Made(made, dict(+dropped), sha256(made.write_csv().encode()).hexdigest())


def usable(asn: pl.Expr) -> pl.Expr:
    """Whether a number can be the origin of public routes (RFC 5398, 6793, 6996, 7300, 7607)."""
    reserved = asn.is_between(64496, 131071) | (asn >= 4_200_000_000)
    return ~(asn.is_in([0, 23456]) | reserved)


def borders(network: str) -> tuple[int, int] | str:
    """First and last address, IPv4 as IPv4-mapped; a reason for text that is no network.

    >>> borders("192.0.2.0/31") == (MAPPED + 0xC0000200, MAPPED + 0xC0000201)
    True
    """
    first, dash, last = network.partition("-")
    if dash:
        one, other = _number(first), _number(last)
        same_family = (":" in first) == (":" in last)
        if one is None or other is None or one > other or not same_family:
            return NOT_A_NETWORK
        return one, other
    text, slash, length = network.partition("/")
    number, bits = _number(text), 128 if ":" in text else 32
    if number is None:
        return NOT_A_NETWORK
    if not slash:
        return number, number
    if not _PREFIX_LENGTH.fullmatch(length) or int(length) > bits:
        return NOT_A_NETWORK
    span = (1 << (bits - int(length))) - 1
    return HOST_BITS if number & span else (number, number | span)


def _number(address: str) -> int | None:
    try:
        if ":" in address:
            return int.from_bytes(inet_pton(AF_INET6, address), "big")
        return MAPPED + int.from_bytes(inet_pton(AF_INET, address), "big")
    except (OSError, ValueError, UnicodeError):
        return None


def _systems(table: pl.DataFrame, dropped: Counter[str]) -> pl.DataFrame:
    kept = table.filter(usable(pl.col("asn")).fill_null(False))
    dropped[NAMELESS] += table.height - kept.height
    return kept.unique("asn", keep="last", maintain_order=True).sort("asn")


def _routes(table: pl.DataFrame, dropped: Counter[str]) -> pl.DataFrame:
    """Columns network, asn and origins (null where there is but one)."""
    numbers = pl.col("origins").str.extract_all("[0-9]+").list.eval(pl.element().cast(pl.Int64))
    each = table.select("network", asn=numbers).explode("asn", empty_as_null=True)
    fits = (usable(pl.col("asn")) & (pl.col("asn") < 1 << 32)).fill_null(False)
    named = each.filter(fits)
    dropped[UNUSABLE] += table.join(named, on="network", how="anti").height
    seen = named.group_by("network", "asn", maintain_order=True).len()
    several = pl.when(pl.len() > 1).then(pl.col("asn").sort().cast(pl.String).str.join(" "))
    return (
        seen.sort("asn")
        .group_by("network", maintain_order=True)
        .agg(
            chosen=pl.col("asn").sort_by("len", descending=True, maintain_order=True).first(),
            origins=several,
        )
        .select("network", asn=pl.col("chosen").cast(pl.UInt32), origins="origins")
        .sort("network")
    )


def _disjoint(table: pl.DataFrame, dropped: Counter[str]) -> pl.DataFrame:
    """The rows as disjoint ranges in ascending order; equal neighbours are joined."""
    starts: list[int] = []
    ends: list[int] = []
    rows: list[int] = []
    # A loop in Python: once per import (some 500 k rows/s), never per record.
    for row, network in enumerate(table["network"].to_list()):
        read = borders(network.strip())
        if isinstance(read, str):
            dropped[read] += 1
            continue
        starts.append(read[0])
        ends.append(read[1])
        rows.append(row)
    first, last, of = flatten(starts, ends)
    values = table.drop("network")[[rows[at] for at in of]]
    pieces = pl.DataFrame(
        {
            name: [number >> 64 if name.endswith("hi") else number & _HALF for number in numbers]
            for name, numbers in zip(BORDERS, (first, first, last, last), strict=True)
        },
        schema=dict.fromkeys(BORDERS, pl.UInt64),
    )
    return _joined(pieces.hstack(values))


def _joined(pieces: pl.DataFrame) -> pl.DataFrame:
    """Ranges that touch and say the same as one; within a half of the border, which is enough."""
    values = [name for name in pieces.columns if name not in BORDERS]
    touching = (pl.col("start_lo") == pl.col("end_lo").shift(1) + 1) & (
        pl.col("start_hi") == pl.col("end_hi").shift(1)
    )
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in values)
    run = (~(touching & same)).fill_null(True).cum_sum()
    return (
        pieces.with_columns(run=run)
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("start_hi", "start_lo").first(),
            pl.col("end_hi", "end_lo").last(),
            pl.col(values).first(),
        )
        .select(*BORDERS, *values)
    )
