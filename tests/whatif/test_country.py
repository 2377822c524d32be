"""Where clients are: what a geofeed and lists of systems say becomes a column of the records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner
from whatif_stores import delivery, made, opened

from l7meter.analysis.whatif import Selection
from l7meter.analysis.whatif.country import with_country
from l7meter.analysis.whatif.trace import scopes
from l7meter.attribution.reference.importers import load
from l7meter.attribution.reference.shelf import Shelf
from l7meter.cli.app import app
from l7meter.errors import UsageError
from l7meter.store import Connection

Keep = Callable[..., Path]
FEED = "192.0.2.0/25,DE,DE-HE,,\n2001:db8:7::/48,SG,,,\n198.51.100.0/24,,,,\n"
SYSTEMS = "3333 EXAMPLE-THREE, NL\n3334 EXAMPLE-FOUR, FR\n3335 EXAMPLE-FIVE, ZZ\n"

NETWORKS = {  # network and number of the system -> its country
    ("192.0.2.0/25", 3333): "DE",
    ("192.0.2.0/26", 3333): "DE",
    ("192.0.2.0/24", 3333): "NL",  # only half of it is in the feed
    ("192.0.2.128/25", 3334): "FR",
    ("192.0.2.16-192.0.2.19", None): "DE",
    ("2001:db8:7::/64", 3334): "SG",
    ("2001:db8:8::/48", 3334): "FR",
    ("198.51.100.0/24", 3335): "(unknown)",
    (None, 3334): "FR",
    (None, None): "(unknown)",
}


@pytest.fixture
def con(tmp_path: Path) -> Iterator[Connection]:
    rows = [
        delivery(n, size=1 << n, client_network=network, client_asn=asn)
        for n, (network, asn) in enumerate(NETWORKS)
    ]
    with opened(tmp_path / "store", rows) as con:
        yield con


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Import text of a source; gives the folder of the snapshots."""

    def keep(source: str, text: str, day: str = "2026-10-01") -> Path:
        file = tmp_path / f"{source}-{day}.txt"
        file.write_text(text)
        Shelf(tmp_path / "refdata").add(file, load()[source], as_of=date.fromisoformat(day))
        return tmp_path / "refdata"

    return keep


def countries(con: Connection, selection: Selection | None = None) -> dict[str, int]:
    """Octets by country."""
    found = scopes(con, selection or Selection(), "country")
    return dict(found.select("country", "bytes").iter_rows())


def expected(of: dict[tuple[str | None, int | None], str]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for n, country in enumerate(of.values()):
        sums[country] = sums.get(country, 0) + (1 << n)
    return sums


def test_geofeeds_go_before_holders_of_systems(con: Connection, keep: Keep) -> None:
    keep("geofeed", FEED)
    folder = keep("ripe-asn", SYSTEMS)
    (assumed,) = with_country(con, Selection(), ["country"], folder)
    assert countries(con) == expected(NETWORKS)
    assert "geofeed" in assumed
    assert "ripe-asn-2026-10-01" in assumed


def test_one_of_them_is_enough(con: Connection, keep: Keep) -> None:
    with_country(con, Selection(), ["country"], keep("ripe-asn", SYSTEMS))
    holder = {3333: "NL", 3334: "FR", 3335: "(unknown)", None: "(unknown)"}
    assert countries(con) == expected({pair: holder[pair[1]] for pair in NETWORKS})


def test_the_snapshot_that_holds_on_the_last_day_is_taken(con: Connection, keep: Keep) -> None:
    keep("ripe-asn", "3334 EXAMPLE-FOUR, FR\n")
    folder = keep("ripe-asn", "3334 EXAMPLE-FOUR, IT\n", "2026-10-20")
    keep("ripe-asn", "3334 EXAMPLE-FOUR, AT\n", "2026-11-05")  # the records are of 1 November
    with_country(con, Selection(), ["country"], folder)
    assert set(countries(con)) == {"IT", "(unknown)"}
    early = Selection(until=datetime(2026, 10, 10, tzinfo=UTC))
    with_country(con, early, ["country"], folder)
    assert set(countries(con)) == {"FR", "(unknown)"}


def test_a_country_can_be_selected(con: Connection, keep: Keep) -> None:
    folder = keep("ripe-asn", SYSTEMS)
    selection = Selection(only=(("country", "FR"),))
    assert with_country(con, selection, ["organization"], folder)
    assert set(countries(con, selection)) == {"FR"}


def test_who_does_not_ask_needs_no_reference_data(con: Connection, tmp_path: Path) -> None:
    assert with_country(con, Selection(), ["organization", "asn"], tmp_path / "none") == []


def test_without_countries_the_error_says_what_to_import(con: Connection, keep: Keep) -> None:
    folder = keep("geofeed", "192.0.2.0/25,,,,\n")
    with pytest.raises(UsageError, match=r"ripe-asn.*geofeed.*refdata import"):
        with_country(con, Selection(), ["country"], folder)


def test_peers_of_a_country_by_the_command(tmp_path: Path, keep: Keep) -> None:
    rows = [
        delivery(n, f"192.0.2.{n}", client_asn=asn, organization=f"Example {n}")
        for n, asn in enumerate((3333, 3334, 3333, 9999))
    ]
    store, folder = made(tmp_path / "store", rows), keep("ripe-asn", SYSTEMS)
    options = ["--scope", "country", "--refdata", str(folder), "-o", "json"]
    done = CliRunner().invoke(app, ["whatif", "peers", "--store", str(store), *options])
    answer = json.loads(done.stdout)
    octets = {row["country"]: row["peer_bytes"] for row in answer["rows"]}
    assert octets == {"NL": 1000, "FR": 0, "(unknown)": 0}
    assert any("ripe-asn-2026-10-01" in each for each in answer["assumptions"])
