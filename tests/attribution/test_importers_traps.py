"""Traps of reference data: what is no origin, no network, no day, or not one alone; and any input whatever."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import FILES, IMPORTERS, SAMPLES, attempt, read
from polars.testing import assert_frame_equal

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import KINDS, START, Imported, bgpdump, tell
from l7meter.attribution.reference.making import make
from l7meter.sources import stream


def made(
    name: str, content: str, file: str = "data"
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    table_of, dropped, _ = make(IMPORTERS[name].kind, read(name, content, file))
    return table_of.drop("start_hi", "end_hi").to_dicts(), dropped


def test_of_nested_prefixes_the_narrowest_wins() -> None:
    rows, _ = made("pfx2as", "8.8.0.0\t22\t3333\n8.8.1.0\t24\t1103\n")
    assert [row["asn"] for row in rows] == [3333, 1103, 3333]
    assert rows[0]["end_lo"] + 1 == rows[1]["start_lo"]


def test_all_origins_are_kept_where_there_are_several() -> None:
    content = "8.8.0.0\t24\t3333_1103\n8.8.1.0\t24\t3333,1103\n8.8.2.0\t24\t{1103,3333}_786\n8.8.3.0\t24\t786\n"
    rows, _ = made("pfx2as", content)
    origins = [row["origins"] for row in rows]
    assert origins == ["1103 3333", "786 1103 3333", None]  # the first two are one range
    assert rows[-1]["asn"] == 786


def test_numbers_that_are_no_origin_are_dropped_and_those_of_32_bits_kept() -> None:
    numbers = (0, 23456, 64512, 4_200_000_000, 4_294_967_295, 4_294_967_296, 400_000)
    lines = [f"8.8.{at}.0\t24\t{number}\n" for at, number in enumerate(numbers)]
    rows, dropped = made("pfx2as", "".join(lines))
    assert [row["asn"] for row in rows] == [400_000]
    assert sum(dropped.values()) == len(numbers) - 1


def test_what_is_nearly_a_network_is_dropped() -> None:
    networks = ("8.8.8", "008.8.8.0/24", "8.8.8.1/24", "8.8.8.0/33", "fe80::1%eth0", "::/129", "x")
    rows, dropped = made("networks-list", "\n".join([*networks, "8.8.4.0/24"]))
    assert len(rows) == 1
    assert sum(dropped.values()) == len(networks)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_a_default_route_gives_nobody_the_rest_of_the_internet(network: str) -> None:
    imported = read("pyasn", f"{network}\t3333\n8.8.8.0/24\t1103\n")
    assert imported.table["origins"].to_list() == ["1103"]
    assert imported.dropped == {"a default route": 1}


def test_the_origin_that_most_peers_see_is_chosen() -> None:
    route = (
        "TABLE_DUMP2|1790812800|B|192.0.2.1|64510|8.8.8.0/24|64510 {}|IGP|192.0.2.1|0|0||NAG||\n"
    )
    rows, _ = made("bgpdump", "".join(route.format(asn) for asn in (1103, 3333, 3333)))
    assert [(row["asn"], row["origins"]) for row in rows] == [(3333, "1103 3333")]


@pytest.mark.parametrize(("piece", "block"), [(7, 200), (100, 200), (64, 500)])
def test_where_a_routing_table_is_cut_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, piece: int, block: int
) -> None:
    path = FILES / "bgpdump" / "rib.txt"
    whole = IMPORTERS["bgpdump"].read(path)
    monkeypatch.setattr(stream, "CHUNK", piece)
    monkeypatch.setattr(bgpdump, "_BLOCK", block)
    monkeypatch.setattr(bgpdump, "_MERGED", 2)
    cut = IMPORTERS["bgpdump"].read(path)
    assert_frame_equal(cut.table, whole.table)
    assert cut[1:] == whole[1:]


def test_of_equal_networks_of_a_cloud_the_service_wins() -> None:
    for name, service in (("aws", "EC2"), ("azure", "Storage")):
        path = next(path for path in SAMPLES if path.parent.name == name)
        rows = make("networks", IMPORTERS[name].read(path)).table
        first = 0xFFFF << 32 | 0xC0000200  # 192.0.2.0
        assert rows.filter(pl.col("start_lo") == first)["service"].to_list() == [service]


def test_the_holder_is_the_only_customer_or_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "prefix2org_2026-10-01.parquet"
    customers = [["Tenant"], [], ["One", "Another"], None, None]
    frame = pl.DataFrame(
        {
            "prefix": ["192.0.2.0/25", "192.0.2.128/25", "198.51.100.0/24", "2001:db8::/32", None],
            "Direct Owner (DO)": ["Owner", "Owner", "Owner", "Other", "Other"],
            "Delegated Customer (DC)": customers,
        }
    )
    for given_as in (
        frame,
        frame.with_columns(pl.col("Delegated Customer (DC)").list.first().fill_null("")),
    ):
        given_as.write_parquet(path)
        imported = tell(str(path), path.read_bytes()[:START]).read(path)
        assert imported.table["organization"][0] == "Tenant"
        assert imported.table["organization"][1] == "Owner"
        assert imported.table["organization"][3] == "Other"
        assert (imported.as_of, imported.dropped) == (
            date(2026, 10, 1),
            {"no network is named": 1},
        )
    assert imported.table.height == 4
    frame.write_parquet(path)
    several = IMPORTERS["prefix2org"].read(path).table["organization"][2]
    assert several == "Owner", "which of two customers runs the network is not said"
    frame.drop("Direct Owner (DO)").write_parquet(path)
    with pytest.raises(ValueError, match="its columns are prefix, Delegated"):
        IMPORTERS["prefix2org"].read(path)


# Invariants

# Keys and values that some importer looks for.
# fmt: off
_WORDS = st.sampled_from([
    "prefixes", "ipv4Prefix", "ipv6_prefixes", "ip_prefix", "values", "properties", "addressPrefixes",
    "regions", "cidrs", "cidr", "tags", "result", "ipv4_cidrs", "addresses",
    "hooks", "creationTime", "createDate", "data", "net", "org", "org_id",
    "id", "asn", "name", "metadata", "handle", "category", "info_types",
    "meta", "generated", "service", "region", "192.0.2.0/24", "64496", "2026-10-01",
])
# fmt: on
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=20,
)
_OF_JSON = ["aws", "azure", "bots", "cloudflare", "fastly", "gcp", "github", "google", "ipverse", "oracle", "peeringdb", "as2org"]  # fmt: skip


@pytest.mark.parametrize("name", _OF_JSON)
@settings(deadline=None)
@given(value=_JSON)
def test_any_json_is_read_or_refused(name: str, value: Any) -> None:
    found = attempt(name, json.dumps(value), "data.json")
    if isinstance(found, Imported):
        assert found.table.height
        assert found.table.schema == KINDS[IMPORTERS[name].kind]


_FIELDS = st.sampled_from(
    ["192.0.2.0", "192.0.2.255", "192.0.2.0/24", "2001:db8::", "24", "64496", "1_2", "{1,2}", "", "x", '"', "0.0.0.0/0", "US", "# ", "; "]
)  # fmt: skip
_LINES = {  # what parts the fields, how many are read, how a comment starts
    "iptoasn": ("\t", 5, None),
    "ip-location-db": (",", 4, None),
    "pfx2as": ("\t", 3, None),
    "pyasn": ("\t", 2, ";"),
    "geofeed": (",", 3, "#"),
}


@pytest.mark.parametrize("name", _LINES)
@settings(deadline=None)
@given(rows=st.lists(st.lists(_FIELDS, min_size=1, max_size=6), max_size=8))
def test_every_line_is_a_row_or_counted(name: str, rows: list[list[str]]) -> None:
    separator, count, comment = _LINES[name]
    is_comment = [comment is not None and row[0].startswith(comment) for row in rows]
    there = [
        row for row, is_one in zip(rows, is_comment, strict=True) if any(row[:count]) and not is_one
    ]
    found = attempt(name, "".join(f"{separator.join(row)}\n" for row in rows))
    if isinstance(found, Imported):
        assert found.table.height + sum(found.dropped.values()) == len(there)
    else:
        assert "no row can be read" in found


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2026-10-01T12:18:08.000000", date(2026, 10, 1)),
        ("2026-10-01-12-18-08", date(2026, 10, 1)),
        ("20261001", date(2026, 10, 1)),
        (1790857088, date(2026, 10, 1)),
        (1790857088.5, date(2026, 10, 1)),
        ("2026-13-01", None),
        ("yesterday", None),
        (10**30, None),
        (True, None),
        (None, None),
    ],
)
def test_the_day_that_a_file_says(said: object, day: date | None) -> None:
    assert reading.day(said) == day


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("routeviews-rv2-20261001-1200.pfx2as.gz", date(2026, 10, 1)),
        ("peeringdb_2_dump_2026_10_01.json", date(2026, 10, 1)),
        ("prefix2org_2026-10-01.parquet", date(2026, 10, 1)),
        ("20261001.as-org2info.txt.gz", date(2026, 10, 1)),
        ("99999999-20261001", date(2026, 10, 1)),
        ("id-1202610012.txt", None),
        ("20269901.txt", None),
        ("ip2asn-combined.tsv", None),
    ],
)
def test_the_day_that_a_name_holds(name: str, day: date | None) -> None:
    assert reading.day_of_name(name) == day


@pytest.mark.parametrize(
    ("name", "base", "stem"),
    [
        ("https://www.example/a/IPS-V4?x=/y", "ips-v4", "ips-v4"),
        (r"C:\data\GptBot.json.GZ", "gptbot.json", "gptbot"),
        ("20261001.as-org2info.txt.bz2", "20261001.as-org2info.txt", "20261001"),
    ],
)
def test_the_name_without_folder_query_and_compression(name: str, base: str, stem: str) -> None:
    assert (claiming.base(name), claiming.stem(name)) == (base, stem)
