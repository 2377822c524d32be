"""Logs to ingest, and the arithmetic of the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from l7meter.ingest import Ingested
from l7meter.store import Store, connect, verify
from l7meter.store.ledger import BASES

COUNTS = ("lines", "records", "rejects", "skipped")


def lines(start: int, count: int) -> list[str]:
    """Combined lines: one in fifty is garbage, one in seventy blank."""
    made = []
    for n in range(start, start + count):
        clock = f"{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}"
        agent = ("pip/24.0", "curl/8.5.0", r"a \x22quoted\x22 agent", "-")[n % 4]
        line = f'192.0.2.{n % 250} - - [02/Jan/2024:{clock} +0000] "GET /{n} HTTP/1.1" 200 {n} "-" "{agent}"'
        made.append("chopped " + line[:30] if n % 50 == 49 else "" if n % 70 == 69 else line)
    return made


def write(path: Path, start: int, count: int) -> str:
    """A log of combined lines."""
    path.write_text("\n".join(lines(start, count)) + "\n")
    return str(path)


def totals(store: Path) -> dict[str, Any]:
    """What the data hold, and what the ledger says they hold; both must be the same."""
    with connect(store) as connection:
        ask = connection.execute
        sums = dict(
            ask(
                "SELECT server_bytes_basis, sum(server_bytes)::BIGINT FROM records "
                "WHERE server_bytes_basis IS NOT NULL GROUP BY 1 ORDER BY 1"
            ).fetchall()
        )
        rows = {
            "records": ask("SELECT count(*) FROM records").fetchone()[0],  # type: ignore[index]
            "rejects": ask("SELECT count(*) FROM rejects").fetchone()[0],  # type: ignore[index]
        }
        ledger = ask(
            f"SELECT {', '.join(f'coalesce(sum({count}), 0)::BIGINT' for count in COUNTS)} FROM sources"
        ).fetchone()
        assert ledger is not None
        said = dict(zip(COUNTS, ledger, strict=True))
        octets = ask(
            f"SELECT {', '.join(f'sum(server_bytes_{basis})::BIGINT' for basis in BASES)} FROM sources"
        ).fetchone()
        assert octets is not None
        by_basis = {b: n for b, n in zip(BASES, octets, strict=True) if n is not None}
        unmeasured = ask(
            "SELECT (SELECT count(*) FROM records WHERE server_bytes IS NULL), "
            "(SELECT coalesce(sum(unmeasured_records), 0) FROM sources)"
        ).fetchone()
        apart = ask(
            "SELECT name FROM sources WHERE lines <> records + rejects + skipped "
            "OR records <> (SELECT count(*) FROM records r WHERE r.source_id = sources.source_id) "
            "OR rejects <> (SELECT count(*) FROM rejects r WHERE r.source_id = sources.source_id)"
        ).fetchall()
    assert apart == []
    assert rows == {"records": said["records"], "rejects": said["rejects"]}
    assert sums == by_basis
    assert unmeasured is not None
    assert unmeasured[0] == unmeasured[1]
    return {**said, "server_bytes_by_basis": by_basis, "unmeasured_records": unmeasured[0]}


def agrees(store: Path, done: Ingested) -> dict[str, Any]:
    """The totals of a store that one run made, which are those that the run reported."""
    found, told = totals(store), done.as_dict()
    assert found == {name: told[name] for name in found}
    assert told["lines"] == told["records"] + told["rejects"] + told["skipped"]
    assert sum(told["rejects_by_reason"].values()) == told["rejects"]
    with Store.open(store) as opened:
        assert verify(opened) == []
    return found
