"""The whole lookup: from the address as logged to the concluded columns."""

from __future__ import annotations

import io
import re
import runpy
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution import organizations, snapshot
from l7meter.attribution.addresses import SCHEMA, conclude
from l7meter.attribution.special import BLOCKS
from l7meter.attribution.special import ranges as special_ranges
from l7meter.schema import COLUMNS

BUILD = Path(__file__).parents[2] / "scripts" / "build_asn_snapshot.py"

EXPECTED = """
address|client_network|client_asn|organization|organization_method|network_kind
8.8.8.8|8.8.8.0/24|15169|Google Cloud|registry|cloud
1.1.1.1|1.1.1.0/24|13335|Cloudflare|registry|cdn
2606:4700:4700::1111|2606:4700:4700::/48|13335|Cloudflare|registry|cdn
9.9.9.9|9.9.9.0/24|19281|Quad9|as_name|unknown
::ffff:9.9.9.9|9.9.9.0/24|19281|Quad9|as_name|unknown
::FFFF:909:909|9.9.9.0/24|19281|Quad9|as_name|unknown
64:ff9b::909:909|9.9.9.0/24|19281|Quad9|as_name|unknown
2002:909:909::1|9.9.9.0/24|19281|Quad9|as_name|unknown
2001:0:c000:201:0:ffff:f6f6:f6f6|9.9.9.0/24|19281|Quad9|as_name|unknown
192.0.2.1|192.0.2.0/24|||none|special
10.0.0.1|10.0.0.0/8|||none|special
::ffff:10.0.0.1|10.0.0.0/8|||none|special
2002:a00:1::1|10.0.0.0/8|||none|special
100.64.0.1|100.64.0.0/10|||none|special
127.0.0.1|127.0.0.0/8|||none|special
::1|::1/128|||none|special
fe80::1|fe80::/10|||none|special
fd00::1|fc00::/7|||none|special
2001:db8::1|2001:db8::/32|||none|special
ff02::1|ff00::/8|||none|special
224.0.0.1|224.0.0.0/4|||none|special
255.255.255.255|255.255.255.255/32|||none|special
fe80::1%eth0||||none|unknown
8.8.8||||none|unknown
008.8.8.8||||none|unknown
[::1]||||none|unknown
1.1.1.1:443||||none|unknown
client.example.org||||none|unknown
unix:||||none|unknown
-||||none|unknown
"""


def expected() -> pl.DataFrame:
    return pl.read_csv(io.StringIO(EXPECTED.strip()), separator="|", infer_schema=False)


def test_golden_addresses():
    golden = expected().with_columns(pl.col("client_asn").cast(pl.Int64))
    concluded = conclude(golden["address"]).with_columns(golden["address"])
    assert concluded.select(golden.columns).rows() == golden.rows()


def test_columns_are_those_of_the_record_and_the_rule():
    frame = conclude(pl.Series(["1.1.1.1", None, "10.0.0.1", "x"]))
    assert frame.schema == SCHEMA
    columns = {name: kind for name, kind in SCHEMA.items() if name != "address_rule"}
    assert columns == {n: COLUMNS[n].polars if n in COLUMNS else pl.String() for n in columns}


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("8.8.8.8", "AS15169 is listed in organizations.toml"),
        ("9.9.9.9", "AS19281 is not listed; the organisation is its name without the legal form"),
        ("10.0.0.1", "special-purpose: Private-Use (RFC 1918)"),
        (
            "::ffff:10.0.0.1",
            "IPv4-mapped address, looked up as the IPv4 address it holds; special-purpose: Private-Use (RFC 1918)",
        ),
        ("8.8.8", "not an address: not four decimal octets without leading zeros"),
        (None, "no address was logged"),
    ],
)
def test_the_rule_says_what_concluded_the_row(address, rule):
    assert conclude(pl.Series([address], dtype=pl.String))["address_rule"].to_list() == [rule]


def test_an_address_nobody_announces_has_no_organisation():
    data = snapshot.load()
    gap = int(np.flatnonzero(data.ipv4.starts[1:] > data.ipv4.ends[:-1] + np.uint32(1))[0])
    address = str(IPv4Address(int(data.ipv4.ends[gap]) + 1))
    row = conclude(pl.Series([address])).row(0, named=True)
    assert row == dict.fromkeys(SCHEMA) | {
        "organization_method": "none",
        "network_kind": "unknown",
        "attributable": False,
        "address_rule": f"no range of the snapshot of {data.as_of} holds it",
    }


TEXTS = st.one_of(
    st.none(),
    st.sampled_from(expected()["address"].to_list()),
    st.integers(0, 2**32 - 1).map(lambda n: str(IPv4Address(n))),
    st.integers(0, 2**128 - 1).map(lambda n: str(IPv6Address(n))),
    st.text(max_size=5),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=25))
def test_each_row_is_concluded_on_its_own(texts):
    together = conclude(pl.Series(texts, dtype=pl.String))
    assert conclude(pl.Series(texts[::-1], dtype=pl.String)).rows() == together.rows()[::-1]
    assert conclude(pl.Series(texts[:1], dtype=pl.String)).rows() == together.rows()[:1]
    assert together["attributable"].null_count() == 0
    assert together["address_rule"].null_count() == 0


