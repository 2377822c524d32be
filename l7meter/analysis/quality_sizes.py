"""Sizes that cannot be what the format says they are, records without one, and sampled records; by stream."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from l7meter.analysis.quality_finding import Finding, percent
from l7meter.analysis.quality_ground import Ground
from l7meter.analysis.sampling import TRUSTED, interval

ENOUGH = 20  # responses without content from which a share of them tells something
MESSAGES = {"combined": "debian-combined", "vhost-combined": "debian-vhost-combined"}
CONTENTS = {message: content for content, message in MESSAGES.items()}


def sizes(ground: Ground) -> Iterator[Finding]:
    """Responses that have no content and yet a content size, messages smaller than their content."""
    for row in ground.streams.iter_rows(named=True):
        where = (row["name"], row["first_ts"], row["last_ts"])
        if row["bare_filled"]:
            whole = row["bare"] >= ENOUGH and row["bare_filled"] >= row["bare"] / 2
            each = row["bare_bytes"] / row["bare_filled"]
            other = MESSAGES.get(row["format"])
            way = (
                f"--format {other}"
                if other
                else "--log-format with %O, or $bytes_sent, as the server has it"
            )
            yield Finding(
                "sizes",
                "error" if whole else "warning",
                *where,
                row["bare_filled"],
                row["bare_bytes"],
                f"{row['bare_filled']:,} of {row['bare']:,} responses to HEAD or of 204 or 304 have a content of "
                f"{each:,.0f} octets: such have none"
                + (", so the size is the message's" if whole else ""),
                f"if the server logs %O here: take the source out and ingest it again with {way}",
            )
        if row["bare_messages"] >= ENOUGH and row["bare_hollow"] >= row["bare_messages"] / 2:
            other = CONTENTS.get(row["format"])
            way = f"--format {other}" if other else "--log-format with %b, or $body_bytes_sent"
            yield Finding(
                "sizes",
                "error",
                *where,
                row["bare_hollow"],
                0,
                f"{row['bare_hollow']:,} of {row['bare_messages']:,} responses to HEAD or of 204 or 304 have a message of "
                "0 octets: a message has a head, so the size is the content's",
                f"take the source out and ingest it again with {way}",
            )
        if row["inverted"]:
            yield Finding(
                "sizes",
                "warning",
                *where,
                row["inverted"],
                row["inverted_bytes"],
                f"{percent(row['inverted'], row['records'])} of the messages are smaller than their content",
                "compare the fields that --map or --log-format name with the server's configuration",
            )


def unmeasured(ground: Ground) -> Iterator[Finding]:
    """Records that say no size, announced sizes, octets that a capture lost."""
    for row in ground.streams.iter_rows(named=True):
        where = (row["name"], row["first_ts"], row["last_ts"])
        if row["unmeasured"]:
            share = row["unmeasured"] / row["records"]
            yield Finding(
                "unmeasured",
                "warning" if share >= 0.01 else "info",
                *where,
                row["unmeasured"],
                None,
                f"{percent(share, 1)} of the records say no size: they count as requests, not as octets",
                "log the octets sent (nginx $bytes_sent, Apache %O)",
            )
        if row["declared"]:
            yield Finding(
                "declared",
                "info",
                *where,
                row["declared"],
                row["declared_bytes"],
                f"{percent(row['declared'], row['records'])} of the records say only the announced length: an aborted "
                "download counts whole, a response without one counts nothing",
                "log the octets sent beside it",
            )
        if row["missing_bytes"]:
            yield Finding(
                "capture_loss",
                "warning",
                *where,
                None,
                row["missing_bytes"],
                "octets were acknowledged and not captured: the capture dropped packets",
                "capture with a larger buffer (tcpdump -B), or at fewer places",
            )


def sampling(ground: Ground) -> Iterator[Finding]:
    """Sampled streams: how many records stand for how much, and with which error."""
    for row in ground.streams.filter(pl.col("sampled") > 0).iter_rows(named=True):
        squares = row["sampled_squares"]
        effective = row["sampled_bytes"] ** 2 / squares if squares else None
        octets = interval(row["bytes"] or 0, row["bytes_variance"] or 0, effective)
        asked = interval(row["requests"] or 0, row["requests_variance"] or 0)
        weak = octets.effective is not None and octets.effective < TRUSTED
        doubt = (
            f"; {octets.effective:.0f} records make the sum, so the error is not to be trusted"
            if weak
            else ""
        )
        yield Finding(
            "sampling",
            "warning" if weak else "info",
            row["name"],
            row["first_ts"],
            row["last_ts"],
            row["sampled"],
            round(octets.total),
            f"{percent(row['sampled'], row['records'])} of the records are samples; they stand for {asked.total:,.0f} "
            f"requests ± {percent(asked.standard_error, asked.total)} and their octets ± "
            f"{percent(octets.standard_error, octets.total)} (standard errors){doubt}",
            "show errors beside sums: l7meter query sampling",
        )
