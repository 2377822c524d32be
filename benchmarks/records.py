"""A store of any number of records, for questions: `python -m benchmarks.records --records 100000000`.

The exchanges of `benchmarks.exchanges` with the concluded columns that `top organizations` reads. The
organisations are invented: half of the addresses have a user's name, two fifths a provider's, the
rest none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks import exchanges, generate
from benchmarks.exchanges import CHUNK, Population
from benchmarks.generate import DATA, SEED

ORGANIZATIONS = 5_000
FILE_CHUNKS = 8  # 2 M records a file
# method, kind and attributability of an organisation, by how likely they are
CONCLUSIONS = (
    (0.5, "registry", "enterprise", True),
    (0.4, "published", "cloud", False),
    (0.1, "none", "unknown", False),
)


MADE_BY = f"{generate.MADE_BY} {hashlib.blake2b(Path(__file__).read_bytes()).hexdigest()[:16]}"


class Records(NamedTuple):
    """What is in a store."""

    records: int
    octets: int


def make(records: int, seed: int = SEED, directory: Path = DATA) -> tuple[Path, Records]:
    """Return a store of `records` records; make it unless this generator already has."""
    path = directory / f"records-{records}-{seed}"
    beside = path.with_name(f"{path.name}.truth.json")
    if beside.exists():
        truth = json.loads(beside.read_text())
        if truth.pop("made_by") == MADE_BY:
            return path, Records(**truth)
        beside.unlink()
    shutil.rmtree(path, ignore_errors=True)
    truth = Records(records, write(records, seed, path))
    beside.write_text(json.dumps(truth._asdict() | {"made_by": MADE_BY}))
    return path, truth


def write(records: int, seed: int, path: Path) -> int:
    """Write the store; return the sum of `server_bytes`."""
    from l7meter.store import SourceRow, Store  # late: the other benchmarks run without it

    population = Population(seed)
    organizations = _organizations(population)
    total = 0
    numbers = range(-(-records // CHUNK))
    with Store.create(path) as store:
        for first in numbers[::FILE_CHUNKS]:
            chunks = [
                exchanges.chunk(population, number).head(records - number * CHUNK)
                for number in numbers[first : first + FILE_CHUNKS]
            ]
            name = f"benchmark-{first}"
            frame = _records(pl.concat(chunks), organizations, name)
            octets = int(frame["server_bytes"].sum())
            total += octets
            source = SourceRow(
                source_id=name,
                name=name,
                format="benchmark",
                lines=frame.height,
                records=frame.height,
                first_ts=frame["ts"].min(),
                last_ts=frame["ts"].max(),
                server_bytes_content=octets,
            )
            store.append([source], [store.write("records", frame)])
    return total


def _organizations(population: Population) -> pl.DataFrame:
    """Columns client, organization, organization_method, network_kind, attributable."""
    rng = np.random.default_rng([population.seed])
    clients = population.clients["client"].unique().sort()
    chosen = exchanges.draw(rng, exchanges.zipf(ORGANIZATIONS, 0.9), len(clients))
    chances, *_ = zip(*CONCLUSIONS, strict=True)
    kinds = rng.choice(len(CONCLUSIONS), ORGANIZATIONS, p=chances)
    of_kind = pl.DataFrame(
        [row[1:] for row in CONCLUSIONS],
        schema=["organization_method", "network_kind", "attributable"],
        orient="row",
    )[kinds]
    named = of_kind.with_row_index("number").with_columns(
        organization=pl.when(pl.col("organization_method") != "none").then(
            pl.format("Example Organisation {}", "number")
        )
    )
    return named.drop("number")[chosen].with_columns(client=clients)


def _records(frame: pl.DataFrame, organizations: pl.DataFrame, source_id: str) -> pl.DataFrame:
    joined = frame.join(organizations, on="client", how="left", maintain_order="left")
    return joined.select(
        pl.col("ts").dt.replace_time_zone("UTC"),
        pl.col("client").alias("client_address"),
        "organization",
        "organization_method",
        "network_kind",
        "attributable",
        response_status_code=pl.col("status"),
        package_ecosystem=pl.col("ecosystem"),
        server_bytes=pl.col("octets"),
        server_bytes_basis=pl.lit("content"),
        exchange_kind=pl.lit("http"),
        source_id=pl.lit(source_id),
        source_line=pl.int_range(1, pl.len() + 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--directory", type=Path, default=DATA)
    options = parser.parse_args()
    path, truth = make(options.records, options.seed, options.directory)
    print(json.dumps({"path": str(path)} | truth._asdict()))


if __name__ == "__main__":
    main()
