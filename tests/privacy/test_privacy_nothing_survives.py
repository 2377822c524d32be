"""Of a client's address nothing beyond its prefix is in any column afterwards."""

from __future__ import annotations

import ipaddress
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from privacy_records import addresses, records, words

from l7meter.privacy import Policy, Privacy, new_key

MODES = ("truncated", "pseudonymous", "none")
IPV4 = st.tuples(st.integers(11, 223), *[st.integers(0, 255)] * 2, st.integers(1, 254)).map(
    lambda octets: ".".join(map(str, octets))
)
IPV6 = st.tuples(st.integers(0x20010DB8, 0x2FFFFFFF), st.integers(1, 2**96 - 1)).map(
    lambda halves: str(ipaddress.IPv6Address(halves[0] << 96 | halves[1]))
)
CLIENT = st.one_of(IPV4, IPV6)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key"
    new_key(path, date(2026, 1, 1))
    return path


def spellings(client: str) -> list[str]:
    """Ways in which logs write one address."""
    number = ipaddress.ip_address(client)
    if number.version == 4:
        octets = number.packed
        return [client, f"::ffff:{client}", f"{client}:4711", f"64:ff9b::{octets[0]:x}{octets[1]:02x}:{octets[2]:x}{octets[3]:02x}"]  # fmt: skip
    return [client, number.exploded, client.upper(), f"[{client}]:4711", f"{client}%eth0"]


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[list[str], dict[str, Any]]:
    """A record whose client's address, and others', stand in every place where logs have them."""
    client, other = draw(CLIENT), draw(CLIENT)
    said = draw(st.sampled_from(spellings(client)))
    bits = ipaddress.ip_address(client).max_prefixlen
    within = ipaddress.ip_network(f"{client}/{draw(st.integers(bits - 10, bits))}", strict=False)
    network = draw(st.sampled_from([str(within), f"{within[0]}-{within[-1]}"]))
    quoted = draw(st.sampled_from([client, client.replace(":", "%3A")]))
    path = draw(st.sampled_from(["/simple/pkg/", f"/mirror/{client}/pkg/", f"/{client}.tar.gz"]))
    host = f"[{client}]" if ":" in client else client
    row = {
        "client_address": said,
        "client_port": 4711,
        "network_peer_address": draw(st.sampled_from([None, other])),
        "forwarded_for": draw(st.sampled_from([None, said, f"{said}, {other}", f'unknown,"{said}"'])),
        "client_network": network,
        "url_original": f"{path}?{draw(st.sampled_from(['ip=', 'a=1&ip%3D', 'q=x%20', '']))}{quoted}",
        "url_path": path,
        "package_name": path.strip("/"),
        "purl": f"pkg:generic{path}",
        "referrer": f"http://{host}:8080/from?client={quoted}",
        "user_name": draw(st.sampled_from([None, "alice", client])),
        "user_agent_original": f"agent/1.0 (+{client})",
        "agent_name": f"agent {client}",
    }  # fmt: skip
    return [client, other], row


@settings(deadline=None, max_examples=150)
@given(mode=st.sampled_from(MODES), made=exchanges(), coded=st.booleans())
def test_no_octet_beyond_the_prefix_survives(mode, made, coded, key_file: Path) -> None:  # type: ignore[no-untyped-def]
    persons, row = made
    assume(row["client_network"] != "0.0.0.0/0")
    privacy = Privacy(Policy(addresses=mode, key_file=key_file))
    stored = privacy.records(records(row, coded=coded))
    text = words(stored.drop("client_network"))
    found = set(addresses(text))
    for person in persons:
        assert person not in text
        assert person.upper() not in text
        number = ipaddress.ip_address(person)
        network = ipaddress.ip_network((number, 24 if number.version == 4 else 48), strict=False)
        left = {each for each in found if each in network}
        allowed = {network.network_address} if mode == "truncated" else set()
        assert left <= allowed, (person, left)
    told = stored["client_network"].cast(pl.String)[0]
    first, _, last = told.partition("-")
    ends = (ipaddress.ip_network(first), ipaddress.ip_network(last or first))
    number = ipaddress.ip_address(persons[0])
    size = 24 if number.version == 4 else 48
    assert ends[0].network_address <= number <= ends[1].broadcast_address
    hosts = (1 << number.max_prefixlen - size) - 1
    assert int(ends[0].network_address) & hosts == 0
    assert int(ends[1].broadcast_address) & hosts == hosts


@settings(deadline=None, max_examples=50)
@given(mode=st.sampled_from(MODES), made=exchanges())
def test_applying_twice_is_applying_once(mode, made, key_file: Path) -> None:  # type: ignore[no-untyped-def]
    privacy = Privacy(Policy(addresses=mode, key_file=key_file, referrers="origin"))
    once = privacy.records(records(made[1]))
    assert privacy.records(once).equals(once)


@given(made=exchanges(), coded=st.booleans())
def test_full_is_identity(made, coded: bool) -> None:  # type: ignore[no-untyped-def]
    frame = records(made[1], coded=coded)
    assert Privacy(Policy()).records(frame) is frame


@settings(deadline=None)
@given(made=exchanges(), coded=st.booleans())
def test_dropping_everything_leaves_none_of_the_said_text(made, coded: bool) -> None:  # type: ignore[no-untyped-def]
    policy = Policy(addresses="none", queries="drop", referrers="drop", user_names="drop", agents="drop", fingerprints="drop")  # fmt: skip
    row = made[1] | {
        "tls_fingerprint": "t13d1516h2_8daaf6152771_02713d6af862",
        "user_name": "alice",
    }
    stored = Privacy(policy).records(records(row, coded=coded))
    gone = ("client_address", "client_port", "network_peer_address", "forwarded_for", "referrer", "user_name", "user_agent_original", "tls_fingerprint")  # fmt: skip
    assert [stored[name].null_count() for name in gone] == [1] * len(gone)
    assert "?" not in stored["url_original"].cast(pl.String)[0]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_written_holds_no_dropped_text(mode: str, key_file: Path, tmp_path: Path) -> None:
    """Dictionaries of Parquet hold the texts of a column: those of before must not be among them."""
    rows = [{"client_address": f"203.0.113.{n}", "user_agent_original": f"secretive/{n}"} for n in range(1, 200)]  # fmt: skip
    stored = Privacy(Policy(addresses=mode, key_file=key_file, agents="drop")).records(records(*rows, coded=True))  # fmt: skip
    stored.head(3).write_parquet(tmp_path / "f.parquet", compression="uncompressed")
    octets = (tmp_path / "f.parquet").read_bytes()
    assert b"203.0.113." not in octets.replace(b"203.0.113.0", b"")
    assert b"secretive" not in octets


@pytest.mark.parametrize(
    "policy",
    [{"addresses": "truncated"}, {"queries": "drop"}, {"user_names": "drop"}, {"rejects": "drop"}],
)
def test_text_of_rejects_goes_whenever_anything_goes(policy: dict[str, Any]) -> None:
    frame = pl.DataFrame({"source_line": [7], "reason": ["no time"], "line": ["203.0.113.9 - x"], "line_bytes": [15]})  # fmt: skip
    left = Privacy(Policy(**policy)).rejects(frame)
    assert left.rows() == [(7, "no time", None, 15)]
    assert left.schema == frame.schema
    assert Privacy(Policy()).rejects(frame) is frame
