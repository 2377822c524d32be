"""The same exchanges in two sources: a log cut differently, a copy, a hop's log, a capture beside a log.

Agreement between two sources proves nothing by itself: a client that fetches a file from two servers in
one second is two deliveries. So it is weighed against what chance would give, by two rules of which the
larger counts:

- *shifted*: the agreement when one source is moved by 2 to 5 seconds either way (mean of eight);
- *split*: the repeats within one second inside of each source. Had one stream of exchanges been dealt
  out at random to both, shares p and q, then pairs across would be to pairs within as 2pq to p² + q².

Reported is what exceeds chance by five standard errors, ten exchanges and a thousandth of the smaller
source.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from l7meter.analysis.quality_finding import Finding, percent
from l7meter.analysis.quality_sample import Sample

PAIRS = 200  # pairs of sources looked at closely, those that agree most
LEAST = 10
COPY = 0.5  # share of a source from which it is a copy, not a hop

_AGREED = f"""
SELECT
    a.source AS a, b.source AS b,
    sum(least(a.n, b.n))::BIGINT AS agreed,
    sum(least(a.n, b.n) * coalesce(a.bytes, 0))::BIGINT AS bytes,
    min(a.second) AS first, max(a.second) AS last,
    arg_min(a.line, a.line) AS line_a, arg_min(b.line, a.line) AS line_b
FROM quality_seconds AS a
JOIN quality_seconds AS b ON
    a.key = b.key AND a.second = b.second AND a.bytes IS NOT DISTINCT FROM b.bytes AND a.source < b.source
WHERE a.basis IS NOT DISTINCT FROM b.basis
GROUP BY ALL
HAVING agreed >= $least
ORDER BY agreed DESC, a.source, b.source
LIMIT {PAIRS}
"""
_CLOSELY = """
WITH pairs AS (SELECT unnest($a::INTEGER[]) AS a, unnest($b::INTEGER[]) AS b),
extents AS (
    SELECT source, min(second) AS first, max(second) AS last FROM quality_seconds GROUP BY source
),
spans AS (
    SELECT a, b, greatest(x.first, y.first) AS first, least(x.last, y.last) AS last
    FROM pairs
    JOIN extents AS x ON a = x.source
    JOIN extents AS y ON b = y.source
),
sides AS (SELECT a, b, a AS side, first, last FROM spans UNION ALL SELECT a, b, b, first, last FROM spans),
within AS (
    SELECT
        a, b, side, sum(n)::BIGINT AS records, sum(n * (n - 1) / 2) AS repeats
    FROM sides
    JOIN quality_seconds ON source = side AND second BETWEEN first AND last
    GROUP BY ALL
),
shifted AS (
    SELECT pairs.a, pairs.b, sum(least(x.n, y.n)) / 8 AS shifted
    FROM pairs
    JOIN quality_seconds AS x ON x.source = pairs.a
    CROSS JOIN (SELECT unnest([-5, -4, -3, -2, 2, 3, 4, 5]) AS lag)
    JOIN quality_seconds AS y ON
        y.source = pairs.b AND y.key = x.key AND y.second = x.second + lag
        AND y.bytes IS NOT DISTINCT FROM x.bytes
    GROUP BY ALL
)
SELECT
    a, b, coalesce(shifted, 0)::DOUBLE AS shifted,
    max(records) FILTER (WHERE side = a) AS records_a, max(records) FILTER (WHERE side = b) AS records_b,
    sum(repeats)::DOUBLE AS repeats
