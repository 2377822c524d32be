"""`l7meter whatif policy`: whom rate limits would touch, how much lies above them, and whom by accident."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from l7meter.analysis.parameters import Parameter
from l7meter.analysis.whatif.answer import Answer
from l7meter.analysis.whatif.country import with_country
from l7meter.analysis.whatif.scope import Selection
from l7meter.errors import UsageError
from l7meter.store import Connection
from l7meter.units import bytes_text

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MONTH = 30 * 86_400
SMALL = 1000**3
PART_ROWS = 25_000_000  # whose windows are counted at once: some 3 GB
USERS = {
    "address": "client_address",
    "organization": "if(attributable, organization, client_address)",
    "network": "coalesce(client_network, client_address)",
    "asn": "coalesce('AS' || client_asn, client_address)",
}
"""Who a limit is for, as SQL: what is not known of a client leaves its address."""
_TIER = re.compile(r"\s*([\w .-]+?)\s*:\s*(.+)")
_LIMIT = re.compile(r"\s*([\d.]+\s*[a-zA-Z]*)\s*/\s*([smhd])\s*")


class Limit(NamedTuple):
    """So many requests, or octets, in each window of so many seconds, counted from 1970 in UTC: those that
    divide a day begin at midnight.
    """

    what: str  # requests, bytes
    amount: int
    seconds: int


class Tier(NamedTuple):
    """A name, its limits, and the text that said so."""

    name: str
    limits: tuple[Limit, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Tier:
        """Read `free: 3/s, 10GB/d`; `UsageError` for what is no tier.

        >>> Tier.parse("free: 3/s, 10GB/d").limits[1]
        Limit(what='bytes', amount=10000000000, seconds=86400)
        """
        match = _TIER.fullmatch(text)
        if match is None:
            raise UsageError(f"tier {text}: give NAME: LIMIT, LIMIT, such as 'free: 3/s, 10GB/d'")
        return cls(match[1], tuple(_limit(each, text) for each in match[2].split(",")), match[2].strip())  # fmt: skip


def _limit(text: str, tier: str) -> Limit:
    match = _LIMIT.fullmatch(re.sub(r"/\s*day\s*$", "/d", text))
    if match is None:
        raise UsageError(f"tier {tier}: {text.strip()} is no limit; give requests or bytes per s, m, h or d, such as 3/s or 10GB/d")  # fmt: skip
    said = match[1].strip()
    if re.fullmatch(r"[\d.]+", said):
        amount = Decimal(said) if re.fullmatch(r"\d+(\.\d+)?", said) else Decimal(0)
        seconds = SECONDS[match[2]]
        if amount != int(
            amount
        ):  # 0.5/s is 1 in 2 s: windows of whole seconds that hold whole requests
            ratio = amount.as_integer_ratio()
            amount, seconds = Decimal(ratio[0]), seconds * ratio[1]
        limit = Limit("requests", int(amount), seconds)
    else:
        octets = Parameter("tier", "null", "bytes", "").convert(said)
        limit = Limit("bytes", octets if isinstance(octets, int) else 0, SECONDS[match[2]])
    if limit.amount < 1:
        raise UsageError(f"tier {tier}: a limit of nothing lets nobody in; give 1 or more")
    return limit


def policy(
    con: Connection,
    tiers: Sequence[Tier],
    selection: Selection | None = None,
    *,
    by: str = "address",
    small: int = SMALL,
    users: int | None = None,
    refdata: Path | None = None,
) -> Answer:
    """Of each tier: how many users it touches, and which requests and octets lie above it.

    A user is an address, organization, network or asn (`by`). In each window requests pass until a limit is
    reached, in order of time; the request that reaches a limit of octets still passes. A row has `tier` and
    `limits`, `users` and `touched_users`, `small_users` (who take `small` octets a month at most) and
    `small_touched` of these, `small_shared` of those who are behind an address that many share,
    `excess_requests`, `excess_bytes` and their shares. With `users`, rows are so many users of most
    excess octets of each tier, with what they are. `refdata` is the folder of imported reference data,
    of which the countries of a selection are taken. Raises `UsageError` for a `by` that is none.
    """
    if by not in USERS:
        raise UsageError(f"no kind of user {by}; there are {', '.join(USERS)}")
    if not tiers:
        raise UsageError("no tier was given; give one such as 'free: 3/s, 10GB/d'")
    selection = selection or Selection()
    placed = with_country(con, selection, [], refdata)
    where, values = selection.where()
    everyone = _everyone(con, where, values, by)
    days = _seconds(con, where, values) / 86_400
    monthly = pl.col("bytes") * (MONTH / 86_400 / max(days, 1))
    everyone = everyone.with_columns(small=monthly <= small)
    parts = -(-int(everyone["requests"].sum()) // PART_ROWS)
    over = [_over(con, where, values, by, tier, parts) for tier in tiers]
    if users is None:
        rows = pl.DataFrame([_row(tier, each, everyone) for tier, each in zip(tiers, over, strict=True)], schema=_ROW)  # fmt: skip
    else:
        rows = pl.concat([_named(tier, each, everyone, users) for tier, each in zip(tiers, over, strict=True)])  # fmt: skip
    return Answer(
        _title(by, selection),
        rows,
        _notes(over, everyone, tiers),
        [*_assumptions(by, small, days), *_windows(tiers), *placed, *_privacy(con)],
    )


def _everyone(con: Connection, where: str, values: dict[str, Any], by: str) -> pl.DataFrame:
    sql = f"""
    SELECT {USERS[by]} AS user, min(organization) AS organization,
        bool_or(shared_egress IS NOT NULL) AS shared, count(*) AS requests,
        coalesce(sum(server_bytes), 0)::BIGINT AS bytes, count(*) - count(server_bytes) AS unmeasured,
        count(*) FILTER (WHERE sample_weight <> 1) AS sampled
    FROM records WHERE {where} GROUP BY 1"""
    found: pl.DataFrame = con.sql(sql, params=values or None).pl()
    return found


def _seconds(con: Connection, where: str, values: dict[str, Any]) -> float:
    sql = f"SELECT coalesce(epoch(max(ts)) - epoch(min(ts)), 0) FROM records WHERE {where}"
    return float(con.execute(sql, values or None).fetchall()[0][0])


def _over(
    con: Connection, where: str, values: dict[str, Any], by: str, tier: Tier, parts: int
) -> pl.DataFrame:
    """`user`, `excess_requests` and `excess_bytes` of users who are above a limit; some users after the other."""
    sql = _above(USERS[by], where, tier, max(parts, 1))
    found = [con.sql(sql, params={**values, "part": part}).pl() for part in range(max(parts, 1))]
    together: pl.DataFrame = pl.concat(found)
    return together


def _above(user: str, where: str, tier: Tier, parts: int) -> str:
    """The SQL of the requests above a limit, by user, of those users whose hash is `$part` modulo `parts`.

    Windows that are above are found by counting, which needs no order; only the requests in these are sorted.
    """
    mine = f"{where} AND {user} IS NOT NULL AND ts IS NOT NULL AND hash({user}) % {parts} = $part"
    full, flags, near = [], [], []
    for number, limit in enumerate(tier.limits):
        window = f"epoch_us(ts) // {limit.seconds * 1_000_000}"
        counts = limit.what == "requests"
        # octets can be reached to the last one, and requests without any come after
        over = f"count(*) > {limit.amount}" if counts else f"sum(server_bytes) >= {limit.amount}"
        full.append(f"full_{number} AS (SELECT hash({user}) AS who, {window} AS w FROM records WHERE {mine} GROUP BY ALL HAVING {over})")  # fmt: skip
        near.append(f"(hash({user}), {window}) IN (FROM full_{number})")
        order = f"OVER (PARTITION BY user, {window} ORDER BY ts, source_id, source_line ROWS UNBOUNDED PRECEDING)"
        before = f"count(*) {order} - 1" if counts else f"sum(octets) {order} - octets"
        flags.append(f"{before} >= {limit.amount}")
    return f"""
    WITH {", ".join(full)},
    near AS (
        SELECT {user} AS user, ts, source_id, source_line, coalesce(server_bytes, 0) AS octets
        FROM records WHERE {mine} AND ({" OR ".join(near)})
    ),
    flagged AS (SELECT user, octets, {" OR ".join(flags)} AS above FROM near)
    SELECT user, count(*)::BIGINT AS excess_requests, sum(octets)::BIGINT AS excess_bytes
    FROM flagged WHERE above GROUP BY user"""


_ROW = {
    "tier": pl.String, "limits": pl.String, "users": pl.Int64, "touched_users": pl.Int64, "small_users": pl.Int64,
    "small_touched": pl.Int64, "small_shared": pl.Int64, "excess_bytes": pl.Int64, "excess_bytes_share": pl.Float64,
    "excess_requests": pl.Int64, "excess_requests_share": pl.Float64,
}  # fmt: skip


def _row(tier: Tier, over: pl.DataFrame, everyone: pl.DataFrame) -> dict[str, object]:
    touched = over.join(everyone, on="user", how="left")
    excess, octets = int(over["excess_requests"].sum()), int(over["excess_bytes"].sum())
    requests, total = int(everyone["requests"].sum()), int(everyone["bytes"].sum())
    return {
        "tier": tier.name, "limits": tier.text, "users": everyone["user"].count(),
        "touched_users": over.height, "small_users": int(everyone.drop_nulls("user")["small"].sum()),
        "small_touched": int(touched["small"].sum()),
        "small_shared": touched.filter(pl.col("small") & pl.col("shared")).height,
        "excess_bytes": octets, "excess_bytes_share": octets / total if total else None,
        "excess_requests": excess, "excess_requests_share": excess / requests if requests else None,
    }  # fmt: skip


def _named(tier: Tier, over: pl.DataFrame, everyone: pl.DataFrame, users: int) -> pl.DataFrame:
    whole = over.join(everyone, on="user", how="left").sort("excess_bytes", "user", descending=[True, False])  # fmt: skip
    named = whole.head(users) if users else whole
    return named.select(
        pl.lit(tier.name).alias("tier"), "user", "organization", "shared", "small", "excess_bytes",
        "bytes", "excess_requests", "requests",
    )  # fmt: skip


def _title(by: str, selection: Selection) -> str:
    told = selection.told()
    return f"Whom limits for each {by} would touch{f' ({told})' if told else ''}"


def _notes(
    over: Sequence[pl.DataFrame], everyone: pl.DataFrame, tiers: Sequence[Tier]
) -> list[str]:
    notes = []
    for tier, each in zip(tiers, over, strict=True):
        whole = everyone.join(each.select("user"), on="user")
        small = whole.filter("small")
        notes.append(f"{tier.name}: {each.height:,} users would be touched, who have {bytes_text(int(whole['bytes'].sum()))}; {small.height:,} of them are small.")  # fmt: skip
    if nobody := int(everyone.filter(pl.col("user").is_null())["requests"].sum()):
        notes.append(f"{nobody:,} requests have no client's address: no limit counts them.")
    if unmeasured := int(everyone["unmeasured"].sum()):
        notes.append(f"{unmeasured:,} requests have no byte count: limits of requests count them, limits of bytes count nothing for them.")  # fmt: skip
    if sampled := int(everyone["sampled"].sum()):
        notes.append(f"{sampled:,} requests are of sampled logs; each is counted once, and nothing is scaled up: more lies above, and touches more.")  # fmt: skip
    return notes


def _assumptions(by: str, small: int, days: float) -> list[str]:
    return [
        "Windows are fixed, in UTC; a token bucket of burst B lets at most B more pass in each. The request that reaches a limit of bytes passes whole.",
        "What is refused is not asked for again, and nobody changes what they do: a client that waits would spread its requests, and lose nothing.",
        f"A user is {'an' if by[0] in 'aeiou' else 'a'} {by}" + ("" if by == "address" else ", and where that is not known (or is a provider's tenant) an address") + "; behind one address there may be many.",
        f"Small is who takes {bytes_text(small)} in 30 days at most" + (f"; the {days:.1f} days measured are scaled to that." if days > 1 else "; what was measured is less than a day, and taken for one."),
    ]  # fmt: skip


def _windows(tiers: Sequence[Tier]) -> list[str]:
    """Of limits that are no whole number: the windows in which they are one."""
    odd = {each: None for tier in tiers for each in tier.limits if each.seconds not in SECONDS.values()}  # fmt: skip
    told = ", ".join(f"{each.amount:,} in {each.seconds:,} s" for each in odd)
    return [f"A limit that is no whole number is counted in longer windows: {told}."] if odd else []


_MODES = {
    "truncated": "Addresses of some sources are truncated: a user there is a network, and more lies above than would of each of its clients.",
    "pseudonymous": "Addresses of some sources are pseudonyms: with another key the same client is another user.",
    "none": "Addresses of some sources were not kept: no limit counts their clients.",
}  # fmt: skip


def _privacy(con: Connection) -> list[str]:
    """What the privacy of sources does to users."""
    kept = con.sql("SELECT DISTINCT privacy FROM sources WHERE privacy IS NOT NULL").fetchall()
    modes = {json.loads(text).get("addresses") for (text,) in kept}
    return [text for mode, text in _MODES.items() if mode in modes]
