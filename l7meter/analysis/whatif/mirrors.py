"""`l7meter whatif mirrors`: at which places a few mirrors would take most bytes off the origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from l7meter.analysis.whatif.answer import Answer, Price, with_cost
from l7meter.analysis.whatif.caches import LIFETIMES, cache, cacheable
from l7meter.analysis.whatif.country import with_country
from l7meter.analysis.whatif.covering import Choice, greedy
from l7meter.analysis.whatif.scope import Selection, dimension
from l7meter.errors import UsageError
from l7meter.store import Connection
from l7meter.units import bytes_text, percent_text

PLACES = ("asn", "organization", "network", "network-kind", "country")
COLUMNS = ("mirror", "at", "place", "bytes", "fill_bytes", "saved_bytes", "saved_share", "cumulative_share", "requests", "clients")  # fmt: skip
NINETY = 0.9
_NOWHERE = ("(unknown)", "(not said)")  # what `Dimension.columns` say for null
_NO_KIND = "unknown"  # a `network_kind` that attribution does not know


def mirrors(
    con: Connection,
    selection: Selection | None = None,
    *,
    count: int = 5,
    at: Sequence[str] = ("asn",),
    fill: bool = True,
    lifetimes: Mapping[str, timedelta | None] = LIFETIMES,
    price: Price | None = None,
    refdata: Path | None = None,
) -> Answer:
    """The `count` places where mirrors would take most octets off the origin, the best first.

    A place is a value of one of the dimensions `at`, which are of `PLACES`. With `fill` a mirror fetches
    each object when it is first asked for, and again what has changed by its lifetime (as `caches.cache` without limit): one
    dimension only. Without it what it has came another way, and places may lie within each other. A row has
    the `mirror`'s number, `at` and `place`, the `bytes` and `requests` that it serves, its
    `fill_bytes`, `saved_bytes` (the difference), also as a share of all bytes, alone and with those
    before it, and `clients`: the distinct addresses of the place.
    Raises `UsageError` for options that name nothing.
    """
    selection = selection or Selection()
    at = list(dict.fromkeys(at))
    if count < 1:
        raise UsageError(f"{count} mirrors: give 1 or more")
    strange = [name for name in at if dimension(name) and name not in PLACES]
    if strange or not at:
        raise UsageError(f"a mirror has to be at a place, and {' and '.join(strange) or 'nothing'} is none: give {', '.join(PLACES)}")  # fmt: skip
    if fill and len(at) > 1:
        raise UsageError(f"places of {' and '.join(at)} lie within each other, and what fills a mirror then depends on the others: give one dimension, or --no-fill")  # fmt: skip
    placed = with_country(con, selection, at, refdata)
    whole = _whole(con, selection, at)
    total = whole.bytes or 1
    if fill:
        chosen, at_most = _filled(con, selection, at[0], count, lifetimes, refdata)
    else:
        chosen, at_most = _covering(con, selection, at, count, cacheable(lifetimes))
    chosen = _with_clients(con, selection, chosen, fill)
    saved = pl.col("saved_bytes")
    rows = chosen.with_columns(
        mirror=pl.int_range(1, pl.len() + 1),
        saved_share=saved / total,
        cumulative_share=saved.cum_sum() / total,
    ).select(COLUMNS)
    return Answer(
        _title(count, at, selection),
        with_cost(rows, "saved_bytes", "avoidable_cost", price),
        [*_notes(rows, total, at_most, len(at)), *_unsaid(whole)],
        [*_assumptions(fill, lifetimes, price), *_left_out(whole, at), *placed],
    )


class _Whole(NamedTuple):
    """Of all that is selected: octets, those of clients that are at no place, and requests without a
    byte count, and of sampled logs.
    """

    bytes: int
    nowhere: int
    unmeasured: int
    sampled: int


def _whole(con: Connection, selection: Selection, at: Sequence[str]) -> _Whole:
    where, values = selection.where()
    nowhere = " AND ".join(f"{_place(name)} IS NULL" for name in at)
    sql = f"""
    SELECT coalesce(sum(server_bytes), 0)::BIGINT, coalesce(sum(server_bytes) FILTER (WHERE {nowhere}), 0)::BIGINT,
        count(*) - count(server_bytes), count(*) FILTER (WHERE sample_weight <> 1)
    FROM records WHERE {where}"""
    return _Whole(*con.execute(sql, values or None).fetchall()[0])


def _place(name: str) -> str:
    """The SQL of the place, as text; null where a client is at none."""
    value = dimension(name).value
    return f"nullif({value}, '{_NO_KIND}')" if name == "network-kind" else value


def _named(name: str) -> pl.Expr:
    """A place in words, of the dimension's columns."""
    return pl.concat_str(list(dimension(name).columns), separator=" ", ignore_nulls=True)


