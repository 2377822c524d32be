"""Redundancy, shadow downloads, cold starts, growth and spikes: small stories, counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from conftest import SOURCES, Fill, frame

from l7meter import schema
from l7meter.analysis.catalogue import load, run
from l7meter.errors import UsageError

START = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
NO_SOURCES = pl.DataFrame(schema=SOURCES)


def got(hours: float, organization: str | None, path: str = "/a", size: int = 100, **more: Any) -> dict[str, object]:  # fmt: skip
    """A delivery `hours` after the Monday began."""
    return {
        "ts": START + timedelta(hours=hours),
        "organization": organization,
        "attributable": organization is not None,
        "client_address": "192.0.2.1",
        "server_address": "files.pypi.example",
        "url_path": path,
        "response_status_code": 200,
        "is_download": True,
        "server_bytes": size,
        "server_bytes_basis": "message",
        "exchange_kind": "http",
        "agent_name": "pip",
        "agent_kind": "package-manager",
        **more,
    }


def asked(store_of: Fill, name: str, rows: list[dict[str, object]], **given: object) -> list[dict[str, Any]]:  # fmt: skip
    records = frame(pl.DataFrame(rows, infer_schema_length=None), schema.POLARS)
    records = records.with_columns(source_id=pl.lit("one"), source_line=pl.int_range(1, pl.len() + 1))  # fmt: skip
    return run(store_of(records, NO_SOURCES), load(name), given).to_dicts()


def test_redundancy_index(store_of: Fill) -> None:
    rows = [got(n, "A", "/a", 10) for n in (0, 1, 5)] + [got(2, "A", "/b", 70)]
    rows += [got(n, "Cloud", "/a", attributable=False, client_address=f"192.0.2.{n}") for n in (7, 8)]  # fmt: skip
    first, cloud = asked(store_of, "redundancy_index", rows)
    assert (first["downloads"], first["artifacts"], first["redundancy_index"]) == (4, 2, 2.0)
    assert (first["bytes"], first["repeated_bytes"], first["repeated_share"]) == (100, 20, 0.2)
    assert first["median_gap"] == 2.5 * 3600
    assert (cloud["attribution"], cloud["redundancy_index"]) == ("provider", 1.0)  # strangers


def test_shadow_downloads(store_of: Fill) -> None:
    manager = {"agent_name": "Nexus", "agent_kind": "repository-manager"}
    rows = [
        got(0, "A", "/a", 100, **manager),
        got(1, "A", "/a", 100, client_address="192.0.2.2"),
        got(2, "A", "/b", 50, agent_name="npm"),
        got(3, "A", "/c", 5, is_download=False),
        got(4, "B", "/a", 9_000),  # has no manager
        got(5, "Cloud", "/a", 9_000, attributable=False, **manager),
    ]
    (row,) = asked(store_of, "shadow_downloads", rows)
    assert row == {
        "organization": "A", "bytes": 250, "managed_bytes": 100, "shadow_bytes": 150, "shadow_share": 0.6,
        "held_bytes": 100, "shadow_requests": 2, "shadow_clients": 2, "shadow_agents": "pip, npm",
        "unmeasured": 0, "basis": "message",
    }  # fmt: skip


def test_cold_starts(store_of: Fill) -> None:
    runner = {"agent_ci": True, "client_address": "192.0.2.7"}
    rows = [
        got(0, "A", "/a", 10, **runner),
        got(0.1, "A", "/b", 20, **runner),
        got(
            1, "A", "/a", 10, **runner
        ),  # another session, which begins with what was fetched before
        got(1.2, "A", "/c", 30, **runner),
        got(2, "A", "/new", 40, agent_ci=False),
        got(2.1, "A", "/a", 10, agent_ci=False),
    ]
    yes, no = asked(store_of, "cold_starts", rows)
    assert (yes["ci"], yes["sessions"], yes["cold_starts"], yes["cold_share"]) == ("yes", 2, 1, 0.5)
    assert (yes["bytes"], yes["repeated_bytes"], yes["bytes_per_session"]) == (70, 10, 35.0)
    assert (no["ci"], no["sessions"], no["cold_starts"], no["repeated_bytes"]) == ("no", 1, 0, 10)
    (all_one, _) = asked(store_of, "cold_starts", rows, gap="2h")
    assert (all_one["sessions"], all_one["cold_starts"]) == (1, 0)


def test_growth_of_ci_and_ai(store_of: Fill) -> None:
    rows = [got(0, "A", size=60), got(30, "A", size=40, agent_ci=True)]
    rows += [got(7 * 24 + 1, "A", size=100, agent_ci=True), got(7 * 24 + 2, "A", size=100, agent_kind="ai-crawler")]  # fmt: skip
    first, second = asked(store_of, "ci_ai_growth", rows)
    assert (first["week"], first["days"]) == (START.date(), 2)
    assert (first["ci_bytes"], first["ci_share"], first["ci_change"]) == (40, 0.4, None)
    assert (second["ci_share"], second["ci_change"]) == (0.5, 1.5)
    assert (second["ai_bytes"], second["ai_change"]) == (100, None)


def test_week_on_week(store_of: Fill) -> None:
    rows = [got(24 * day, "A", size=10 * (1 + day // 7)) for day in range(35)]  # 70, 140, ... 350
    rows += [got(24 * day, "New", size=5) for day in range(28, 35)]
    rows += [got(24 * 35 + 1, "A", size=10**9)]  # the last day is not whole
    rows += [got(24, "Gone", size=900)]
    first, second, third = asked(store_of, "week_on_week", rows)
    assert (first["name"], first["previous_bytes"], first["bytes"]) == ("A", 280, 350)
    assert (first["change"], first["usual_bytes"], first["weeks"]) == (0.25, 175, 4)
    assert (second["name"], second["change"], second["usual_bytes"]) == ("New", None, 0)
    assert (third["name"], third["bytes"], third["usual_bytes"]) == ("Gone", 0, 0)
    (agent,) = asked(store_of, "week_on_week", rows, by="agent")
    assert (agent["name"], agent["bytes"]) == ("pip", 385)
    with pytest.raises(UsageError, match="none of organization"):
        asked(store_of, "week_on_week", rows, by="package")


def test_sudden_consumers(store_of: Fill) -> None:
    usual = [100, 110, 90, 100, 105, 95, 100, 100, 2000, 100]  # odd on the ninth day
    rows = [got(24 * day, "A", size=size) for day, size in enumerate(usual)]
    rows += [got(24 * 8, "New", size=500), got(24 * 8, "Small", size=5)]
    given = {"floor": 50}
    sudden, new = asked(store_of, "sudden_consumers", rows, **given)
    assert (sudden["organization"], sudden["day"]) == ("A", (START + timedelta(days=8)).date())
    assert (sudden["median_bytes"], sudden["spread_bytes"], sudden["days"]) == (100, 50, 8)
    assert sudden["z"] == 38.0
    assert (new["organization"], new["z"], new["days"]) == ("New", None, 0)
    # days without requests are days of nothing
    rows = [got(0, "A", size=100), got(24 * 20, "A", size=1000)]
    (back,) = asked(store_of, "sudden_consumers", rows, floor=101)
    assert (back["median_bytes"], back["days"]) == (0, 20)


def test_spike(store_of: Fill) -> None:
    rows = [got(1, "A", "/a", 100), got(2, "B", "/b", 50)]
    rows += [got(25, "A", "/a", 100), got(26, "B", "/b", 650), got(27, "B", "/c", 100, agent_name="npm")]  # fmt: skip
    period = {"since": "2026-11-03", "until": "2026-11-04"}
    found = asked(store_of, "spike", rows, **period)
    of = {(row["dimension"], row["name"]): row for row in found}
    assert of["organization", "B"]["difference_bytes"] == 700
    assert of["organization", "B"]["contribution"] == 1.0
    assert of["organization", "A"]["contribution"] == 0.0
    assert of["artifact", "/b"]["contribution"] == pytest.approx(600 / 700)
    assert of["agent", "npm"]["previous_bytes"] == 0
    top = asked(store_of, "spike", rows, limit=1, **period)
    assert [row["name"] for row in top if row["dimension"] == "artifact"] == ["/b"]
    assert len({row["dimension"] for row in top}) == len(top) == 7
