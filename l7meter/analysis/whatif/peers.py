"""`l7meter whatif peers`: what a peer that had an artifact could have served."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from l7meter.analysis.whatif.answer import Answer, Price, with_cost
from l7meter.analysis.whatif.country import with_country
from l7meter.analysis.whatif.peers_holders import Deliveries
from l7meter.analysis.whatif.peers_upload import Terms, bounded, by_hour, present
from l7meter.analysis.whatif.scope import Selection, dimension
from l7meter.analysis.whatif.trace import at_once, read, scopes
from l7meter.errors import UsageError
from l7meter.store import Connection
from l7meter.units import bytes_text, percent_text

WINDOW = timedelta(hours=24)
PART_ROWS = 4_000_000  # looked at together: some 700 MB
DELIVERY = "is_download AND artifact_kind = 'artifact' AND response_status_code = 200 AND complete IS NOT FALSE"  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY = pl.DataFrame(schema={"scope": pl.UInt64, "own": pl.Int64, "peer": pl.Int64, "expected": pl.Float64})  # fmt: skip
_NO_HOURS = pl.DataFrame(schema={"scope": pl.UInt64, "hour": pl.Int64, "octets": pl.Float64})


def peers(
    con: Connection,
    selection: Selection | None = None,
    *,
    by: str = "organization",
    window: timedelta = WINDOW,
    participation: float = 1.0,
    upload: int | None = None,
    smallest: int = 0,
    limit: int | None = 20,
    price: Price | None = None,
    refdata: Path | None = None,
) -> Answer:
    """What another address of the same value of the dimension `by` had within `window` before it was asked for.

    Only complete deliveries of artifacts of `smallest` octets or more count. Each address takes part
    with the probability `participation` (0 to 1) and uploads `upload` octets a second at most. A row has the
    dimension's columns, `requests` and `bytes` of everything, `artifact_bytes` of deliveries, of these
    `own_bytes` that the same address had itself, and `peer_bytes` that only others had: the upper bound;
    `bounded_bytes` of these with participation and upload, `peer_share` (`peer_bytes` of
    `bytes`) and `clients`, the addresses with a delivery. What does not fit `limit` is the row `(others)`.
    `refdata` is the folder of imported reference data, of which countries are taken.
    Raises `UsageError` for options that name nothing.
    """
    selection = selection or Selection()
    terms = Terms(_window(con, window), participation, upload)
    _check(participation, upload, smallest)
    placed = with_country(con, selection, [by], refdata)
    delivery = f"{DELIVERY} AND coalesce(server_bytes, {smallest}) >= {smallest}"
    found = scopes(
        con, selection, by,
        deliveries=f"count(*) FILTER (WHERE {delivery})",
        artifact_bytes=f"coalesce(sum(server_bytes) FILTER (WHERE {delivery}), 0)",
        nobody=f"count(*) FILTER (WHERE {delivery} AND (client_address IS NULL OR url_path IS NULL))",
        known=f"count({dimension(by).value})",
        sampled_requests="count(*) FILTER (WHERE sample_weight <> 1)",
    )  # fmt: skip
    found = found.join(_clients(con, selection, by, delivery), on="scope", how="left", maintain_order="left")  # fmt: skip
    earlier, there = selection, found
    if selection.since:
        earlier = replace(selection, since=selection.since - timedelta(microseconds=terms.window))
        there = scopes(con, earlier, by, deliveries=f"count(*) FILTER (WHERE {delivery})")
    strangers = found.filter(pl.col("known") == 0)["scope"]
    parts = read(
        con, earlier, there.with_columns(requests="deliveries"), by=by,
        columns={"client": "hash(client_address)", "octets": "coalesce(server_bytes, 0)"},
        where=f"{delivery} AND client_address IS NOT NULL",
        apart="key",
        frame_rows=PART_ROWS,
    )  # fmt: skip
    sums, hours = [_EMPTY], [_NO_HOURS]
    done = at_once(lambda part: _of_part(part, terms, selection.since, strangers), parts)
    for of_scopes, of_hours in done:
        sums.append(of_scopes)
        hours.append(of_hours)
    together = pl.concat(sums).group_by("scope").agg(pl.col("own", "peer", "expected").sum())
    if upload is not None:
        holders = present(con, earlier, by, delivery, terms.window)
        together = together.join(bounded(pl.concat(hours), holders, terms), on="scope", how="left")
    else:
        together = together.with_columns(bounded="expected")
    rows = _rows(found, together, by, limit)
    return Answer(
        _title(by, selection),
        with_cost(rows, "bounded_bytes", "avoidable_cost", price),
        _notes(found, rows, by, terms),
        [*_assumptions(window, terms, smallest), *placed, *_privacy(con)],
    )


def _window(con: Connection, window: timedelta) -> int:
    """The window in µs, no longer than all there is."""
    if window < timedelta(0):
        raise UsageError(f"a window of {window}: give a time, such as 24h")
    ((first, last),) = con.sql("SELECT epoch_us(min(ts)), epoch_us(max(ts)) FROM records").fetchall()  # fmt: skip
    return min(window // timedelta(microseconds=1), (last or 0) - (first or 0))


def _check(participation: float, upload: int | None, smallest: int) -> None:
    if not 0 <= participation <= 1:
        raise UsageError(f"a participation of {participation}: give a part of all addresses, 0 to 1")  # fmt: skip
    if upload is not None and upload < 0:
        raise UsageError(f"an upload of {upload} octets a second: give 0 or more")
    if smallest < 0:
        raise UsageError(f"artifacts of {smallest} octets or more: give 0 or more")


def _clients(con: Connection, selection: Selection, by: str, delivery: str) -> pl.DataFrame:
    """`scope` and `clients`: the addresses with a delivery."""
    where, values = selection.where()
    sql = f"""
    SELECT scope, count(*) AS clients FROM (
        SELECT DISTINCT {dimension(by).key} AS scope, hash(client_address) FROM records
        WHERE {where} AND {delivery} AND client_address IS NOT NULL
    ) GROUP BY scope"""
    clients: pl.DataFrame = con.sql(sql, params=values or None).pl()
    return clients


def _of_part(
    frame: pl.DataFrame, terms: Terms, since: datetime | None, strangers: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sums of each scope, and of each scope and hour where uploads are limited."""
    made = Deliveries(frame)
    start = (since - _EPOCH) // timedelta(microseconds=1) if since else np.iinfo(np.int64).min
    counted = pl.Series("counted", made.ts >= start)
    own = pl.Series("own", made.gap <= terms.window)
    asked = frame.select("scope", "octets")[made.row].with_columns(
        counted, own, holders=pl.Series(made.holders(terms.window))
    )
    ours = asked.select(~pl.col("scope").is_in(strangers.implode())).to_series()
    peer = counted & ~own & ours & (asked["holders"] > 0)
    q = terms.participation
    asked = asked.with_columns(
        peer=peer, expected=pl.col("octets") * (q * (1 - (1 - q) ** pl.col("holders")))
    )
    octets = pl.col("octets")
    of_scopes = asked.group_by("scope").agg(
        own=octets.filter(pl.col("counted") & pl.col("own")).sum(),
        peer=octets.filter("peer").sum(),
        expected=pl.col("expected").filter("peer").sum(),
    )
    if terms.upload is None:
        return of_scopes, _NO_HOURS
    places = np.flatnonzero(peer.to_numpy())
    served = asked[places]
    return of_scopes, by_hour(made, places, served["scope"], served["expected"], terms)


