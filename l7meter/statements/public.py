"""A report for the public: who used the bandwidth of a period, without anybody in it who could be told.

`make` gives the document (`SCHEMA`; docs/publishing.md has its keys) and its tables, `public_files.write` the files. Every
table is folded under the floor and rounded by `analysis.publishing`, and none stands beside another where their
difference would be of fewer clients than the floor (`public_linked`); what is left out is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from l7meter import __version__
from l7meter.analysis.publishing import publishable, significant
from l7meter.errors import UsageError
from l7meter.fund.period import Period
from l7meter.statements import public_linked, public_method, public_spread, public_tables
from l7meter.statements.public_tables import KEYS, ORGANIZATION, OTHERS, OUTSIDE, Use
from l7meter.store import Connection, connect
from l7meter.store.evidence import evidence

SCHEMA = "l7meter.public/1"
LARGEST = 50  # organisations that are named
WHOLE = 0.9  # days of a period that need records for growth to be said
_ONE_DAY = timedelta(days=1)
Document = dict[str, Any]


class Terms(NamedTuple):
    """On which terms a report is published: no row of fewer clients, so many digits, names or none."""

    min_clients: int = 5
    digits: int = 3
    names: bool = False
    growth: bool = True
    title: str = "Who used the bandwidth"
    publisher: str | None = None


class Public(NamedTuple):
    """A report: its document, and its tables by name, both as they may be shown."""

    document: Document
    tables: dict[str, pl.DataFrame]


class _Shown(NamedTuple):
    """The tables of a period that may be shown beside each other, and why others are not there."""

    totals: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    left_out: list[str]


def make(store: str | Path, period: Period, terms: Terms, *, snapshot: int | None = None) -> Public:
    """The report of a period. Raises `UsageError` where the store has nothing of it."""
    if terms.min_clients < 2 or terms.digits < 1:
        raise UsageError("what is published needs a floor of at least 2 clients, and at least 1 digit to round to; docs/publishing.md says why")  # fmt: skip
    stands = evidence(store, period.first, period.last, snapshot)
    with connect(store, snapshot=stands.snapshot, locked=True) as con:
        before, why = _before(con, period, terms) if terms.growth else (None, None)
        use = public_tables.read(con, period, terms.names)
        if not use.days:
            raise UsageError(f"{store}: no records in {period}: there is nothing to publish; 'l7meter query by_day' shows which days have some")  # fmt: skip
        shown = _protected(con, use, terms)
        spreads = _spreads(con, use, shown, terms)
        facts = public_method.read(con, period, terms.digits)
    left_out = shown.left_out + [each for each in spreads.values() if isinstance(each, str)]
    growth = None
    if before is not None:
        growth, why = _growth(use, shown, *before)
    if why:
        left_out.append(why)
    redundancy, why = _redundancy(use, terms) if shown.totals.height else (None, None)
    if why:
        left_out.append(why)
    known = {name: each for name, each in spreads.items() if not isinstance(each, str)}
    tables = {"totals": shown.totals, **shown.tables, "concentration": _concentration(known), "growth": _frame(growth)}  # fmt: skip
    document = {
        "schema": SCHEMA,
        "title": terms.title,
        "publisher": terms.publisher,
        "period": {"first_day": str(period.first), "last_day": str(period.last), "days": period.days, "days_with_records": use.days, "days_closed": use.closed},
        "protection": {"min_clients": terms.min_clients, "digits": terms.digits, "names_organizations": terms.names},
        "totals": shown.totals.to_dicts()[0] if shown.totals.height else None,
        "unattributed_share": _unattributed(shown),
        **{name: _dicts(shown.tables.get(name)) for name in (*KEYS, "organizations")},
        "concentration": {name: known.get(name) for name in ("organizations", "addresses")},
        "redundancy": redundancy,
        "growth": growth,
        "left_out": left_out,
        "notes": _notes(use, facts, shown),
        "method": facts,
        "made": {"l7meter": __version__, "snapshot": stands.snapshot},
    }  # fmt: skip
    return Public(document, {name: frame for name, frame in tables.items() if frame.height})


# Protection


def _protected(con: Connection, use: Use, terms: Terms) -> _Shown:
    """Totals and tables as they may be shown, each held against those before it."""
    floor, digits = terms.min_clients, terms.digits
    totals = publishable(use.totals, floor, digits)
    if totals["clients"][0] is None:  # of too few
        return _Shown(totals.clear(), {}, [f"All figures are left out: the period has fewer than {floor} clients whose addresses are known."])  # fmt: skip
    wanted = dict(use.tables)
    if terms.names:
        wanted = {"attribution": wanted["attribution"], ORGANIZATION: use.named, **wanted}
    beside = public_linked.Beside(con, floor)
    tables: dict[str, pl.DataFrame] = {}
    left_out = []
    for name, frame in wanted.items():
        title = "organizations" if name == ORGANIZATION else name
        made = _fitting(beside, name, frame)
        if made is None:
            left_out.append(f"The table '{title}' is left out: no part of it could stand for {floor} clients and keep that beside the others.")  # fmt: skip
            continue
        beside.kept[name] = made
        tables[title] = public_tables.shown(_largest(made) if name == ORGANIZATION else made, floor, digits)  # fmt: skip
    return _Shown(totals, tables, left_out)


def _fitting(beside: public_linked.Beside, name: str, frame: pl.DataFrame) -> pl.DataFrame | None:
    """The table with as few rows folded as it takes."""
    floor = beside.floor
    if frame.filter((pl.col(frame.columns[0]) == OUTSIDE) & (pl.col("clients") < floor)).height:
        return None  # what is left of the total
    while True:
        made = public_tables.folded(frame, floor, OUTSIDE if name == ORGANIZATION else None)
        if made.is_empty():
            return None
        if not beside.tells(name, made):
            return made
        # the next higher floor that folds more; of a long table, many more
        floor = max(public_tables.least(frame, floor) + 1, floor + floor // 5)


def _largest(named: pl.DataFrame) -> pl.DataFrame:
    """The largest organisations; all others in the row of those that are folded."""
    key, own = pl.col(ORGANIZATION), pl.col("clients").is_not_null()
    first = named.filter(own & (key != OUTSIDE))
    rest = pl.concat([first.slice(LARGEST), named.filter(~own)])
    if rest.height:
        row = rest.select(
            pl.lit(OTHERS).alias(ORGANIZATION),
            pl.col("bytes", "share", "requests").sum(),
            pl.lit(None, pl.Int64).alias("clients"),
            pl.col("basis")
            .drop_nulls()
            .str.split("+")
            .explode()
            .unique()
            .sort()
            .str.join("+")
            .first(),
        )
        rest = row.cast(named.schema)
    return pl.concat([first.head(LARGEST), rest, named.filter(key == OUTSIDE)])


def _spreads(con: Connection, use: Use, shown: _Shown, terms: Terms) -> dict[str, Document | str]:
    if shown.totals.is_empty():
        return {}
    named = shown.tables.get("organizations")
    names = named[ORGANIZATION].to_list() if named is not None else []
    return {
        "organizations": public_spread.organizations(use.named, names, terms.min_clients, terms.digits),
        "addresses": public_spread.addresses(con, use.period, terms.min_clients, terms.digits),
    }  # fmt: skip


# Figures made of those that are shown


def _unattributed(shown: _Shown) -> float | None:
    """What part of the octets has no known user; None where that row is folded."""
    if "attribution" not in shown.tables:
        return None
    rows = dict(shown.tables["attribution"].select("attribution", "share").iter_rows())
    own = rows.get("organization", None if OTHERS in rows else 0.0)
    return None if own is None else round(1 - own, 4)


def _redundancy(use: Use, terms: Terms) -> tuple[Document | None, str | None]:
    if use.avoidable is None:
        return None, "What was fetched again is left out: no day of the period is closed yet."
    if use.avoidable_clients < terms.min_clients:
        return None, f"What was fetched again is left out: fewer than {terms.min_clients} clients fetched anything twice within 24 hours."  # fmt: skip
    share = significant(pl.Series([use.avoidable]), terms.digits)[0]
    return {"share": share, "days": use.closed, "window_hours": 24}, None


def before(period: Period) -> Period:
    """The period before: of whole months so many whole months, else as many days.

    Windows that move by another length than the reports' would overlap them by days, which could be subtracted.
    """
    last = period.first - _ONE_DAY
    if period.first.day == 1 and (period.last + _ONE_DAY).day == 1:
        month = period.first.year * 12 + period.first.month - 1 - len(list(period.months()))
        return Period(date(month // 12, month % 12 + 1, 1), last)
    return Period(period.first - timedelta(days=period.days), last)


def _before(con: Connection, period: Period, terms: Terms) -> tuple[tuple[Use, _Shown] | None, str | None]:  # fmt: skip
    """What a report of the period before would have shown."""
    earlier = before(period)
    use = public_tables.read(con, earlier, False)
    if use.days < WHOLE * earlier.days:
        return None, f"Growth is left out: {use.days} of {earlier.days} days of {earlier}, the period before, have records."  # fmt: skip
    shown = _protected(con, use, terms._replace(names=False))
    if shown.totals.is_empty():
        return None, f"Growth is left out: {earlier}, the period before, has fewer than {terms.min_clients} clients."  # fmt: skip
    return (use, shown), None


def _growth(now: Use, shown: _Shown, use: Use, earlier: _Shown) -> tuple[Document | None, str | None]:  # fmt: skip
    """How the shown figures of two periods compare: octets and requests by the day that has records."""
    if shown.totals.is_empty():
        return None, None
    if now.days < WHOLE * now.period.days:
        return None, f"Growth is left out: {now.days} of {now.period.days} days of the period have records."  # fmt: skip
    bases = shown.totals["basis"][0], earlier.totals["basis"][0]
    if bases[0] != bases[1]:
        return None, f"Growth is left out: bytes were {bases[1] or 'not measured'} in the period before and are {bases[0] or 'not measured'} now, which does not compare."  # fmt: skip
    rows = []
    one, other = shown.totals.row(0, named=True), earlier.totals.row(0, named=True)
    for what in ("bytes", "requests", "packages", "clients"):
        rows.append({"table": "totals", "key": what, "change": _change(one[what], other[what], now, use, what)})  # fmt: skip
    for name, frame in shown.tables.items():
        old = earlier.tables.get(name)
        if old is None or name == "days":
            continue
        were = dict(old.filter(pl.col("clients").is_not_null()).select(old.columns[0], "bytes").iter_rows())  # fmt: skip
        for key, octets in frame.filter(pl.col("clients").is_not_null()).select(frame.columns[0], "bytes").iter_rows():  # fmt: skip
            if key in were:
                rows.append({"table": name, "key": key, "change": _change(octets, were[key], now, use, "bytes")})  # fmt: skip
    period = {"first_day": str(use.period.first), "last_day": str(use.period.last), "days": use.period.days, "days_with_records": use.days}  # fmt: skip
    return {"before": period, "rows": rows}, None


def _change(now: int | None, was: int | None, use: Use, earlier: Use, what: str) -> float | None:
    """A tenth of a percent, of rounded figures; distinct things do not become fewer by the day."""
    if now is None or not was:
        return None
    days = earlier.days / use.days if what in ("bytes", "requests") else 1
    return round(now / was * days - 1, 3)


# The document


def _dicts(frame: pl.DataFrame | None) -> list[Document] | None:
    return None if frame is None else frame.to_dicts()


def _frame(growth: Document | None) -> pl.DataFrame:
    schema = {"table": pl.String, "key": pl.String, "change": pl.Float64}
    return pl.DataFrame(growth["rows"] if growth else [], schema=schema)


def _concentration(spreads: Mapping[str, Document]) -> pl.DataFrame:
    schema = {"population": pl.String, "members": pl.Int64, "gini": pl.Float64, "top": pl.Float64, "top_members": pl.Int64, "top_share": pl.Float64}  # fmt: skip
    rows = [
        (name, each["members"], each["gini"], point["top"], point["members"], point["share"])
        for name, each in spreads.items()
        for point in each["points"] or [{"top": None, "members": None, "share": None}]
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _notes(use: Use, facts: Document, shown: _Shown) -> list[str]:
    made = []
    if use.days < use.period.days:
        made.append(f"{use.days} of {use.period.days} days have records.")
    if use.closed < use.days:
        made.append(f"{use.days - use.closed} of {use.days} days are not closed yet: records may still come.")  # fmt: skip
    if len(facts["bases"]) > 1:
        made.append(f"Bytes of different kinds are added up: {', '.join(facts['bases'])}. They differ by what a message's fields and packets take.")  # fmt: skip
    if shown.totals.height and shown.totals["unmeasured"][0]:
        made.append("Some requests have no byte count; they count as requests alone.")
    if use.sampled:
        made.append("Some logs are samples: their figures are estimates, and their clients are fewer than there were.")  # fmt: skip
    if "truncated" in facts["addresses"]:
        made.append("Some logs have networks in the place of addresses: there, a client is a network.")  # fmt: skip
    if "pseudonymous" in facts["addresses"]:
        made.append("Some logs have pseudonyms in the place of addresses: a client counts anew after each change of keys.")  # fmt: skip
    if facts["completeness"]["broken"]:
        made.append("Some sources could not be read to their end.")
    return made
