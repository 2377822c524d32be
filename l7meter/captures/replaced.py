"""The exchanges of an opened connection in place of its `tls` or `quic` record.

A record is replaced only where the octets tell that the connection was wholly opened: none is
missing, tshark saw as many in TLS records (UDP datagrams) as the record has, all of those were
opened, and they are HTTP. At most one TLS record a side may be left, cut short by the connection's
end. Every other record stays as it is, so no octet is in two records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from l7meter.captures import records
from l7meter.captures.exact import IDLE
from l7meter.captures.opened import Opened
from l7meter.captures.sums import Sums
from l7meter.captures.tls_records import HEADER, MAX_BODY

CLOSED = {"tls": "tcp", "quic": "udp"}  # kinds of record, and their transport
KEPT = (
    "client_address", "client_port", "server_port", "tls_version", "tls_server_name", "tls_fingerprint",
)  # fmt: skip
_END = (pl.col("ts").to_physical() * 1000 + (pl.col("duration").fill_null(0) * 1e9).cast(pl.Int64)).alias("end")  # fmt: skip

Key = tuple[str, int, int, str, int]  # client and its port, server's port, transport, first packet
Row = dict[str, Any]


def replace(
    frames: Iterable[pl.DataFrame], opened: Iterable[Opened], sums: Sums | None = None
) -> Iterator[pl.DataFrame]:
    """Frames of `records.SCHEMA`, with exchanges where a connection was wholly opened.

    In `sums` the octets of messages go from tunnels to messages; what TLS and QUIC add stays.
    """
    waiting = _Waiting(opened)
    for frame in frames:
        closed = pl.col("exchange_kind").cast(pl.String).is_in(list(CLOSED))
        found: list[tuple[int, Opened, Row]] = []
        for row in frame.with_columns(_END).with_row_index("place").filter(closed).to_dicts():
            one = waiting.take(row)
            if one and fits(row, one):
                found.append((row["place"], one, row))
            if sums:
                sums.closed += 1
        if sums:
            sums.opened += len(found)
        if not found:
            yield frame
            continue
        rows = records.Rows()
        for _, one, row in found:
            for part in exchanges(row, one):
                rows.add(part)
            if sums:
                _move(sums, one)
        places = pl.Series([place for place, _, _ in found], dtype=pl.UInt32)
        others = frame.with_row_index("place").filter(~pl.col("place").is_in(places.implode()))
        yield pl.concat([others.drop("place"), rows.take()])


def fits(row: Row, opened: Opened) -> bool:
    """Whether all of the record's octets were opened, and are HTTP."""
    left = [size - seen for size, seen in zip(_sizes(row), opened.octets, strict=True)]
    most = HEADER + MAX_BODY if row["exchange_kind"] == "tls" else 0
    return (
        opened.whole
        and bool(opened.exchanges)
        and row["missing_bytes"] == 0
        and all(0 <= octets <= most for octets in left)
    )


def exchanges(row: Row, opened: Opened) -> list[Row]:
    """The rows of an opened connection; the octets of its packets are shared out by their octets."""
    rows = [records.exchange(one) for one in opened.exchanges]
    if opened.tunnel_from:
        rows.append(records.unread("tunnel", opened.tunnel_from, opened.last, opened.tunnel, 0))
    if any(opened.remainder):
        rows.append(records.unread("remainder", opened.first, opened.last, opened.remainder, 0))
    for side, wire in (("request", "client_wire_bytes"), ("response", "server_wire_bytes")):
        weights = [part[f"{side}_size"] or 0 for part in rows]
        for part, share in zip(rows, shares(row[wire], weights), strict=True):
            part[wire] = share
    for part in rows:
        part.update({name: row[name] for name in KEPT})
        part["url_scheme"] = "https"
        records.behind(part, row["forwarded_for"])
        part["server_address"] = part.get("server_address") or row["server_address"]
    return rows


def shares(whole: int, weights: Sequence[int]) -> list[int]:
    """The whole in parts by weight, by largest remainder; of equals the earlier. All to the first if none weighs."""
    total = sum(weights)
    if not total:
        return [whole, *[0] * (len(weights) - 1)]
    parts = [whole * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: -(whole * weights[at] % total))
    for at in by_remainder[: whole - sum(parts)]:
        parts[at] += 1
    return parts


class _Waiting:
    """Opened connections by key, taken from their source no further than needed."""

    def __init__(self, opened: Iterable[Opened]) -> None:
        self._opened = iter(opened)
        self._by_key: dict[Key, Opened] = {}
        self._now = 0  # ns: the end of the last one taken

    def take(self, row: Row) -> Opened | None:
        """The opened connection of a record, if there is one."""
        key = (row["client_address"], row["client_port"], row["server_port"], CLOSED[row["exchange_kind"]], row["source_line"])  # fmt: skip
        # none comes later than its idle time and that of the look for idle ones
        while key not in self._by_key and self._now <= row["end"] + 3 * IDLE:
            one = next(self._opened, None)
            if one is None:
                break
            self._now = one.last.time
            (address, port), (_, server) = one.connection.client, one.connection.server
            self._by_key[address, port, server, one.connection.transport, one.first.packet] = one
        return self._by_key.pop(key, None)


def _move(sums: Sums, opened: Opened) -> None:
    messages = opened.overhead + sum(
        one.request_size + one.response_size for one in opened.exchanges
    )
    sums.message_bytes += messages
    sums.remainder_bytes += sum(opened.remainder)
    sums.tunnel_bytes -= messages + sum(opened.remainder)


def _sizes(row: Row) -> tuple[int, int]:
    return row["request_size"], row["response_size"]
