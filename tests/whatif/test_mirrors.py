"""Mirrors: the best places, beside all choices there are."""

from __future__ import annotations

import json
from itertools import combinations
from math import e
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from typer.testing import CliRunner
from whatif_stores import Row, delivery, made, opened

from l7meter.analysis.whatif import Selection
from l7meter.analysis.whatif.answer import Price
from l7meter.analysis.whatif.caches import cache
from l7meter.analysis.whatif.covering import greedy
from l7meter.analysis.whatif.mirrors import mirrors
from l7meter.cli.app import app
from l7meter.errors import UsageError

CELLS = st.lists(
    st.tuples(st.integers(-1, 4), st.integers(-1, 3), st.integers(0, 50)), min_size=1, max_size=12
)


@given(cells=CELLS, count=st.integers(1, 4))
def test_greedy_has_its_part_of_the_best_and_the_bound_holds(cells: list[tuple[int, int, int]], count: int) -> None:  # fmt: skip
    table = np.array(cells, np.int64)
    codes, weight = [table[:, 0], table[:, 1]], table[:, 2]
    chosen, bound = greedy(codes, weight, count)
    covered = sum(int(weight[choice.cells].sum()) for choice in chosen)
    places = [(of, place) for of in (0, 1) for place in set(codes[of]) - {-1}]
    best = 0
    for some in combinations(places, min(count, len(places))):
        held = np.zeros(len(weight), np.bool_)
        for of, place in some:
            held |= codes[of] == place
        best = max(best, int(weight[held].sum()))
    assert (1 - 1 / e) * best <= covered <= best <= bound
    assert len({int(cell) for choice in chosen for cell in choice.cells}) == sum(len(choice.cells) for choice in chosen)  # fmt: skip


@given(weights=st.lists(st.integers(0, 100), min_size=1, max_size=8), count=st.integers(1, 8))
def test_places_that_do_not_overlap_are_chosen_best(weights: list[int], count: int) -> None:
    weight = np.array(weights, np.int64)
    chosen, bound = greedy([np.arange(len(weight))], weight, count)
    covered = sum(int(weight[choice.cells].sum()) for choice in chosen)
    assert covered == bound == sum(sorted(weights, reverse=True)[:count])


def rows() -> list[Row]:
    """Three systems: one fetches the same again and again, one many things once, one little."""
    again = [
        delivery(n, f"192.0.2.{n % 3}", "/same.tgz", 1000, client_asn=64500) for n in range(20)
    ]
    once = [
        delivery(n, "198.51.100.1", f"/{n}.tgz", 1000, client_asn=64501, organization="Once")
        for n in range(30)
    ]
    little = [
        delivery(n, "203.0.113.1", "/same.tgz", 10, client_asn=64502, organization="Little")
        for n in range(3)
    ]
    unknown = [
        delivery(
            n,
            "203.0.113.9",
            "/same.tgz",
            5000,
            client_asn=None,
            organization=None,
            attributable=None,
        )
        for n in range(9)
    ]
    missing = [delivery(0, path="/x", size=400, client_asn=64500, response_status_code=404)]
    return [*again, *once, *little, *unknown, *missing]  # fmt: skip


def test_with_what_fills_them_repetition_decides(tmp_path: Path) -> None:
    with opened(tmp_path / "store", rows()) as con:
        answer = mirrors(con, count=2, price=Price.parse("1/kB"))
        saved = cache(con, by="asn", sizes=[None]).rows
    first, second = answer.rows.to_dicts()
    assert first["place"].startswith("64500")
    assert (first["bytes"], first["fill_bytes"], first["saved_bytes"]) == (20_000, 1000, 19_000)
    assert (first["requests"], first["clients"], first["avoidable_cost"]) == (20, 3, 19.0)
    assert second["place"].startswith("64502")
    assert second["saved_bytes"] == 20
    total = 20_000 + 30_000 + 30 + 45_000 + 400
    assert second["cumulative_share"] == pytest.approx(19_020 / total)
    # a mirror is an unlimited cache of its place; who is nowhere has none
    best = saved.filter(pl.col("asn").is_not_null())["avoidable_bytes"].sort(descending=True).head(2)  # fmt: skip
    assert answer.rows["saved_bytes"].to_list() == best.to_list()


def test_without_it_octets_decide_and_places_overlap(tmp_path: Path) -> None:
    with opened(tmp_path / "store", rows()) as con:
        answer = mirrors(con, count=3, at=["asn", "organization"], fill=False)
        alone = mirrors(con, count=3, at=["asn"], fill=False)
    places = answer.rows.select("at", "place", "saved_bytes").rows()
    assert places == [("asn", "64501", 30_000), ("asn", "64500", 20_000), ("asn", "64502", 30)]
    assert_frame_equal(alone.rows, answer.rows)
    assert any("No choice of as many places takes more than 50.0 kB" in note for note in answer.notes)  # fmt: skip


def test_nothing_to_save_is_said(tmp_path: Path) -> None:
    with opened(tmp_path / "store", rows()) as con:
        answer = mirrors(con, Selection(only=(("organization", "Once"),)))
    assert answer.rows.height == 0
    assert answer.notes == ["No place has anything that a mirror would save."]


def test_the_command(tmp_path: Path) -> None:
    store = made(tmp_path / "store", rows())

    def run(*arguments: str):  # type: ignore[no-untyped-def]
        return CliRunner().invoke(app, ["whatif", "mirrors", "--store", str(store), *arguments])

    told = json.loads(run("-k", "1", "-o", "json").stdout)
    assert [row["saved_bytes"] for row in told["rows"]] == [19_000]
    assert "Every client of the place uses it" in run().stdout
    assert run("--at", "asn,organization", "--no-fill").exit_code == 0
    for arguments, said in (
        (("--at", "asn,organization"), "give one dimension, or --no-fill"),
        (("--at", "all"), "has to be at a place"),
        (("--at", "asm"), "did you mean asn?"),
    ):
        done = run(*arguments)
        assert isinstance(done.exception, UsageError)
        assert said in str(done.exception)
