"""Stores of random exchanges in several states of their rollups."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from conftest import frame

from l7meter import schema
from l7meter.store import SourceRow, Store, close, cover, side

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 4
AGENTS = [
    ("pip", "package-manager", False),
    ("npm", "package-manager", None),
    ("runner", "ci", True),
    ("ExampleBot", "ai-crawler", None),
    (None, "unknown", None),
]
PACKAGES = [("pypi", "alpha"), ("pypi", "beta"), ("npm", "beta"), (None, None)]
USERS = [
    ("Example University", True, "education", 64496, "EXAMPLE-EDU", "declared"),
    ("Example Cloud", False, "cloud", 64500, "EXAMPLE-CLOUD", "published"),
    ("Example Cloud", None, "ci", 64500, None, "published"),
    ("Example Corp", True, "enterprise", None, None, "as_name"),
    (None, None, None, None, None, "none"),
]


def exchange(chance: random.Random, source: str, line: int) -> dict[str, object]:
    """A record of any kind; one in twenty has no time, one in ten no size."""
    user = chance.randrange(len(USERS))
    organization, attributable, kind, asn, as_name, method = USERS[user]
    agent, agent_kind, ci = chance.choice(AGENTS)
    ecosystem, package = chance.choice(PACKAGES)
    exchange_kind = chance.choice(["http"] * 4 + ["tls"])
    size = None if chance.random() < 0.1 else chance.randrange(0, 2**30)
    artifact = chance.choice(["artifact", "metadata", None])
    # 86,400 s and 3,600 s so often that records fall on borders
    second = chance.choice([chance.randrange(DAYS * 86_400), 3600 * chance.randrange(DAYS * 24)])
    return {
        "ts": None if chance.random() < 0.05 else FIRST + timedelta(seconds=second),
        "client_address": chance.choice([None, *(f"10.0.{user}.{n}" for n in range(4))]),
        "client_network": f"10.0.{user}.0/24",
        "client_asn": asn,
        "client_as_name": as_name,
        "organization": organization,
        "organization_method": method,
        "network_kind": kind,
        "attributable": attributable,
        "server_address": "files.example.org",
        "url_path": f"/{package}-{chance.randrange(3)}",
        "request_method": chance.choice(["GET", "HEAD", None]),
        "network_protocol_version": chance.choice(["1.1", "2", None]),
        "response_status_code": chance.choice([200, 206, 304, 404, None]),
        "server_bytes": size,
        "server_bytes_basis": None if size is None else chance.choice(["content", "message"]),
        "sample_weight": chance.choice([None, 1.0, 10.0, 100.0]),
        "cache_status": chance.choice([None, "HIT", "MISS", "TCP_DENIED"]),
        "user_agent_original": agent and f"{agent}/1",
        "agent_name": agent,
        "agent_version": chance.choice([None, "1", "2"]),
        "agent_kind": agent_kind,
        "agent_ci": ci,
        "package_ecosystem": ecosystem,
        "package_name": package,
        "artifact_kind": artifact,
        "is_download": chance.choice([None, False, artifact == "artifact"]),
        "exchange_kind": exchange_kind,
        "source_id": source,
        "source_line": line,
    }


def append(store: Store, seed: int, count: int = 300) -> None:
    """One source of exchanges drawn from a seed."""
    chance, source = random.Random(seed), f"source{seed}"
    rows = [exchange(chance, source, line) for line in range(1, count + 1)]
    records = frame(pl.DataFrame(rows, infer_schema_length=None), schema.POLARS)
    measured = records.filter(pl.col("server_bytes").is_not_null())
    octets = {
        f"server_bytes_{basis}": measured.filter(server_bytes_basis=basis)["server_bytes"].sum()
        for basis in ("content", "message")
    }
    entry = SourceRow(
        source_id=source,
        name=f"{source}.log",
        format="combined",
        lines=count,
        records=count,
        unmeasured_records=count - measured.height,
        first_ts=records["ts"].min(),
        last_ts=records["ts"].max(),
        **octets,
    )
    store.append([entry], [store.write("records", records)])


def all_covered(store: Store) -> None:
    cover(store)


def all_closed(store: Store) -> None:
    close(store, (FIRST + timedelta(days=DAYS)).date())


def some_closed(store: Store) -> None:
    close(store, (FIRST + timedelta(days=2)).date())


STATES: dict[str, Callable[[Store], None]] = {
    "covered": all_covered,
    "some closed": some_closed,
    "before": all_closed,
}


def filled(path: Path, seed: int) -> Store:
    store = Store.create(path)
    append(store, 10 * seed)
    append(store, 10 * seed + 1)
    return store


@pytest.fixture(scope="module", autouse=True)
def one_salt() -> Iterator[None]:
    """All stores hash addresses as one that has no rollups does: the same sketches."""

    def salt(db: sqlite3.Connection) -> str:
        side.ensure(db)
        return ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side, "salt", salt)
        yield
