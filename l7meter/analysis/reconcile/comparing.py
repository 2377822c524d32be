"""A bill and the meter side by side: the difference, what explains it, and what is left.

    billed - metered = headers + lost + hops + origin + borders + unexplained

Each part has its rule: see `parts.explained`, and docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from l7meter.analysis.quality_ground import Ground
from l7meter.analysis.reconcile.completeness import Factor, completeness
from l7meter.analysis.reconcile.metered import Header, by_day, gaps_by_day, header_of, quarters
from l7meter.analysis.reconcile.parts import explained, shift_of, shifted
from l7meter.analysis.reconcile.reading import Bill
from l7meter.analysis.sampling import Z95
from l7meter.errors import UsageError
from l7meter.store import Connection

COLUMNS = (
    "day", "region", "billed_bytes", "metered_bytes", "difference_bytes", "header_bytes", "lost_bytes", "hop_bytes", "origin_bytes",
    "border_bytes", "unexplained_bytes", "unexplained_low_bytes", "unexplained_high_bytes", "billed_requests", "metered_requests", "missing_requests",
    "bytes_completeness", "requests_completeness", "metered_bytes_message", "metered_bytes_content", "metered_bytes_declared",
    "metered_bytes_wire", "metered_bytes_tls", "unmeasured_requests", "cdn_bytes", "cdn_requests", "gap_hours", "gap_bytes",
    "header_low_bytes", "header_high_bytes", "sampling_error_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class Reconciliation:
    """What came out: `days` (columns of `COLUMNS`; octets, requests), their sums, and two completeness factors.

    `notes` are sentences: what was assumed, what was left out, what looks wrong.
    """

    bill: Bill
    zone: str
    days: pl.DataFrame
    total: dict[str, Any]
    header: Header
    bytes_factor: Factor | None
    requests_factor: Factor | None
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON: names of units in the keys, days as ISO 8601."""
        provider = self.bill.provider
        factors = {"bytes": self.bytes_factor, "requests": self.requests_factor}
        return {
            "bill": {
                "name": self.bill.name,
                "provider": provider.name,
                "documentation": provider.documentation,
                "meaning": provider.meaning,
                "unit": self.bill.unit,
                "zone": self.zone,
                "lines": self.bill.lines,
                "lines_not_read": len(self.bill.problems),
                "lines_left_out": self.bill.left,
            },
            "header_octets_per_response": asdict(self.header),
            "completeness": {name: each and each._asdict() for name, each in factors.items()},
            "total": self.total,
            "days": [
                row | {"day": row["day"].isoformat()} for row in self.days.iter_rows(named=True)
            ],
            "problems": self.bill.problems,
            "notes": self.notes,
        }


def reconcile(
    connection: Connection,
    bill: Bill,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    zone: str | None = None,
    regions: Mapping[str, str] | None = None,
    header: float | None = None,
) -> Reconciliation:
    """Compare a bill with what the store metered on the bill's days, `since` to before `until`.

    `zone` is that of the bill's days (default: the provider's). `regions` gives the region of sources by
    patterns of their names (`{"*/eu-*": "EU"}`, the first that matches); without it regions are added
    up. `header` is the octets of a response's header section, where the store cannot tell. Raises
    `UsageError` where the bill has no day in the period.
    """
    zone, regions = zone or bill.provider.zone, regions or {}
    by_region = bool(regions) and bill.has_regions
    billed = _billed(bill, zone, since, until, by_region)
    place = ZoneInfo(zone)
    first, last = min(billed["day"].to_list()), max(billed["day"].to_list())
    begin = datetime.combine(first, time(), place)
    end = datetime.combine(last + timedelta(days=1), time(), place)
    ground = Ground(connection, begin, end)
    headed = (
        header_of(ground, header)
        if bill.provider.counts_fields
        else Header(0, 0, 0, "not billed", 0)
    )
    wide = Ground(connection, begin - timedelta(hours=14), end + timedelta(hours=14))
    known = regions if by_region else {}
    metered = quarters(wide, known)
    shift = shift_of(billed, metered, zone, headed.mean)
    keys = ["day", "region"]
    joined = (
        billed.join(by_day(metered, zone), on=keys, how="full", coalesce=True, nulls_equal=True)
        .join(gaps_by_day(ground, zone, known), on=keys, how="left", nulls_equal=True)
        .join(shifted(metered, zone, shift, headed.mean), on=keys, how="left", nulls_equal=True)
        .filter(pl.col("day").is_between(first, last))
    )
    days = explained(joined, headed, bill.provider.counts_hops).sort(
        "day", "region", nulls_last=True
    )
    return Reconciliation(
        bill,
        zone,
        days.select(COLUMNS),
        _total(days),
        headed,
        _factor(days, "full_bytes", "owed_bytes", "bytes_variance", header=True),
        _factor(days, "own_requests", "owed_requests", "requests_variance"),
        _notes(bill, days, headed, shift, bool(regions), by_region, zone),
    )


