"""The words in which formats say what their fields mean, and how each becomes columns.

A format maps its own field names to readings (`$request_time` → `duration_s`); a reading fills
columns of the record from text. Any column of the record is itself a reading. A value that is
present but cannot be read makes its line a reject: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from l7meter.columns import map_distinct, map_runs
from l7meter.formats import times, urls, values
from l7meter.formats.text import unescape_clf, unescape_percent
from l7meter.schema import COLUMNS

Convert = Callable[[pl.Series, str], dict[str, pl.Series]]


class Reading(NamedTuple):
    """One way to read a field: the columns it fills, from text and the operator's time zone."""

    fills: tuple[str, ...]
    convert: Convert
    must: bool = True  # a present value that gives null in the first column is a reject


def _one(column: str, convert: Callable[[pl.Series], pl.Series], *, must: bool = True) -> Reading:
    return Reading((column,), lambda text, _: {column: convert(text)}, must)


def _time(convert: Callable[[pl.Series, str], pl.Series]) -> Reading:
    return Reading(("ts",), lambda text, zone: {"ts": convert(text, zone)})


def _time_runs(convert: Callable[[pl.Series, str], pl.Series]) -> Reading:
    """A time to the second; the lines of one second stand together, and are worked out once."""
    return _time(lambda text, zone: map_runs(text, lambda each: convert(each, zone)))


def _time_text(convert: Callable[[pl.Series, str], pl.Series]) -> Reading:
    """A time in words; many lines have the same, which is worked out once."""
    return _time(lambda text, zone: map_distinct(text, lambda each: convert(each, zone)))


def _column(name: str) -> Reading:
    kinds: dict[str, Callable[[pl.Series], pl.Series]] = {
        "string": values.text,
        "int16": values.integer(pl.Int16()),
        "int32": values.integer(pl.Int32()),
        "int64": values.integer(pl.Int64()),
        "double": values.number(1),
        "bool": values.boolean,
    }
    return _one(name, kinds[COLUMNS[name].type])


READINGS: dict[str, Reading] = {
    **{name: _column(name) for name, column in COLUMNS.items() if column.kind == "said" and name not in ("ts", "source_id", "source_line", "exchange_kind")},
    # Time. The most exact come first: where a line says its time twice, they win.
    "ts_epoch_ns": _time(times.epoch(1000, divide=True)),
    "ts_epoch_us": _time(times.epoch(1)),
    "ts_epoch_ms": _time(times.epoch(1000)),
    "ts_epoch_s": _time(times.epoch(1_000_000)),
    "ts": _time_text(times.any_time),
    "ts_iso": _time_text(times.iso),
    "ts_http_date": _time_text(times.http_date),
    "ts_clf": _time_runs(times.clf),
    "ts_ctime": _time_text(times.strftime("%a %b %e %H:%M:%S %Y")),
    "ts_date": _one("ts_date", values.text),
    "ts_time": _one("ts_time", values.text),
    "duration_ns": _one("duration", values.number(1_000_000_000)),
    "duration_us": _one("duration", values.number(1_000_000)),
    "duration_ms": _one("duration", values.number(1000)),
    "duration_s": _one("duration", values.number(1)),
    "duration_text": _one("duration", values.duration_text),
    # Who.
    "client_address": _one("client_address", values.address),
    "client_address_port": Reading(("client_address", "client_port"), values.address_port),
    "client_address_maybe_port": Reading(("client_address", "client_port"), values.address_maybe_port),
    "network_peer_address": _one("network_peer_address", values.address),
    "network_peer_address_port": _one("network_peer_address", values.address_of_pair),
    # What was asked.
    "request_line": Reading(("request_method", "url_original", "network_protocol_version"), urls.request_line, must=False),
    "url_original_rooted": _one("url_original", values.rooted),
    "url_stem": _one("url_stem", values.text),
    "url_stem_rooted": _one("url_stem", values.rooted),
    "url_query": _one("url_query", values.text),
    "server_host": Reading(("server_address", "server_port"), urls.host, must=False),
    "server_name": _one("server_name", values.text),
    "network_protocol_version": _one("network_protocol_version", values.http_version, must=False),
    "http2_flag": _one("network_protocol_version", values.http2_flag, must=False),
    "scheme_or_version": Reading(("network_protocol_version", "url_scheme"), values.scheme_or_version, must=False),
    "referrer_quoted": _one("referrer", unescape_clf),
    "user_agent_quoted": _one("user_agent_original", unescape_clf),
    "user_agent_percent": _one("user_agent_original", unescape_percent),
    # How much.
    "response_body_size_clf": _one("response_body_size", values.clf_size),
    "content_either_way": _one("content_either_way", values.integer(pl.Int64())),
    # How it went.
    "cache_status_finer": _one("cache_status", values.text),
    "cache_hit": _one("cache_status", values.cache_hit, must=False),
    "cache_lookup": _one("cache_status", values.cache_lookup, must=False),
    "complete_ok": Reading(("complete",), lambda text, _: {"complete": text == "OK"}, must=False),
    "complete_apache": Reading(("complete",), lambda text, _: {"complete": text != "X"}, must=False),
    "complete_squid": _one("complete", values.complete_squid, must=False),
    "complete_haproxy": _one("complete", values.complete_haproxy, must=False),
    "tls_version": _one("tls_version", values.tls_version),
    "tls_flag": _one("url_scheme", values.tls_flag, must=False),
    "url_scheme": _one("url_scheme", lambda text: values.text(text).str.to_lowercase()),
}  # fmt: skip


def reading(name: str) -> Reading:
    """The reading of this name.

    Raises `KeyError` where there is none; `ts_strftime:FORMAT` takes its format from its name.
    """
    if name.startswith("ts_strftime:"):
        return _time_text(times.strftime(name.partition(":")[2]))
    return READINGS[name]


def rank(name: str) -> int:
    """Which of two readings of one column wins: the lower."""
    return _RANK.get(name, len(_RANK))


_RANK = {name: place for place, name in enumerate(READINGS)}
