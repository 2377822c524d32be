"""docs/examples/fund/: a month of an invented registry, of which docs/fund.md shares a fund.

Twelve organisations and a cloud, each with habits of its own; the same log each time.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "docs/examples/fund"
START = datetime(2026, 10, 1, tzinfo=UTC)
PIP = "pip/24.0 {{\"ci\":{ci},\"cpu\":\"x86_64\",\"implementation\":{{\"name\":\"CPython\",\"version\":\"3.12.3\"}},\"installer\":{{\"name\":\"pip\",\"version\":\"24.0\"}},\"python\":\"3.12.3\",\"system\":{{\"name\":\"Linux\",\"release\":\"6.8\"}}}}"  # fmt: skip
AGENTS = {
    "pip": PIP.format(ci="null").replace('"', '\\"'),
    "ci": PIP.format(ci="true").replace('"', '\\"'),
    "uv": "uv/0.5.1",
    "nexus": "Nexus/3.70.1-02 (PRO; Linux; 6.8; amd64; 17.0.11)",
    "browser": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
}
PACKAGES = [("ember-core", 800), ("torch-like", 780), ("bonfire", 95), ("lantern", 34), ("wick", 9), ("kite", 2), ("glow", 1)]  # MB  # fmt: skip

# name: network, agent, requests a day, versions that it uses, part that are index pages, hours, weekends
USERS = {
    "Alder Systems": (
        "192.0.2.0",
        "ci",
        46,
        1,
        0.2,
        range(24),
        True,
    ),  # the same file in each build
    "Birch Bank": ("192.0.2.16", "pip", 14, 40, 0.4, range(8, 18), False),
    "Cedar University": ("192.0.2.32", "pip", 22, 60, 0.3, range(9, 22), True),
    "Dogwood Robotics": ("192.0.2.48", "uv", 12, 30, 0.3, range(9, 19), False),
    "Elm Insurance": ("192.0.2.64", "nexus", 10, 400, 0.5, range(24), True),  # has a cache
    "Fir Cloudworks": ("192.0.2.80", "ci", 30, 6, 0.2, (2, 3), True),  # all of it by night
    "Ginkgo Research": ("192.0.2.96", "uv", 9, 25, 0.3, range(7, 23), True),
    "Hazel Media": ("192.0.2.112", "pip", 7, 15, 0.5, range(10, 20), False),
    "Ivy Games": ("192.0.2.128", "ci", 18, 3, 0.3, (17, 18, 19), False),  # in the evening peak
    "Juniper Health": ("192.0.2.144", "pip", 6, 20, 0.6, range(8, 17), False),
    "Kapok Logistics": ("192.0.2.160", "pip", 3, 9, 0.6, range(24), False),
    "Larch Studio": ("192.0.2.176", "browser", 1, 5, 0.7, range(10, 18), False),
    "": ("203.0.113.0", "pip", 70, 90, 0.3, range(24), True),  # nobody knows who that is
}


def lines() -> Iterator[tuple[datetime, str]]:
    """Each request with its line."""
    for number, (network, agent, daily, versions, index, hours, weekends) in enumerate(USERS.values()):  # fmt: skip
        random = np.random.RandomState(number)  # whose stream never changes
        first, last = network.rsplit(".", 1)
        for day in range(31):
            moment = START + timedelta(days=day)
            if moment.weekday() >= 5 and not weekends:
                continue
            for _ in range(random.poisson(daily)):
                at = moment + timedelta(hours=int(random.choice(hours)), seconds=int(random.randint(3600)))  # fmt: skip
                client = f"{first}.{int(last) + 1 + random.randint(12)}"
                yield at, _line(at, client, AGENTS[agent], random, versions, index)


def _line(at: datetime, client: str, agent: str, random: np.random.RandomState, versions: int, index: float) -> str:  # fmt: skip
    name, size = PACKAGES[min(int(random.geometric(0.35)) - 1, len(PACKAGES) - 1)]
    if random.rand() < index:
        unchanged = random.rand() < 0.4
        path, status, octets = f"/simple/{name}/", 304 if unchanged else 200, 0 if unchanged else 41_000  # fmt: skip
    else:
        version = f"1.{random.randint(versions)}.0"
        digest = sha256(f"{name}{version}".encode()).hexdigest()
        path = f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{name.replace('-', '_')}-{version}-py3-none-any.whl"  # fmt: skip
        status, octets = 200, size * 1_000_000 + int(digest[:4], 16)
    return f'{client} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {status} {octets} "-" "{agent}"\n'  # fmt: skip


def main() -> None:
    """Write the log, in order of time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = "".join(line for _, line in sorted(lines(), key=lambda each: each[0]))
    (FOLDER / "access.log.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
