"""A store of as many records as wanted, with the popularity of a registry's: what what-ifs are timed on.

Organisations and objects are each drawn by Zipf's law; a third of an organisation's requests go to
its own stock of objects, which it asks for again and again (CI); sizes of artifacts are lognormal
(median 200 kB). A month, in time order. Everything follows from the seed.
"""

from __future__ import annotations

import argparse
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from l7meter.store import SourceRow, Store

START = datetime(2026, 10, 1, tzinfo=UTC)
PERIOD = timedelta(days=31)
BATCH = 2_000_000
ORGANIZATIONS, ADDRESSES = 20_000, 500_000
ARTIFACTS, PACKAGES = 3_000_000, 300_000
STOCK = 20_000  # objects of an organisation's own


def zipf(random: np.random.Generator, count: int, values: int, exponent: float) -> np.ndarray:
    """`count` numbers below `values`, the smallest most often."""
    uniform = random.random(count)
    if exponent == 1:
        return np.minimum(np.exp(uniform * np.log(values + 1)) - 1, values - 1).astype(np.int64)
    power = 1 - exponent
    return np.minimum((1 + uniform * ((values + 1) ** power - 1)) ** (1 / power) - 1, values - 1).astype(np.int64)  # fmt: skip


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers without order, always the same for the same (SplitMix64's finaliser)."""
    x = numbers.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def sizes(objects: np.ndarray) -> np.ndarray:
    """Octets of artifacts: lognormal, at most 5 GB."""
    bits = mixed(objects + 77)
    first = (bits >> np.uint64(11)).astype(np.float64) / 2**53
    second = (mixed(objects + 4711) >> np.uint64(11)).astype(np.float64) / 2**53
    normal = np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * np.pi * second)
    return np.minimum(200_000 * np.exp(2 * normal), 5e9).astype(np.int64) + 300


def batch(random: np.random.Generator, number: int, batches: int, rows: int) -> pl.DataFrame:
    """The records of one stretch of the period."""
    share = PERIOD / batches
    seconds = np.sort(random.random(rows)) * share.total_seconds() * 1e6
    begin = int((START + number * share).timestamp() * 1e6)
    organization = zipf(random, rows, ORGANIZATIONS, 1.1)
    own = random.random(rows) < 0.35
    artifact = zipf(random, rows, ARTIFACTS, 0.9)
    stock = zipf(random, rows, STOCK, 0.8)
    artifact = np.where(own, (mixed(organization * STOCK + stock) % np.uint64(ARTIFACTS)).astype(np.int64), artifact)  # fmt: skip
    package = artifact % PACKAGES
    kind = random.random(rows)
    index, unchanged, missing = kind < 0.30, (kind >= 0.30) & (kind < 0.36), kind > 0.985
    size = np.where(index, 2_000 + mixed(package).astype(np.int64) % 90_000, sizes(artifact))
    size = np.where(unchanged, 250, np.where(missing, 700, size))
    clients = np.minimum(1 + ADDRESSES // (10 * (organization + 1)), 40_000)
    client = organization * 40_000 + (random.random(rows) ** 2 * clients).astype(np.int64)
    frame = pl.DataFrame(
        {"ts": begin + seconds.astype(np.int64), "organization": organization, "client": client, "package": package,
         "artifact": artifact, "index": index, "unchanged": unchanged, "missing": missing, "server_bytes": size}
    )  # fmt: skip
    name = pl.format("package-{}", "package")
    page = pl.format("/simple/{}/", name)
    file = pl.format("/packages/{}/{}-{}-py3-none-any.whl", (pl.col("artifact") * 2654435761 % 2**32), name, pl.col("artifact") // PACKAGES)  # fmt: skip
    listed = pl.col("index") | pl.col("unchanged")
    text = pl.col("client")
    status = pl.when("missing").then(404).when("unchanged").then(304).otherwise(200)
    return frame.select(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        client_address=pl.format("10.{}.{}.{}", text // 65_536 % 256, text // 256 % 256, text % 256),
        server_address=pl.when(listed).then(pl.lit("index.registry.example")).otherwise(pl.lit("files.registry.example")),
        url_path=pl.when(listed).then(page).otherwise(file),
        request_method=pl.lit("GET"),
        response_status_code=status.cast(pl.Int16),
        server_bytes="server_bytes",
        server_bytes_basis=pl.lit("message"),
        exchange_kind=pl.lit("http"),
        complete=pl.lit(True),
        client_asn=64_512 + pl.col("organization") % 1_000,
        organization=pl.format("Organisation {}", "organization"),
        attributable=pl.col("organization") % 3 != 0,
        network_kind=pl.when(pl.col("organization") % 3 == 0).then(pl.lit("cloud")).otherwise(pl.lit("enterprise")),
        package_ecosystem=pl.lit("pypi"),
        package_name=name,
        artifact_kind=pl.when(listed).then(pl.lit("index")).otherwise(pl.lit("artifact")),
        is_download=~listed & ~pl.col("missing"),
        source_id=pl.lit(hashlib.sha256(str(number).encode()).hexdigest()),
        source_line=pl.int_range(1, pl.len() + 1),
    )  # fmt: skip


def make(path: Path, rows: int, seed: int = 20261123) -> None:
    """Write the store."""
    random = np.random.default_rng(seed)
    batches = -(-rows // BATCH)
    with Store.create(path) as store:
        for number in range(batches):
            frame = batch(random, number, batches, min(BATCH, rows - number * BATCH))
            row = SourceRow(
                source_id=frame["source_id"][0], name=f"popular-{number}", format="combined",
                lines=frame.height, records=frame.height, first_ts=frame["ts"].min(), last_ts=frame["ts"].max(),
                server_bytes_message=frame["server_bytes"].sum(), unmeasured_records=0,
            )  # fmt: skip
            store.append([row], [store.write("records", frame)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rows", type=int, default=100_000_000)
    given = parser.parse_args()
    make(given.store, given.rows)
