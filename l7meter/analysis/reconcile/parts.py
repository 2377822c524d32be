"""The parts of the difference between a bill and the meter, and the bill's days against ours."""

from __future__ import annotations

import polars as pl

from l7meter.analysis.reconcile.metered import Header, by_day
from l7meter.analysis.sampling import Z95

SHIFTS = range(-12, 15)  # hours by which a zone is ahead of the one that is said
BORDER_DAYS = 5  # days from which a shift can be told


def _profile(days: pl.DataFrame, octets: pl.Expr) -> pl.DataFrame:
    sums = days.group_by("day").agg(octets.sum().alias("octets"))
    return sums.with_columns(pl.col("octets") / pl.col("octets").sum())


def shift_of(billed: pl.DataFrame, metered: pl.DataFrame, zone: str, header: float) -> int:
    """By how many hours the bill's days seem to begin earlier; 0 unless that halves the days' disagreement.

    Compared is each day's share of the whole, so that what is missing everywhere does not matter.
    """
    if billed["day"].n_unique() < BORDER_DAYS or not billed["billed_bytes"].sum():
        return 0
    owed = _profile(billed, pl.col("billed_bytes"))
    octets = pl.col("metered_bytes") + header * pl.col("bare_responses")

    def apart(hours: int) -> float:
        ours = by_day(metered, zone, hours).join(owed.select("day"), on="day", how="semi")
        both = owed.join(_profile(ours, octets), on="day", how="left").fill_null(0)
        return float((both["octets"] - both["octets_right"]).abs().sum())

    best = min(SHIFTS, key=lambda hours: (apart(hours), abs(hours)))
    now = apart(0)
    return best if best and now > 0.01 and apart(best) < now / 2 else 0


def shifted(metered: pl.DataFrame, zone: str, shift: int, header: float) -> pl.DataFrame:
    """What the days would have, begun so many hours earlier: day, region, shifted_bytes, shifted_requests."""
    return by_day(metered, zone, shift).select(
        "day",
        "region",
        shifted_bytes=pl.col("metered_bytes") + header * pl.col("bare_responses"),
        shifted_requests=pl.col("metered_requests"),
    )


def explained(days: pl.DataFrame, header: Header, hops: bool) -> pl.DataFrame:
    """The parts of the difference, by day.

    - headers: responses of which only the content (or the announced length) is known, times the mean
      header;
    - hops: what the bill says went between its own caches, less what we metered to a CDN's addresses;
    - origin: what the bill says went to the origin;
    - lost: requests billed and not metered, at the day's mean octets with header; of a bill without
      requests, the hours without a record at their usual rate;
    - borders: what the day would have if its borders were those that fit the bill.
    """
    silent = ("billed_bytes", "billed_requests", "shield_bytes", "shield_requests", "origin_bytes")
    b = pl.col
    billed_hops = b("shield_bytes").is_not_null() & pl.lit(hops)
    known_hops = b("shield_requests").is_not_null() & pl.lit(hops)
    zero = pl.lit(0.0)
    half = pl.max_horizontal(
        b("header_high_bytes") - b("header_bytes"), b("header_bytes") - b("header_low_bytes")
    )
    return (
        days.with_columns(pl.exclude("day", "region", *silent).fill_null(0))
        .with_columns(
            difference_bytes=b("billed_bytes") - b("metered_bytes"),
            header_bytes=header.mean * b("bare_responses"),
            header_low_bytes=header.low * b("bare_responses"),
            header_high_bytes=header.high * b("bare_responses"),
            own_requests=b("metered_requests") - pl.when(known_hops).then("cdn_requests").otherwise(zero),
            owed_requests=b("billed_requests") - pl.when(known_hops).then("shield_requests").otherwise(zero),
            hop_bytes=pl.when(billed_hops).then(b("shield_bytes") - b("cdn_bytes")).otherwise(zero),
            origin_bytes=b("origin_bytes").fill_null(0),
            border_bytes=b("shifted_bytes") - b("metered_bytes") - header.mean * b("bare_responses"),
            border_requests=b("shifted_requests") - b("metered_requests"),
            sampling_error_bytes=Z95 * b("bytes_variance").sqrt(),
        )
        .with_columns(
            missing_requests=b("owed_requests") - b("own_requests"),
            full_bytes=b("metered_bytes") + b("header_bytes") - pl.when(billed_hops).then("cdn_bytes").otherwise(zero),
            owed_bytes=b("billed_bytes") - pl.when(billed_hops).then("shield_bytes").otherwise(zero) - b("origin_bytes"),
        )
        .with_columns(
            lost_bytes=pl.when(b("missing_requests").is_not_null())
            .then((b("missing_requests") - b("border_requests")) * _mean("full_bytes", "own_requests"))
            .otherwise(b("gap_bytes") + header.mean * b("gap_requests") * (b("bare_responses") > 0)),
        )
        .with_columns(
            unexplained_bytes=b("difference_bytes") - b("header_bytes") - b("lost_bytes") - b("hop_bytes")
            - b("origin_bytes") - b("border_bytes"),
            noise=(half**2 + b("sampling_error_bytes") ** 2).sqrt(),
            bytes_completeness=pl.when(b("owed_bytes") > 0).then(b("full_bytes") / b("owed_bytes")),
            requests_completeness=pl.when(b("owed_requests") > 0).then(b("own_requests") / b("owed_requests")),
        )
        .with_columns(
            unexplained_low_bytes=b("unexplained_bytes") - b("noise"),
            unexplained_high_bytes=b("unexplained_bytes") + b("noise"),
        )
    )  # fmt: skip


def _mean(octets: str, requests: str) -> pl.Expr:
    """Octets a request of the day; of a day without any, that of all days."""
    of_all = (
        pl.when(pl.col(requests).sum() > 0)
        .then(pl.col(octets).sum() / pl.col(requests).sum())
        .otherwise(0)
    )
    return pl.when(pl.col(requests) > 0).then(pl.col(octets) / pl.col(requests)).otherwise(of_all)
