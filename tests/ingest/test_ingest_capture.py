"""Packet captures through the front door: parsed, into the store, and accounted for."""

from __future__ import annotations

import gzip
import json
import lzma
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import dialogs
import polars as pl
import pytest
from judging import cut
from polars.testing import assert_frame_equal

from l7meter.captures import Sums
from l7meter.errors import SourceError, StoreError, UsageError
from l7meter.formats import Options
from l7meter.ingest import Ingested, Said, check, ingest, parse, run
from l7meter.store import Store, connect, verify

SAMPLES = Path(__file__).resolve().parents[2] / "sample_pcaps"
SESSION, TLS = SAMPLES / "nginx-pip-npm-session.pcap", SAMPLES / "nginx-curl-tls-session.pcap"
EMPTY = bytes.fromhex("d4c3b2a1 02000400 00000000 00000000 00000400 01000000")  # Ethernet
LOG = '192.0.2.7 - - [02/Jan/2024:03:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'


def into(store: Path, *names: str | Path, said: Said | None = None) -> Ingested:
    with Store.open_or_create(store) as opened:
        return ingest(map(str, names), opened, said)


def sound(store: Path) -> None:
    with Store.open(store) as opened:
        assert verify(opened) == []


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(store) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("engine", [None, "columnar", "exact"])
def test_capture_of_a_session_has_the_exchanges_of_the_servers_log(
    engine: str | None, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    done = into(store, SESSION, said=Said(engine=engine))
    (each,) = done.sources
    assert (each.status, each.problem, each.format) == ("ingested", None, "pcap")
    logged = [line.split("\t") for line in Path(SESSION.with_suffix(".l7meter.log")).read_text().splitlines()]  # fmt: skip
    exchanges = "SELECT client_port, url_original, response_status_code FROM requests"
    assert sorted(rows(store, exchanges)) == sorted((int(f[3]), f[10], int(f[12])) for f in logged)
    assert rows(store, "SELECT DISTINCT server_bytes_basis FROM requests") == [("wire",)]
    sound(store)


@pytest.mark.parametrize("engine", ["columnar", "exact"])
def test_ledger_accounts_for_every_packet_and_octet(engine: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    captures = sorted(path for path in SAMPLES.iterdir() if ".pcap" in path.name)
    done = into(store, *captures, said=Said(engine=engine))
    assert {each.status for each in done.sources} == {"ingested"}
    apart = (
        "SELECT name FROM sources s WHERE packets_carried IS NULL "
        "OR lines <> packets_carried + skipped "
        "OR payload_bytes <> message_bytes + tunnel_bytes + remainder_bytes "
        "OR wire_bytes <> (SELECT coalesce(sum(server_wire_bytes + client_wire_bytes), 0) "
        "FROM records WHERE records.source_id = s.source_id)"
    )
    assert rows(store, apart) == []
    sound(store)
    told = json.loads(json.dumps(done.as_dict()))
    files = [each["capture"] for each in told["files"]]
    for count in ("packets", "packets_carried", "connections", "payload_bytes", "wire_bytes"):
        assert told["captures"][count] == sum(each[count] for each in files) > 0
    assert told["captures"]["packets"] == told["lines"]
    for each in told["files"]:
        assert each["capture"]["skipped_by_reason"] == each["skipped_by_reason"]
        assert sum(each["skipped_by_reason"].values()) == each["skipped"]


def test_capture_in_any_packing_is_the_same_source(tmp_path: Path) -> None:
    packed = [tmp_path / "a.pcap.gz", tmp_path / "a.pcap.xz", tmp_path / "two-members.gz"]
    octets = SESSION.read_bytes()
    packed[0].write_bytes(gzip.compress(octets))
    packed[1].write_bytes(lzma.compress(octets))
    packed[2].write_bytes(gzip.compress(octets[:3]) + gzip.compress(octets[3:]))
    store = tmp_path / "store"
    done = into(store, *packed, SESSION)
    assert [each.status for each in done.sources] == ["ingested", "known", "known", "known"]
    for path in packed:
        assert_frame_equal(pl.concat(parse(str(path))), pl.concat(parse(str(SESSION))))
    sound(store)


def test_store_holds_what_parse_gives(tmp_path: Path) -> None:
    store = tmp_path / "store"
    into(store, SESSION, TLS)
    with connect(store) as connection:
        stored = connection.sql("FROM records ORDER BY ALL").pl().drop("source_id")
    parsed = pl.concat([*parse(str(SESSION)), *parse(str(TLS))]).drop("source_id")
    assert_frame_equal(stored, parsed, check_row_order=False, check_dtypes=False)


def test_capture_that_is_cut_short_delivers_and_tells(tmp_path: Path) -> None:
    octets = SESSION.read_bytes()
    plain, packed = tmp_path / "cut.pcap", tmp_path / "cut.pcap.gz"
    plain.write_bytes(octets[:100_000])
    packed.write_bytes(gzip.compress(octets)[:-9000])
    problems = []
    for number, path in enumerate((plain, packed)):
        store = tmp_path / str(number)
        (each,) = into(store, path).sources
        assert each.status == "ingested"
        assert 0 < each.lines < 153
        assert each.records
        assert rows(store, "SELECT problem FROM sources") == [(each.problem,)]
        sound(store)
        problems.append(each.problem or "")
    assert "cut short" in problems[0]
    assert problems[1].startswith("the gzip stream ends early, at byte")
    assert "; the capture is cut short" in problems[1]


def test_capture_without_a_packet_is_a_source(tmp_path: Path) -> None:
    path, store = tmp_path / "empty.pcap", tmp_path / "store"
    path.write_bytes(EMPTY)
    (each,) = into(store, path).sources
    assert (each.status, each.problem, each.lines, each.records) == ("ingested", None, 0, 0)
    (frame,) = parse(str(path))
    assert frame.height == 0
    assert rows(store, "SELECT packets_carried, payload_bytes, wire_bytes FROM sources") == [
        (0, 0, 0)
    ]
    sound(store)


def test_octets_behind_a_captures_magic_are_told_and_not_raised(tmp_path: Path) -> None:
    names = []
    for number, octets in enumerate((EMPTY[:4], EMPTY[:23], b"\x0a\x0d\x0d\x0a", EMPTY + b"\xff" * 40)):  # fmt: skip
        path = tmp_path / f"{number}.pcap"
        path.write_bytes(octets)
        names.append(path)
    done = into(tmp_path / "store", *names)
    assert [(each.status, each.records) for each in done.sources] == [("ingested", 0)] * 4
    assert all(each.problem for each in done.sources)
    sound(tmp_path / "store")


def test_capture_is_a_capture_whatever_format_of_logs_was_given(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(LOG)
    for number, said in enumerate((Said(format="combined"), Said(map=("a=url_original", "t=ts")), Said(format="pcapng"))):  # fmt: skip
        done = into(tmp_path / str(number), SESSION, said=said)
        assert [each.format for each in done.sources] == ["pcap"]
        assert done.total("records") > 20
    with pytest.raises(SourceError, match="not a packet capture"):
        next(parse(str(log), Said(format="pcap")))


def test_engines_that_are_none_are_wrong_usage() -> None:
    with pytest.raises(UsageError, match="--engine fast: there are columnar, exact, tshark"):
        next(parse(str(SESSION), Said(engine="fast")))
    with pytest.raises(UsageError, match=r"--tls-keys none\.log: no such file"):
        next(parse(str(SESSION), Said(tls_keys=Path("none.log"))))
    long = Path("k" * 300)  # as a directory that may not be entered, it cannot be looked at
    with pytest.raises(UsageError, match=r"--tls-keys k+: File name too long; ask its owner"):
        next(parse(str(SESSION), Said(tls_keys=long)))


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_keys_put_exchanges_in_place_of_connections(tmp_path: Path) -> None:
    session = SESSION.with_name("tls13.pcap")
    truth = [json.loads(line) for line in session.with_suffix(".truth.jsonl").open()]
    with Store.open_or_create(tmp_path / "store") as store:
        ingest([str(session)], store, Said(tls_keys=session.with_suffix(".keylog")))
    sound(tmp_path / "store")
    assert rows(
        tmp_path / "store",
        "SELECT url_original, response_size, response_body_size FROM records "
        "WHERE exchange_kind = 'http' ORDER BY ts",
    ) == [(each["request_uri"], each["bytes_sent"], each["body_bytes_sent"]) for each in truth]


def test_sums_of_logs_and_captures_stand_apart(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(LOG)
    done = into(tmp_path / "logs", log)
    assert "captures" not in done.as_dict()
    assert "capture" not in done.as_dict()["files"][0]
    assert rows(tmp_path / "logs", "SELECT packets_carried, wire_bytes FROM sources") == [
        (None, None)
    ]
    both = into(tmp_path / "both", log, SESSION, TLS)
    told = both.as_dict()
    assert told["captures"]["packets"] == 153 + 84
    assert told["lines"] == 153 + 84 + 1
    assert [each.name for each in both.logs] == [str(log)]
    parts = [each["capture"]["payload_bytes"] for each in told["files"] if "capture" in each]
    assert told["captures"]["payload_bytes"] == sum(parts)
    sound(tmp_path / "both")


def test_check_tells_what_a_capture_is(tmp_path: Path) -> None:
    packed = tmp_path / "a.pcap.gz"
    packed.write_bytes(gzip.compress(SESSION.read_bytes())[:-9000])
    found = check(str(packed), Said())
    assert found.format is not None
    assert (found.format.name, found.format.family, found.compression) == ("pcap", "capture", "gzip")  # fmt: skip
    assert found.captured is not None
    assert (found.captured.links, found.captured.whole) == ([1], True)
    assert found.lines == found.captured.sums.packets > 0
    assert found.captured.kinds["http"] > 0
    assert "cut short" in (found.problem or "")


def test_check_of_a_long_capture_reads_its_start_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l7meter.ingest.checking.PART", 50_000)
    monkeypatch.setattr("l7meter.sources.stream.CHUNK", 8 << 10)
    found = check(str(SESSION), Said())
    assert found.captured is not None
    assert not found.captured.whole
    assert 0 < found.lines < 153
    assert found.problem is None


class Fake:
    """A capture of eight packets a frame, six of them carried; text in the types that Polars has."""

    frame_count = 12
    payload_bytes = 40

    def __init__(self, pieces: Iterable[bytes], *, engine: str = "columnar") -> None:
        self.pieces, self.engine = pieces, engine
        self.sums = Sums()
        self.problem: str | None = None

    def frames(self) -> Iterator[pl.DataFrame]:
        for _ in self.pieces:
            pass
        for number in range(self.frame_count):
            self.sums.packets += 8
            self.sums.carried += 6
            self.sums.skipped["ARP"] += 2
            self.sums.wire_bytes += 600
            self.sums.payload_bytes += self.payload_bytes
            self.sums.message_bytes += 40
            yield self.frame(number)
        self.sums.packets += 1
        self.sums.skipped["STP"] += 1

    def frame(self, number: int) -> pl.DataFrame:
        agents = ["pip/24.0", f"agent {number}"]
        return pl.DataFrame(
            {
                "ts": [1_700_000_000_000_000 - number, 1_700_000_000_000_000 + number],
                "client_address": pl.Series(["192.0.2.7", "2001:db8::1"], dtype=pl.Categorical),
                "user_agent_original": pl.Series(agents, dtype=pl.Enum(agents)),
                "url_original": ["/", f"/{number}"],
                "server_wire_bytes": [200, 300],
                "client_wire_bytes": [50, 50],
                "exchange_kind": pl.Series(["http", "tls"], dtype=pl.Enum(["http", "tls"])),
                "source_line": [8 * number + 1, 8 * number + 2],
            },
            schema_overrides={"ts": pl.Datetime("us", "UTC")},
        )


def test_frames_of_any_text_type_in_many_batches_equal_parse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l7meter.ingest.capture.Capture", Fake)
    monkeypatch.setattr(run, "BATCH", 8 * run.LINE)
    monkeypatch.setattr("l7meter.sources.identity.PREFIX_BYTES", 32 << 10)
    store = tmp_path / "store"
    done = into(store, SESSION)
    with Store.open(store) as opened:
        assert len(opened.files("records")) == 3
    assert done.sources[0].skipped_by_reason == {"ARP": 24, "STP": 1}
    assert (done.total("lines"), done.total("records"), done.total("skipped")) == (97, 24, 25)
    with connect(store) as connection:
        stored = connection.sql("FROM records ORDER BY source_line").pl().drop("source_id")
    parsed = pl.concat(parse(str(SESSION))).drop("source_id")
    assert_frame_equal(stored, parsed, check_dtypes=False)
    sound(store)


def test_octets_that_do_not_add_up_are_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l7meter.ingest.capture.Capture", Fake)
    monkeypatch.setattr(Fake, "payload_bytes", 41)
    with pytest.raises(StoreError, match="492 and not 480 octets of payload"):
        into(tmp_path / "store", SESSION)
    assert rows(tmp_path / "store", "SELECT count(*) FROM records") == [(0,)]


def test_verify_finds_octets_on_the_wire_that_went_missing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    into(store, SESSION)
    with Store.open(store) as opened, sqlite3.connect(opened.catalog) as db:
        db.execute("UPDATE l7meter_source SET wire_bytes = wire_bytes - 1")
        db.commit()
        (problem,) = verify(opened)
    assert problem.message.startswith("wire_bytes: the ledger says")


@pytest.mark.parametrize("files", [1, 2])
def test_behind_trusted_hops_the_client_is_whom_they_vouch_for(tmp_path: Path, files: int) -> None:
    turns = [
        (side, octets)
        for field in ("X-Forwarded-For: 203.0.113.9, 198.51.100.7", "X-Forwarded-For: nonsense", "X-Other: 1")
        for side, octets in (
            (dialogs.CLIENT, f"GET /a HTTP/1.1\r\nHost: example.org\r\n{field}\r\n\r\n".encode()),
            (dialogs.SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        )
    ]  # fmt: skip
    octets = dialogs.capture(dialogs.wrapped(dialogs.conversation(turns), dialogs.Path()))
    paths = [tmp_path / f"x{number}.pcap" for number in range(files)]
    for path, part in zip(paths, cut(octets, 6) if files > 1 else [octets], strict=True):
        path.write_bytes(part)
    into(tmp_path / "store", *paths, said=Said(options=Options(trusted_hops=1)))
    told = rows(
        tmp_path / "store",
        "SELECT client_address, network_peer_address IS NOT NULL, forwarded_for FROM requests ORDER BY ts",
    )
    peer = told[2][0]
    assert told == [
        ("198.51.100.7", True, "203.0.113.9, 198.51.100.7"),
        ("nonsense", True, "nonsense"),
        (peer, False, None),
    ]
    sound(tmp_path / "store")