def _factor(
    days: pl.DataFrame, metered: str, billed: str, variance: str, *, header: bool = False
) -> Factor | None:
    """The completeness over the days of which the bill says something."""
    known = days.filter(pl.col(billed).is_not_null())
    sums = known.group_by("day").agg(pl.col(metered, billed).sum())
    half = (known["header_high_bytes"] - known["header_low_bytes"]).to_list() if header else []
    return completeness(
        sums[metered].to_list(),
        sums[billed].to_list(),
        sampling_variance=float(known[variance].sum()),
        header_half=sum(half) / 2,
    )


def _billed(
    bill: Bill, zone: str, since: datetime | None, until: datetime | None, by_region: bool
) -> pl.DataFrame:
    place = ZoneInfo(zone)
    rows = bill.days
    if since:
        rows = rows.filter(pl.col("day") >= since.astimezone(place).date())
    if until:
        rows = rows.filter(pl.col("day") < until.astimezone(place).date())
    if rows.is_empty():
        said = " to ".join(str(bill.days["day"].sort()[end]) for end in (0, -1))
        raise UsageError(
            f"{bill.name}: no day of the bill ({said}) is in the period; look at --since and --until"
        )
    if not by_region:
        rows = rows.with_columns(region=pl.lit(None, pl.String))
    figures = pl.exclude("day", "region")
    return rows.group_by("day", "region").agg(
        pl.when(figures.is_not_null().any()).then(figures.sum())
    )


def _total(days: pl.DataFrame) -> dict[str, Any]:
    """The sums of all days; errors add up as squares, intervals of the header as they are."""
    ratios = ("bytes_completeness", "requests_completeness")
    names = [name for name in COLUMNS if name not in ("day", "region", *ratios)]
    row = days.select(
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()) for name in names
    ).row(0, named=True)
    noise = float(days["bytes_variance"].sum()) ** 0.5 * Z95
    half = max(
        row["header_high_bytes"] - row["header_bytes"],
        row["header_bytes"] - row["header_low_bytes"],
    )
    row["sampling_error_bytes"] = noise
    if row["unexplained_bytes"] is not None:
        wide = (noise**2 + half**2) ** 0.5
        row["unexplained_low_bytes"] = row["unexplained_bytes"] - wide
        row["unexplained_high_bytes"] = row["unexplained_bytes"] + wide
    return row


def _notes(
    bill: Bill,
    days: pl.DataFrame,
    header: Header,
    shift: int,
    asked: bool,
    by_region: bool,
    zone: str,
) -> list[str]:
    notes = [f"{bill.provider.title}: {bill.provider.meaning} ({bill.provider.documentation})"]
    if header.source == "assumed" and days["bare_responses"].sum():
        notes.append(
            f"header sections are assumed to have {header.mean:,.0f} octets ({header.low:,.0f} to {header.high:,.0f}): no 100 records "
            "say both message and content; log both, or say --header-bytes"
        )
    if shift:
        notes.append(
            f"the bill's days look as if they began {abs(shift)} h {'earlier' if shift > 0 else 'later'} than those of {zone}: say --timezone"
        )
    if asked and not by_region:
        notes.append("the bill does not say regions: --region-of was left aside")
    if by_region and days.filter(pl.col("region").is_null()).height:
        notes.append("rows without a region are sources that no --region-of pattern matches")
    if bill.left:
        most = sorted(bill.left.items(), key=lambda item: -item[1])[:3]
        notes.append(
            f"{sum(bill.left.values()):,} lines are about something else ({', '.join(name for name, _ in most)}) and were left out"
        )
    if (unmeasured := days["unmeasured_requests"].sum()) > 0:
        notes.append(
            f"{unmeasured:,.0f} requests have no size: they count as requests and lower the mean"
        )
    return notes
