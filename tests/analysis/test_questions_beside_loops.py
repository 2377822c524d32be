"""Questions of use beside plain loops over the same deliveries, in whatever order they lie."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
from conftest import Fill
from hypothesis import given, settings
from hypothesis import strategies as st
from uses import START, asked, got

Rows = list[dict[str, Any]]
MANAGER = {"agent_name": "Nexus", "agent_kind": "repository-manager"}
SOFTWARE: list[dict[str, Any]] = [{}, {"agent_ci": True}, {"agent_ci": False}, MANAGER]


def delivery(
    minutes: int, user: str | None, known: bool, address: int | None, path: str, size: int, software: int
) -> dict[str, Any]:  # fmt: skip
    client = None if address is None else f"192.0.2.{address}"
    return got(
        minutes / 60, user, path, size, client_address=client, attributable=known and user is not None,
        **SOFTWARE[software],
    )  # fmt: skip


DELIVERIES = st.lists(
    st.builds(
        delivery, st.integers(0, 12).map(lambda n: 10 * n), st.sampled_from(["A", "B", None]), st.booleans(),
        st.sampled_from([1, 2, None]), st.sampled_from(["/a", "/b", "/c"]), st.integers(0, 9), st.integers(0, 3),
    ),
    min_size=1, max_size=16,
)  # fmt: skip
# Organisation, day and size of what was taken in seven weeks.
DAYS = st.lists(
    st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(0, 48), st.integers(1, 60)), min_size=1, max_size=90
)  # fmt: skip
examples = settings(max_examples=12, deadline=None)


def fetcher(row: dict[str, Any]) -> tuple[bool, Any]:
    return row["attributable"], row["organization" if row["attributable"] else "client_address"]


def shuffled(rows: Rows) -> Rows:
    return random.Random(len(rows)).sample(rows, len(rows))


@given(rows=DELIVERIES)
@examples
def test_redundancy_index(store_of: Fill, rows: Rows) -> None:
    sums: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    seen = set()
    for row in sorted(rows, key=lambda row: (row["ts"], row["server_bytes"])):
        key = fetcher(row), row["organization"], row["url_path"]
        repeated = key in seen
        if fetcher(row)[1] is not None:
            seen.add(key)
        attribution = "organization" if row["attributable"] else "provider"
        of = sums[
            row["organization"] or "(unknown)", attribution if row["organization"] else "unknown"
        ]
        of[:] = of[0] + 1, of[1] + (not repeated), of[2] + row["server_bytes"], of[3] + repeated * row["server_bytes"]  # fmt: skip
    answer = asked(store_of, "redundancy_index", shuffled(rows), limit=None)
    assert sums == {
        (row["organization"], row["attribution"]): [
            row["downloads"], row["artifacts"], row["bytes"], row["repeated_bytes"]
        ]
        for row in answer
    }  # fmt: skip
    assert all(row["redundancy_index"] >= 1 for row in answer)


@given(rows=DELIVERIES)
@examples
def test_shadow_downloads(store_of: Fill, rows: Rows) -> None:
    users = [row for row in rows if row["attributable"]]
    expected = {}
    for name in ("A", "B"):
        of = [row for row in users if row["organization"] == name]
        past = [row for row in of if row["agent_name"] != "Nexus"]
        held = {row["url_path"] for row in of if row["agent_name"] == "Nexus"}
        if held and past:
            both = sum(row["server_bytes"] for row in past if row["url_path"] in held)
            expected[name] = (sum(row["server_bytes"] for row in past), both, len(past))
    answer = asked(store_of, "shadow_downloads", shuffled(rows))
    assert expected == {
        row["organization"]: (row["shadow_bytes"], row["held_bytes"], row["shadow_requests"])
        for row in answer
    }
    assert all(row["managed_bytes"] + row["shadow_bytes"] == row["bytes"] for row in answer)


@given(rows=DELIVERIES)
@examples
def test_cold_starts(store_of: Fill, rows: Rows) -> None:
    first: dict[Any, Any] = {}
    last: dict[Any, Any] = {}
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    dated = [row for row in rows if row["client_address"] is not None]
    for row in dated:
        key = fetcher(row), row["url_path"]
        first[key] = min(row["ts"], first.get(key, row["ts"]))
    for row in dated:
        row["repeated"] = row["ts"] > first[fetcher(row), row["url_path"]]
    for row in sorted(dated, key=lambda row: (row["ts"], row["repeated"])):
        ci = {True: "yes", False: "no", None: "(not said)"}[row.get("agent_ci")]
        worker = row["client_address"], row["agent_name"], ci
        begins = worker not in last or row["ts"] - last[worker] > timedelta(minutes=30)
        last[worker] = row["ts"]
        of = sums[ci]
        of[:] = (
            of[0] + begins, of[1] + (begins and row["repeated"]), of[2] + row["server_bytes"],
            of[3] + row["repeated"] * row["server_bytes"],
        )  # fmt: skip
    plain = [{k: v for k, v in row.items() if k != "repeated"} for row in rows]
    answer = asked(store_of, "cold_starts", shuffled(plain))
    assert sums == {
        row["ci"]: [row["sessions"], row["cold_starts"], row["bytes"], row["repeated_bytes"]]
        for row in answer
    }


def by_day(taken: list[tuple[str, int, int]]) -> dict[str, dict[int, int]]:
    sums: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for name, day, size in taken:
        sums[name][day] += size
    return sums


@given(taken=DAYS, floor=st.sampled_from([1, 20]), history=st.sampled_from([10, 28]))
@examples
def test_sudden_consumers(
    store_of: Fill, taken: list[tuple[str, int, int]], floor: int, history: int
) -> None:
    logged = {day for _, day, _ in taken}
    expected: dict[tuple[str, int], Any] = {}
    for name, sizes in by_day(taken).items():
        for day in sizes:
            days = [d for d in logged if max(min(sizes), day - history) <= d < day]
            past = [sizes.get(d, 0) for d in days]
            if len(past) < 7:
                if sizes[day] >= floor and day >= min(logged) + 7 and max(past, default=0) < floor:
                    expected[name, day] = None
                continue
            usual = median(past)
            off = median(abs(size - usual) for size in past)
            z = (sizes[day] - usual) / max(1.4826 * off, usual / 10, floor)
            if z >= 3:
                expected[name, day] = pytest.approx(z)
    rows = shuffled([got(24 * day, name, size=size) for name, day, size in taken])
    given = {"floor": floor, "history": history, "threshold": 3, "limit": None}
    answer = asked(store_of, "sudden_consumers", rows, **given)
    assert expected == {
        (row["organization"], (row["day"] - START.date()).days): row["z"] for row in answer
    }


@given(taken=DAYS)
@examples
def test_week_on_week(store_of: Fill, taken: list[tuple[str, int, int]]) -> None:
    weeks = [range(42 - 7 * ago, 49 - 7 * ago) for ago in range(5)]
    logged = [len({day for _, day, _ in taken if day in week}) for week in weeks]
    alike = [ago for ago in range(1, 5) if 0 < logged[ago] == logged[0]]
    expected: dict[str, tuple[Any, ...]] = {}
    for name, sizes in by_day(taken).items():
        sums = [sum(sizes.get(day, 0) for day in week) for week in weeks]
        if any(sums):
            change = sums[0] / sums[1] - 1 if sums[1] and 1 in alike else None
            usual = round(median(sums[ago] for ago in alike)) if alike else None
            expected[name] = sums[0], sums[1], change, usual, len(alike)
    rows = shuffled([got(24 * day, name, size=size) for name, day, size in taken])
    answer = asked(store_of, "week_on_week", rows, until=START + timedelta(days=49))
    assert expected == {
        row["name"]: (
            row["bytes"], row["previous_bytes"], row["change"], row["usual_bytes"], row["weeks"]
        )
        for row in answer
    }  # fmt: skip


@given(rows=DELIVERIES)
@examples
def test_every_dimension_of_a_spike_is_all_of_it(store_of: Fill, rows: Rows) -> None:
    begins = START + timedelta(hours=1)
    period = {"since": begins, "until": START + timedelta(hours=2)}
    before = [row["server_bytes"] for row in rows if row["ts"] < begins]
    during = [row["server_bytes"] for row in rows if begins <= row["ts"] < period["until"]]
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in asked(store_of, "spike", shuffled(rows), limit=None, **period):
        of = sums[row["dimension"]]
        of[:] = of[0] + row["previous_bytes"], of[1] + row["bytes"], of[2] + row["difference_bytes"]
    whole = [sum(before), sum(during), sum(during) - sum(before)]
    assert all(of == whole for of in sums.values())
    assert len(sums) == (7 if before or during else 0)