def _rows(found: pl.DataFrame, together: pl.DataFrame, by: str, limit: int | None) -> pl.DataFrame:
    names = list(dimension(by).columns)
    counts = ["requests", "bytes", "artifact_bytes", "own_bytes", "peer_bytes", "bounded_bytes", "clients"]  # fmt: skip
    whole = found.join(together, on="scope", how="left", maintain_order="left").with_columns(
        own_bytes=pl.col("own").fill_null(0),
        peer_bytes=pl.col("peer").fill_null(0),
        clients=pl.col("clients").fill_null(0),
        bounded_bytes=pl.col("bounded").fill_null(0).round().cast(pl.Int64),
    )
    rows = whole.select(*names, *counts)
    if limit and rows.height > limit:
        rest = rows.slice(limit).select(pl.col(counts).sum())
        text = next(name for name in names if rows.schema[name] == pl.String())
        others = rest.with_columns(pl.lit("(others)").alias(text))
        rows = pl.concat([rows.head(limit), others.cast(dict(rows.select(others.columns).schema))], how="diagonal")  # type: ignore[arg-type]  # fmt: skip
    share = pl.when(pl.col("bytes") > 0).then(pl.col("peer_bytes") / pl.col("bytes"))
    return rows.with_columns(peer_share=share).select(*names, *counts[:-1], "peer_share", "clients")  # fmt: skip


