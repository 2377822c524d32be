"""Hunks of the table: faults are told, days part them, prefixes win over who announces them."""

from __future__ import annotations

from datetime import date, timedelta
from ipaddress import IPv4Address, ip_address, ip_network

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution import organization_prefixes, snapshot
from l7meter.attribution.addresses import conclude
from l7meter.attribution.ground import Ground
from l7meter.attribution.organization_prefixes import held
from l7meter.attribution.organization_table import TableError, parse
from l7meter.attribution.organizations import curated_prefixes, holders, table

HEAD = """
attributable_kinds = ["enterprise"]
name_rule = []
legal_forms = { any_case = ["Inc"], as_written = ["AG"], leading = ["PT"] }
"""
PLAIN = {"name": '"A"', "kind": '"access"', "why": '"Why."', "asns": "[64500]", "known_as": '["A"]'}


def written(*hunks: dict[str, str]) -> str:
    """A table of hunks: `PLAIN` with these changes; an empty text takes the key out."""
    lines = [HEAD]
    for changes in hunks:
        lines.append("[[organization]]")
        lines += [f"{key} = {value}" for key, value in (PLAIN | changes).items() if value]
    return "\n".join(lines)


PREFIX = {"asns": "", "known_as": "", "source": '"A page."'}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "a hunk without a name: 'name' is missing; add it"),
        ({"why": ""}, "A: 'why' is missing; add it"),
        ({"asn": "[1]"}, "A: no key is called 'asn'; the head of the file lists the keys"),
        (
            {"asns": "", "known_as": ""},
            "A: it holds no network; add 'asns' or 'prefixes'",
        ),
        (
            {"known_as": ""},
            "A: 'asns' and 'known_as' belong together; write both or neither",
        ),
        (
            {"prefixes": '["192.0.2.0/24"]'},
            "A: 'prefixes' is a claim no AS name shows; add its 'source'",
        ),
        (
            PREFIX | {"prefixes": '["192.0.2.1/24"]'},
            "A: '192.0.2.1/24' is no prefix: 192.0.2.1/24 has host bits set; correct it",
        ),
        (
            PREFIX | {"prefixes": '["2001:DB8::/32"]'},
            "A: '2001:DB8::/32' is written 2001:db8::/32; write it so",
        ),
        (
            {"valid_from": '"2018-10-26"'},
            "A: 'valid_from' and 'valid_to' are days; write them without quotes, as 2018-10-26",
        ),
        (
            {"valid_from": "2018-10-26", "valid_to": "2018-10-25"},
            "A: it ends (2018-10-25) before it begins (2018-10-26); swap or correct the days",
        ),
    ],
)
def test_a_faulty_hunk_is_named_with_its_fault_and_remedy(changes, message):
    with pytest.raises(TableError) as caught:
        parse(written(changes))
    assert str(caught.value) == f"organizations.toml: {message}"


OTHER = {"name": '"B"', "asns": "[64501]", "known_as": '["B"]'}


@pytest.mark.parametrize(
    ("one", "other", "claim"),
    [
        ({}, OTHER | {"name": '"A"'}, "the name A"),
        ({}, OTHER | {"asns": "[64500]"}, "the AS number 64500"),
        (
            {"prefixes": '["192.0.2.0/24"]', "source": '"A page."'},
            OTHER | {"prefixes": '["192.0.2.0/24"]', "source": '"A page."'},
            "the prefix 192.0.2.0/24",
        ),
    ],
)
def test_what_two_hunks_claim_for_one_day_is_refused_and_for_two_days_is_not(one, other, claim):
    with pytest.raises(TableError, match=claim):
        parse(written(one, other))
    with pytest.raises(TableError, match=claim):
        parse(written(one | {"valid_to": "2018-10-26"}, other | {"valid_from": "2018-10-26"}))
    parse(written(one | {"valid_to": "2018-10-25"}, other | {"valid_from": "2018-10-26"}))


DAYS = st.dates(date(2000, 1, 1), date(2000, 1, 20))
SPANS = st.tuples(st.none() | DAYS, st.none() | DAYS).filter(
    lambda span: None in span or span[0] <= span[1]
)


@given(SPANS, SPANS)
def test_two_hunks_of_one_system_stand_exactly_where_no_day_is_of_both(one, other):
    hunks = [
        {"valid_from": str(start or ""), "valid_to": str(end or "")} for start, end in (one, other)
    ]
    text = written(hunks[0], OTHER | {"asns": "[64500]"} | hunks[1])
    window = [date(1999, 12, 31) + timedelta(days) for days in range(24)]
    both = any(
        all((s or date.min) <= day <= (e or date.max) for s, e in (one, other)) for day in window
    )
    if both:
        with pytest.raises(TableError):
            parse(text)
    else:
        kept = parse(text)
        assert all(len(kept.valid(day)) <= 1 for day in window)


