"""What becomes of one column: golden examples by phenomenon."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from privacy_records import records

import l7meter.privacy
from l7meter.attribution import Attribution
from l7meter.privacy import PERSONAL, WORDS, Policy, Privacy, table
from l7meter.privacy.addresses import truncated, widened
from l7meter.privacy.applying import CHANGES
from l7meter.privacy.decisions import AGENT, ECHOES, NETWORK, OTHERS, listing
from l7meter.schema import COLUMNS, CONCLUDED, POLARS, SAID


def test_every_column_of_the_schema_has_one_decision() -> None:
    assert sorted([*PERSONAL, *OTHERS]) == sorted(COLUMNS)


def test_every_decision_is_about_each_word_of_its_setting_and_is_carried_out() -> None:
    for name, decided in PERSONAL.items():
        assert tuple(decided.stored) == WORDS[decided.setting], name
        assert decided.kind in CHANGES or decided.kind == "echo", name
    echoed = {name for concluded in ECHOES.values() for name in concluded}
    assert echoed == {name for name, decided in PERSONAL.items() if decided.kind == "echo"}


def test_the_table_tells_of_every_column() -> None:
    page = table()
    assert all(f"`{name}`" in page for name in COLUMNS)
    assert set(listing()["column"]) == {*PERSONAL, "line (of rejects)"}


def test_only_said_columns_or_the_network_of_the_client_are_taken_away() -> None:
    taken = {name for name, decided in PERSONAL.items() if decided.kind != "echo"}
    assert taken - set(SAID) == {"client_network"}
    assert set(NETWORK) | set(AGENT) <= set(CONCLUDED)


def test_the_room_knows_the_schema_and_no_other_room() -> None:
    allowed = ("l7meter.privacy", "l7meter.schema", "l7meter.columns", "l7meter.errors")
    for path in Path(l7meter.privacy.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("l7meter"):
                assert node.module.startswith(allowed), (path.name, node.module)


@pytest.mark.parametrize(
    ("logged", "stored"),
    [
        ("192.0.2.17", "192.0.2.0"),
        ("::ffff:192.0.2.17", "192.0.2.0"),
        ("2001:db8:1:2::17", "2001:db8:1::"),
        ("2001:DB8:1:2:0:0:0:17", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("64:ff9b::c000:211", "192.0.2.0"),  # NAT64 carries the client's IPv4 address,
        ("2002:c000:211::1", "192.0.2.0"),  # and 6to4 has it in its first 48 bits,
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.0"),  # Teredo inverted in its last 32
        ("192.0.2.17:4711", "192.0.2.0"),
        ("[2001:db8:1::17]:4711", "2001:db8:1::"),
        ("192.0.2", None),
        ("192.0.2.017", None),
        ("client.example", None),
        ("unix:", None),
        ("unix:/run/x.sock", None),
        ("", None),
        ("192.0.2.17\x00", None),
    ],
)
def test_truncated(logged: str, stored: str | None) -> None:
    assert truncated(logged) == stored


@pytest.mark.parametrize(
    ("network", "stored"),
    [
        ("192.0.2.17/32", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.0.0/16", "192.0.0.0/16"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("192.0.2.16-192.0.2.40", "192.0.2.0/24"),
        ("198.51.100.7-198.51.101.3", "198.51.100.0/23"),
        ("198.51.100.0-198.51.102.3", "198.51.100.0-198.51.102.255"),
        ("2001:db8:1::5-2001:db8:3::7", "2001:db8:1::-2001:db8:3:ffff:ffff:ffff:ffff:ffff"),
        ("::ffff:0:0/96", "::/48"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("192.0.2.0/33", None),
        ("192.0.2.0/2x", None),
        ("AS64500", None),
    ],
)
def test_networks_are_widened_at_both_ends(network: str, stored: str | None) -> None:
    assert widened(network) == stored


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize(
    ("policy", "column", "said", "stored"),
    [
        ({"queries": "drop"}, "url_original", "/p/x.whl?token=s3cret#f", "/p/x.whl"),
        ({"queries": "drop"}, "url_original", "/p/x.whl#a?b", "/p/x.whl"),
        ({"queries": "drop"}, "url_original", "/q?a\nb", "/q"),
        ({"queries": "drop"}, "url_original", "*", "*"),
        ({"queries": "drop"}, "referrer", "https://h.example/a?token=s3cret", "https://h.example/a"),
        ({"queries": "drop"}, "url_original", "//@scope%2fpkg", "//@scope%2fpkg"),
        ({"user_names": "drop"}, "url_original", "/@scope/pkg", "/@scope/pkg"),
        ({"user_names": "drop"}, "url_original", "http://al:pw@h.example/a@b", "http://h.example/a@b"),
        ({"user_names": "drop"}, "url_original", "al:pw@h.example:443", "h.example:443"),
        ({"user_names": "drop"}, "referrer", "https://al:p@w@h.example/", "https://h.example/"),
        ({"referrers": "origin"}, "referrer", "https://al:pw@h.example:8443/a/b?c", "https://h.example:8443/"),
        ({"referrers": "origin"}, "referrer", "https://h.example", "https://h.example/"),
        ({"referrers": "origin"}, "referrer", "h.example/a?b", None),
        ({"referrers": "drop"}, "referrer", "https://h.example/", None),
        ({"addresses": "truncated"}, "forwarded_for", " 192.0.2.17,unknown, x ,2001:db8:1::9 ", "192.0.2.0, unknown, unknown, 2001:db8:1::"),
        ({"addresses": "none"}, "forwarded_for", "192.0.2.17", None),
        ({"addresses": "none"}, "url_original", "/?v=1.2.3&t=12:30:45&ip=192.0.2.17", "/?v=1.2.3&t=12:30:45&ip=unknown"),
        ({"addresses": "truncated"}, "url_original", "/x-1.2.3.4.whl?ip=2001%3adb8:1::9", "/x-1.2.3.4.whl?ip=2001:db8:1::"),
        ({"addresses": "none"}, "url_original", "/?a=%3D2001:db8::9&b=%20192.0.2.17", "/?a=%3Dunknown&b=%20unknown"),
        ({"addresses": "truncated"}, "referrer", "http://192.0.2.17:80/", "http://192.0.2.0:80/"),
        ({"addresses": "truncated"}, "user_name", "192.0.2.17", "192.0.2.0"),
        ({"addresses": "truncated"}, "user_agent_original", "Chrome/120.0.0.7", "Chrome/120.0.0.7"),
        ({"agents": "drop"}, "user_agent_original", "pip/24.0", None),
        ({"agents": "drop"}, "agent_details", '{"os_name":"Linux"}', '{"os_name":"Linux"}'),
        ({"fingerprints": "drop"}, "tls_fingerprint", "t13d1516h2_8daaf6152771_02713d6af862", None),
    ],
)  # fmt: skip
def test_a_column(policy, column: str, said: str, stored: str | None, coded: bool) -> None:  # type: ignore[no-untyped-def]
    before = records({column: said}, {}, {column: said}, coded=coded)
    after = Privacy(Policy(**policy)).records(before)
    assert after[column].cast(pl.String).to_list() == [stored, None, stored]
    assert isinstance(after[column].dtype, pl.Categorical) is coded
    assert after.columns == before.columns
    assert before[column].cast(pl.String).to_list() == [
        said,
        None,
        said,
    ]  # the frame given is untouched


def test_only_the_own_address_goes_from_paths_and_agents() -> None:
    rows = [
        {"client_address": "120.0.0.7", "user_agent_original": "Chrome/120.0.0.7"},
        {"client_address": "192.0.2.17", "user_agent_original": "Chrome/120.0.0.7"},
        {"client_address": "192.0.2.17", "url_original": "/192.0.2.17/1.2.3.4", "url_path": "/192.0.2.17/1.2.3.4", "package_version": "1.2.3.4"},
        {"network_peer_address": "2001:db8::9", "url_original": "/2001:DB8::9", "url_path": "/2001:DB8::9"},
    ]  # fmt: skip
    stored = Privacy(Policy(addresses="none")).records(records(*rows))
    assert stored["user_agent_original"].to_list() == ["Chrome/unknown", "Chrome/120.0.0.7", None, None]  # fmt: skip
    assert stored["url_original"].to_list() == [None, None, "/unknown/1.2.3.4", "/unknown"]
    assert stored["url_path"].to_list() == [None, None, "/unknown/1.2.3.4", "/unknown"]
    assert stored["package_version"].to_list() == [None, None, "1.2.3.4", None]


def test_the_frame_that_is_given_stays_as_it_is(key_file: Path) -> None:
    days = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    rows = [{"ts": day, "client_address": "192.0.2.17", "url_original": "/192.0.2.17"} for day in days]  # fmt: skip
    frame = records(*rows)
    stored = Privacy(Policy(addresses="pseudonymous", key_file=key_file)).records(frame)
    assert frame.equals(records(*rows))
    assert stored["url_original"].to_list() == ["/unknown", "/unknown"]


@pytest.mark.parametrize("mode", WORDS["addresses"])
def test_what_attribution_gives_is_taken(mode: str, key_file: Path) -> None:
    """Its text is Categorical, Enum or String, as it comes."""
    said = pl.DataFrame(
        {
            "ts": [datetime(2026, 7, day, tzinfo=UTC) for day in (1, 2, 3)],
            "client_address": ["192.0.2.17", "2001:db8::9", None],
            "url_original": ["/simple/pkg/?a=b", "/", None],
            "user_agent_original": ["pip/24.0", "Mozilla/5.0 Chrome/120.0.0.0", None],
        },
        schema_overrides={"ts": POLARS["ts"]},
    )
    concluded = Attribution().conclude(said)
    policy = Policy(addresses=mode, key_file=key_file, referrers="origin", queries="drop")  # type: ignore[arg-type]
    stored = Privacy(policy).records(concluded)
    assert stored.columns == concluded.columns
    same = sorted({*OTHERS, *AGENT, "url_path", "package_name", "purl"})
    assert stored.select(same).equals(concluded.select(same))


def test_ports_go_with_addresses() -> None:
    frame = records({"client_port": 4711, "server_port": 443, "server_address": "198.51.100.1"})
    stored = Privacy(Policy(addresses="truncated")).records(frame)
    assert stored.select("client_port", "server_port", "server_address").rows() == [(None, 443, "198.51.100.1")]  # fmt: skip


def test_a_frame_of_some_columns_and_an_empty_one_are_fine() -> None:
    privacy = Privacy(Policy(addresses="truncated", referrers="origin"))
    few = pl.DataFrame({"client_address": ["192.0.2.17", None]})
    assert privacy.records(few).rows() == [("192.0.2.0",), (None,)]
    assert privacy.records(records().clear()).is_empty()


def test_null_columns_keep_their_kind() -> None:
    """Attribution leaves columns that are null throughout as an Enum."""
    frame = records({}).with_columns(referrer=pl.lit(None, pl.Enum([""])))
    stored = Privacy(Policy(addresses="none", referrers="drop")).records(frame)
    assert stored.schema == frame.schema


def test_the_table_in_the_docs_is_fresh() -> None:
    page = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
    between = page.partition("<!-- privacy table: begin -->\n")[2]
    assert between.partition("<!-- privacy table: end -->")[0] == table(), "put privacy.table() there"  # fmt: skip
