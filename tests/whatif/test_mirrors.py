"""Mirrors: the best places, beside all choices there are."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from itertools import combinations
from math import e
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from typer.testing import CliRunner
from whatif_stores import Row, delivery, made, opened

from l7meter.analysis.whatif import Selection
from l7meter.analysis.whatif.answer import Price
from l7meter.analysis.whatif.caches import cache
from l7meter.analysis.whatif.covering import greedy
from l7meter.analysis.whatif.mirrors import mirrors
from l7meter.attribution.reference.importers import load
from l7meter.attribution.reference.shelf import Shelf
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


LOG = st.lists(
    st.tuples(
        st.sampled_from([None, 64500, 64501, 64502, 64503]),
        st.sampled_from(["cloud", "access", "unknown"]),
        st.integers(0, 3),  # the client
        st.integers(0, 4),  # the object, of 100 octets times that
        st.sampled_from(["artifact", "artifact", "artifact", "other", "missing"]),
    ),
    min_size=1,
    max_size=25,
)
Asked = tuple[int | None, str, int, int, str]


def logged(asked: list[Asked]) -> list[Row]:
    return [
        delivery(
            second, f"192.0.2.{client}", f"/{number}.tgz", 100 * number, client_asn=asn, network_kind=kind,
            artifact_kind="other" if what == "other" else "artifact",
            response_status_code=404 if what == "missing" else 200,
        )
        for second, (asn, kind, client, number, what) in enumerate(asked)
    ]  # fmt: skip


def best_of(asked: list[Asked], at: tuple[int, ...], count: int, fill: bool) -> int:
    """What the best choice of places saves, of all there are; `at` are 0 (systems) and 1 (kinds of network)."""
    served = [each for each in asked if each[4] == "artifact"]
    places = {(of, each[of]) for each in served for of in at if each[of] not in (None, "unknown")}
    best = 0
    for some in combinations(sorted(places, key=str), min(count, len(places))):
        saved = 0
        held: dict[object, set[int]] = defaultdict(set)
        for each in served:
            if place := next(((of, each[of]) for of in at if (of, each[of]) in some), None):
                saved += 0 if fill and each[3] not in held[place] else 100 * each[3]
                held[place].add(each[3])
        best = max(best, saved)
    return best


@settings(max_examples=15, deadline=None)
@given(asked=LOG, count=st.integers(1, 4), data=st.data())
def test_no_choice_of_places_saves_more(tmp_path_factory: pytest.TempPathFactory, asked: list[Asked], count: int, data: st.DataObject) -> None:  # fmt: skip
    """Every choice there is, by a plain loop: of one dimension none is better, of two none by more than 1/e."""
    folder = tmp_path_factory.mktemp("mirrors")
    with opened(folder / "store", logged(asked)) as con:
        for of, at in ((0, "asn"), (1, "network-kind")):
            for fill in (True, False):
                found = mirrors(con, count=count, at=[at], fill=fill).rows
                assert found["saved_bytes"].sum() == best_of(asked, (of,), count, fill)
        both = mirrors(con, count=count, at=["asn", "network-kind"], fill=False).rows
        more = mirrors(con, count=count + 1, at=["asn", "network-kind"], fill=False).rows
    best = best_of(asked, (0, 1), count, False)
    assert (1 - 1 / e) * best <= both["saved_bytes"].sum() <= best
    assert_frame_equal(both, more.head(count))  # one more changes nothing before it
    mixed = data.draw(st.permutations(asked))
    with opened(folder / "mixed", logged(mixed)) as con:
        assert_frame_equal(
            both, mirrors(con, count=count, at=["asn", "network-kind"], fill=False).rows
        )


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
    assert places == [
        ("asn", "64501 EXAMPLE", 30_000),
        ("asn", "64500 EXAMPLE", 20_000),
        ("asn", "64502 EXAMPLE", 30),
    ]
    assert_frame_equal(alone.rows, answer.rows)
    assert any("No choice of as many places takes more than 50.0 kB" in note for note in answer.notes)  # fmt: skip


def test_an_organisation_and_the_tenants_of_its_networks_have_clients_of_their_own(tmp_path: Path) -> None:  # fmt: skip
    own = [delivery(n, f"192.0.2.{n % 3}", "/a.tgz") for n in range(12)]
    tenants = [delivery(n, f"198.51.100.{n}", "/a.tgz", attributable=False) for n in range(5)]
    with opened(tmp_path / "store", [*own, *tenants]) as con:
        filled = mirrors(con, at=["organization"]).rows
        held = mirrors(con, at=["organization"], fill=False).rows
    assert filled.select("place", "saved_bytes", "clients").rows() == [
        ("Example Ltd organization", 11_000, 3),
        ("Example Ltd provider", 4_000, 5),
    ]
    assert held.select("place", "saved_bytes", "clients").rows() == [("Example Ltd", 17_000, 8)]


def test_requests_without_octets_are_served_as_well(tmp_path: Path) -> None:
    asked = [delivery(n, client_asn=64500 + n % 2, size=1000 * (n % 2), network_kind="cloud") for n in range(8)]  # fmt: skip
    with opened(tmp_path / "store", asked) as con:
        (row,) = mirrors(con, at=["network-kind", "asn"], fill=False).rows.to_dicts()
    assert (row["place"], row["requests"], row["saved_bytes"]) == ("cloud", 8, 4000)


@pytest.mark.parametrize("fill", [True, False])
def test_what_is_at_no_place_or_was_not_measured_is_told(tmp_path: Path, fill: bool) -> None:
    known = [delivery(n, network_kind="cloud", sample_weight=10.0) for n in range(3)]
    strangers = [delivery(n, size=2000, network_kind="unknown") for n in range(9)]
    nobody = [delivery(n, size=500, network_kind=None) for n in range(2)]
    unmeasured = [delivery(9, size=None, network_kind="cloud")]
    with opened(tmp_path / "store", [*known, *strangers, *nobody, *unmeasured]) as con:
        answer = mirrors(con, at=["network-kind"], fill=fill)
        systems = mirrors(con, at=["asn"], fill=fill)
    assert answer.rows["place"].to_list() == ["cloud"]
    assert "19.0 kB went to clients of no known network-kind, and stay with the origin." in answer.assumptions  # fmt: skip
    assert not any("no known" in text for text in systems.assumptions)
    assert answer.notes[-2].startswith("1 requests have no byte count")
    assert answer.notes[-1].startswith("3 requests are of sampled logs")


def test_countries_lie_around_systems(tmp_path: Path) -> None:
    list_of = tmp_path / "asns.txt"
    list_of.write_text("3333 EXAMPLE, NL\n3334 ONCE, NL\n3335 LITTLE, FR\n")
    Shelf(tmp_path / "refdata").add(list_of, load()["ripe-asn"], as_of=date(2026, 10, 1))
    # of lists only public systems are read
    public = {None: None, 64500: 3333, 64501: 3334, 64502: 3335}
    with opened(tmp_path / "store", [{**each, "client_asn": public[each["client_asn"]]} for each in rows()]) as con:  # type: ignore[index]  # fmt: skip
        answer = mirrors(con, at=["asn", "country"], fill=False, refdata=tmp_path / "refdata")
        filled = mirrors(con, at=["country"], refdata=tmp_path / "refdata").rows
    assert answer.rows.select("at", "place", "saved_bytes", "clients").rows() == [
        ("country", "NL", 50_000, 4),
        ("asn", "3335 EXAMPLE", 30, 1),
    ]
    assert filled.select("place", "saved_bytes").rows() == [("NL", 19_000), ("FR", 20)]
    assert any("it need not be where the machine stands" in text for text in answer.assumptions)


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
        (("--at", "all"), "has to be at a place, and all is none"),
        (
            ("--at", "asn,agent,host", "--no-fill"),
            "and agent and host is none: give asn, organization",
        ),
        (("--at", "asm"), "did you mean asn?"),
    ):
        done = run(*arguments)
        assert isinstance(done.exception, UsageError)
        assert said in str(done.exception)
