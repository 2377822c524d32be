"""MaxMind's format: three publishers, three sizes of records, and databases that are none of theirs."""

from __future__ import annotations

import gzip
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from mmdb_files import database

from l7meter.attribution.reference.importers import load, tell
from l7meter.attribution.reference.mmdb import database_type
from l7meter.errors import UsageError

NUMBER, NAME = "autonomous_system_number", "autonomous_system_organization"
MAXMIND = {
    "192.0.2.0/25": {NUMBER: (6, 64496), NAME: "Example One"},
    "192.0.2.128/25": {NUMBER: (6, 4294967295), NAME: "32 bits"},
    "203.0.113.0/24": {NAME: "without a number"},
    "2001:db8::/33": {NUMBER: (6, 64497)},
}
IPINFO = {
    "192.0.2.0/25": {"asn": "AS64496", "as_name": "Example One", "country_code": "US"},
    "192.0.2.128/25": {"asn": "AS4294967295"},
    "203.0.113.0/24": {"asn": "", "country_code": "DE"},
    "2001:db8::/33": {"asn": "AS64497"},
}
ROUTES = [("192.0.2.0/25", "64496"), ("192.0.2.128/25", "4294967295"), ("2001:db8::/33", "64497")]
TYPES: dict[str, tuple[str, dict[str, Any]]] = {
    "geolite2-asn": ("GeoLite2-ASN", MAXMIND),
    "dbip-asn": ("DBIP-ASN-Lite (compat=GeoLite2-ASN)", MAXMIND),  # longer than 28 octets
    "ipinfo": ("ipinfo ipinfo_lite.mmdb", IPINFO),
}


def claiming(path: Path) -> list[str]:
    return [each.name for each in load().values() if each.claims(str(path), b"\0" * 64)]


@pytest.mark.parametrize("record_size", [24, 28, 32])
@pytest.mark.parametrize("name", TYPES)
def test_networks_and_numbers_of_each_publisher(
    tmp_path: Path, name: str, record_size: int
) -> None:
    said, records = TYPES[name]
    path = tmp_path / "data.mmdb"
    path.write_bytes(database(records, said, record_size))
    imported = load()[name].read(path)
    assert imported.table.rows() == ROUTES
    assert imported.as_of == date(2026, 10, 1)
    assert imported.dropped == {"no AS number is named": 1}
    assert claiming(path) == [name]


@pytest.mark.parametrize("said", ["a", "b" * 28, "c" * 29, "d" * 100])
def test_the_type_of_a_database_is_read_whole(said: str) -> None:
    assert database_type(database(MAXMIND, said)) == said


def test_a_database_of_ipv4_alone(tmp_path: Path) -> None:
    path = tmp_path / "data.mmdb"
    records = {"192.0.2.0/24": {NUMBER: (6, 64496)}}
    path.write_bytes(database(records, "GeoLite2-ASN", ip_version=4))
    assert load()["geolite2-asn"].read(path).table.rows() == [("192.0.2.0/24", "64496")]


def test_aliases_of_the_ipv4_tree_are_not_networks(tmp_path: Path) -> None:
    path = tmp_path / "data.mmdb"
    records = {"192.0.2.0/24": {NUMBER: (6, 64496)}, "2001:db8::/32": {NUMBER: (6, 64497)}}
    aliases = ("::ffff:0:0/96", "2002::/16")
    path.write_bytes(database(records, "GeoLite2-ASN", aliases=aliases))
    assert load()["geolite2-asn"].read(path).table["network"].to_list() == list(records)


def test_a_compressed_database_is_claimed_and_read(tmp_path: Path) -> None:
    path = tmp_path / "dbip-asn-lite-2026-10.mmdb.gz"
    path.write_bytes(gzip.compress(database(MAXMIND, "DBIP-ASN-Lite")))
    assert claiming(path) == ["dbip-asn"]
    assert load()["dbip-asn"].read(path).table.rows() == ROUTES


@pytest.mark.parametrize(
    ("name", "claimed"),
    [
        ("https://geo.example/GeoLite2-ASN.mmdb?key=none", ["geolite2-asn"]),
        ("dbip-asn-lite-2026-10.mmdb.gz", ["dbip-asn"]),
        ("ipinfo_lite.mmdb", ["ipinfo"]),
        ("GeoLite2-City.mmdb", []),
        ("GeoLite2-ASN.csv", []),
    ],
)
def test_a_file_not_at_hand_is_claimed_by_its_name(name: str, claimed: list[str]) -> None:
    assert claiming(Path(name)) == claimed


def test_what_a_database_says_of_itself_goes_before_its_name(tmp_path: Path) -> None:
    path = tmp_path / "GeoLite2-ASN.mmdb"
    path.write_bytes(database(MAXMIND, "GeoLite2-City"))
    assert claiming(path) == []
    with pytest.raises(UsageError, match="no importer claims it; name one by --as"):
        tell(str(path), b"")
    with pytest.raises(ValueError, match="its database_type is 'GeoLite2-City'; expected"):
        load()["geolite2-asn"].read(path)


def test_a_file_that_was_replaced_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "data.mmdb"
    for turn, name in enumerate(TYPES):
        path.write_bytes(database(MAXMIND, TYPES[name][0]))
        os.utime(path, ns=(turn, turn))
        assert claiming(path) == [name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[-60:],  # the metadata's end alone
        lambda whole: whole[len(whole) // 2 :],  # metadata without their tree
        lambda whole: b"",
        lambda whole: gzip.compress(whole)[:-9],
    ],
    ids=["metadata", "no tree", "empty", "broken gzip"],
)
def test_a_damaged_database_is_refused(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "GeoLite2-ASN.mmdb"
    path.write_bytes(damage(database(MAXMIND, "GeoLite2-ASN")))
    assert set(claiming(path)) <= {"geolite2-asn"}
    with pytest.raises(ValueError, match=r"database|fetch it again"):
        load()["geolite2-asn"].read(path)


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "GeoLite2-ASN.mmdb"
    path.write_bytes(database(MAXMIND, "GeoLite2-ASN"))
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    assert claiming(path) == ["geolite2-asn"], "it can be told without it"
    with pytest.raises(UsageError, match=r"pip install 'l7meter\[mmdb\]'"):
        load()["geolite2-asn"].read(path)