def parents(*days: date | None) -> list[str | None]:
    system = pl.DataFrame({"asn": [36459], "name": ["GitHub, Inc."]})
    return [holders(system, day)["parent_organization"].item() for day in days]


def test_a_hunk_holds_from_its_first_day_to_its_last():
    assert parents(date(2018, 10, 25), date(2018, 10, 26), None) == [None, "Microsoft", "Microsoft"]
    address = pl.Series(["185.199.108.1"])
    [before, since] = [
        conclude(address, Ground(day)).row(0, named=True)
        for day in (date(2018, 10, 25), date(2018, 10, 26))
    ]
    assert (before["organization"], before["parent_organization"]) == ("GitHub", None)
    assert since == before | {"parent_organization": "Microsoft"}


@pytest.mark.parametrize(
    ("address", "network", "asn", "organization", "rule"),
    [
        (
            "185.199.108.153",
            "185.199.108.0/22",
            54113,
            "GitHub",
            "185.199.108.0/22 is listed in organizations.toml; AS54113 announces it",
        ),
        (
            "2606:50c0:8000::153",
            "2606:50c0::/32",
            54113,
            "GitHub",
            "2606:50c0::/32 is listed in organizations.toml; AS54113 announces it",
        ),
        (
            "::ffff:185.199.108.153",
            "185.199.108.0/22",
            54113,
            "GitHub",
            "IPv4-mapped address, looked up as the IPv4 address it holds; "
            "185.199.108.0/22 is listed in organizations.toml; AS54113 announces it",
        ),
        (
            "34.74.90.79",
            "34.74.90.64/28",
            396982,
            "GitLab",
            "34.74.90.64/28 is listed in organizations.toml; AS396982 announces it",
        ),
        (
            "34.74.90.80",
            None,
            396982,
            "Google Cloud",
            "AS396982 is listed in organizations.toml",
        ),
    ],
)
def test_a_curated_prefix_wins_over_who_announces_it(address, network, asn, organization, rule):
    row = conclude(pl.Series([address])).row(0, named=True)
    assert row["client_network"] == network or network is None
    assert (row["client_asn"], row["organization"]) == (asn, organization)
    assert (row["organization_method"], row["address_rule"]) == ("registry", rule)
    assert row["client_as_name"]


def test_a_curated_prefix_that_nobody_announces_says_so(monkeypatch):
    announced = snapshot.load().ipv4
    gap = np.flatnonzero(announced.starts[1:] > announced.ends[:-1] + np.uint32(1))[0]
    address = str(IPv4Address(int(announced.ends[gap]) + 1))
    own = parse(written(PREFIX | {"prefixes": f'["{address}/32"]', "parent": '"P"'}))
    monkeypatch.setattr(organization_prefixes, "table", lambda: own)
    held.cache_clear()
    row = conclude(pl.Series([address]), Ground()).row(0, named=True)
    held.cache_clear()
    assert row == {
        "client_network": f"{address}/32",
        "client_asn": None,
        "client_as_name": None,
        "organization": "A",
        "organization_method": "registry",
        "network_kind": "access",
        "attributable": False,
        "parent_organization": "P",
        "shared_egress": None,
        "address_rule": f"{address}/32 is listed in organizations.toml; nobody announces it",
    }


def test_a_table_without_prefixes_leaves_addresses_to_who_announces_them(monkeypatch):
    bare = parse(written({}))
    monkeypatch.setattr(organization_prefixes, "table", lambda: bare)
    held.cache_clear()
    row = conclude(pl.Series(["185.199.108.153", "2606:50c0:8000::153"]), Ground())
    held.cache_clear()
    assert row["organization"].to_list() == ["Fastly", "Fastly"]


CURATED = [(ip_network(prefix), row) for prefix, row in curated_prefixes()]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CURATED), st.integers(0, 1 << 20)), min_size=1, max_size=20)
)
def test_the_narrowest_curated_prefix_that_holds_an_address_names_it(picked):
    addresses = [
        ip_address(int(network[0]) + (network.num_addresses - 1) * part // (1 << 20))
        for (network, _), part in picked
    ]
    expected = []
    for address in addresses:
        holding = [(n, row) for n, row in CURATED if n.version == address.version and address in n]
        network, row = max(holding, key=lambda pair: pair[0].prefixlen)
        expected.append((str(network), table().organizations[row].name))
    concluded = conclude(pl.Series([str(address) for address in addresses]))
    assert concluded.select("client_network", "organization").rows() == expected


def test_curated_prefixes_are_those_of_the_day():
    before = dict(curated_prefixes(date(2018, 10, 25)))
    since = dict(curated_prefixes(date(2018, 10, 26)))
    pages = "185.199.108.0/22"
    assert table().organizations[before[pages]].valid_to == date(2018, 10, 25)
    assert table().organizations[since[pages]].valid_from == date(2018, 10, 26)
    assert "2606:50c0::/32" not in before
    assert len(held(date(2018, 10, 25)).ipv6.starts) == 0
