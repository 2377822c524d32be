"""Which records are downloads: complete, successful deliveries of an artifact.

Counting requests is easily wrong by a fifth: in 2026 the Python package index found that
`.metadata` files and two-byte 206 answers had been counted as downloads (metadata alone was 18.55 %
of one package's). Byte metering never depends on this. docs/downloads.md has all cases.
"""

from __future__ import annotations

import polars as pl


def is_download() -> pl.Expr:
    """Whether the record is a download, over the record's columns.

    True: GET of an artifact, answered 200 and not known to be cut short. Known to be cut short is
    what the source calls incomplete, what has no content (an artifact is never empty), and what has
    fewer octets of content, or of the whole message, than the Content-Length it announced.

    A 206 is one part, and a record does not say of how many. It counts only where the range asked
    for is everything (`bytes=0-`) and all of the announced length is known to have been sent; a client
    that fetches an artifact in several ranges is not counted at all.

    False: everything else that is known (another kind of file, HEAD, OPTIONS, 304, redirects, errors).
    Null: an artifact whose method or status the source does not say, and nothing else refutes it.
    """
    method, status = pl.col("request_method"), pl.col("response_status_code")
    content, declared = pl.col("response_body_size"), pl.col("response_header_content_length")
    cut = pl.any_horizontal(
        pl.col("complete").eq(False).fill_null(False),
        (content == 0).fill_null(False),
        (content < declared).fill_null(False),
        (pl.col("response_size") < declared).fill_null(False),
    )
    everything = (
        pl.col("range_requested").cast(pl.String).str.contains(r"^\s*bytes\s*=\s*0+\s*-\s*$")
    )
    whole = (everything & (content >= declared)).fill_null(False)
    return (
        (pl.col("artifact_kind") == "artifact").fill_null(False)
        & ~cut
        & (method == "GET")
        & ((status == 200) | ((status == 206) & whole))
    )