def _filled(
    con: Connection, selection: Selection, at: str, count: int, lifetimes: Mapping[str, timedelta | None], refdata: Path | None
) -> tuple[pl.DataFrame, int]:  # fmt: skip
    """The best places of one dimension, which do not overlap: the largest savings are the best there can be."""
    rows = cache(
        con, selection, by=at, sizes=[None], lifetimes=lifetimes, limit=None, refdata=refdata
    ).rows
    named = list(dimension(at).columns)
    value = pl.col(named[0])
    strange = (*_NOWHERE, _NO_KIND) if at == "network-kind" else _NOWHERE
    known = rows.filter(value.is_not_null(), ~value.cast(pl.String).is_in(strange))
    best = known.filter(pl.col("avoidable_bytes") > 0).sort("avoidable_bytes", *named, descending=[True] + [False] * len(named)).head(count)  # fmt: skip
    chosen = best.select(
        at=pl.lit(at),
        place=_named(at),
        value=value.cast(pl.String),
        bytes=pl.col("bytes") - pl.col("passed_bytes"),
        fill_bytes=pl.col("origin_bytes") - pl.col("passed_bytes"),
        saved_bytes="avoidable_bytes",
        requests=pl.col("requests") - pl.col("passed_requests"),
    )
    return chosen, int(chosen["saved_bytes"].sum())


def _covering(
    con: Connection, selection: Selection, at: Sequence[str], count: int, kept: str
) -> tuple[pl.DataFrame, int]:
    """Places of several dimensions, which may overlap: chosen greedily."""
    where, values = selection.where()
    columns = [f"{_place(name)} AS place_{n}" for n, name in enumerate(at)]
    sql = (
        f"SELECT {', '.join(columns)}, count(*) AS requests, sum(server_bytes)::BIGINT AS bytes "
        f"FROM records WHERE {where} AND {kept} GROUP BY ALL ORDER BY ALL"
    )
    cells: pl.DataFrame = con.sql(sql, params=values or None).pl()
    places = [cells[f"place_{n}"] for n in range(len(at))]
    codes = [each.rank("dense").fill_null(0).cast(pl.Int64).to_numpy() - 1 for each in places]
    choices, at_most = greedy(codes, cells["bytes"].to_numpy().astype(np.int64), count)
    return pl.DataFrame([_of_choice(each, at, places, cells) for each in choices], schema=_CHOSEN), at_most  # fmt: skip


_CHOSEN = {"at": pl.String, "place": pl.String, "value": pl.String, "bytes": pl.Int64, "fill_bytes": pl.Int64, "saved_bytes": pl.Int64, "requests": pl.Int64}  # fmt: skip


def _of_choice(choice: Choice, at: Sequence[str], places: Sequence[pl.Series], cells: pl.DataFrame) -> dict[str, object]:  # fmt: skip
    served = cells[choice.cells]
    value = places[choice.dimension][int(choice.cells[0])]
    octets = int(served["bytes"].sum())
    return {"at": at[choice.dimension], "place": value, "value": value, "bytes": octets, "fill_bytes": 0, "saved_bytes": octets, "requests": int(served["requests"].sum())}  # fmt: skip


