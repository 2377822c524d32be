"""Redundancy, shadow downloads, cold starts, growth and spikes: small stories, counted by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Fill
from uses import START, asked, got

from l7meter.errors import UsageError


def test_redundancy_index(store_of: Fill) -> None:
    rows = [got(n, "A", "/a", 10) for n in (0, 1, 5)] + [got(2, "A", "/b", 70)]
    rows += [got(n, "Cloud", "/a", attributable=False, client_address=f"192.0.2.{n}") for n in (7, 8)]  # fmt: skip
    first, cloud = asked(store_of, "redundancy_index", rows)
    assert (first["downloads"], first["artifacts"], first["redundancy_index"]) == (4, 2, 2.0)
    assert (first["bytes"], first["repeated_bytes"], first["repeated_share"]) == (100, 20, 0.2)
    assert first["median_gap"] == 2.5 * 3600
    assert (cloud["attribution"], cloud["redundancy_index"]) == ("provider", 1.0)  # strangers


def test_who_has_no_address_repeats_nothing(store_of: Fill) -> None:
    rows = [got(n, None, client_address=None) for n in range(3)]
    rows += [got(4, "Cloud", client_address=None, attributable=False)]
    answer = asked(store_of, "redundancy_index", rows)
    assert [(row["downloads"], row["artifacts"], row["repeated_bytes"]) for row in answer] == [
        (1, 1, 0),
        (3, 3, 0),
    ]
    assert [row["median_gap"] for row in answer] == [None, None]


def test_one_sampled_delivery_is_no_repetition(store_of: Fill) -> None:
    (row,) = asked(store_of, "redundancy_index", [got(0, "A", sample_weight=100.0)])
    assert (row["downloads"], row["artifacts"], row["redundancy_index"]) == (100, 100, 1.0)


def test_shadow_downloads(store_of: Fill) -> None:
    manager = {"agent_name": "Nexus", "agent_kind": "repository-manager"}
    rows = [
        got(0, "A", "/a", 100, **manager),
        got(1, "A", "/a", 100, client_address="192.0.2.2"),
        got(2, "A", "/b", 50, agent_name="npm"),
        got(3, "A", "/c", 5, is_download=False),
        got(4, "B", "/a", 9_000),  # has no manager
        got(5, "Cloud", "/a", 9_000, attributable=False, **manager),
        got(6, "C", "/a", 70, **manager),  # fetches nothing past it
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
        # another session, which begins with what was fetched before
        got(1, "A", "/a", 10, **runner),
        got(1.2, "A", "/c", 30, **runner),
        got(2, "A", "/new", 40, agent_ci=False),
        got(2.1, "A", "/a", 10, agent_ci=False),
    ]
    yes, no = asked(store_of, "cold_starts", rows)
    assert (yes["ci"], yes["sessions"], yes["cold_starts"], yes["cold_share"]) == ("yes", 2, 1, 0.5)
    assert (yes["bytes"], yes["repeated_bytes"], yes["bytes_per_session"]) == (70, 10, 35.0)
    assert (yes["sessions_per_day"], yes["repeated_share"]) == (2.0, 1 / 7)
    assert (no["ci"], no["sessions"], no["cold_starts"], no["repeated_bytes"]) == ("no", 1, 0, 10)
    (all_one, _) = asked(store_of, "cold_starts", rows, gap="2h")
    assert (all_one["sessions"], all_one["cold_starts"]) == (1, 0)


def test_the_same_second_is_not_before(store_of: Fill) -> None:
    one, other = ({"client_address": f"192.0.2.{n}"} for n in (1, 2))
    rows = [got(0, "A", "/a", **one), got(0, "A", "/a", **other)]
    # its session begins with /new as much as with /a
    rows += [got(5, "A", "/a", **one), got(5, "A", "/new", **one)]
    rows += [got(9, "A", "/a", **other)]
    (row,) = asked(store_of, "cold_starts", rows)
    assert (row["sessions"], row["cold_starts"], row["repeated_bytes"]) == (4, 1, 200)


def test_growth_of_ci_and_ai(store_of: Fill) -> None:
    week = 7 * 24
    rows = [got(0, "A", size=60), got(30, "A", size=40, agent_ci=True)]
    rows += [got(week + 1, "A", size=100, agent_ci=True)]
    rows += [got(week + 30, "A", size=100, agent_kind="ai-crawler")]
    rows += [got(2 * week, "A", size=10, agent_ci=True)]
    first, second, third = asked(store_of, "ci_ai_growth", rows)
    assert (first["week"], first["days"]) == (START.date(), 2)
    assert (first["ci_bytes"], first["ci_share"], first["ci_change"]) == (40, 0.4, None)
    assert (first["requests"], first["ci_requests"], first["ai_requests"]) == (2, 1, 0)
    assert (second["ci_share"], second["ci_change"]) == (0.5, 1.5)
    assert (second["ai_bytes"], second["ai_requests"], second["ai_change"]) == (100, 1, None)
    assert (third["days"], third["ci_share"], third["ci_change"]) == (1, 1.0, None)


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


def test_weeks_compare_that_have_as_many_days(store_of: Fill) -> None:
    until = {"until": START + timedelta(days=28)}
    whole = [got(24 * day, "A", size=10) for day in range(28)]
    (row,) = asked(store_of, "week_on_week", whole, **until)
    assert (row["weeks"], row["usual_bytes"], row["change"]) == (3, 70, 0.0)
    (row,) = asked(store_of, "week_on_week", whole[2:], **until)  # the store begins on a Wednesday
    assert (row["weeks"], row["usual_bytes"], row["change"]) == (2, 70, 0.0)
    lost = [each for day, each in enumerate(whole) if day != 16]  # of the week before the last
    (row,) = asked(store_of, "week_on_week", lost, **until)
    assert (row["previous_bytes"], row["bytes"], row["change"]) == (60, 70, None)
    assert (row["weeks"], row["usual_bytes"]) == (2, 70)


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


def test_days_without_requests_count_as_zero_and_days_without_a_log_do_not(store_of: Fill) -> None:
    rows = [got(0, "A", size=100), got(24 * 20, "A", size=1000)]
    others = [got(24 * day, "B", size=1) for day in range(21) if day not in (3, 4)]
    (back,) = asked(store_of, "sudden_consumers", rows + others, floor=101)
    assert (back["organization"], back["median_bytes"], back["days"]) == ("A", 0, 18)
    logged = [*range(10), *range(30, 33)]  # three weeks of logs are lost
    rows = [got(24 * day, name, size=1000) for day in logged for name in ("A", "B")]
    assert asked(store_of, "sudden_consumers", rows, floor=100) == []


def test_a_new_consumer_is_shown_once_it_takes_much(store_of: Fill) -> None:
    rows = [got(24 * day, "A", size=1) for day in range(20)]
    rows += [got(24 * day, "New", size=size) for day, size in ((10, 5), (11, 500), (12, 600))]
    (new,) = asked(store_of, "sudden_consumers", rows, floor=100)
    assert (new["organization"], new["day"]) == ("New", (START + timedelta(days=11)).date())
    assert (new["z"], new["median_bytes"], new["days"]) == (None, None, 1)


def test_spike(store_of: Fill) -> None:
    rows = [got(1, "A", "/a", 100), got(2, "B", "/b", 50)]
    rows += [got(25, "A", "/a", 100), got(26, "B", "/b", 650), got(27, "B", "/c", 100, agent_name="npm")]  # fmt: skip
    period = {"since": "2026-11-03", "until": "2026-11-04"}
    found = asked(store_of, "spike", rows, **period)
    of = {(row["dimension"], row["name"]): row for row in found}
    assert of["organization", "B"]["difference_bytes"] == 700
    assert of["organization", "B"]["contribution"] == 1.0
    assert of["organization", "A"]["contribution"] == 0.0
    assert of["artifact", "files.pypi.example/b"]["contribution"] == pytest.approx(600 / 700)
    assert of["agent", "npm"]["previous_bytes"] == 0
    top = asked(store_of, "spike", rows, limit=1, **period)
    assert [row["name"] for row in top if row["dimension"] == "artifact"] == [
        "files.pypi.example/b"
    ]
    assert len({row["dimension"] for row in top}) == len(top) == 7


def test_namesakes_of_other_registries_are_others(store_of: Fill) -> None:
    rows = [
        got(25, "A", size=5, package_ecosystem="npm", package_name="beta"),
        got(
            26,
            "A",
            size=7,
            package_ecosystem="pypi",
            package_name="beta",
            server_address="b.example",
        ),
    ]
    found = asked(store_of, "spike", rows, since="2026-11-03", until="2026-11-04")
    named = [(row["name"], row["bytes"]) for row in found if row["dimension"] in ("package", "artifact")]  # fmt: skip
    assert named == [
        ("pypi/beta", 7),
        ("npm/beta", 5),
        ("b.example/a", 7),
        ("files.pypi.example/a", 5),
    ]
