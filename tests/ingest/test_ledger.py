from __future__ import annotations

import bz2
import gzip
import json
import os
import random
import threading
from pathlib import Path

import pytest
from ingest_ledger import agrees, lines, totals, write

from l7meter.ingest import Ingested, Said, ingest, run, source
from l7meter.sources import discover, identity
from l7meter.sources.stream import CHUNK
from l7meter.store import Store, verify

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_logs"
TRAPS = ROOT / "tests" / "data" / "traps"


def into(store: Path, *names: str | Path, said: Said | None = None) -> Ingested:
    with Store.open_or_create(store) as opened:
        return ingest(map(str, names), opened, said)


def statuses(done: Ingested) -> list[str]:
    return [each.status for each in done.sources]


def test_samples_add_up_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    logs = [
        path for path in sorted(SAMPLES.rglob("*")) if path.suffix not in (".md", ".json", ".tsv")
    ]
    logs = [path for path in logs if path.is_file()]
    store = tmp_path / "store"
    done = into(store, *logs)
    assert statuses(done) == ["ingested"] * len(logs)
    found = agrees(store, done)
    named = json.loads((SAMPLES / "manifest.json").read_text())["week"]
    week = {str(SAMPLES / row["path"]): row["lines"] for row in named}
    assert {each.name: each.lines for each in done.sources if each.name in week} == week
    again = into(store, *logs)
    assert statuses(again) == ["known"] * len(logs)
    assert again.total("lines") == 0
    assert totals(store) == found


def test_traps_and_noise_add_up_by_any_format(tmp_path: Path) -> None:
    logs = sorted(TRAPS.glob("*.log"))
    choice = random.Random(7)
    noise = tmp_path / "noise.log"
    octets = bytearray(b"\n".join(path.read_bytes() for path in logs))
    for _ in range(2000):
        octets[choice.randrange(len(octets))] = choice.randrange(256)
    noise.write_bytes(octets)
    for name in ("combined", "nginx-json", "w3c"):
        store = tmp_path / name
        done = into(store, *logs, noise, said=Said(format=name))
        assert set(statuses(done)) == {"ingested"}
        assert agrees(store, done)["rejects"] > 0


