"""What every capture's records must satisfy, and how two engines are compared."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from l7meter.captures import Capture, Sums, columnar, engine, tcp, turns, view
from l7meter.captures.containers import Container
from l7meter.captures.records import SCHEMA

PCAPS = Path(__file__).resolve().parents[2] / "sample_pcaps"
FILES = sorted(path.name for path in PCAPS.glob("*.pcap*"))
# Checksums are the exact path's alone, and which path a connection took is no result.
BY_ENGINE = ("bad_checksums", "exact_connections")
HIDDEN = ("tls", "quic", "tunnel")


def sample(name: str) -> bytes:
    octets = (PCAPS / name).read_bytes()
    return gzip.decompress(octets) if name.endswith(".gz") else octets


def records(
    octets: bytes, by: str = "exact", window: int | None = None
) -> tuple[pl.DataFrame, Sums, str | None]:
    """The records of a capture in an order of their own, its sums, and its problem."""
    with pytest.MonkeyPatch.context() as patch:
        if window:
            patch.setattr(engine, "Container", lambda pieces: Container(pieces, window))
        capture = Capture([octets], engine=by)
        frames = list(capture.frames())
    frame = pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)
    return frame.sort("source_line", *SCHEMA.names()), capture.sums, capture.problem


def conserved(frame: pl.DataFrame, sums: Sums) -> None:
    """Every packet and every octet is in exactly one place."""
    assert sums.packets == sums.carried + sums.skipped.total()
    whole = sums.message_bytes + sums.tunnel_bytes + sums.remainder_bytes
    assert sums.payload_bytes == whole
    assert _sum(frame, "client_wire_bytes", "server_wire_bytes") == sums.wire_bytes
    of = pl.col("exchange_kind").cast(pl.String)
    sizes = ("request_size", "response_size")
    assert _sum(frame.filter(of.is_in(HIDDEN)), *sizes) == sums.tunnel_bytes
    assert _sum(frame.filter(of == "remainder"), *sizes) == sums.remainder_bytes
    # HTTP/2 has frames between its messages
    assert _sum(frame.filter(of == "http"), *sizes) <= sums.message_bytes
    assert _sum(frame, "missing_bytes") <= sums.missing_bytes
    assert not frame.filter(pl.col("request_body_size") > pl.col("request_size")).height
    assert not frame.filter(pl.col("response_body_size") > pl.col("response_size")).height
    assert not frame.filter(pl.min_horizontal(pl.col(pl.Int64, pl.UInt64)) < 0).height


def _sum(frame: pl.DataFrame, *columns: str) -> int:
    return sum(int(frame[column].sum()) for column in columns)


def judged(
    octets: bytes, window: int | None = None, short: int = 2, *, steady: bool = True
) -> pl.DataFrame:
    """The records, which both engines give alike; the columnar one in windows of so many octets.

    Where the clock is steady, windows do not matter; else connections may seem idle at their ends.
    A run of less than 2 packets may be a FIN, so this is the least for `short`.
    """
    frame, sums, problem = records(octets, window=None if steady else window)
    conserved(frame, sums)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columnar, "SHORT", short)
        columns, column_sums, column_problem = records(octets, "columnar", window)
    assert_frame_equal(columns, frame)
    assert _said(column_sums) == _said(sums)
    assert column_problem == problem
    return frame


def hold_at_most(
    patch: pytest.MonkeyPatch,
    segments: int,
    octets: int,
    patience: int = tcp.PATIENCE,
    unheard: int = tcp.UNHEARD,
) -> None:
    """Let a stream hold no more behind a hole, and no longer, in both engines."""
    patch.setattr(tcp, "PATIENCE", patience)
    patch.setattr(tcp, "UNHEARD", unheard)
    patch.setattr(view, "AHEAD", segments // 2)
    for module in (tcp, turns):
        patch.setattr(module, "HELD_SEGMENTS", segments)
    for module in (tcp, turns, view):
        patch.setattr(module, "HELD_OCTETS", octets)


def _said(sums: Sums) -> dict[str, Any]:
    return {name: value for name, value in asdict(sums).items() if name not in BY_ENGINE}


def cut(octets: bytes, *packets: int) -> list[bytes]:
    """A pcap as the files of a rotation, cut ahead of these packets (from 0)."""
    header, record = 24, 16
    edges = [int(start) - record for each in Container([octets]).windows() for start in each.start]
    edges.append(len(octets))
    places = [header, *(edges[min(packet, len(edges) - 1)] for packet in sorted(packets)), len(octets)]  # fmt: skip
    return [octets[:header] + octets[one:other] for one, other in pairwise(places)]


def moved(octets: bytes, seconds: Callable[[int], int]) -> bytes:
    """A little-endian pcap whose packets, told by their number from 0, passed so much later."""
    result, place, number = bytearray(octets), 24, 0
    while place < len(result):
        time = int.from_bytes(result[place : place + 4], "little") + seconds(number)
        result[place : place + 4] = time.to_bytes(4, "little")
        place += 16 + int.from_bytes(result[place + 8 : place + 12], "little")
        number += 1
    return bytes(result)