def _title(by: str, selection: Selection) -> str:
    told = selection.told()
    among = "all clients" if by == "all" else f"the same {by.replace('-', ' ')}"
    return f"What peers of {among} could have served{f' ({told})' if told else ''}"


def _notes(found: pl.DataFrame, rows: pl.DataFrame, by: str, terms: Terms) -> list[str]:
    sent, peer, bound = (int(rows[name].sum()) for name in ("bytes", "peer_bytes", "bounded_bytes"))
    share = f" ({percent_text(peer / sent)} of {bytes_text(sent)})" if sent else ""
    notes = [f"Peers could have served {bytes_text(peer)}{share} at most."]
    if terms.upload is not None or terms.participation < 1:
        notes.append(f"With that participation and upload it is {bytes_text(bound)} at most.")
    if unknown := int(found.filter(pl.col("known") == 0)["artifact_bytes"].sum()):
        notes.append(f"{bytes_text(unknown)} of artifacts are of an unknown {by.replace('-', ' ')}: no peers of each other.")  # fmt: skip
    if "attribution" in found.columns and (found["attribution"] == "provider").any():
        notes.append("A provider's tenants are strangers to each other: its row takes them for peers all the same.")  # fmt: skip
    if nobody := found["nobody"].sum():
        notes.append(f"{nobody:,} deliveries have no client's address, or no path: neither served nor serving.")  # fmt: skip
    if unmeasured := found["unmeasured"].sum():
        notes.append(f"{unmeasured:,} requests have no byte count: their clients are peers, their bytes are not guessed.")  # fmt: skip
    if sampled := found["sampled_requests"].sum():
        notes.append(f"{sampled:,} requests come from sampled sources: who had what is undercounted, and nothing is scaled up.")  # fmt: skip
    return notes


def _assumptions(window: timedelta, terms: Terms, smallest: int) -> list[str]:
    least = f" of {bytes_text(smallest)} or more" if smallest else ""
    texts = [
        "These are bounds, not promises: that a peer had it does not say that it was on, reachable or faster.",
        f"Whoever got an artifact{least} keeps it for {_told(window)} after its last delivery, from the origin or from a peer, and serves it from then on; deliveries of one instant of the log's clock do not serve each other.",
        "The same artifact is the same path on the same host, delivered complete with status 200; metadata, indexes, ranges and broken deliveries stay with the origin.",
        "One address is one peer: many behind one address (NAT) are undercounted, one with changing addresses (IPv6 privacy, DHCP) is counted as several. What an address had itself is its own cache's, not its peers'.",
    ]  # fmt: skip
    if terms.participation < 1:
        texts.append(f"Each address takes part with probability {terms.participation:g}, independently of others, asking as well as serving: of m others that had it, one serves with probability q(1 − (1 − q)^m).")  # fmt: skip
    if terms.upload is not None:
        texts.append(f"Each peer uploads {bytes_text(terms.upload)}/s at most. In an hour (UTC) of requests, an object's holders serve no more of it than they can upload in that hour, and all peers of a scope no more than they can together: whoever had something at any time of the hour counts for all of it.")  # fmt: skip
    return texts


def _told(window: timedelta) -> str:
    seconds = window.total_seconds()
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,g} s"


_MODES = {
    "truncated": "Addresses of some sources are truncated: all clients of a network look like one, and peers are undercounted.",
    "pseudonymous": "Addresses of some sources are pseudonyms: with another key the same client looks like another, and its own bytes like a peer's.",
    "none": "Addresses of some sources were not kept: nothing is known of their peers.",
}  # fmt: skip


def _privacy(con: Connection) -> list[str]:
    """What the privacy of sources does to addresses."""
    kept = con.sql("SELECT DISTINCT privacy FROM sources WHERE privacy IS NOT NULL").fetchall()
    modes = {json.loads(text).get("addresses") for (text,) in kept}
    return [text for mode, text in _MODES.items() if mode in modes]