def test_same_content_under_any_name_and_packing_counts_once(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    name = write(logs / "access.log", 0, 400)
    content = Path(name).read_bytes()
    store = tmp_path / "store"
    done = into(store, *discover([name, name, str(logs), str(logs / "*.log")])[0])
    assert statuses(done) == ["ingested"]
    found = agrees(store, done)
    (logs / "renamed.log").write_bytes(content)
    (logs / "packed.gz").write_bytes(gzip.compress(content))
    (logs / "members.gz").write_bytes(gzip.compress(content[:99]) + gzip.compress(content[99:]))
    (logs / "packed.bz2").write_bytes(bz2.compress(content))
    again = into(store, *discover([str(logs)])[0])
    assert statuses(again) == ["known"] * 5
    assert totals(store) == found


def test_a_file_with_the_same_head_that_is_no_grown_form_is_one_of_its_own(tmp_path: Path) -> None:
    store = tmp_path / "store"
    into(store, write(tmp_path / "access.log", 0, 300))
    other = write(tmp_path / "other.log", 0, 300)
    Path(other).write_text(Path(other).read_text() + "\n".join(lines(900, 10)))
    Path(other).write_text(Path(other).read_text().replace("GET /298", "GET /297"))
    assert statuses(into(store, other)) == ["ingested"]


def test_content_that_is_known_is_known_though_another_source_is_its_start(tmp_path: Path) -> None:
    store = tmp_path / "store"
    whole = write(tmp_path / "whole.log", 0, 500)
    start = write(tmp_path / "start.log", 0, 300)
    assert statuses(into(store, whole, start)) == ["ingested", "ingested"]
    copy = tmp_path / "copy.log"
    copy.write_bytes(Path(whole).read_bytes())
    assert statuses(into(store, copy)) == ["known"]


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", 8 << 10)
    monkeypatch.setattr(run, "BATCH", 24 << 10)
    monkeypatch.setattr(identity, "PREFIX_BYTES", 16 << 10)


@pytest.mark.usefixtures("_small")
def test_sources_over_many_batches_and_commits_add_up(tmp_path: Path) -> None:
    names = [write(tmp_path / "long.log", 0, 3000)]
    names += [write(tmp_path / f"{n}.log", 5000 + 100 * n, 100) for n in range(9)]
    names.append(write(tmp_path / "last.log", 9000, 1500))
    store = tmp_path / "store"
    done = into(store, *names)
    found = agrees(store, done)
    assert found["lines"] == 3000 + 900 + 1500
    with Store.open(store) as opened:
        info = opened.info()
    assert info["snapshots"] > 3
    assert statuses(into(store, *names)) == ["known"] * len(names)
    assert totals(store) == found


def test_source_that_cannot_be_read_leaves_the_others_be(tmp_path: Path) -> None:
    good, later = (write(tmp_path / name, n, 50) for n, name in ((0, "a.log"), (100, "z.log")))
    empty = tmp_path / "empty.log"
    empty.touch()
    binary = tmp_path / "noise.log"
    binary.write_bytes(random.Random(1).randbytes(5000))
    names = (good, tmp_path, empty, binary, tmp_path / "none", later)
    store = tmp_path / "store"
    done = into(store, *names)
    assert statuses(done) == ["ingested", *["failed"] * 4, "ingested"]
    assert [each.problem for each in done.failed] == [
        "cannot be read: Is a directory",
        "the source is empty",
        "no format claims it: try 'l7meter check', --format or --log-format",
        "cannot be read: No such file or directory",
    ]
    agrees(store, done)


def test_gzip_that_ends_early_delivers_and_tells(tmp_path: Path) -> None:
    path = tmp_path / "access.log.gz"
    path.write_bytes(gzip.compress("\n".join(lines(0, 5000)).encode())[:-5000])
    done = into(tmp_path / "store", path)
    (each,) = done.sources
    assert each.status == "ingested"
    assert 1000 < each.records < 5000
    assert each.problem is not None
    assert each.problem.startswith("the gzip stream ends early, at byte")
    agrees(tmp_path / "store", done)


def test_pipe_whose_start_is_known_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first block left in the pipe must not go to a second reader of it."""
    monkeypatch.setattr(source, "BLOCK", 1 << 20)
    store = tmp_path / "store"
    into(store, write(tmp_path / "start.log", 0, 300))
    long = [line.replace("GET /", "GET /" + "long" * 300) for line in lines(300, 5000)]
    content = ("\n".join(lines(0, 300) + long) + "\n").encode()
    assert len(content) > CHUNK
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for status in ("ingested", "known"):
        thread = threading.Thread(target=fifo.write_bytes, args=(content,))
        thread.start()
        (each,) = into(store, fifo).sources
        thread.join()
        assert (each.status, each.lines) == (status, 5300)
    totals(store)


def test_name_that_is_no_utf8_is_kept_readable(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.log")
    write(Path(name), 0, 20)
    done = into(tmp_path / "store", name)
    assert done.sources[0].name == f"{tmp_path}/caf\\xe9.log"
    json.dumps(done.as_dict(), ensure_ascii=False).encode()
    agrees(tmp_path / "store", done)


def test_times_at_the_ends_of_the_calendar_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"t":"0001-01-01T00:00:00Z"}\n{"t":"9999-12-31T23:59:59Z"}\n{"t":"0001-01-01T00:00:00+01:00"}\n'
    )
    done = into(tmp_path / "store", path, said=Said(map=("t=ts",)))
    assert (done.total("records"), done.total("rejects")) == (2, 1)
    assert done.as_dict()["rejects_by_reason"] == {"ts cannot be read": 1}
    with Store.open(tmp_path / "store") as opened:
        assert verify(opened) == []
