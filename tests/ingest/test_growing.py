"""Logs that grow between two runs: what is new of them is read, and nothing twice."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_ledger import lines, totals, write

from l7meter.ingest import Ingested, ingest
from l7meter.store import Store, connect, forget, verify

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "sample_pcaps" / "nginx-pip-npm-session.pcap"


def headed(count: int) -> bytes:
    """A W3C log whose fields change in the middle."""
    first, second = "date time c-ip cs-method cs-uri-stem sc-status", "date time cs-uri-stem c-ip sc-status sc-bytes"  # fmt: skip
    rows = []
    for n in range(count):
        if n in (0, count // 2):
            rows.append(f"#Fields: {second if n else first}")
        when = f"2024-01-02 03:{n // 60 % 60:02}:{n % 60:02}"
        known = f"{when} 192.0.2.{n % 250} GET /{n} 200"
        rows.append(known if n < count // 2 else f"{when} /{n} 192.0.2.{n % 250} 200 {n}")
    return "\n".join([*rows, ""]).encode()


def into(store: Path, *names: Path, anew: list[str] | None = None) -> Ingested:
    with Store.open_or_create(store) as opened:
        return ingest(map(str, names), opened, anew=anew or [])


def rows(store: Path) -> dict[str, pl.DataFrame]:
    """All that a store says of records and rejects, but whose source they are of."""
    with connect(store) as connection:
        return {
            table: connection.sql(
                f"SELECT * EXCLUDE (source_id) FROM {table} ORDER BY source_line, reason"
                if table == "rejects"
                else f"SELECT * EXCLUDE (source_id) FROM {table} ORDER BY source_line"
            ).pl()
            for table in ("records", "rejects")
        }


def sound(store: Path) -> None:
    with Store.open(store) as opened:
        assert verify(opened) == []


def grow(path: Path, content: bytes, cuts: list[int], packed: bool) -> list[str]:
    """Ingest a file at each length; the statuses. Each time is also asked again."""
    store, found = path.parent / "store", []
    for length in cuts:
        part = content[:length]
        path.write_bytes(gzip.compress(part) if packed else part)
        (source,) = into(store, path).sources
        found.append(source.status)
        (again,) = into(store, path).sources
        assert again.status == "known" or source.status == "failed", again
    return found


def indented(count: int) -> bytes:
    """Objects over several lines, one behind the other."""
    said = [
        {"remote_addr": f"192.0.2.{n % 250}", "status": 200, "time": 1704161045 + n, "uri": f"/{n}", "bytes_sent": n}
        for n in range(count)
    ]  # fmt: skip
    return "".join(json.dumps(each, indent=1) + "\n" for each in said).encode()


CONTENTS = [headed(300), "\n".join([*lines(0, 200), ""]).encode(), indented(120)]


@settings(max_examples=18, deadline=None)
@given(data=st.data(), packed=st.booleans(), content=st.sampled_from(CONTENTS))
def test_growing_equals_all_at_once(data: st.DataObject, packed: bool, content: bytes) -> None:
    first = content.index(b"\n", 150)
    cuts = data.draw(st.lists(st.integers(first + 1, len(content)), max_size=5, unique=True))
    with TemporaryDirectory() as place:
        path = Path(place) / "access.log"
        statuses = grow(path, content, [*sorted(cuts), len(content)], packed)
        assert set(statuses) <= {"ingested", "known"}
        grown = rows(path.parent / "store")
        sound(path.parent / "store")
        whole = Path(place) / "whole"
        into(whole, path)
        expected = rows(whole)
        for table, frame in expected.items():
            assert grown[table].equals(frame), table


def test_a_part_that_ended_within_a_line_is_read_again(tmp_path: Path) -> None:
    path, store = tmp_path / "access.log", tmp_path / "store"
    content = "\n".join(lines(0, 120)).encode()
    cut = content.index(b"\n", 9_000) - 20
    assert grow(path, content, [4_000, cut, len(content)], packed=False) == ["ingested"] * 3
    with connect(store) as connection:
        parts = connection.sql("SELECT begins_at, lines_before, lines FROM sources ORDER BY 1 NULLS FIRST").fetchall()  # fmt: skip
    assert sum(lines for _, _, lines in parts) == 120
    assert totals(store)["lines"] == 120
    sound(store)


def test_a_rotated_file_and_an_earlier_copy_of_it_are_known(tmp_path: Path) -> None:
    path, store = tmp_path / "access.log", tmp_path / "store"
    content = Path(write(path, 0, 300)).read_bytes()
    early = content[: content.index(b"\n", 9_000) + 1]
    grow(path, content, [len(early), len(content)], packed=False)
    found = totals(store)
    copy, rotated = tmp_path / "copy.log", tmp_path / "access.log.1.gz"
    copy.write_bytes(early)
    rotated.write_bytes(gzip.compress(content))
    assert [source.status for source in into(store, copy, rotated).sources] == ["known", "known"]
    assert totals(store) == found


def test_two_files_that_grow_apart_from_the_same_start_are_two(tmp_path: Path) -> None:
    one, other, store = tmp_path / "one.log", tmp_path / "other.log", tmp_path / "store"
    start = "\n".join([*lines(0, 50), ""])
    one.write_text(start)
    into(store, one)
    one.write_text(start + "\n".join([*lines(50, 10), ""]))
    other.write_text(start + "\n".join([*lines(70, 10), ""]))
    assert [source.status for source in into(store, one, other).sources] == ["ingested"] * 2
    assert totals(store)["lines"] == 70  # their start counts once
    sound(store)


def test_a_capture_that_has_grown_is_read_again(tmp_path: Path) -> None:
    path, store, whole = tmp_path / "growing.pcap", tmp_path / "store", tmp_path / "whole"
    content = CAPTURE.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    into(store, path)
    path.write_bytes(content)
    (each,) = into(store, path).sources
    assert (each.status, len(each.instead)) == ("ingested", 1)
    into(whole, path)
    assert rows(store)["records"].equals(rows(whole)["records"])
    sound(store)


def test_what_was_forgotten_comes_again_and_what_is_asked_for_is_read_again(tmp_path: Path) -> None:
    path, store = tmp_path / "access.log", tmp_path / "store"
    content = Path(write(path, 0, 300)).read_bytes()
    grow(path, content, [9_000, len(content)], packed=False)
    found, first = totals(store), rows(store)
    with Store.open(store) as opened:
        ids = opened.ledger()["source_id"].to_list()
    (again,) = into(store, path, anew=ids).sources
    assert sorted(again.instead) == sorted(ids)
    assert totals(store) == found
    with Store.open(store) as opened:
        taken = forget(opened, opened.ledger()["source_id"].to_list())
        assert taken.records == found["records"]
    assert totals(store)["records"] == 0
    assert [source.status for source in into(store, path).sources] == ["ingested"]
    assert rows(store)["records"].equals(first["records"])
    sound(store)


@pytest.mark.parametrize("octets", [b"\n", b"x"])
def test_a_file_that_was_replaced_by_a_longer_one_is_new(tmp_path: Path, octets: bytes) -> None:
    path, store = tmp_path / "access.log", tmp_path / "store"
    write(path, 0, 10)
    into(store, path)
    path.write_bytes(octets + path.read_bytes())
    assert [source.status for source in into(store, path).sources] == ["ingested"]
    sound(store)
