"""The files of a rotation in the store: one capture, but each file a source with its own account."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from judging import cut, moved, sample
from test_ingest_capture import into, rows, sound

from l7meter.ingest import Ingested, Said
from l7meter.ingest.rotation import rotations

SESSION = "nginx-pip-npm-session.pcap"
LOG = '192.0.2.7 - - [02/Jan/2024:03:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'
EXCHANGES = (
    "SELECT * EXCLUDE (source_id, source_line) FROM records ORDER BY ts, client_port, url_original"
)


def rotation(folder: Path, name: str = SESSION, *packets: int) -> list[Path]:
    """A sample as `tcpdump -C` leaves it: trace.pcap, trace.pcap1, ..."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number, octets in enumerate(cut(sample(name), *packets)):
        paths.append(folder / f"trace.pcap{number or ''}")
        paths[-1].write_bytes(octets)
    return paths


def by_name(done: Ingested) -> dict[str, str]:
    return {Path(source.name).name: source.status for source in done.sources}


@pytest.mark.parametrize("engine", ["columnar", "exact"])
def test_rotation_has_the_records_of_the_whole(engine: str, tmp_path: Path) -> None:
    whole = tmp_path / "whole.pcap"
    whole.write_bytes(sample(SESSION))
    paths = rotation(tmp_path / "parts", SESSION, *range(10, 150, 10))
    assert len(paths) > 11  # so that trace.pcap10 is listed ahead of trace.pcap2
    one = into(tmp_path / "one", whole, said=Said(engine=engine))
    many = into(tmp_path / "many", *sorted(paths), said=Said(engine=engine))
    assert rows(tmp_path / "many", EXCHANGES) == rows(tmp_path / "one", EXCHANGES)
    # windows end with files, so another path may be taken
    assert replace(many.captures, exact_connections=0) == replace(one.captures, exact_connections=0)
    assert many.server_bytes_by_basis == one.server_bytes_by_basis
    sound(tmp_path / "many")


def test_each_file_has_its_own_account(tmp_path: Path) -> None:
    paths = rotation(tmp_path / "parts", SESSION, 50, 100)
    done = into(tmp_path / "store", *paths)
    assert [source.lines for source in done.sources[:2]] == [50, 50]
    for source in done.sources:
        assert source.capture is not None
        assert source.lines == source.capture.carried + source.skipped
    ledger = rows(
        tmp_path / "store",
        "SELECT s.lines, count(r.source_id), min(r.source_line) >= 1, max(r.source_line) <= s.lines "
        "FROM sources s LEFT JOIN records r USING (source_id) GROUP BY s.source_id, s.lines",
    )
    assert sorted(ledger) == sorted(
        (source.lines, source.records, True, True) for source in done.sources
    )


def test_known_files_are_left_alone_and_the_rest_is_read(tmp_path: Path) -> None:
    paths = rotation(tmp_path / "parts", SESSION, 60, 120, 180)
    into(tmp_path / "store", paths[1])
    done = into(tmp_path / "store", *paths)
    assert [source.status for source in done.sources] == ["ingested", "known", "ingested", "ingested"]  # fmt: skip
    again = into(tmp_path / "store", *paths)
    assert {source.status for source in again.sources} == {"known"}
    sound(tmp_path / "store")


def test_copies_count_once(tmp_path: Path) -> None:
    (first, second) = rotation(tmp_path / "parts", SESSION, 100)
    shutil.copy(first, tmp_path / "parts" / "trace.pcap7")
    done = into(tmp_path / "store", tmp_path / "parts" / "trace.pcap7", first, second)
    assert sorted(by_name(done).values()) == ["ingested", "ingested", "known"]
    sound(tmp_path / "store")


def test_file_that_breaks_is_told_by_name(tmp_path: Path) -> None:
    paths = rotation(tmp_path / "parts", SESSION, 60, 120)
    paths[1].write_bytes(paths[1].read_bytes() + b"\xff" * 40)
    done = into(tmp_path / "store", *paths)
    problems = [source.problem for source in done.sources]
    assert problems[0] is None
    assert problems[2] is None
    assert "claims 4294967295 captured octets" in str(problems[1])
    assert done.sources[1].status == "ingested"
    sound(tmp_path / "store")


def test_file_that_cannot_be_opened_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    paths = rotation(tmp_path / "parts", SESSION, 60, 120)
    from l7meter.errors import SourceError
    from l7meter.ingest import rotation as room
    from l7meter.sources import open_stream

    opened: list[str] = []

    def vanishing(name: str):  # type: ignore[no-untyped-def]
        opened.append(name)
        if (
            name == str(paths[1]) and opened.count(name) > 1
        ):  # it was there when the files were told
            raise SourceError(f"{name}: cannot be read: No such file or directory")
        return open_stream(name)

    monkeypatch.setattr(room, "open_stream", vanishing)
    done = into(tmp_path / "store", *paths)
    assert [source.status for source in done.sources] == ["ingested", "failed", "ingested"]
    assert "cannot be read" in str(done.sources[1].problem)
    sound(tmp_path / "store")


def test_broken_capture_is_known_by_all_of_its_octets(tmp_path: Path) -> None:
    """Or, ingested again, it would seem to have grown."""
    octets = sample(SESSION)
    (broken := tmp_path / "broken.pcap").write_bytes(octets + b"\xff" * 64 + octets[24:] * 200)
    done = into(tmp_path / "store", broken)
    assert done.sources[0].problem
    assert into(tmp_path / "store", broken).sources[0].status == "known"


def test_which_files_are_taken_together(tmp_path: Path) -> None:
    first, second, third = rotation(tmp_path / "a", SESSION, 60, 120)
    (other,) = rotation(tmp_path / "b", SESSION)
    (log := tmp_path / "a" / "trace.pcap9").write_text(LOG)
    alike = tmp_path / "a" / "tracer.pcap"
    shutil.copy(second, alike)
    names = [str(path) for path in (third, second, other, log, alike, first)]
    told = list(rotations(names, Said()))
    assert [str(path) for path in (first, second, third)] in told
    assert sorted(map(len, told)) == [1, 1, 1, 3]
    assert all(len(each) == 1 for each in rotations(names, Said(engine="tshark")))


def test_interface_of_its_own_is_not_mixed_in(tmp_path: Path) -> None:
    """eth0.pcap and eth1.pcap differ in a digit, and saw the same packets at the same time."""
    paths = [tmp_path / "eth0.pcap", tmp_path / "eth1.pcap"]
    slow = moved(sample("keep-alive.pcap"), lambda number: number)
    paths[0].write_bytes(slow)
    paths[1].write_bytes(moved(slow, lambda _: 2))
    alone = into(tmp_path / "alone", paths[0])
    both = into(tmp_path / "both", *paths)
    assert [source.records for source in both.sources] == [alone.sources[0].records] * 2
    assert [source.lines for source in both.sources] == [alone.sources[0].lines] * 2
    sound(tmp_path / "both")