def test_no_addresses_give_no_rows():
    assert conclude(pl.Series([], dtype=pl.String)).equals(SCHEMA.to_frame())


def test_every_special_block_is_special_from_its_first_to_its_last_address():
    networks = [ip_network(block.prefix) for block in BLOCKS]
    ends = [str(a) for n in networks for a in (n.network_address, n.broadcast_address)]
    ends.remove("2001::")  # Teredo: holds an IPv4 address
    frame = conclude(pl.Series(ends))
    assert set(frame["network_kind"]) == {"special"}
    for address, network in zip(ends, frame["client_network"], strict=True):
        assert ip_address(address) in ip_network(network)


def test_kinds_are_those_the_schema_names():
    named = set(re.findall(r"`([a-z-]+)`", COLUMNS["network_kind"].meaning))
    kinds = {o.kind for o in organizations.table().organizations}
    kinds |= {rule.kind for rule in organizations.table().name_rules}
    assert kinds | organizations.table().attributable_kinds | {"special", "unknown"} <= named


def test_snapshot_ranges_are_disjoint_named_and_free_of_special_space():
    data = snapshot.load()
    asns = data.systems["asn"].to_numpy()
    assert data.systems["asn"].is_sorted()
    assert not (
        (asns == 0)
        | (asns == 23456)
        | ((asns >= 64496) & (asns <= 131071))
        | (asns >= 4_200_000_000)
    ).any()
    assert data.systems.filter(pl.col("name").str.contains("(?i)reserved as")).is_empty()
    for ranges, special in zip((data.ipv4, data.ipv6), special_ranges(), strict=True):
        assert (ranges.starts <= ranges.ends).all()
        assert (ranges.ends[:-1] < ranges.starts[1:]).all()
        assert np.isin(ranges.labels, asns).all()
        assert (special.locate(ranges.starts) == -1).all()
        assert (ranges.locate(special.starts) == -1).all()


def test_corrections_of_the_build_are_in_the_snapshot():
    corrections = runpy.run_path(str(BUILD))["CORRECTIONS"]
    for prefix, asn in corrections.items():
        network = ip_network(prefix)
        ends = pl.Series([str(network.network_address), str(network.broadcast_address)])
        assert conclude(ends)["client_asn"].to_list() == [asn, asn]


@pytest.mark.parametrize("path", [snapshot.RANGES, snapshot.NAMES])
def test_snapshot_files_carry_origin_date_licence_and_hashes(path):
    metadata = pl.read_parquet_metadata(path)
    assert metadata["licence"] == "CC-BY-4.0"
    assert {"Route Views", "NRO", "DB-IP"} <= set(
        re.findall(r"Route Views|NRO|DB-IP", metadata["attribution"])
    )
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", metadata["as_of"])
    assert metadata["version"].split(".")[-1].startswith(metadata["as_of"].replace("-", ""))
    assert (
        len(
            [
                value
                for key, value in metadata.items()
                if key.startswith("sha256 ") and len(value) == 64
            ]
        )
        == 3
    )
    assert path.stat().st_size < 4_000_000


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("192.0.2.0", "192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.0", "192.0.2.0", "192.0.2.0/32"),
        ("192.0.2.0", "192.0.3.127", "192.0.2.0-192.0.3.127"),
        ("192.0.1.0", "192.0.2.255", "192.0.1.0-192.0.2.255"),
        ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"),
        ("2001:db8::", "2001:db8::2f", "2001:db8::-2001:db8::2f"),
        ("2001:db8::", "2001:db8::", "2001:db8::/128"),
    ],
)
def test_ranges_are_written_as_a_prefix_only_where_they_are_one(start, end, text):
    if ":" in start:
        keys = [np.frombuffer(IPv6Address(a).packed, "S16") for a in (start, end)]
        assert snapshot.ipv6_texts(*keys).to_list() == [text]
    else:
        keys = [np.array([int(IPv4Address(a))], np.uint32) for a in (start, end)]
        assert snapshot.ipv4_texts(*keys).to_list() == [text]


def test_the_page_counts_what_is_shipped():
    page = (BUILD.parents[1] / "docs" / "reference-data.md").read_text(encoding="utf-8")
    data, listed = snapshot.load(), [hunk for _, hunk in organizations.table().valid()]
    asns = [asn for organization in listed for asn in organization.asns]
    sizes = data.ipv4.ends.astype(np.int64) - data.ipv4.starts + 1
    share = sizes[np.isin(data.ipv4.labels, asns)].sum() / sizes.sum()
    ranges = [len(data.ipv4.starts), len(data.ipv6.starts)]
    assert f"{sum(ranges):,} disjoint ranges ({ranges[0]:,} IPv4, {ranges[1]:,} IPv6)" in page
    assert f"those {data.systems.height:,} systems" in page
    assert f"{data.systems['name'].null_count()} systems" in page
    counts = f"{len(listed)} organisations, {len(asns):,} systems, {share:.0%}".replace("%", " %")
    assert f"{counts} of the announced IPv4 addresses" in page
