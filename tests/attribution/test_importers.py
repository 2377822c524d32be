"""Importers of reference data: who claims a file, what is read of it, and what is left out and counted.

The files of `reference/` lie in a folder by importer; beside each, `.expected.csv` has the rows after a line of
JSON with the day and what was dropped.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import EXPECTED, IMPORTERS, SAMPLES, attempt, importer_of, read, sample_id
from polars.testing import assert_frame_equal

from l7meter.attribution.organization_table import table
from l7meter.attribution.reference import importers
from l7meter.attribution.reference.importers import KINDS, START, Importer, tell
from l7meter.attribution.reference.importers.bots import LISTS
from l7meter.attribution.reference.importers.geofeed import OPERATORS
from l7meter.attribution.reference.making import make
from l7meter.errors import UsageError
from l7meter.schema import COLUMNS

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


# What is read


@pytest.mark.parametrize("path", SAMPLES, ids=sample_id)
def test_a_file_gives_the_rows_expected(path: Path) -> None:
    imported = importer_of(path).read(path)
    head, _, body = path.with_name(path.name + EXPECTED).read_text("utf-8").partition("\n")
    said = json.loads(head.removeprefix("# "))
    rows = pl.read_csv(body.encode(), schema=KINDS[importer_of(path).kind])
    assert_frame_equal(imported.table, rows)
    assert imported.dropped == said["dropped"]
    assert (imported.as_of and imported.as_of.isoformat()) == said["as_of"]


def test_each_importer_has_a_file() -> None:
    made_by_tests = {"geolite2-asn", "dbip-asn", "ipinfo", "prefix2org"}  # they are not text
    assert {path.parent.name for path in SAMPLES} | made_by_tests == set(IMPORTERS)


@pytest.mark.parametrize("ending", COMPRESSIONS)
@pytest.mark.parametrize("name", ["pfx2as", "bgpdump", "aws"])
def test_a_compressed_file_is_the_same_file(tmp_path: Path, name: str, ending: str) -> None:
    plain = next(path for path in SAMPLES if path.parent.name == name)
    packed = tmp_path / (plain.name + ending)
    packed.write_bytes(COMPRESSIONS[ending](plain.read_bytes()))
    one, other = (IMPORTERS[name].read(path) for path in (plain, packed))
    assert_frame_equal(one.table, other.table)
    assert one[1:] == other[1:]


@pytest.mark.parametrize("path", SAMPLES, ids=sample_id)
def test_half_a_file_is_refused(tmp_path: Path, path: Path) -> None:
    broken = tmp_path / (path.name + ".gz")
    broken.write_bytes(gzip.compress(path.read_bytes())[:-9])
    with pytest.raises(ValueError, match="fetch it again"):
        importer_of(path).read(broken)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"<html><p>404</html>\n", b"[]", b"{}", b"\xff"])
@pytest.mark.parametrize("name", IMPORTERS)
def test_what_is_no_such_file_is_refused_with_what_was_expected(name: str, content: bytes) -> None:
    found = attempt(name, content)
    if isinstance(found, str):
        assert any(word in found for word in ("expected", "no JSON", "no Parquet"))
    else:  # a line may be a network: that it is none, `making` says
        with pytest.raises(ValueError, match="nothing is left"):
            make(IMPORTERS[name].kind, found)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["iptoasn", "fastly", "geofeed"])
def test_a_byte_order_mark_and_ends_of_windows_change_nothing(name: str, start: bytes) -> None:
    path = next(path for path in SAMPLES if path.parent.name == name)
    content = start + path.read_bytes().replace(b"\n", b"\r\n")
    assert IMPORTERS[name].claims("data", content)
    one, other = read(name, content, path.name), IMPORTERS[name].read(path)
    assert_frame_equal(one.table, other.table)


# Who claims it


@pytest.mark.parametrize("path", SAMPLES, ids=sample_id)
def test_one_importer_claims_a_file(path: Path) -> None:
    start = path.read_bytes()[:START]
    claims = [each.name for each in IMPORTERS.values() if each.claims(str(path), start)]
    assert claims == ([] if path.parent.name == "networks-list" else [path.parent.name])


@pytest.mark.parametrize("path", SAMPLES, ids=sample_id)
def test_a_claim_needs_no_more_than_a_name_of_any_folder(path: Path) -> None:
    if path.parent.name != "networks-list":
        start = path.read_bytes()[:START]
        assert tell(f"https://www.example/x/{path.name}.gz?y=z", start) is importer_of(path)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("list.txt", b"192.0.2.0/24\n"),
        ("access.log", b'192.0.2.1 - - [01/Oct/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1\n'),
        ("countries.csv", b"192.0.2.0,192.0.2.255,DE\n"),  # ip-location-db's, of countries
        ("numbers.csv", b'3221225984,3221226239,64496,"Example"\n'),  # and of addresses as numbers
        ("other.json", b'{"prefixes": [{"cidr": "192.0.2.0/24"}]}'),
        ("empty", b""),
    ],
)
def test_no_importer_claims_what_none_can_read(name: str, start: bytes) -> None:
    with pytest.raises(UsageError, match="no importer claims it; name one by --as"):
        tell(name, start)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b"#", b"192.0.2.0/24", b"PAR1"]))
def test_a_claim_never_fails(rest: bytes, start: bytes) -> None:
    for importer in IMPORTERS.values():
        assert importer.claims("data", start + rest) in (True, False)


# The contract


@pytest.mark.parametrize("importer", IMPORTERS.values(), ids=IMPORTERS)
def test_an_importer_says_what_it_is(importer: Importer) -> None:
    assert importer.kind in KINDS
    assert importer.page.startswith("https://")
    assert all(url.startswith("https://") for url in importer.urls)
    assert 10 < len(importer.title) < 120
    assert "\n" not in importer.title
    must_be_named = ("CC-BY", "CAIDA", "EULA", "AUA", "AUP")
    if any(word in importer.licence for word in must_be_named):
        assert importer.attribution


def test_an_importer_is_named_as_its_file() -> None:
    files = {path.stem for path in Path(importers.__file__).parent.glob("*.py")} - {"__init__"}
    assert {name.replace("-", "_") for name in IMPORTERS} == files


def test_only_terms_that_forbid_it_keep_old_versions_from_being_kept() -> None:
    assert [each.name for each in IMPORTERS.values() if not each.retain] == ["geolite2-asn"]


@pytest.mark.parametrize("path", SAMPLES, ids=sample_id)
def test_values_are_those_of_the_contract(path: Path) -> None:
    imported = importer_of(path).read(path)
    assert imported.table.schema == KINDS[importer_of(path).kind]
    words = {
        "network_kind": {*COLUMNS["network_kind"].meaning.replace("`", "").rstrip(".").split(", ")},
        "shared_egress": {"ci", "vpn", "tor", "proxy"},
    }
    for column, allowed in words.items():
        if column in imported.table.columns:
            assert set(imported.table[column].drop_nulls()) <= allowed
    texts = imported.table.select(pl.col(pl.String)).unpivot()["value"].drop_nulls()
    assert (texts == texts.str.strip_chars()).all()
    assert (texts != "").all()


def test_operators_of_clouds_are_organisations_of_the_curated_table() -> None:
    names = {each.name for each in table().organizations}
    clouds = ("aws", "azure", "gcp", "oracle", "fastly", "cloudflare", "github")
    paths = [path for path in SAMPLES if path.parent.name in clouds]
    found = {name for path in paths for name in importer_of(path).read(path).table["operator"]}
    assert found | {name for name, _ in OPERATORS.values()} <= names


@pytest.mark.parametrize("stem", LISTS)
def test_a_robot_is_told_by_the_name_of_its_list(stem: str) -> None:
    content = '{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}]}'
    read_as = read("bots", content, f"{stem}.json").table
    assert read_as.select("operator", "service").row(0) == LISTS[stem]


def test_a_list_that_dates_itself_as_goog_json_does_is_still_the_robots() -> None:
    start = b'{"syncToken": "1", "creationTime": "2026-10-01", "prefixes": [{"ipv4Prefix": "192.0.2.0/24"}]}'
    assert tell("gptbot.json", start).name == "bots"
    assert tell("goog.json", start).name == "google"
