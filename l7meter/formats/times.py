"""Times as loggers write them, to instants in UTC with microseconds."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

INSTANT = pl.Datetime("us", "UTC")
Times = Callable[[pl.Series, str], pl.Series]


def epoch(microseconds: int, *, divide: bool = False) -> Times:
    """Numbers since 1970 whose unit is so many microseconds (or, divided, so much less)."""

    def convert(raw: pl.Series, _: str) -> pl.Series:
        whole = raw.cast(pl.Int64, strict=False)
        if not divide:
            whole = whole.set(whole.abs() > _LATEST // microseconds, None)  # would wrap round
        micro = whole // microseconds if divide else whole * microseconds
        if whole.null_count() > raw.null_count():
            # a double holds the seconds of our times to a quarter of a microsecond
            real = raw.cast(pl.Float64, strict=False)
            scaled = real / microseconds if divide else real * microseconds
            scaled = scaled.set(scaled.abs() > 9e18, None)
            micro = micro.fill_null(scaled.round().cast(pl.Int64, strict=False))
        return _instants(micro)

    return convert


def _instants(times: pl.Series) -> pl.Series:
    """Instants of microseconds or of times with a zone, those that are no time left out."""
    instants = times.cast(INSTANT)
    sane = instants.to_physical().is_between(_EARLIEST, _LATEST)
    return instants if sane.all() else instants.set(~sane, None)


# µs, years 1 to 9999
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999


def any_time(raw: pl.Series, zone: str) -> pl.Series:
    """A time whose form is told by looking: a number's unit by its size, text as RFC 3339 or CLF."""
    number = raw.cast(pl.Float64, strict=False)
    out = iso(raw.set(number.is_not_null(), None), zone)
    for limit, microseconds, divide in _UNITS:
        this = (number.abs() < limit) & out.is_null()
        if this.fill_null(value=False).any():
            unit = epoch(microseconds, divide=divide)(raw.set(~this, None), zone)
            out = out.fill_null(unit)
    if out.null_count() > raw.null_count():
        out = out.fill_null(clf(raw, zone)).fill_null(http_date(raw, zone))
    return out


# seconds until the year 5138, then milliseconds, microseconds, nanoseconds
_UNITS = ((1e11, 1_000_000, False), (1e14, 1000, False), (1e17, 1, False), (1e20, 1000, True))


def clf(raw: pl.Series, zone: str) -> pl.Series:
    """`02/Jan/2024:03:04:05 +0100`; a fraction may follow the seconds; Python has a blank for the first colon."""
    out = raw.str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us", strict=False).cast(INSTANT)
    if out.null_count() > raw.null_count():
        rest = raw.set(out.is_not_null(), None)
        fraction = rest.str.to_datetime("%d/%b/%Y:%H:%M:%S%.f %z", time_unit="us", strict=False)
        local = rest.str.replace(" ", ":", literal=True).str.to_datetime(
            "%d/%b/%Y:%H:%M:%S%.f", time_unit="us", strict=False
        )
        out = out.fill_null(fraction.cast(INSTANT)).fill_null(_from_zone(local, zone))
    return _instants(out)


def http_date(raw: pl.Series, _: str) -> pl.Series:
    """`Tue, 02 Jan 2024 03:04:05 GMT` (RFC 9110 §5.6.7)."""
    out = raw.str.to_datetime("%a, %d %b %Y %H:%M:%S GMT", time_unit="us", strict=False)
    return _instants(out.dt.replace_time_zone("UTC"))


def iso(raw: pl.Series, zone: str) -> pl.Series:
    """RFC 3339 and its looser kin: `T` or a blank, `.` or `,`, up to nine digits, any offset form."""
    base = raw.str.slice(0, 19).str.replace("T", " ", literal=True)
    local = base.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    if local.null_count() > raw.null_count():
        local = local.fill_null(
            base.str.to_datetime("%Y-%m-%dt%H:%M:%S", time_unit="us", strict=False)
        )
    parts = raw.str.slice(19).str.extract_groups(
        r"^(?:[.,]([0-9]{1,12}))?\s*(?:([Zz]|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2})?)?$"
    ).struct  # fmt: skip
    micro = (parts[0].fill_null("") + "000000").str.slice(0, 6).cast(pl.Int64)
    local = local.set(~raw.str.slice(19).str.contains(_TAIL), None)
    exact = local + micro.cast(pl.Duration("us"))
    hours = parts[3].cast(pl.Int64).fill_null(0)
    minutes = parts[4].cast(pl.Int64).fill_null(0)
    offset = (hours * 3600 + minutes * 60) * parts[2].replace({"-": "-1", "+": "1"}).cast(pl.Int64).fill_null(0)  # fmt: skip
    utc = (exact - (offset * 1_000_000).cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    unzoned = parts[1].is_null() & parts[2].is_null()
    if zone == "UTC" or not unzoned.any():
        return _instants(utc)
    return _instants(utc.zip_with(~unzoned, _from_zone(exact, zone)))


_TAIL = r"^(?:[.,][0-9]{1,12})?\s*(?:[Zz]|UTC|GMT|[+-](?:[01][0-9]|2[0-3]):?(?:[0-5][0-9])?)?$"


def strftime(form: str) -> Times:
    """Times in the operator's own strftime form, in its own zone or the one stated."""

    def convert(raw: pl.Series, zone: str) -> pl.Series:
        out = raw.str.to_datetime(form, time_unit="us", strict=False)
        if isinstance(out.dtype, pl.Datetime) and out.dtype.time_zone:
            return _instants(out)
        return _instants(_from_zone(out, zone))

    return convert


def is_zone(name: str) -> bool:
    """Whether a zone has this name."""
    try:
        _from_zone(pl.Series([None], dtype=pl.Datetime("us")), name)
    except pl.exceptions.ComputeError:
        return False
    return name != ""


def _from_zone(local: pl.Series, zone: str) -> pl.Series:
    # In the hour that a change of clocks repeats, the earlier instant is taken.
    placed = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return placed.dt.convert_time_zone("UTC")
