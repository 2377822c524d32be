"""What-ifs on many records: whole commands, and LRU caches beside libCacheSim's on the same trace.

`python -m benchmarks.whatif [--rows 100000000]`. The store is made once (`benchmarks.popular`: 5 minutes and 3 GB for
100 M records) and kept in `benchmarks/data`.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import measure, popular
from l7meter.analysis.whatif import Selection, caches, trace
from l7meter.analysis.whatif.objects import objects
from l7meter.analysis.whatif.serving import FOREVER, Caches, Rules
from l7meter.analysis.whatif.trace import ordered, read, scopes
from l7meter.store import Store, connect
from l7meter.store.samples import OBJECT
from l7meter.store.sampling import keep

DATA = Path(__file__).parent / "data"
COMMANDS = {
    "unlimited caches and lifetimes, each organisation": ["cache", "--sizes", "inf", "--limit", "0"],
    "LRU caches of any size, the 20 largest": ["cache"],
    "LRU caches of any size, each organisation": ["cache", "--limit", "0"],
    "the same of a sample of 1 %": ["cache", "--limit", "0", "--sample", "0.01"],
    "a sample of 1 %, the 20 largest": ["cache", "--sample", "0.01"],
    "peers": ["peers"],
    "mirrors": ["mirrors", "-k", "10", "--at", "asn"],
    "policy": ["policy", "--tier", "free: 3/s, 10GB/day"],
}  # fmt: skip
SIZES = (10**10, 10**11, 10**12)


def commands(store: Path, binary: str) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """What each command took, and the rows it gave."""
    rows, answers = [], {}
    for name, arguments in COMMANDS.items():
        done = measure.run([binary, "whatif", *arguments, "--store", str(store), "-o", "csv"])
        if done.exit_code:
            raise RuntimeError(f"{name}: {done.errors}")
        rows.append({"what": name, "seconds": round(done.seconds, 1), "CPU s": round(done.cpu_seconds, 1), "memory MB": done.peak_anon // 10**6})  # fmt: skip
        answers[name] = pl.read_csv(io.StringIO(done.output), infer_schema_length=None)
        print(rows[-1], flush=True)
    return pl.DataFrame(rows), answers


def sampling(exact: pl.DataFrame, sampled: pl.DataFrame, largest: int = 20) -> pl.DataFrame:
    """By size, how far the sample's avoidable share is from the exact one, in percentage points, of the largest."""
    keys = ["organization", "attribution", "cache", "cache_size"]
    named = exact["organization"].unique(maintain_order=True).head(largest)
    both = exact.join(sampled, on=keys, suffix="_sampled", nulls_equal=True)
    both = both.filter(pl.col("organization").is_in(named.implode()), pl.col("cache") != "for 90 %")
    off = (pl.col("avoidable_share_sampled") - pl.col("avoidable_share")) * 100
    return both.group_by("cache_size").agg(off.abs().mean().alias("mean"), off.abs().max().alias("largest"), off.mean().alias("bias")).sort("cache_size")  # fmt: skip


def along_the_curve(store: Path, binary: str) -> None:
    """The sample's mean error over evenly spaced sizes up to 1 TB, as SHARDS states it: of each of the 20 largest."""
    sizes = ",".join(f"{20 * n}GB" for n in range(1, 51))
    arguments = ["whatif", "cache", "--store", str(store), "-o", "csv", "--sizes", sizes]
    exact, sampled = (
        pl.read_csv(io.StringIO(measure.run([binary, *arguments, *more]).output), infer_schema_length=None)
        for more in ([], ["--sample", "0.01"])
    )  # fmt: skip
    keys = ["organization", "cache", "cache_size"]
    both = exact.join(sampled, on=keys, suffix="_sampled").filter(pl.col("cache") == "given")
    off = (pl.col("avoidable_share_sampled") - pl.col("avoidable_share")).abs() * 100
    each = both.group_by("organization").agg(off.mean().alias("off"))["off"]
    print(f"50 sizes from 20 GB to 1 TB: off by {each.mean():.2f} percentage points in the mean, by organisation {each.min():.2f} to {each.max():.2f}, {(each < 1).sum()} of {each.len()} below 1")  # fmt: skip


