"""One finding about the data of a store: what, how grave, where, when, how much, and what to do."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Literal

import polars as pl

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """A row of `quality`.

    `source` is a source's name, or that of its stream; None where the finding is about several. `count` and
    `bytes` (octets) are those of the records, lines or hours that `message` speaks of; None is "not known".
    """

    check: str
    severity: Severity
    source: str | None
    since: datetime | None
    until: datetime | None
    count: int | None
    bytes: int | None
    message: str
    next_step: str


SCHEMA = pl.Schema(
    {
        "check": pl.String(),
        "severity": pl.Enum(list(SEVERITIES)),
        "source": pl.String(),
        "since": pl.Datetime("us", "UTC"),
        "until": pl.Datetime("us", "UTC"),
        "count": pl.Int64(),
        "bytes": pl.Int64(),
        "message": pl.String(),
        "next_step": pl.String(),
    }
)


def frame(findings: list[Finding]) -> pl.DataFrame:
    """The findings as a frame of `SCHEMA`, the gravest first, then by check and count."""
    made = pl.DataFrame([astuple(each) for each in findings], schema=SCHEMA, orient="row")
    return made.sort(
        "severity",
        "check",
        "count",
        "source",
        descending=[False, False, True, False],
        nulls_last=True,
    )


def folded(findings: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many findings of a check and severity; the rest is one row with their sums."""
    group = ["check", "severity"]
    placed = findings.with_columns(place=pl.int_range(pl.len()).over(group))
    rest = (
        placed.filter(pl.col("place") >= most)
        .group_by(group, maintain_order=True)
        .agg(
            pl.lit(None, pl.String).alias("source"),
            pl.col("since").min(),
            pl.col("until").max(),
            pl.col("count").sum(),
            pl.col("bytes").sum(),
            message=pl.format("{} more findings like these", pl.len()),
            next_step=pl.lit("see them all: l7meter quality --limit 0"),
        )
    )
    return pl.concat([placed.filter(pl.col("place") < most).drop("place"), rest]).sort(
        "severity", "check", maintain_order=True
    )


def percent(part: float, whole: float) -> str:
    """`12.3 %`; what rounds to nothing but is not is `< 0.1 %`."""
    share = 100 * part / whole if whole else 0.0
    return "< 0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"
