"""`l7meter whatif cache`: a private cache in front of each organisation, and what it would have served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

from l7meter.analysis.whatif.answer import Answer, Price, with_cost
from l7meter.analysis.whatif.country import with_country
from l7meter.analysis.whatif.objects import LOOK, PART, WHOLE, objects
from l7meter.analysis.whatif.policies import POLICIES
from l7meter.analysis.whatif.scope import Selection, dimension
from l7meter.analysis.whatif.serving import FOREVER, UNLIMITED, Caches, Rules, Served
from l7meter.analysis.whatif.trace import Sample, at_once, read, scopes
from l7meter.errors import UsageError
from l7meter.store import Connection
from l7meter.units import bytes_text

PART_ROWS = 4_000_000  # looked at together: some 1 GB
KINDS = ("artifact", "sidecar", "metadata", "index", "other")
NINETY = 0.9
LIFETIMES: Mapping[str, timedelta | None] = MappingProxyType(
    {
        "artifact": timedelta.max,
        "sidecar": timedelta.max,
        "metadata": timedelta(minutes=10),
        "index": timedelta(minutes=10),
        "other": None,
    }
)
"""How long a response of a kind is fresh; `timedelta.max` for ever, None: not kept at all."""
SIZES = (10 * 1000**3, 100 * 1000**3, 1000**4, None)
_CASES = " ".join(f"WHEN '{kind}' THEN {number}" for number, kind in enumerate(KINDS))
_KIND = f"CASE coalesce(artifact_kind, 'other') {_CASES} ELSE {len(KINDS) - 1} END::UTINYINT"
_LOOKS = "request_method = 'HEAD' OR response_status_code = 304"
_ACTION = f"CASE WHEN {_LOOKS} THEN {LOOK} WHEN response_status_code = 206 OR complete IS FALSE THEN {PART} ELSE {WHOLE} END::UTINYINT"  # fmt: skip


def cache(
    con: Connection,
    selection: Selection | None = None,
    *,
    by: str = "organization",
    sizes: Sequence[int | None] = SIZES,
    lifetimes: Mapping[str, timedelta | None] = LIFETIMES,
    policy: str = "lru",
    limit: int | None = 20,
    sample: float | None = None,
    price: Price | None = None,
    refdata: Path | None = None,
) -> Answer:
    """What a shared private cache in front of each value of the dimension `by` would have saved.

    `sizes` are octets (None: unlimited), `lifetimes` as `LIFETIMES`. A row has the dimension's columns,
    `cache` (`given`, `unlimited`, or `for 90 %`: the smallest that saves so much of what an unlimited
    one does) and `cache_size`; `bytes` and `requests` as measured, `origin_bytes` and `origin_requests` with
    the cache (`validations` among them), and their differences `avoidable_bytes`, also as
    `avoidable_share` of the bytes, and `avoidable_requests`; `passed_bytes` and `passed_requests` are of
    what no cache keeps. With `sample`, the part of all objects that is
    looked at (0 to 1), `avoidable_error_bytes` is the standard error. `refdata` is the folder of
    imported reference data, of which countries are taken.
    Raises `UsageError` for options that name nothing.
    """
    selection = selection or Selection()
    _check(policy, sample, lifetimes)
    placed = with_country(con, selection, [by], refdata)
    eligible = cacheable(lifetimes)
    # of a sample, what could be kept is counted whole: only what is missed has to be estimated
    kept = {
        "cacheable_requests": f"coalesce(sum(requests) FILTER (WHERE {eligible}), 0)",
        "cacheable_bytes": f"coalesce(sum(server_bytes) FILTER (WHERE {eligible}), 0)",
    }
    told = {
        "unchanged": "coalesce(sum(requests) FILTER (WHERE response_status_code = 304 AND server_bytes IS NOT NULL), 0)",
        "unchanged_bytes": "coalesce(sum(server_bytes) FILTER (WHERE response_status_code = 304), 0)",
        "weighted": "coalesce(sum(requests) FILTER (WHERE sample_weight <> 1), 0)",
    }
    found = scopes(con, selection, by, kept=True, **told, **(kept if sample is not None else {}))
    named = found.filter(pl.col("attribution") != "unknown") if "attribution" in found.columns else found  # fmt: skip
    shown = named.head(limit) if limit else named
    sums = {name: int(found[name].sum()) for name in (*told, "bytes", "requests", "unmeasured")}
    unchanged = sums["unchanged_bytes"] / max(sums["unchanged"], 1)
    mean = sums["bytes"] / max(sums["requests"] - sums["unmeasured"], 1)
    drawn = Sample(sample, mean / sample) if sample else None
    rules = Rules(_microseconds(lifetimes), round(unchanged))
    finite = any(size is not None for size in sizes)
    parts = read(
        con, selection, shown, by=by,
        columns={"kind": _KIND, "action": _ACTION, "octets": "server_bytes"},
        where=eligible, sample=drawn, frame_rows=PART_ROWS,
        apart="scope" if finite or policy != "lru" else "key",
    )  # fmt: skip
    served = pl.concat(
        [_EMPTY, *at_once(lambda frame: _of_part(frame, rules, policy, sizes), parts)]
    )
    rows = _rows(shown, served, by, sizes, finite and policy == "lru", sample is not None)
    return Answer(
        _title(by, selection),
        with_cost(rows, "avoidable_bytes", "avoidable_cost", price),
        _notes(found, named, shown),
        [*_assumptions(lifetimes, policy, unchanged, sums["weighted"], sample, price), *placed],
    )


def _check(policy: str, sample: float | None, lifetimes: Mapping[str, timedelta | None]) -> None:
    if policy not in POLICIES:
        raise UsageError(f"no policy {policy}; there are {', '.join(POLICIES)}")
    if sample is not None and not 0 < sample <= 1:
        raise UsageError(f"a sample of {sample}: give a part of all objects, above 0 and up to 1")
    if unknown := set(lifetimes) - set(KINDS):
        raise UsageError(f"no kind {min(unknown)}; there are {', '.join(KINDS)}")


def cacheable(lifetimes: Mapping[str, timedelta | None]) -> str:
    """The SQL of what a shared cache may answer (RFC 9111, section 3), of the kinds that it keeps."""
    kept = ", ".join(f"'{kind}'" for kind in KINDS if lifetimes.get(kind) is not None) or "''"
    return (
        "coalesce(request_method, 'GET') IN ('GET', 'HEAD') AND response_status_code IN (200, 206, 304) "
        f"AND server_bytes IS NOT NULL AND coalesce(artifact_kind, 'other') IN ({kept})"
    )


def _microseconds(lifetimes: Mapping[str, timedelta | None]) -> np.ndarray:
    """For each kind; what is not kept does not come here."""
    given = (lifetimes.get(kind) for kind in KINDS)
    return np.array([FOREVER if each in (None, timedelta.max) else each // timedelta(microseconds=1) for each in given])  # fmt: skip


_SUMS = ("traced", "traced_octets", *Served._fields)
_EMPTY = pl.DataFrame(schema={"scope": pl.UInt64, "choice": pl.Int32, "cache_size": pl.Int64, **dict.fromkeys(_SUMS, pl.Float64)})  # fmt: skip


def _of_part(
    frame: pl.DataFrame, rules: Rules, policy: str, sizes: Sequence[int | None]
) -> pl.DataFrame:
    """The sums of each scope and choice of a size; the last choice is that for 90 %."""
    scope = frame["scope"].to_numpy()
    new = np.append(True, scope[1:] != scope[:-1])
    ids = scope[new]
    numbers = np.cumsum(new, dtype=np.int32) - np.int32(1)
    caches = Caches(objects(frame, numbers), len(ids), rules, policy)
    del frame, scope, new, numbers  # a third of all memory
    choices = [np.full(len(ids), UNLIMITED if size is None else size, np.int64) for size in sizes]
    if policy == "lru" and any(size is not None for size in sizes):
        choices.append(caches.smallest(NINETY))
    made = []
    requests, octets = caches.seen()
    seen = {"traced": requests, "traced_octets": octets}
    for number, size in enumerate(choices):
        served = caches.serve(size)
        made.append(
            pl.DataFrame(
                {"scope": ids, "choice": np.full(len(ids), number, np.int32), "cache_size": size, **seen, **served._asdict()}
            )
        )  # fmt: skip
    return pl.concat(made)


def _rows(
    shown: pl.DataFrame, sums: pl.DataFrame, by: str, sizes: Sequence[int | None], ninety: bool, sampled: bool
) -> pl.DataFrame:  # fmt: skip
    choices = pl.DataFrame(
        {
            "choice": pl.Series(range(len(sizes) + ninety), dtype=pl.Int32),
            "cache": ["unlimited" if size is None else "given" for size in sizes]
            + ["for 90 %"] * ninety,
            "given": pl.Series([*sizes, *[None] * ninety], dtype=pl.Int64),
        }
    )
    together = sums.group_by("scope", "choice").agg(pl.col("cache_size").max(), pl.col(_SUMS).sum())
    whole = shown.with_row_index("place").join(choices, how="cross")
    whole = whole.join(together, on=["scope", "choice"], how="left").sort("place", "choice")
    whole = whole.with_columns(pl.col(_SUMS).fill_null(0))
    kept = ("cacheable_requests", "cacheable_bytes") if sampled else ("traced", "traced_octets")
    origin_requests = pl.col("requests") - pl.col(kept[0]) + pl.col("asked")
    origin_bytes = (pl.col("bytes") - pl.col(kept[1]) + pl.col("octets")).round().cast(pl.Int64)
    unlimited = pl.col("cache") == "unlimited"
    made = whole.with_columns(
        pl.when(unlimited).then(None).otherwise(pl.coalesce("given", "cache_size")).alias("cache_size"),
        origin_requests=origin_requests.round().cast(pl.Int64),
        passed_requests=(pl.col("requests") - pl.col(kept[0])).round().cast(pl.Int64),
        passed_bytes=(pl.col("bytes") - pl.col(kept[1])).round().cast(pl.Int64),
        origin_bytes=origin_bytes,
        validations=pl.col("validations").round().cast(pl.Int64),
        avoidable_bytes=pl.col("bytes") - origin_bytes,
        avoidable_error_bytes=pl.col("variance").sqrt().round().cast(pl.Int64),
        avoidable_requests=(pl.col("requests") - origin_requests).round().cast(pl.Int64),
    ).with_columns(avoidable_share=pl.when(pl.col("bytes") > 0).then(pl.col("avoidable_bytes") / pl.col("bytes")))  # fmt: skip
    stated = ["avoidable_error_bytes"] if sampled else []
    return made.select(
        *dimension(by).columns, "cache", "cache_size", "bytes", "avoidable_bytes", *stated, "avoidable_share",
        "requests", "avoidable_requests", "origin_bytes", "origin_requests", "validations",
        "passed_bytes", "passed_requests",
    )  # fmt: skip


def _title(by: str, selection: Selection) -> str:
    told = selection.told()
    front = "everything" if by == "all" else f"each {by.replace('-', ' ')}"
    return f"A private cache in front of {front}{f' ({told})' if told else ''}"


def _notes(found: pl.DataFrame, named: pl.DataFrame, shown: pl.DataFrame) -> list[str]:
    notes = []
    if left := named.height - shown.height:
        rest = int(named.tail(left)["bytes"].sum())
        notes.append(f"{left:,} more, of {bytes_text(rest)} together, were not looked at; --limit 0 takes all.")  # fmt: skip
    if unknown := int(found["bytes"].sum()) - int(named["bytes"].sum()):
        notes.append(f"{bytes_text(unknown)} are of unknown organisations: nobody to have a cache.")
    if "attribution" in shown.columns and (shown["attribution"] == "provider").any():
        notes.append("A provider's tenants are strangers to each other: its row is a cache that the provider would run for all of them.")  # fmt: skip
    if unmeasured := found["unmeasured"].sum():
        notes.append(f"{unmeasured:,} requests have no byte count and pass the cache by.")
    return notes


def _assumptions(
    lifetimes: Mapping[str, timedelta | None], policy: str, unchanged: float, weighted: int, sample: float | None, price: Price | None
) -> list[str]:  # fmt: skip
    lasting = [kind for kind in KINDS if lifetimes.get(kind) == timedelta.max]
    timed = [f"{kind} for {_told(each)}" for kind in KINDS if (each := lifetimes.get(kind)) not in (None, timedelta.max)]  # fmt: skip
    never = [kind for kind in KINDS if lifetimes.get(kind) is None]
    said = [f"fresh for ever: {', '.join(lasting)}"] if lasting else []
    said += [f"fresh: {', '.join(timed)}"] if timed else []
    said += [f"not kept: {', '.join(never)}"] if never else []
    texts = [
        f"The cache is empty when the period begins, shared by all of the row's clients, and drops by {policy.upper()}.",
        f"What it keeps is {'; '.join(said)}. A validation that finds nothing new costs {unchanged:,.0f} octets, the mean of the 304s measured; one that finds a response of another size costs that response.",
        "The same object is the same path on the same host; its size is the largest whole response. Ranges and broken deliveries make the cache fetch the whole; other methods, errors and redirects pass it by.",
        "Requests that the clients' own caches kept away from the origin are not in the logs, and would not be in the cache's.",
    ]  # fmt: skip
    if weighted:
        texts.append(f"{weighted:,} requests are of sampled logs; each is counted once, and repetitions among them are fewer than there were: a lower bound.")  # fmt: skip
    if sample is not None and sample < 1:
        texts.append(f"Estimated from {sample:.2%} of the objects, and more of the large ones, each with all of its requests (SHARDS); the standard error is of that sampling alone.")  # fmt: skip
    if price is not None:
        texts.append(f"Bytes cost {price.text}, all alike.")
    return texts


def _told(each: timedelta | None) -> str:
    seconds = each.total_seconds() if each else 0
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