FROM within
LEFT JOIN shifted USING (a, b)
GROUP BY ALL
"""
# What both measured differently: the time of one within the other's duration, and once displaced by
# twice that and ten seconds either way, which is chance.
_BESIDE = """
WITH keys AS (
    SELECT key, source, any_value(basis) AS basis FROM quality_seconds GROUP BY key, source HAVING count(*) <= 64
),
pairs AS (
    SELECT a.source AS a, b.source AS b, count(*) AS shared
    FROM keys AS a
    JOIN keys AS b ON a.key = b.key AND a.source <> b.source AND a.basis IS DISTINCT FROM b.basis
    GROUP BY ALL
    HAVING shared >= $least
    ORDER BY shared DESC, a, b
    LIMIT 100
),
rows AS (
    SELECT key, source, second, bytes, n, line, 1 + least(ceil(coalesce(duration, 0)), 3600)::BIGINT AS wait
    FROM quality_exchanges
    SEMI JOIN keys USING (key, source)
),
extents AS (SELECT source, min(second) AS first, max(second) AS last FROM rows GROUP BY source),
tried AS (
    SELECT
        pairs.a, pairs.b, x.second, x.bytes, x.n, x.line,
        coalesce(bool_or(abs(y.second - x.second) <= greatest(x.wait, y.wait)), false) AS hit,
        coalesce(bool_or(abs(y.second - x.second - 2 * greatest(x.wait, y.wait) - 10) <= greatest(x.wait, y.wait)), false)::INT AS after,
        coalesce(bool_or(abs(y.second - x.second + 2 * greatest(x.wait, y.wait) + 10) <= greatest(x.wait, y.wait)), false)::INT AS before,
        arg_min(y.line, abs(y.second - x.second)) AS other
    FROM pairs
    JOIN rows AS x ON x.source = pairs.a
    JOIN extents ON extents.source = pairs.b
    LEFT JOIN rows AS y ON y.source = pairs.b AND y.key = x.key
    WHERE x.second BETWEEN extents.first - 1 AND extents.last + 1
    GROUP BY pairs.a, pairs.b, x.key, x.second, x.bytes, x.n, x.line
)
SELECT
    a, b,
    sum(n)::BIGINT AS records,
    coalesce(sum(n) FILTER (WHERE hit), 0)::BIGINT AS agreed,
    coalesce(sum(n * bytes) FILTER (WHERE hit), 0)::BIGINT AS bytes,
    sum(n * (before + after) / 2)::DOUBLE AS chance,
    min(second) FILTER (WHERE hit) AS first, max(second) FILTER (WHERE hit) AS last,
    min(line) FILTER (WHERE hit) AS line_a, arg_min(other, line) FILTER (WHERE hit) AS line_b
FROM tried
GROUP BY a, b
"""


def exceeds(agreed: float, chance: float, smaller: float) -> bool:
    """Whether an agreement is more than chance and worth a line (see the module)."""
    more = agreed - chance
    if agreed >= 0.99 * smaller and agreed >= 2 * LEAST:
        return True  # dealing out at random leaves no source wholly inside the other
    return more >= LEAST and more >= smaller / 1000 and more > 5 * math.sqrt(chance + 1)


def overlaps(sample: Sample) -> Iterator[Finding]:
    """Pairs of sources that measure alike and hold the same exchanges."""
    pairs = sample.ask(_AGREED, least=LEAST)
    if pairs.is_empty():
        return
    closely = sample.ask(_CLOSELY, a=pairs["a"].to_list(), b=pairs["b"].to_list())
    for row in pairs.join(closely, on=["a", "b"], maintain_order="left").iter_rows(named=True):
        smaller = min(row["records_a"], row["records_b"])
        part = row["records_a"] / (row["records_a"] + row["records_b"])
        split = row["repeats"] * 2 * part * (1 - part) / (part**2 + (1 - part) ** 2)
        chance = max(row["shifted"], split)
        if not exceeds(row["agreed"], chance, smaller):
            continue
        copy = row["agreed"] >= COPY * smaller
        what = (
            "the same log, cut or sent twice"
            if copy
            else "two hops of one delivery, as of shield and edge"
        )
        yield _finding(
            "overlapping_sources",
            copy,
            sample,
            row,
            smaller,
            chance,
            f"the same second, size and request: {what}",
        )


def beside(sample: Sample) -> Iterator[Finding]:
    """Pairs of sources that measure differently, a capture and a log, and hold the same exchanges."""
    both = {
        (row["a"], row["b"]): row for row in sample.ask(_BESIDE, least=LEAST).iter_rows(named=True)
    }
    for (a, b), row in both.items():
        other = both.get((b, a))
        if other and (other["agreed"] / other["records"], b) > (row["agreed"] / row["records"], a):
            continue  # said of the one that is further inside the other
        if exceeds(row["agreed"], row["chance"], row["records"]):
            yield _finding(
                "capture_and_log",
                row["agreed"] >= COPY * row["records"],
                sample,
                row,
                row["records"],
                row["chance"],
                "the same request within its duration, measured differently: a capture and a log, or two logs of one server",
            )


def _finding(
    check: str,
    copy: bool,
    sample: Sample,
    row: dict[str, int],
    smaller: int,
    chance: float,
    what: str,
) -> Finding:
    (_, name), (other_id, other) = sample.names[row["a"]], sample.names[row["b"]]
    stride = sample.stride
    return Finding(
        check,
        "error" if copy else "warning",
        other,
        datetime.fromtimestamp(row["first"], UTC),
        datetime.fromtimestamp(row["last"] + 1, UTC),
        row["agreed"] * stride,
        row["bytes"] * stride,
        f"{row['agreed'] * stride:,} exchanges, {percent(row['agreed'], smaller)} of the smaller in their common time, are in "
        f"{name}, too{sample.told}; chance would give {chance * stride:,.0f}; {what}; e.g. its line {row['line_a']} "
        f"and line {row['line_b']} here",
        f"if they are the same, leave one out: l7meter source forget {other_id}",
    )