def _with_clients(
    con: Connection, selection: Selection, chosen: pl.DataFrame, fill: bool
) -> pl.DataFrame:
    """The rows with `clients`, the distinct addresses of each; without `fill`, systems get their name behind the number."""
    where, values = selection.where()
    found = [pl.DataFrame(schema={"at": pl.String, "place": pl.String, "label": pl.String, "clients": pl.Int64})]  # fmt: skip
    for (at,), of in chosen.group_by("at", maintain_order=True):  # dimensions, not rows
        name = str(at)
        # what fills it tells apart what a value alone does not: an organisation, and the tenants of its networks
        columns = dimension(name).columns if fill else {"place": dimension(name).value}
        label = "max(client_as_name)" if name == "asn" and not fill else "NULL"
        keys = [f"place_{number}" for number in range(of.height)]
        sql = f"""
        SELECT {", ".join(f"{each} AS {column}" for column, each in columns.items())},
            {label}::VARCHAR AS label, count(DISTINCT hash(client_address)) AS clients
        FROM records WHERE {where} AND {dimension(name).value} IN ({", ".join(f"${key}" for key in keys)})
        GROUP BY {", ".join(columns.values())}"""
        counted = con.sql(sql, params={**values, **dict(zip(keys, of["value"], strict=True))}).pl()
        place = _named(name) if fill else pl.col("place")
        found.append(counted.select("label", "clients", at=pl.lit(name), place=place).select(found[0].columns))  # fmt: skip
    named = chosen.join(pl.concat(found), on=["at", "place"], how="left", maintain_order="left")
    return named.with_columns(place=pl.concat_str("place", "label", separator=" ", ignore_nulls=True))  # fmt: skip


def _title(count: int, at: Sequence[str], selection: Selection) -> str:
    told = selection.told()
    mirror = "A mirror" if count == 1 else f"{count} mirrors"
    return f"{mirror} at places by {' and '.join(at)}{f' ({told})' if told else ''}"


def _notes(rows: pl.DataFrame, total: int, at_most: int, dimensions: int) -> list[str]:
    saved = int(rows["saved_bytes"].sum())
    if not saved:
        return ["No place has anything that a mirror would save."]
    notes = [f"Together they take {bytes_text(saved)} off the origin, {percent_text(saved / total)} of {bytes_text(total)}."]  # fmt: skip
    if dimensions > 1:
        notes.append(f"No choice of as many places takes more than {bytes_text(at_most)}: this one has {percent_text(saved / at_most)} of that bound, and at least 63 % of the best.")  # fmt: skip
    else:
        notes.append("Places of one dimension do not overlap: no choice of as many takes more.")
    enough = int((rows["saved_bytes"].cum_sum() < NINETY * saved).sum()) + 1
    if enough < rows.height:
        notes.append(f"The first {enough} of them take 90 % of that.")
    return notes


def _unsaid(whole: _Whole) -> list[str]:
    notes = []
    if whole.unmeasured:
        notes.append(f"{whole.unmeasured:,} requests have no byte count and stay with the origin; their bytes are not guessed.")  # fmt: skip
    if whole.sampled:
        notes.append(f"{whole.sampled:,} requests are of sampled logs; each is counted once, and nothing is scaled up.")  # fmt: skip
    return notes


def _left_out(whole: _Whole, at: Sequence[str]) -> list[str]:
    if not whole.nowhere:
        return []
    return [f"{bytes_text(whole.nowhere)} went to clients of no known {' or '.join(at)}, and stay with the origin."]  # fmt: skip


def _assumptions(
    fill: bool, lifetimes: Mapping[str, timedelta | None], price: Price | None
) -> list[str]:
    kept = ", ".join(kind for kind, each in lifetimes.items() if each is not None)
    texts = [
        f"A mirror serves what clients of its place ask for: {kept}; other methods, errors and redirects stay with the origin.",
        "Every client of the place uses it. Where clients are is where their network is; nothing is said of distance or speed.",
    ]  # fmt: skip
    if fill:
        texts.append("It is empty when the period begins, has no limit of size, fetches an object when it is first asked for, and validates what may have changed.")  # fmt: skip
    else:
        texts.append("What it holds, it got another way than from this origin; a request goes to the first mirror in the list that is for its place.")  # fmt: skip
    if price is not None:
        texts.append(f"Bytes cost {price.text}, all alike.")
    return texts
