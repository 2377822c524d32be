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
    then the declared measure is zero. What cannot be opened (`tls`, `quic`, `tunnel`) and is not
    measured on the wire counts its application octets as `tls`.
    """
    status = pl.col("response_status_code")
    empty = (pl.col("request_method") == "HEAD") | status.is_between(100, 199) | status.is_in([204, 304])  # fmt: skip
    declared = pl.col("response_header_content_length")
    sent = pl.when(empty.fill_null(value=False) & declared.is_not_null()).then(0).otherwise(declared)  # fmt: skip
    sizes = [pl.col(column) for _, column in _BASES[:-1]]
    closed = pl.col("exchange_kind") != "http"
    basis = pl.lit(None, pl.String)
    for name, column in reversed(_BASES):
        word = pl.when(closed & (name == "content")).then(pl.lit("tls")).otherwise(pl.lit(name))
        basis = pl.when(pl.col(column).is_not_null()).then(word).otherwise(basis)
    return [
        pl.coalesce(*sizes, sent).alias("server_bytes"),
        basis.cast(pl.Enum([*(name for name, _ in _BASES), "tls"])).alias("server_bytes_basis"),
    ]
