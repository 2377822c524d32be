"""The best measure a record offers of the octets sent to the client, and what it counts."""

from __future__ import annotations

import polars as pl

# Best first: what the port is billed for, the message, its content, what was announced.
_BASES = (
    ("wire", "server_wire_bytes"),
    ("message", "response_size"),
    ("content", "response_body_size"),
    ("declared", "response_header_content_length"),
)


def server_bytes() -> list[pl.Expr]:
    """`server_bytes` (octets) and `server_bytes_basis`; both null where the source gives no size.

    An announced length was not sent in answer to HEAD, nor with 1xx, 204 and 304 (RFC 9110 §6.4.1):
    then the declared measure is zero. A connection that cannot be opened counts its application
    octets (`tls`) where the capture tells them apart from the rest, whatever the wire carried.
    """
    status = pl.col("response_status_code")
    empty = (pl.col("request_method") == "HEAD") | status.is_between(100, 199) | status.is_in([204, 304])  # fmt: skip
    declared = pl.col("response_header_content_length")
    sent = pl.when(empty.fill_null(value=False) & declared.is_not_null()).then(0).otherwise(declared)  # fmt: skip
    sizes = [pl.col(column) for _, column in _BASES[:-1]]
    closed = (pl.col("exchange_kind") != "http") & pl.col("response_body_size").is_not_null()
    basis = pl.lit(None, pl.String)
    for name, column in reversed(_BASES):
        basis = pl.when(pl.col(column).is_not_null()).then(pl.lit(name)).otherwise(basis)
    opened = pl.coalesce(*sizes, sent)
    return [
        pl.when(closed).then("response_body_size").otherwise(opened).alias("server_bytes"),
        pl.when(closed)
        .then(pl.lit("tls"))
        .otherwise(basis)
        .cast(pl.Enum([*(name for name, _ in _BASES), "tls"]))
        .alias("server_bytes_basis"),
    ]
