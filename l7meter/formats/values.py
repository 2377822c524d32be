"""Text to numbers, addresses and words: one function a kind of value, columns in and out.

Null in, null out; a value that is present and cannot be read gives null, which the caller tells
from the former. Words for a missing value are null before they come here.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from l7meter.columns import map_distinct
from l7meter.schema import LARGEST


def text(raw: pl.Series) -> pl.Series:
    """Text as it is."""
    return raw


def integer(dtype: pl.DataType) -> Callable[[pl.Series], pl.Series]:
    """Whole numbers, also written as `4321.0`."""

    def convert(raw: pl.Series) -> pl.Series:
        whole = raw.cast(pl.Int64, strict=False)
        if whole.null_count() > raw.null_count():
            real = raw.cast(pl.Float64, strict=False)
            exact = real.set(real != real.floor(), None).cast(pl.Int64, strict=False)
            whole = whole.fill_null(exact)
        if (whole.abs() > LARGEST).any():  # garbage that would make sums wrap round
            whole = whole.set(whole.abs() > LARGEST, None)
        return whole.cast(dtype, strict=False)

    return convert


def number(per: int) -> Callable[[pl.Series], pl.Series]:
    """Real numbers, so many of which make one."""

    def convert(raw: pl.Series) -> pl.Series:
        real = raw.cast(pl.Float64, strict=False)
        real = real.set(~real.is_finite(), None)  # `nan` would spoil every sum
        return real if per == 1 else (real / per).round(9)

    return convert


def boolean(raw: pl.Series) -> pl.Series:
    """`true`, `1`, `yes`, `on` and their opposites."""
    words = raw.str.to_lowercase()
    out = pl.Series(raw.name, [None], dtype=pl.Boolean).new_from_index(0, raw.len())
    out = out.set(words.is_in(["true", "1", "yes", "on"]), value=True)
    return out.set(words.is_in(["false", "0", "no", "off"]), value=False)


def clf_size(raw: pl.Series) -> pl.Series:
    """Octets in the common log format, where `-` stands for none."""
    return integer(pl.Int64())(raw.set(raw == "-", "0"))


def http_version(raw: pl.Series) -> pl.Series:
    """`HTTP/1.1`, `HTTP/2.0`, `h2`, `1.1.0.0` as `1.1`, `2`, `2`, `1.1`; other words are null."""
    return map_distinct(raw, _http_version)


def _http_version(raw: pl.Series) -> pl.Series:
    version = raw.str.extract(r"(?i)^(?:https?[/ ]?|h)?([0-9](?:\.[0-9])?)(?:\.0)*$")
    return version.replace({"2.0": "2", "3.0": "3"})


def http2_flag(raw: pl.Series) -> pl.Series:
    """`2` for true (RubyGems' log); false leaves the version open."""
    return raw.replace_strict({"true": "2", "1": "2"}, default=None, return_dtype=pl.String)


def scheme_or_version(raw: pl.Series, _: str) -> dict[str, pl.Series]:
    """Akamai's `proto`: `HTTP/2` in newer logs, `HTTPS` in older ones."""
    words = raw.str.to_lowercase()
    scheme = words.set(~words.is_in(["http", "https"]), None)
    return {"network_protocol_version": http_version(raw), "url_scheme": scheme}


def tls_flag(raw: pl.Series) -> pl.Series:
    """The scheme from whether TLS was used; HAProxy marks it with a tilde, and else says nothing."""
    flag = boolean(raw.replace({"~": "on"}))
    return _word(flag, "https").fill_null(_word(~flag, "http"))


def cache_hit(raw: pl.Series) -> pl.Series:
    """`HIT` or `MISS` from a flag."""
    flag = boolean(raw)
    return _word(flag, "HIT").fill_null(_word(~flag, "MISS"))


def cache_lookup(raw: pl.Series) -> pl.Series:
    """`MISS` where the cache was asked; Google leaves a `cacheHit` that is false out."""
    return _word(boolean(raw), "MISS")


def complete_squid(raw: pl.Series) -> pl.Series:
    """False where the result code ends in `_ABORTED` or `_TIMEDOUT`; else it does not tell."""
    cut = raw.str.contains(r"_(?:ABORTED|TIMEDOUT)$")
    return ~cut.set(~cut, None)


def complete_haproxy(raw: pl.Series) -> pl.Series:
    """From `SIZE COOKIE COOKIE STATE`: `--` ended well, `.D` ended while the content was sent.

    A size with a plus was logged before the end (`option logasap`) and does not tell.
    """
    ended = raw.str.contains(r"^[0-9].* --..$")
    cut = raw.str.contains(r"^[0-9].* [^-]D..$")
    return ended.set(~(ended | cut), None)


def _word(rows: pl.Series, word: str) -> pl.Series:
    return pl.Series([word]).new_from_index(0, rows.len()).set(~rows.fill_null(value=False), None)


def tls_version(raw: pl.Series) -> pl.Series:
    """As logged; the number of the protocol version as its name (772 is TLSv1.3, RFC 8446)."""
    numbers = {"772": "TLSv1.3", "771": "TLSv1.2", "770": "TLSv1.1", "769": "TLSv1", "768": "SSLv3"}
    return raw.replace(numbers)


def address(raw: pl.Series) -> pl.Series:
    """An address without brackets; anything else (a name, `unix:`) as it is."""
    bracketed = raw.str.starts_with("[")
    if not bracketed.any():
        return raw
    bare = raw.str.extract(r"^\[([^\]]*)\](?::[0-9]+)?$")
    return bare.fill_null(raw)


def address_of_pair(raw: pl.Series) -> pl.Series:
    """The address of `192.0.2.1:5000`, `[2001:db8::1]:5000` or (ALB) `2001:db8::1:5000`."""
    pair = raw.str.extract_groups(r"^\[?(.*?)\]?:([0-9]*)$").struct[0]
    return pair.fill_null(raw)


def address_port(raw: pl.Series, _: str) -> dict[str, pl.Series]:
    """Address and port of a pair; the part behind the last colon is the port."""
    port = raw.str.extract(r":([0-9]+)$").cast(pl.Int32, strict=False)
    return {"client_address": address_of_pair(raw), "client_port": port}


def address_maybe_port(raw: pl.Series, _: str) -> dict[str, pl.Series]:
    """The address, and the port where it is set off without doubt (`2001:db8::1:5000` is not)."""
    pair = raw.str.extract_groups(r"^(?:\[([^\]]*)\]|([^:]*)):([0-9]+)$").struct
    port = pair[2].cast(pl.Int32, strict=False)
    return {
        "client_address": pair[0].fill_null(pair[1]).fill_null(address(raw)),
        "client_port": port,
    }


def rooted(raw: pl.Series) -> pl.Series:
    """A path whose first slash may have been left out; absolute URLs as they are."""
    bare = ~raw.str.contains(r"^(?:/|\*$|[A-Za-z][A-Za-z0-9+.-]*://)")
    return raw.zip_with(~bare.fill_null(value=False), "/" + raw)


def duration_text(raw: pl.Series) -> pl.Series:
    """Durations with their unit: `0.25s`, `12ms`, `1.5µs`, `80ns`; also Go's `1h2m3.5s`."""
    parts = raw.str.extract_groups(r"^(?:(\d+)h)?(?:(\d+)m)?([0-9.]+)\s*(s|ms|µs|us|ns)$").struct
    per = parts[3].replace({"s": "1", "ms": "1e3", "µs": "1e6", "us": "1e6", "ns": "1e9"})
    seconds = parts[2].cast(pl.Float64, strict=False) / per.cast(pl.Float64)
    hours, minutes = (parts[place].cast(pl.Int64, strict=False).fill_null(0) for place in (0, 1))
    return hours * 3600 + minutes * 60 + seconds.round(9)
