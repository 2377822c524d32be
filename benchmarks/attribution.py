"""What attribution costs: distinct values a second, and its part of an ingest.

`python -m benchmarks.attribution [--log FILE] [--values N]`. Values are concluded in as many threads as there
are cores, as an ingest does. The part is that of two ingests of one log, whole commands, of which one concludes
nothing (`--unattributed FILE STORE` runs it).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from benchmarks.generate import SEED
from l7meter.attribution import addresses, agents, artifacts
from l7meter.ingest.source import cores

ROUNDS = 4
LEAST = {"addresses": 3_000_000, "agents": 300_000, "targets": 500_000}  # a second
MOST = 0.35  # of the time of an ingest without attribution


def some_addresses(chance: random.Random, count: int) -> pl.Series:
    """Nine of ten are IPv4, anywhere in 1.0.0.0 to 223.255.255.255; the others in 2600::/16."""
    four = (chance.randrange(0x01000000, 0xE0000000) for _ in range(count * 9 // 10))
    six = (f"{chance.randrange(1 << 32):08x}" for _ in range(count - count * 9 // 10))
    texts = [f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in four]
    return pl.Series(texts + [f"2600:{each[:4]}:{each[4:]}::5" for each in six])


def some_agents(chance: random.Random, count: int) -> pl.Series:
    """Three of ten are pip's, with its JSON; npm, browsers, Maven, Bundler, scripts and curl."""
    pick = chance.randrange
    makers: list[tuple[int, Callable[[], str]]] = [
        (30, lambda: f'pip/2{pick(7)}.{pick(4)} {{"ci":{chance.choice(["true", "null"])},"cpu":"x86_64","distro":{{"id":"bookworm","libc":{{"lib":"glibc","version":"2.{pick(20, 40)}"}},"name":"Debian GNU/Linux","version":"12"}},"implementation":{{"name":"CPython","version":"3.{pick(8, 15)}.{pick(20)}"}},"installer":{{"name":"pip","version":"26.0"}},"openssl_version":"OpenSSL 3.0.{pick(20)} 1 Jan 2026","python":"3.{pick(8, 15)}.{pick(20)}","rustc_version":"1.{pick(60, 90)}.0","setuptools_version":"8{pick(10)}.0.0","system":{{"name":"Linux","release":"6.{pick(18)}.{pick(60)}-{pick(200)}-generic"}}}}'),
        (15, lambda: f"npm/{pick(6, 12)}.{pick(30)}.{pick(9)} node/v{pick(12, 25)}.{pick(30)}.{pick(9)} linux x64 workspaces/false"),
        (15, lambda: f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{pick(60, 140)}.0.{pick(9000)}.{pick(200)} Safari/537.36"),
        (10, lambda: f"Apache-Maven/3.{pick(3, 10)}.{pick(9)} (Java {pick(8, 25)}.0.{pick(30)}; Linux 6.{pick(18)}.{pick(60)}-{pick(200)}-generic)"),
        (10, lambda: f"bundler/2.{pick(7)}.{pick(30)} rubygems/3.{pick(7)}.{pick(30)} ruby/3.{pick(4)}.{pick(9)} (x86_64-pc-linux-gnu) command/install options/path ci/github,ci {pick(1 << 60):016x}"),
        (10, lambda: f"script-{pick(10_000)}/1.{pick(99)} python-requests/2.{pick(33)}"),
        (10, lambda: f"curl/8.{pick(99)}.{pick(999)}"),
    ]  # fmt: skip
    weights = [weight for weight, _ in makers]
    found: dict[str, None] = {}
    while len(found) < count:
        found[chance.choices(makers, weights)[0][1]()] = None
    return pl.Series(list(found))


def some_targets(chance: random.Random, count: int) -> pl.Series:
    """Paths of ten kinds, one in ten of none."""
    digest = lambda size: f"{chance.randrange(16**size):0{size}x}"  # noqa: E731
    makers: list[Callable[[int], str]] = [
        lambda n: (
            f"/packages/{digest(2)}/{digest(2)}/{digest(60)}/pkg_{n}-1.{n % 100}-py3-none-any.whl"
        ),
        lambda n: f"/pkg-{n}/-/pkg-{n}-{n % 9}.1.{n % 100}.tgz",
        lambda n: f"/maven2/org/example/a{n}/1.{n % 9}/a{n}-1.{n % 9}.jar",
        lambda n: f"/crates/c{n}/c{n}-{n % 7}.{n % 9}.0.crate",
        lambda n: f"/gems/g{n}-{n % 7}.{n % 9}.gem",
        lambda n: f"/debian/pool/main/l/lib{n}/lib{n}_{n % 7}.{n % 9}-1_amd64.deb",
        lambda n: f"/simple/p{n}/",
        lambda n: f"/v2/library/img{n % 999}/blobs/sha256:{digest(64)}",
        lambda n: f"/example.org/owner{n}/mod/@v/v1.{n % 99}.{n % 7}.zip",
        lambda n: f"/some/page/{n}.html",
    ]
    return pl.Series([chance.choice(makers)(n) for n in range(count)])


def _targets(texts: pl.Series) -> pl.DataFrame:
    hosts = pl.lit(None, pl.String).alias("server_address")
    return artifacts.conclude(texts.alias("url_original").to_frame().with_columns(hosts))


def rate(values: pl.Series, conclude: Callable[[pl.Series], object]) -> float:
    """Values concluded a second, at best of some rounds; the first, which reads the rules, is not one."""
    size = -(-len(values) // cores())
    parts = [values[at : at + size] for at in range(0, len(values), size)]
    conclude(values[:1000])
    best = float("inf")
    with ThreadPoolExecutor(cores()) as pool:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            list(pool.map(conclude, parts))
            best = min(best, time.perf_counter() - started)
    return len(values) / best


def unattributed(log: str, store: str) -> None:
    """Ingest a log and conclude nothing of it but what its octets measure."""
    from l7meter.attribution import attribution, measure
    from l7meter.cli import main as command
    from l7meter.schema import POLARS

    def conclude(self: object, said: pl.DataFrame, memo: object = None) -> pl.DataFrame:
        missing = {name: attribution.NOTHING if kind == pl.String else kind for name, kind in POLARS.items() if name not in said.columns}  # fmt: skip
        nothing = said.with_columns(pl.lit(None, kind).alias(name) for name, kind in missing.items())  # fmt: skip
        return nothing.with_columns(*measure.server_bytes()).select(POLARS.names())

    attribution.Attribution.conclude = conclude  # type: ignore[method-assign,assignment]
    sys.argv = ["l7meter", "ingest", log, "--store", store, "--output", "json"]
    command()


def part(log: str) -> float:
    """What attribution adds to the time of an ingest without it, at best of some rounds."""
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(ROUNDS):
        for name, command in (
            ("with", ["-m", "l7meter", "ingest", log, "--output", "json", "--store"]),
            ("without", ["-m", "benchmarks.attribution", "--unattributed", log]),
        ):
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                subprocess.run([sys.executable, *command, f"{folder}/store"], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
                seconds[name].append(time.perf_counter() - started)
    return min(seconds["with"]) / min(seconds["without"]) - 1


def main() -> None:
    """Print what was measured as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="a log in nginx's combined format")
    parser.add_argument("--values", type=int, default=1_000_000, help="of addresses and targets")
    parser.add_argument("--unattributed", nargs=2, metavar=("FILE", "STORE"))
    given = parser.parse_args()
    if given.unattributed:
        unattributed(*given.unattributed)
        return
    chance = random.Random(SEED)
    measured = {
        "addresses": rate(some_addresses(chance, given.values), addresses.conclude),
        "agents": rate(some_agents(chance, given.values // 10), agents.conclude),
        "targets": rate(some_targets(chance, given.values), _targets),
    }
    print("| attribution of | measured | target | |\n|---|---|---|---|")
    for name, value in measured.items():
        reached = "met" if value >= LEAST[name] else "**missed**"
        print(f"| distinct {name} | {value:,.0f}/s | ≥ {LEAST[name]:,}/s | {reached} |")
    if given.log:
        share = part(str(given.log))
        reached = "met" if share <= MOST else "**missed**"
        print(f"| a log, as added to the rest of its ingest | {share:.0%} | ≤ {MOST:.0%} | {reached} |")  # fmt: skip


if __name__ == "__main__":
    main()
