"""What a period cost by a price card, and by whom: at the margin, and on average.

The bill is a month's; a period is billed month by month (UTC), and a part of a month as a month.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.fund.billing import DIGITS, HOUR, Bill, Use
from l7meter.fund.cards import Card
from l7meter.fund.dimensions import dimension
from l7meter.fund.metering import Metered, Month, Place, metered
from l7meter.fund.money import CENT, apportion
from l7meter.store import Connection
from l7meter.units import bytes_text, count_text

OTHERS = "(others)"
MONEY = pl.Decimal(38, 2)
_KEY = "key"


class Cost(NamedTuple):
    """What a period cost.

    `frame`: the columns of the dimension, `bytes`, `share` (of them), `requests`, `marginal_cost` (by
    which the bill would fall without it alone), `average_cost` (its share of the bill by bytes; they add
    up to `total`), `unmeasured` (requests without a byte count, in `requests`), `basis` of the bytes.
    Money is decimal, to the cent. `bills` has each month's; `total` is their sum, each to the cent.
    """

    title: str
    frame: pl.DataFrame
    bills: tuple[tuple[str, Bill], ...]
    total: Decimal
    notes: list[str]
    assumptions: list[str]

    def lines(self) -> pl.DataFrame:
        """The lines of the bills: `month`, `what`, `quantity`, `unit`, `rate`, `amount`, numbers as text, exactly."""
        rows = [
            {"month": month, "what": line.what, "quantity": _plain(line.quantity), "unit": line.unit, "rate": _plain(line.rate), "amount": _plain(line.amount)}
            for month, bill in self.bills
            for line in bill.lines
        ]  # fmt: skip
        names = ("month", "what", "quantity", "unit", "rate", "amount")
        return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def cost(
    con: Connection,
    card: Card,
    *,
    by: str = "organization",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = 20,
    region: str = "",
    places: Sequence[Place] = (),
) -> Cost:
    """What was used between two instants (UTC, the end excluded) costs, for each value of a dimension.

    Values beyond `limit` are folded into `(others)`; None names all. Everything is billed in `region`
    (the card's default), but what a place names; the first that fits wins. Raises `UsageError` for names
    that there are not, and where nothing was used.
    """
    found = metered(con, card, by, since, until, region, places)
    columns = list(dimension(by).columns)
    rows = _keyed(found.rows, columns)
    values = (
        rows.group_by(_KEY)
        .agg(
            pl.first(*columns, "known"),
            pl.sum("bytes", "requests", "unmeasured"),
            pl.col("basis").list.explode(empty_as_null=True).drop_nulls().unique(),
        )
        .sort(["known", "bytes", "requests", _KEY], descending=[True, True, True, False])
    )
    values = values.with_columns(pl.Series("row", _shown(values, limit), pl.Int64))
    place = values.select(_KEY, "row")
    rows = rows.join(place, on=_KEY)
    hours = None if found.hours is None else _keyed(found.hours, columns).join(place, on=_KEY)
    months = [_month(card, values, rows, hours, *each) for each in enumerate(found.months)]
    average, empty = _average(values, months)
    margin = _margin(card, months, int(values["row"].max() or 0) + 1)  # type: ignore[arg-type]
    frame = _frame(values, columns, average, margin)
    bills = tuple((each.month.name, each.bill) for each in months)
    total = sum((bill.rounded() for _, bill in bills), Decimal(0))
    span = bills[0][0] if len(bills) == 1 else f"{bills[0][0]} to {bills[-1][0]}"
    title = f"Cost by {by}, {span}: {total:,.2f} {card.currency} ({card.title})"
    notes = [*_notes(card, found, months), *empty]
    added = sum(margin, Decimal(0))
    notes.append(f"Marginal costs are {added:,.2f} {card.currency} together. They do not add up to the bill: each is what would be saved without that one alone.")  # fmt: skip
    return Cost(title, frame, bills, total, notes, _assumptions(card, region or card.region, places, rows))  # fmt: skip


class _Month(NamedTuple):
    """A month's use: octets by value, and of each row of the answer all that the bill depends on."""

    month: Month
    octets: list[int]
    parts: dict[int, tuple[dict[str, int], dict[str, int]]]
    hours: NDArray[np.int64] | None  # row of the answer x hour
    use: Use
    bill: Bill


def _keyed(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """With one text for each value: what names it in ties."""
    texts = [pl.col(name).fill_null("") for name in columns]
    return frame.with_columns(pl.concat_str(texts, separator="\0").alias(_KEY))


def _shown(values: pl.DataFrame, limit: int | None) -> list[int]:
    """The row of the answer that each value is in; what has no value is folded into no other."""
    known = int(values["known"].sum())
    named = known if limit is None or known <= limit else limit
    folded = min(known, named + 1)
    return [min(row, named) if row < known else folded + row - known for row in range(values.height)]  # fmt: skip


def _month(
    card: Card, values: pl.DataFrame, rows: pl.DataFrame, hours: pl.DataFrame | None, number: int, month: Month
) -> _Month:  # fmt: skip
    mine = rows.filter(pl.col("month") == number)
    parts: dict[int, tuple[dict[str, int], dict[str, int]]] = {}
    whole: tuple[dict[str, int], dict[str, int]] = ({}, {})
    sums = mine.group_by("row", "region").agg(pl.sum("bytes", "requests"))
    for row, region, *counts in sums.iter_rows():  # a few for each row of the answer
        for into in (parts.setdefault(row, ({}, {})), whole):
            for of, count in zip(into, counts, strict=True):
                of[region] = of.get(region, 0) + count
    grid, samples = None, []
    if hours is not None:
        grid = np.zeros((int(values["row"].max() or 0) + 1, month.hours), np.int64)  # type: ignore[arg-type]
        some = hours.filter(pl.col("month") == number)
        np.add.at(grid, (some["row"].to_numpy(), some["hour"].to_numpy()), some["bytes"].to_numpy())
        samples = grid.sum(axis=0).tolist()
    use = Use(*whole, samples, month.days)
    octets = values.join(mine.group_by(_KEY).agg(pl.sum("bytes").alias("octets")), on=_KEY, how="left", maintain_order="left")["octets"]  # fmt: skip
    return _Month(month, octets.fill_null(0).to_list(), parts, grid, use, card.bill(use))


def _average(values: pl.DataFrame, months: list[_Month]) -> tuple[list[Decimal], list[str]]:
    """Each value's share of the bills by bytes; and which months that could not be said of."""
    names = values[_KEY].to_list()
    made = [Decimal(0)] * len(names)
    told = []
    whole = {name: values[name].to_list() for name in ("bytes", "requests")}
    for each in months:
        total, weights = each.bill.rounded(), each.octets
        if not total:
            continue
        if not any(weights):
            what = "bytes" if any(whole["bytes"]) else "requests"
            told.append(f"No bytes were measured in {each.month.name}; what it costs is shared by the {what} of all months.")  # fmt: skip
            weights = whole[what] if any(whole[what]) else [1] * len(names)
        shares = apportion(total, weights, names)
        made = [one + other for one, other in zip(made, shares, strict=True)]
    return made, told


def _margin(card: Card, months: list[_Month], rows: int) -> list[Decimal]:
    """By how much the bills would fall without each row of the answer, to the cent."""
    made = []
    with localcontext(prec=DIGITS):
        for row in range(rows):
            less = (each.bill.total - card.bill(_without(each, row)).total for each in months)
            made.append(sum(less, Decimal(0)).quantize(CENT, ROUND_HALF_UP))
    return made


def _without(month: _Month, row: int) -> Use:
    octets, requests = dict(month.use.octets), dict(month.use.requests)
    for whole, part in zip((octets, requests), month.parts.get(row, ({}, {})), strict=True):
        for region, count in part.items():
            whole[region] -= count
    samples = month.use.samples
    if month.hours is not None:
        samples = (np.array(samples, np.int64) - month.hours[row]).tolist()
    return month.use._replace(octets=octets, requests=requests, samples=samples)


def _frame(
    values: pl.DataFrame, columns: list[str], average: list[Decimal], margin: list[Decimal]
) -> pl.DataFrame:
    octets = max(int(values["bytes"].sum()), 1)
    first = [
        pl.when(pl.len() > 1).then(pl.lit(OTHERS if name == columns[0] else None, pl.String)).otherwise(pl.first(name)).alias(name)
        for name in columns
    ]  # fmt: skip
    folded = (
        values.with_columns(pl.Series("average_cost", average, MONEY))
        .group_by("row", maintain_order=True)
        .agg(*first, pl.sum("bytes", "requests", "unmeasured", "average_cost"), _bases())
        .sort("row")
    )
    return folded.select(
        *columns,
        "bytes",
        (pl.col("bytes") / octets).alias("share"),
        "requests",
        pl.Series("marginal_cost", margin, MONEY),
        pl.col("average_cost").cast(MONEY),
        "unmeasured",
        "basis",
    )


def _bases() -> pl.Expr:
    """The bases of some rows as one text; null where nothing was measured."""
    each = pl.col("basis").list.explode(empty_as_null=True).drop_nulls().unique().sort()
    return each.str.join("+").replace("", None).alias("basis")


def _notes(card: Card, found: Metered, months: list[_Month]) -> list[str]:
    made = []
    for each in months:
        if not each.month.whole:
            made.append(f"{each.month.name} is there from {each.month.since:%Y-%m-%d %H:%M} to {each.month.until:%Y-%m-%d %H:%M}: a part of a month is billed as a month, with its free allowance and its minimum whole.")  # fmt: skip
    rows = found.rows
    if unmeasured := int(rows["unmeasured"].sum()):
        made.append(f"Without a byte count: {count_text(unmeasured)} requests or connections. Their octets are not in the bill, which is too low by these.")  # fmt: skip
    bases = rows["basis"].explode().drop_nulls().unique().sort().to_list()
    if len(bases) > 1:
        made.append(f"Bytes are of several bases ({', '.join(bases)}), which do not count the same octets.")  # fmt: skip
    if found.untimed:
        made.append(f"{count_text(found.untimed)} records without a time are in no month, and not in the bill.")  # fmt: skip
    if card.percentile.price is not None:
        sizes = [max(each.use.samples, default=0) for each in months]
        made.append(f"The busiest hour sent {bytes_text(max(sizes))}, {max(sizes) * 8 / HOUR / 10**6:,.1f} Mbit/s.")  # fmt: skip
    return made


def _assumptions(card: Card, region: str, places: Sequence[Place], rows: pl.DataFrame) -> list[str]:
    octets = "10^9" if card.unit == "GB" else "2^30"
    made = [f"Prices of card {card.name} as of {card.as_of}, {card.origin}; {card.unit} is {octets} octets; no tax."]  # fmt: skip
    if region:
        rest = "All that no --regions names" if places else "Everything"
        made.append(f"{rest} is billed in the region {region}: a log says where the client is at most, not where it is billed.")  # fmt: skip
    if card.percentile.price is not None and card.percentile.samples == "5min":
        made.append("The provider takes samples of 5 minutes; these are of hours, which smooth what is shorter: the bill may be higher.")  # fmt: skip
    if card.commit is not None:
        made.append(f"{card.committed:,f} {card.currency} a month are committed.")
    if rows["sampled"].sum():
        made.append("Records of sampled logs count as often as their weight says.")
    if any(each.requests is not None for each in card.regions):
        made.append("Each request that was measured is billed as a request of the list.")
    made.append("Average cost shares the whole bill by bytes, requests and minimum included.")
    return [*made, card.note] if card.note else made


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
