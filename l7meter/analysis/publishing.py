"""Answers that leave the house: rows of few clients are folded into one, figures are rounded.

The floor is that of k-anonymity: what is shown of a client is shown of at least k clients (Sweeney 2002,
https://dataprivacylab.org/projects/kanonymity/index.html). What is hidden must not come back by
subtracting what is shown from a total: primary and secondary suppression of magnitude tables, Handbook
on Statistical Disclosure Control, 2nd ed. (Eurostat, 2024), chapter 4,
https://sdctools.github.io/HandbookSDC/04-magnitude-tabular-data.html. docs/publishing.md says what it
protects from, and from what it does not.
"""

from __future__ import annotations

import re

import polars as pl
import polars.selectors as cs

from l7meter.analysis.catalogue import catalogue
from l7meter.errors import UsageError

CLIENTS = "clients"
BASIS = "basis"


def _over(numerator: str, denominator: str) -> pl.Expr:
    below = pl.col(denominator)
    return pl.when(below != 0).then(pl.col(numerator) / below)


# What a number is, by its column's name or the last words of it; any other number is of its row alone
# (distinct agents, the largest size), and nothing is said of it on a folded row.
IDENTIFIERS = ("asn", "port", "status", "status_code", "line")  # keys, though they are numbers
SUMS = ("bytes", "requests", "records", "downloads", "lines", "unmeasured")
PARTS = {"share": "bytes", "request_share": "requests"}  # of the sum of all rows
MEANS = {"unattributed": "bytes"}  # weighed by it
RATIOS = {
    "redundant_share": _over("redundant_bytes", "bytes"),
    "avoidable_share": _over("avoidable_bytes", "bytes"),
    "change": _over("bytes", "previous_bytes") - 1,
}

_LAST_SELECT = re.compile(r"\A.*^SELECT\b", re.DOTALL | re.MULTILINE)
_SHOWN = re.compile(rf"\bAS {CLIENTS}\b")


def publishable(frame: pl.DataFrame, min_clients: int, digits: int) -> pl.DataFrame:
    """An answer as it may be shown to others; 0 clients set no floor, 0 digits leave figures exact.

    Rows of fewer than `min_clients` distinct `clients`, or of a number not known, become one, last
    row `(fewer than N clients)`, together with the row that reaches the floor by the fewest: that row
    alone makes sure of N distinct clients, since one client may be in many rows, and no total gives
    the others away. Where no row reaches the floor, that one row is all there is, without figures.

    Sums (`SUMS`, `PARTS`) add up before they are rounded; other numbers are computed again or null on
    the folded row, `clients` always. Then each number has so many significant digits, a half to the
    even one: unbiased, the same each time, and the rows need not add up to the rounded total. `PARTS`
    are quotients of rounded figures. Text, dates and `IDENTIFIERS` are keys and stay; where a floor
    is set the key that names the folded row is text.

    Doing it again changes nothing. Raises `UsageError` for a floor where there is no `clients`.
    """
    numbers = frame.with_columns(cs.float().fill_nan(None))
    if min_clients:
        if CLIENTS not in frame.columns:
            raise UsageError(
                f"the answer has no column '{CLIENTS}', so rows of fewer than {min_clients} clients "
                f"cannot be told; ask one of {', '.join(countable())}, add count(DISTINCT "
                "client_address) AS clients to a query of your own, or set no floor"
            )
        numbers = _folded(numbers, min_clients)
    return _rounded(numbers, min_clients, digits) if digits else numbers


def countable() -> list[str]:
    """The queries of the catalogue that say how many clients a row stands for."""
    return [each.name for each in catalogue() if _SHOWN.search(_LAST_SELECT.sub("", each.sql))]


def _is(name: str, words: tuple[str, ...]) -> bool:
    return name.endswith(tuple(f"_{word}" for word in words)) or name in words


def _keys(schema: pl.Schema) -> list[str]:
    numbers = {n for n, type_ in schema.items() if type_.is_numeric() and not _is(n, IDENTIFIERS)}
    return [name for name in schema if name not in numbers and name != BASIS]


# Folding


