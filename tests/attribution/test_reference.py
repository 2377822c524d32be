"""Snapshots of reference data: made, kept, chosen by day, pinned, and what they conclude."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from ipaddress import ip_address
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution import Attribution
from l7meter.attribution.addresses import conclude
from l7meter.attribution.declared import NOTHING
from l7meter.attribution.eras import Eras
from l7meter.attribution.ground import Ground
from l7meter.attribution.reference.choosing import Pin, at_hand, chosen, doubts, pin, read_pins
from l7meter.attribution.reference.importers import KINDS, Imported, Importer
from l7meter.attribution.reference.listing import holding, listing
from l7meter.attribution.reference.making import MAPPED, borders, make
from l7meter.attribution.reference.shelf import Shelf, Snapshot
from l7meter.attribution.reference.shipped import shipped
from l7meter.errors import UsageError
from l7meter.schema import POLARS


def table(kind: str, *rows: tuple[object, ...]) -> Imported:
    return Imported(pl.DataFrame(list(rows), schema=KINDS[kind], orient="row"))


def importer(kind: str, series: str = "test", *, retain: bool = True) -> Importer:
    """Reads JSON rows, for the tests alone."""

    def read(path: Path) -> Imported:
        said = json.loads(path.read_text())
        day = date.fromisoformat(said["day"]) if said.get("day") else None
        return table(kind, *map(tuple, said["rows"]))._replace(as_of=day)

    return Importer(series, "A test", kind, "https://example.org/", "CC0-1.0", lambda _n, _s: True, read, "shown", retain=retain)  # fmt: skip


def kept(shelf: Shelf, kind: str, day: str, *rows: object, series: str = "test", retain: bool = True) -> Snapshot:  # fmt: skip
    shelf.folder.mkdir(parents=True, exist_ok=True)
    file = shelf.folder / "said.json"
    file.write_text(json.dumps({"day": day, "rows": rows}))
    return shelf.add(file, importer(kind, series, retain=retain))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "refdata")


def day(text: str) -> date:
    return date.fromisoformat(text)


# Making


@pytest.mark.parametrize(
    ("network", "first", "last"),
    [
        ("192.0.2.0/24", "192.0.2.0", "192.0.2.255"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.7"),
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
        ("192.0.2.3-192.0.2.9", "192.0.2.3", "192.0.2.9"),
        ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::1-2001:db8::f", "2001:db8::1", "2001:db8::f"),
    ],
)
def test_borders(network: str, first: str, last: str) -> None:
    base = 0 if ":" in network else MAPPED
    assert borders(network) == (int(ip_address(first)) + base, int(ip_address(last)) + base)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("192.0.2.1/24", "host bits are set"),
        ("192.0.2.0/33", "no network"),
        ("192.0.2.0/-1", "no network"),
        ("192.0.2/24", "no network"),
        ("192.0.2.9-192.0.2.3", "no network"),
        ("192.0.2.9-2001:db8::", "no network"),
        ("2001:db8::/129", "no network"),
        ("fe80::1%eth0", "no network"),
        ("", "no network"),
        ("example.org", "no network"),
    ],
)
def test_what_is_no_network(network: str, reason: str) -> None:
    assert borders(network) == reason


def test_narrowest_wins_and_equal_neighbours_are_joined() -> None:
    made = make("routes", table("routes", ("1.0.0.0/16", "7018"), ("1.0.1.0/24", "3356"), ("1.1.0.0/16", "7018")))  # fmt: skip
    pieces = [(row["start_lo"] - MAPPED, row["end_lo"] - MAPPED, row["asn"]) for row in made.table.iter_rows(named=True)]  # fmt: skip
    assert pieces == [
        (0x01000000, 0x010000FF, 7018),
        (0x01000100, 0x010001FF, 3356),
        (0x01000200, 0x0101FFFF, 7018),
    ]


def test_several_origins_are_kept_and_one_is_chosen() -> None:
    made = make(
        "routes",
        table(
            "routes",
            ("1.0.0.0/24", "209_174"),
            ("1.0.2.0/24", "{3356,174}"),
            ("1.0.4.0/24", "3356"),
            ("1.0.4.0/24", "3356"),
            ("1.0.4.0/24", "174"),
            ("1.0.6.0/24", "64512 3320"),
        ),
    )
    assert made.table.select("asn", "origins").rows() == [(174, "174 209"), (174, "174 3356"), (3356, "174 3356"), (3320, None)]  # fmt: skip


def test_what_cannot_be_an_origin_is_dropped_and_counted() -> None:
    rows = [("1.0.0.0/24", asn) for asn in ("0", "23456", "64512", "4294967295", "", "x")]
    rows = [(f"1.0.{n}.0/24", asn) for n, (_, asn) in enumerate(rows)]
    made = make("routes", table("routes", *rows, ("1.0.9.0/24", "3320"), ("1.0.8.1/24", "3320"), (None, "3320")))  # fmt: skip
    assert made.table["asn"].to_list() == [3320]
    assert made.dropped == {"no origin of public routes": 6, "host bits are set": 1, "no network": 1}  # fmt: skip


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"nothing is left of 1 rows"):
        make("routes", table("routes", ("1.0.0.0/24", "0")))


NETWORKS = st.builds(
    lambda base, bits: f"{base >> bits << bits >> 24}.{base >> bits << bits >> 16 & 255}.{base >> bits << bits >> 8 & 255}.{base >> bits << bits & 255}/{32 - bits}",
    st.integers(0x01000000, 0x010000FF),
    st.integers(0, 8),
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(NETWORKS, st.sampled_from(["174", "3320", "7018"])), min_size=1, max_size=8), st.integers(0, 255))  # fmt: skip
def test_every_address_is_of_the_narrowest_network_that_holds_it(
    rows: list[tuple[str, str]], last: int
) -> None:
    made = make("routes", table("routes", *rows)).table
    number = 0x01000000 + last
    holding = [(net, asn) for net, asn in rows if (both := borders(net)) and both[0] <= MAPPED + number <= both[1]]  # type: ignore[operator]  # fmt: skip
    found = made.filter((pl.col("start_lo") <= MAPPED + number) & (pl.col("end_lo") >= MAPPED + number))  # fmt: skip
    assert found.height == bool(holding)
    if holding:
        narrowest = max(int(net.split("/")[1]) for net, _ in holding)
        said = [asn for net, asn in holding if net.endswith(f"/{narrowest}")]
        most = max(said.count(asn) for asn in said)
        assert found["asn"].item() == min(int(asn) for asn in said if said.count(asn) == most)


# Keeping


def test_snapshot_is_kept_with_what_is_known_of_it(shelf: Shelf) -> None:
    made = kept(shelf, "routes", "2026-10-01", ["1.0.0.0/24", "3320"])
    (found,) = shelf.snapshots()
    assert found == made
    assert made.name == f"test.v4-2026-10-01-{made.digest[:12]}"
    assert (made.rows, made.licence, made.attribution, made.origin) == (1, "CC0-1.0", "shown", "said.json")  # fmt: skip
    assert shelf.table(made)["asn"].to_list() == [3320]


def test_same_content_is_the_same_snapshot(shelf: Shelf) -> None:
    first = kept(shelf, "routes", "2026-10-01", ["1.0.0.0/24", "3320"])
    octets = shelf.path(first).read_bytes()
    again = kept(shelf, "routes", "2026-10-01", ["1.0.0.0/25", "3320"], ["1.0.0.128/25", "3320"])
    assert again.name == first.name
    assert shelf.path(first).read_bytes() == octets


def test_terms_that_forbid_keeping_are_honoured(shelf: Shelf) -> None:
    old = kept(shelf, "routes", "2026-10-01", ["1.0.0.0/24", "3320"], retain=False)
    new = kept(shelf, "routes", "2026-10-08", ["1.0.0.0/24", "174"], retain=False)
    assert shelf.snapshots() == [new]
    assert shelf.gone() == [old]
    assert not shelf.path(old).exists()
    states = dict(listing(shelf, day("2026-10-09")).select("name", "state").rows())
    assert states[old.name] == "destroyed, as its terms demand"


def test_older_one_is_not_kept_beside_a_newer_one_that_forbids_it(shelf: Shelf) -> None:
    new = kept(shelf, "routes", "2026-10-08", ["1.0.0.0/24", "174"], retain=False)
    kept(shelf, "routes", "2026-10-01", ["1.0.0.0/24", "3320"], retain=False)
    assert shelf.snapshots() == [new]


def test_file_of_another_hash_or_without_a_day_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    (file := tmp_path / "a.json").write_text(json.dumps({"rows": [["1.0.0.0/24", "3320"]]}))
    with pytest.raises(UsageError, match=r"its SHA-256 is [0-9a-f]{64}, not 00: nothing imported"):
        shelf.add(file, importer("routes"), sha256_hex="00")
    with pytest.raises(UsageError, match=r"does not say its day; give it by --as-of"):
        shelf.add(file, importer("routes"))
    assert shelf.snapshots() == []
    assert shelf.add(file, importer("routes"), as_of=day("2026-10-01")).as_of == day("2026-10-01")


def test_foreign_file_on_the_shelf_is_told(shelf: Shelf) -> None:
    shelf.folder.mkdir()
    (shelf.folder / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"x\.parquet: no snapshot of reference data"):
        shelf.snapshots()


# Choosing


def described(series: str, as_of: str, kind: str = "networks") -> Snapshot:
    return Snapshot(series, kind, day(as_of), 1, series + as_of, "", "", "", "", "", datetime(2026, 1, 1, tzinfo=UTC), True, {}, "")  # fmt: skip


def test_newest_that_is_not_later_is_chosen() -> None:
    there = [described("aws", each) for each in ("2026-08-01", "2026-09-01", "2026-10-01")]
    said = {text: chosen(there, [], day(text))[0].as_of.isoformat() for text in ("2026-07-01", "2026-08-31", "2026-09-01", "2027-01-01")}  # fmt: skip
    assert said == {"2026-07-01": "2026-08-01", "2026-08-31": "2026-08-01", "2026-09-01": "2026-09-01", "2027-01-01": "2026-10-01"}  # fmt: skip
    assert doubts(chosen(there, [], day("2026-07-01")), day("2026-07-01")) == ["aws-2026-08-01-aws2026-08-0 is of a later day than 2026-07-01"]  # fmt: skip
    assert doubts(there[:1], day("2026-09-05")) == []
    assert doubts(there[:1], day("2026-09-06")) == ["aws-2026-08-01-aws2026-08-0 is 36 days older than 2026-09-06"]  # fmt: skip


def test_one_table_of_routes_holds_at_a_time() -> None:
    there = [described("a", "2026-08-01", "routes"), described("b", "2026-09-01", "routes"), described("aws", "2026-08-01")]  # fmt: skip
    names = [each.series for each in chosen(there, [], day("2026-09-02"))]
    assert names == ["aws", "b"]


def test_pins_hold_whatever_comes_later(shelf: Shelf) -> None:
    first = kept(shelf, "routes", "2026-10-01", ["1.0.0.0/24", "3320"])
    pin(shelf, Pin(day("2026-10-01"), day("2026-11-01"), (first.name,)))
    later = kept(shelf, "routes", "2026-10-15", ["1.0.0.0/24", "174"])
    assert holding(shelf, day("2026-10-31")) == [first]
    assert holding(shelf, day("2026-11-01")) == [later]
    assert read_pins(shelf) == [Pin(day("2026-10-01"), day("2026-11-01"), (first.name,))]


def test_pins_that_cannot_be(shelf: Shelf) -> None:
    made = kept(shelf, "routes", "2026-10-01", ["1.0.0.0/24", "3320"])
    pin(shelf, Pin(day("2026-10-01"), day("2026-11-01"), (made.name,)))
    with pytest.raises(UsageError, match="2026-10-01 until 2026-11-01 is pinned already"):
        pin(shelf, Pin(day("2026-10-31"), day("2026-12-01"), (made.name,)))
    with pytest.raises(UsageError, match="nothing-such: no such snapshot"):
        pin(shelf, Pin(day("2027-10-01"), day("2027-11-01"), ("nothing-such",)))
    with pytest.raises(UsageError, match="has no day"):
        pin(shelf, Pin(day("2026-12-01"), day("2026-12-01"), (made.name,)))
    (shelf.folder / "pins.toml").write_text("[[pin]]\nsince = 5\n")
    with pytest.raises(UsageError, match=r"pins\.toml: not as 'l7meter refdata use' writes it"):
        read_pins(shelf)
    (shelf.folder / "pins.toml").unlink()
    (shelf.folder / "pins.toml").mkdir()
    with pytest.raises(UsageError, match=r"pins\.toml: cannot be read: Is a directory; ask"):
        read_pins(shelf)


# Concluding


def grounded(shelf: Shelf, on: str = "2026-10-20") -> Ground:
    return Eras(shelf, NOTHING).on(day(on))


def row(address: str, ground: Ground) -> dict[str, object]:
    return conclude(pl.Series([address]), ground).row(0, named=True)


def test_imported_routes_take_the_place_of_the_shipped(shelf: Shelf) -> None:
    kept(shelf, "routes", "2026-10-01", ["8.8.8.0/24", "3320"], ["1.2.0.0/16", "174_3356"])
    ground = grounded(shelf)
    assert row("8.8.8.8", ground)["client_asn"] == 3320
    assert row("1.1.1.1", ground)["address_rule"] == "no range of the snapshot of 2026-10-01 holds it"  # fmt: skip
    assert str(row("1.2.3.4", ground)["address_rule"]).endswith("; several systems announce it: 174 3356")  # fmt: skip
    before = grounded(shelf, "2026-09-30")
    assert row("8.8.8.8", before)["client_asn"] == 15169  # the shipped one is of an earlier day


def test_what_an_operator_publishes_goes_before_the_system(shelf: Shelf) -> None:
    kept(
        shelf,
        "networks",
        "2026-10-01",
        ["8.8.8.0/24", "GitHub", "actions", "eu", "ci", "ci"],
        ["8.8.8.128/25", "Example Cloud", None, None, None, None],
    )
    ground = grounded(shelf)
    first, second = row("8.8.8.8", ground), row("8.8.8.200", ground)
    name = shelf.snapshots()[0].name
    assert first["address_rule"] == f"GitHub publishes it ({name}, service actions, region eu); AS15169 announces it"  # fmt: skip
    assert (first["organization"], first["organization_method"], first["network_kind"]) == ("GitHub", "published", "ci")  # fmt: skip
    assert (first["shared_egress"], first["attributable"]) == ("ci", False)
    assert (first["client_network"], first["client_asn"]) == ("8.8.8.0/25", 15169)
    assert (second["organization"], second["network_kind"]) == ("Example Cloud", "cloud")


def test_list_of_exits_labels_and_leaves_the_organisation(shelf: Shelf) -> None:
    kept(shelf, "networks", "2026-10-01", ["8.8.8.8", None, None, None, None, "tor"])
    found = row("8.8.8.8", grounded(shelf))
    assert (found["organization"], found["organization_method"]) == ("Google Cloud", "registry")
    assert (found["shared_egress"], found["attributable"]) == ("tor", False)


def test_registry_data_name_what_is_not_listed(shelf: Shelf) -> None:
    kept(shelf, "systems", "2026-10-01", [19281, "QUAD9-AS-1", "Quad9 Foundation", "CH", "research"])  # fmt: skip
    found = row("9.9.9.9", grounded(shelf))
    assert (found["organization"], found["organization_method"]) == ("Quad9 Foundation", "registry")
    assert found["client_as_name"] == "Quad9"  # as the shipped snapshot has it
    assert (found["network_kind"], found["attributable"]) == ("research", True)
    assert str(found["address_rule"]).startswith("Quad9 Foundation holds AS19281 (test-2026-10-01-")


def test_holder_of_a_prefix_goes_before_its_system(shelf: Shelf) -> None:
    kept(shelf, "holders", "2026-10-01", ["9.9.9.0/24", "Some Holder"])
    found = row("9.9.9.9", grounded(shelf))
    assert (found["organization"], found["organization_method"]) == ("Some Holder", "registry")
    assert found["client_asn"] == 19281


def test_records_are_concluded_as_of_their_days(shelf: Shelf, tmp_path: Path) -> None:
    kept(shelf, "networks", "2026-10-01", ["8.8.8.0/24", "One", None, None, None, None])
    kept(shelf, "networks", "2026-10-08", ["8.8.8.0/24", "Two", None, None, None, None])
    days = [day(text) for text in ("2026-10-09", "2026-10-01", "2026-10-07", "2026-10-08", "2027-01-01")]  # fmt: skip
    said = pl.DataFrame(
        {"ts": [*days, None], "client_address": ["8.8.8.8"] * 6},
        schema={name: POLARS[name] for name in ("ts", "client_address")},
    )
    attribution = Attribution(refdata=shelf.folder)
    together = attribution.conclude(said)
    assert together["organization"].to_list() == ["Two", "One", "One", "Two", "Two", "Two"]
    alone = pl.concat([attribution.conclude(said[at]).cast(POLARS) for at in range(6)])
    assert together.cast(POLARS).equals(alone)
    assert together["attribution_id"].to_list() == attribution.ids(said["ts"]).to_list()
    assert len(set(together["attribution_id"])) == 2
    assert {json.loads(each)["attribution_id"] for each in attribution.manifests()} == set(together["attribution_id"])  # fmt: skip


def test_pinned_period_gives_the_same_conclusions_whatever_is_imported(shelf: Shelf) -> None:
    said = pl.DataFrame(
        {"ts": [day("2026-10-09")] * 2, "client_address": ["8.8.8.8", "9.9.9.9"]},
        schema={name: POLARS[name] for name in ("ts", "client_address")},
    )
    kept(shelf, "networks", "2026-10-01", ["8.8.8.0/24", "One", None, None, None, None])
    pin(shelf, Pin(day("2026-10-01"), day("2026-11-01"), tuple(each.name for each in holding(shelf, day("2026-10-01")))))  # fmt: skip
    before = Attribution(refdata=shelf.folder).conclude(said).cast(POLARS)
    kept(shelf, "networks", "2026-10-08", ["8.8.8.0/24", "Two", None, None, None, None])
    kept(shelf, "systems", "2026-10-08", [19281, "X", "Other", "CH", None], series="other")
    after = Attribution(refdata=shelf.folder).conclude(said).cast(POLARS)
    assert after.equals(before)
    assert after["attribution_id"].to_list() == before["attribution_id"].to_list()


def test_pinned_snapshot_that_is_gone_is_told(shelf: Shelf) -> None:
    made = kept(shelf, "networks", "2026-10-01", ["8.8.8.0/24", "One", None, None, None, None])
    pin(shelf, Pin(day("2026-10-01"), day("2026-11-01"), (shipped().name, made.name)))
    shelf.path(made).unlink()
    with pytest.raises(
        UsageError,
        match=f"{made.name}: pinned from 2026-10-01 until 2026-11-01 and no longer at hand",
    ):
        holding(shelf, day("2026-10-05"))
    assert holding(shelf, day("2026-11-01")) == at_hand(shelf)
