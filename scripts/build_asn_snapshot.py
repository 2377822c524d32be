"""Build the shipped snapshot: `l7meter/attribution/data/asn.parquet` and `as-names.parquet`.

    python scripts/build_asn_snapshot.py                      # fetches the package with `npm pack`
    python scripts/build_asn_snapshot.py package.tgz          # or reads one that is at hand

The input is the npm package `@ip-location-db/asn` (CC BY 4.0: Route Views, NRO, DB-IP), made of inclusive
ranges that need not be prefixes. Everything changed on the way is printed and described in
docs/reference-data.md; the hashes of the input are written into the files' key-value metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import tarfile
import tempfile
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from l7meter.attribution.ranges import flatten
from l7meter.attribution.special import BLOCKS

PACKAGE = "@ip-location-db/asn"
VERSION = "2.3.2026061719"
TABLES = ("package/asn-ipv4-num.csv", "package/asn-ipv6-num.csv")
DATA = Path(__file__).parents[1] / "l7meter" / "attribution" / "data"
ATTRIBUTION = (
    "IP to ASN data: Route Views (https://www.routeviews.org), NRO (https://www.nro.net), "
    "DB-IP (https://db-ip.com), merged by ip-location-db, corrected and compacted by l7meter"
)
# Prefixes whose origin the package has wrong.
CORRECTIONS = {"54.144.0.0/14": 14618}  # us-east-1: in part given to AS16509
PLACEHOLDER = re.compile(r"AS\d+")  # the package's name for a system without one
IPV4_MAPPED = 0xFFFF << 32  # ::ffff:0:0/96, where IPv4 ranges stand in the files

Range = tuple[int, int, int]  # first, last, ASN


def usable(asn: int, name: str) -> bool:
    """Whether a number can be the origin of public routes (RFC 6996, 7607, 6793, 5398, 7300)."""
    special = asn in (0, 23456) or 64496 <= asn <= 131071 or asn >= 4_200_000_000
    return not special and name != "-Reserved AS-"


def ipv4_as_ipv6(text: str) -> tuple[int, int]:
    """First and last address of a prefix, IPv4 as IPv4-mapped IPv6."""
    network = ip_network(text)
    base = IPV4_MAPPED if network.version == 4 else 0
    return int(network.network_address) + base, int(network.broadcast_address) + base


def disjoint(ranges: list[Range]) -> list[Range]:
    """Ranges with the corrections laid over them and special-purpose space cut out."""
    over = [(*ipv4_as_ipv6(prefix), asn) for prefix, asn in CORRECTIONS.items()]
    # The reserved outer parts of the address space would cover the IPv4-mapped ranges themselves.
    holes = [(*ipv4_as_ipv6(block.prefix), 0) for block in BLOCKS if block.prefix != "::/3"]
    layers = [ranges, over, holes]
    every = [entry for layer in layers for entry in layer]
    ranks = [rank for rank, layer in enumerate(layers) for _ in layer]
    joined: list[Range] = []
    for start, end, row in zip(
        *flatten([r[0] for r in every], [r[1] for r in every], ranks), strict=True
    ):
        asn = every[row][2]
        if joined and joined[-1][1] + 1 == start and joined[-1][2] == asn:
            joined[-1] = (joined[-1][0], end, asn)
        else:
            joined.append((start, end, asn))
    return [entry for entry in joined if entry[2]]


def read(archive: Path) -> tuple[list[Range], dict[int, str], dict[str, str]]:
    """Usable ranges, names by ASN, and metadata of the package; says what was dropped."""
    day = VERSION.rsplit(".", 1)[1]  # yyyymmddhh
    metadata = {
        "origin": f"npm {PACKAGE}",
        "version": VERSION,
        "as_of": f"{day[:4]}-{day[4:6]}-{day[6:8]}",
        "licence": "CC-BY-4.0",
        "attribution": ATTRIBUTION,
        "sha256 package": digest(archive.read_bytes()),
    }
    ranges: list[Range] = []
    names: dict[int, str] = {}
    with tarfile.open(archive) as tar:
        for table, base in zip(TABLES, (IPV4_MAPPED, 0), strict=True):
            content = tar.extractfile(table).read()  # type: ignore[union-attr]
            metadata[f"sha256 {table}"] = digest(content)
            frame = pl.read_csv(content, has_header=False, infer_schema=False)
            rows = [
                (int(a) + base, int(b) + base, int(asn), name)
                for a, b, asn, name in frame.iter_rows()
            ]
            rows.sort()
            for before, after in pairwise(rows):
                if after[0] <= before[1]:
                    print(
                        f"overlap: {ip_address(after[0])} is in AS{before[2]} and AS{after[2]}; the narrower wins"
                    )
            kept = [row for row in rows if usable(row[2], row[3])]
            print(f"{table}: {len(rows)} ranges, {len(rows) - len(kept)} dropped for their ASN")
            ranges += [row[:3] for row in kept]
            names |= {asn: " ".join(name.replace("\xad", "-").split()) for _, _, asn, name in kept}
    return ranges, names, metadata


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write(table: pa.Table, name: str, metadata: dict[str, str], encodings: dict[str, str]) -> None:
    """Write one Parquet file beside the package's other data."""
    path = DATA / name
    pq.write_table(
        table.replace_schema_metadata(metadata), path, compression="zstd", compression_level=19,
        use_dictionary=False, column_encoding=encodings, write_statistics=False,
    )  # fmt: skip
    print(f"{name}: {table.num_rows} rows, {path.stat().st_size} bytes")


def build(archive: Path) -> None:
    """Read the package and write both files."""
    ranges, names, metadata = read(archive)
    pieces = disjoint(ranges)
    print(
        f"{len(ranges)} ranges became {len(pieces)} after corrections, special-purpose space and joining"
    )
    half = (1 << 64) - 1
    columns = {
        "start_hi": [start >> 64 for start, _, _ in pieces],
        "start_lo": [start & half for start, _, _ in pieces],
        "end_hi": [end >> 64 for _, end, _ in pieces],
        "end_lo": [end & half for _, end, _ in pieces],
    }
    arrays = {name: pa.array(values, pa.uint64()) for name, values in columns.items()}
    arrays["asn"] = pa.array([asn for _, _, asn in pieces], pa.uint32())
    delta = dict.fromkeys(columns, "DELTA_BINARY_PACKED")
    # Bytes of the ASN split into four streams: 0.89 MB, not 1.08 MB with a dictionary.
    write(pa.table(arrays), "asn.parquet", metadata, {**delta, "asn": "BYTE_STREAM_SPLIT"})
    held = sorted({asn for _, _, asn in pieces})
    unnamed = [asn for asn in held if PLACEHOLDER.fullmatch(names[asn])]
    print(f"{len(held)} systems, {len(unnamed)} of them without a name")
    systems = pa.table({
        "asn": pa.array(held, pa.uint32()),
        "name": pa.array([None if asn in set(unnamed) else names[asn] for asn in held]),
    })  # fmt: skip
    write(
        systems,
        "as-names.parquet",
        metadata,
        {"asn": "DELTA_BINARY_PACKED", "name": "DELTA_LENGTH_BYTE_ARRAY"},
    )


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "archive", nargs="?", type=Path, help=f"the packed npm package {PACKAGE}@{VERSION}"
    )
    archive: Path | None = parser.parse_args().archive
    if archive is not None:
        build(archive)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, check=True)
        build(next(Path(folder).glob("*.tgz")))


if __name__ == "__main__":
    main()