def draws(store: Path, exact: pl.DataFrame, count: int = 3) -> None:
    """The same of other samples of 1 %, drawn by other hashes: how far chance goes."""
    drawn = trace.drawn
    with connect(store) as con:
        for salt in range(1, count + 1):
            trace.drawn = lambda _, chance, salt=salt: drawn(
                f"hash(server_address, url_path, {salt})", chance
            )  # type: ignore[misc]
            con.execute(f"CREATE OR REPLACE TEMP VIEW sampled_requests AS SELECT *, {OBJECT} AS object, 1 AS chance_kept FROM records")  # fmt: skip
            print(salt, sampling(exact, caches.cache(con, sample=0.01).rows))
    trace.drawn = drawn


def beside_libcachesim(store: Path) -> None:
    """Three sizes of LRU cache before the largest organisation: by columns, and request by request in C."""
    import libcachesim

    with connect(store) as con:
        selection = Selection()
        largest = scopes(con, selection, "organization").head(1)
        columns = {"kind": "0::UTINYINT", "action": "0::UTINYINT", "octets": "server_bytes"}
        (frame,) = read(con, selection, largest, by="organization", columns=columns, where="is_download")  # fmt: skip
        frame = ordered(frame)
    rules = Rules(np.array([FOREVER]), 0)
    began = time.perf_counter()
    made = Caches(objects(frame, np.zeros(frame.height, np.int32)), 1, rules)
    ours = [float(made.serve(np.array([size])).asked[0]) / frame.height for size in SIZES]
    columns_took = time.perf_counter() - began
    of = made.objects
    trace = np.zeros(len(of), [("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
    trace["id"][of.place] = np.cumsum(of.first)
    trace["size"][of.place] = np.minimum(of.size, 2**32 - 1)
    with tempfile.NamedTemporaryFile(suffix=".oracleGeneral") as file:
        trace.tofile(file)
        file.flush()
        began = time.perf_counter()
        theirs = []
        for size in SIZES:
            reader = libcachesim.TraceReader(file.name, libcachesim.TraceType.ORACLE_GENERAL_TRACE)
            theirs.append(libcachesim.LRU(size).process_trace(reader)[0])
        c_took = time.perf_counter() - began
    print(f"{frame.height:,} requests of one organisation, {len(SIZES)} sizes: by columns {columns_took:.1f} s (and any other size for 1/20 of it), libCacheSim {c_took:.1f} s")  # fmt: skip
    print("miss ratios", [(f"{one:.4f}", f"{other:.4f}") for one, other in zip(ours, theirs, strict=True)])  # fmt: skip


def simulation_alone(store: Path) -> None:
    """The caches of a trace that is in memory: all of it, and the sample of 1 %."""
    timed: dict[str, float] = {}
    with connect(store) as con:
        for name, sample in (("exact", None), ("sample", 0.01)):
            took = 0.0
            inner: Callable[..., pl.DataFrame] = caches._of_part

            def clocked(*given: object, inner: Callable[..., pl.DataFrame] = inner) -> pl.DataFrame:
                nonlocal took
                began = time.thread_time()
                made = inner(*given)
                took += time.thread_time() - began
                return made

            caches._of_part = clocked  # type: ignore[assignment]
            caches.cache(con, sizes=[*SIZES, None], limit=20, sample=sample)
            caches._of_part = inner
            timed[name] = took
    print(f"caches of the 20 largest without the reading, CPU: exact {timed['exact']:.1f} s, sample of 1 % {timed['sample']:.2f} s: 1/{timed['exact'] / timed['sample']:.0f}")  # fmt: skip


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--binary", default=".venv/bin/l7meter")
    given = parser.parse_args()
    store = DATA / f"popular-{given.rows}"
    if not store.exists():
        popular.make(store, given.rows)
    with Store.open(store) as opened:
        began = time.perf_counter()
        made = keep(opened)
        print(f"a sample and the sums kept of {made} files: {time.perf_counter() - began:.0f} s")
    took, answers = commands(store, given.binary)
    print(took)
    exact, sampled = (answers[name] for name in ("LRU caches of any size, each organisation", "the same of a sample of 1 %"))  # fmt: skip
    print("the sample beside the exact, percentage points of avoidable_share:", sampling(exact, sampled))  # fmt: skip
    along_the_curve(store, given.binary)
    draws(store, exact)
    simulation_alone(store)
    beside_libcachesim(store)


if __name__ == "__main__":
    main()