def _folded(frame: pl.DataFrame, floor: int) -> pl.DataFrame:
    keys = _keys(frame.schema)
    texts = [name for name in keys if frame.schema[name] == pl.String]
    name = next(iter(texts or keys), None)
    label = f"(fewer than {floor} clients)"
    clients = pl.col(CLIENTS)
    if name is None:  # one total
        few = frame.filter(clients.is_null() | (clients < floor))
        return few.clear(1) if few.height else frame
    frame = frame.with_columns(pl.col(name).cast(pl.String))

    # Ties are broken by keys, which are no secret: figures would let the choice tell of them.
    known = [n for n in keys if not frame.schema[n].is_nested()]
    others = [n for n in frame.columns if n not in known and not frame.schema[n].is_nested()]
    order = frame.select(pl.arg_sort_by(clients, *known, *others)).to_series()
    made = (pl.col(name) == label).fill_null(False) & clients.is_null()  # by an earlier pass
    below = (clients.is_null() | (clients < floor)) & ~made
    place = (
        frame[order].select(few=below, safe=clients >= floor, made=made).with_columns(place=order)
    )
    if not place["few"].any():
        return frame
    cover = place.filter("safe").head(1)
    if cover.is_empty():
        row = frame.clear(1)
    else:
        folded = pl.concat([place.filter(pl.col("few") | pl.col("made")), cover])["place"]
        row = _sums(frame[folded], _totals(frame))
    row = row.with_columns(pl.lit(label).alias(name)).select(frame.columns)
    stay = place.filter("safe")["place"].tail(-1).sort()
    return pl.concat([frame[stay], row.cast(frame.schema)])


def _sums(group: pl.DataFrame, totals: dict[str, float]) -> pl.DataFrame:
    """The one row that stands for a group."""
    columns = group.columns
    made = []
    for each, type_ in group.schema.items():
        column = pl.col(each)
        weight = MEANS.get(each)
        if each == BASIS:
            words = column.drop_nulls().str.split("+").explode().unique().sort()
            made.append(words.str.join("+").replace("", None))
        elif type_.is_numeric() and _is(each, SUMS):
            made.append(_sum(column))
        elif each in totals:
            made.append(_sum(pl.col(PARTS[each])) / totals[each])
        elif weight in columns:
            both = pl.when(column.is_not_null()).then(pl.col(str(weight)))
            made.append(pl.when(both.sum() != 0).then((column * both).sum() / both.sum()))
        else:
            made.append(pl.lit(None, type_))
    row = group.select(expression.alias(n) for expression, n in zip(made, columns, strict=True))
    return row.with_columns(_ratios(columns))


def _sum(column: pl.Expr) -> pl.Expr:
    return pl.when(column.is_not_null().any()).then(column.sum())


def _totals(frame: pl.DataFrame) -> dict[str, float]:
    """What the parts are parts of: the sum of the rows, or more where a query left rows out."""
    totals = {}
    for part, whole in PARTS.items():
        if {part, whole} <= set(frame.columns):
            both = frame.filter(pl.col(part).is_not_null() & pl.col(whole).is_not_null())
            parts = float(both[part].sort().sum())  # in any order of the rows the same
            rows = float(both[whole].sort().sum())
            if parts:
                # exact where it can be: the last bits of a quotient would tell of what it is made of
                totals[part] = rows if abs(parts - 1) < 1e-9 else rows / parts
    return totals


def _ratios(columns: list[str]) -> list[pl.Expr]:
    """The ratios among these columns whose parts are there, too."""
    return [
        ratio.alias(name)
        for name, ratio in RATIOS.items()
        if {name, *ratio.meta.root_names()} <= set(columns)
    ]


# Rounding


def _rounded(frame: pl.DataFrame, floor: int, digits: int) -> pl.DataFrame:
    keys = {*_keys(frame.schema), BASIS}
    numbers = [name for name in frame.columns if name not in keys]
    result = frame.with_columns(significant(frame[name], digits) for name in numbers)
    again = _ratios(frame.columns)
    result = result.with_columns(again)
    result = result.with_columns(
        significant(result[name], digits) for name in result.select(again).columns
    )
    for part, total in _totals(frame).items():
        about = significant(pl.Series([total]), digits)[0]
        result = result.with_columns((pl.col(PARTS[part]) / about).alias(part))
    if floor and CLIENTS in numbers:
        lifted = pl.when(pl.col(CLIENTS) < floor).then(floor).otherwise(pl.col(CLIENTS))
        result = result.with_columns(lifted.cast(result.schema[CLIENTS]).alias(CLIENTS))
    return result


def significant(figures: pl.Series, digits: int) -> pl.Series:
    """Numbers with so many significant digits, a half to the even one; integers stay integers."""
    if figures.dtype.is_integer():
        type_ = figures.dtype if figures.dtype in (pl.UInt64, pl.Int128) else pl.Int64()
        whole = _significant(pl.col(figures.name).cast(pl.Int128), digits)
        return figures.to_frame().select(whole.cast(type_)).to_series()
    # Decimal text is the one exact way; the rows of an answer are few.
    made = [None if each is None else float(f"{each:.{digits - 1}e}") for each in figures]
    return pl.Series(figures.name, made, pl.Float64)


def _significant(whole: pl.Expr, digits: int) -> pl.Expr:
    size = whole.abs()
    zeros = (size.cast(pl.String).str.len_chars().cast(pl.Int64) - digits).clip(0)
    step = pl.lit(10, pl.Int128).pow(zeros)
    down, rest = size // step, size % step
    up = (rest * 2 > step) | ((rest * 2 == step) & (down % 2 == 1))
    return (down + up.cast(pl.Int128)) * step * whole.sign()
