"""An interface metered, with a capturer that writes sample captures when it is told to."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l7meter.errors import SourceError, StoreError, UsageError
from l7meter.ingest import Ingested
from l7meter.ingest.capturer import Capturer
from l7meter.ingest.capturing import Metering, private_directory
from l7meter.store import Store, connect

SAMPLES = Path(__file__).resolve().parents[2] / "sample_pcaps"
NAMES = ("keep-alive", "chunked", "ipv6", "head-304-204")
# Writes a sample each time it is told to, says so, and ends like tcpdump does.
FAKE = """
import shutil, signal, socket, sys
def end(*_):
    sys.stderr.write("9 packets captured\\n12 packets received by filter\\n3 packets dropped by kernel\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
for number, sample in enumerate(sys.argv[2:]):
    control.recv(1)
    shutil.copyfile(sample, f"t-{number}.pcap")
    control.sendall(b".")
control.recv(1)
sys.exit("fake: eth9: The interface disappeared")
"""
LIMIT = 20.0  # seconds, so that a test which fails ends


class Fake:
    """Tells the capturer to write its next file whenever the metering pauses."""

    def __init__(self, directory: Path) -> None:
        self.address = str(directory / "s")
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.address)
        self.listening.listen()
        self.listening.settimeout(LIMIT)
        self.control: socket.socket | None = None
        self.pauses = 0
        self.at_once = 1  # files to a pause
        self.after: Callable[[int], None] = lambda _: None

    def arguments(self, *names: str) -> list[str]:
        return [sys.executable, "-c", FAKE, self.address, *(str(sample(name)) for name in names)]

    def pause(self, capturer: Capturer, seconds: float) -> None:
        if not self.control:
            self.control, _ = self.listening.accept()
            self.control.settimeout(LIMIT)
        for _ in range(self.at_once):
            self.control.sendall(b".")
            if not self.control.recv(1):
                capturer.pause(LIMIT)  # it ends
                break
        self.pauses += 1
        self.after(self.pauses)

    def close(self) -> None:
        self.listening.close()
        if self.control:
            self.control.close()


def sample(name: str) -> Path:
    return SAMPLES / f"{name}.pcap"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    made = Fake(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "store") as made:
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return private_directory(tmp_path / "captures")


def on_disc(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def in_store(store: Store) -> list[str]:
    with connect(store.path) as connection:
        rows = connection.execute("SELECT name FROM sources").fetchall()
    return sorted(Path(name).name for (name,) in rows)


def test_file_is_ingested_once_the_next_has_begun(fake: Fake, store: Store, place: Path) -> None:
    rounds: list[list[str]] = []

    def reported(done: Ingested) -> None:
        rounds.append([Path(source.name).name for source in done.sources])

    seen = []
    fake.after = lambda pauses: seen.append(len(rounds))
    metering = Metering(fake.arguments(*NAMES), place, "t-", store, reported=reported)
    metered = metering.run("eth9", pause=fake.pause)
    assert rounds == [["t-0.pcap"], ["t-1.pcap"], ["t-2.pcap"], ["t-3.pcap"]]
    assert seen == [0, 0, 1, 2, 3]  # rounds before each pause ended
    assert in_store(store) == on_disc(place) == [f"t-{number}.pcap" for number in range(4)]
    whole = sum(len(sample(name).with_suffix(".truth.jsonl").read_text().splitlines()) for name in NAMES)  # fmt: skip
    assert (metered.files, metered.records, metered.failed, metered.missed) == (4, whole, 0, 0)
    assert metered.sums.packets > whole
    assert metered.server_bytes_by_basis["wire"] > 0


def test_stop_ends_the_capturer_and_ingests_its_last_file(
    fake: Fake, store: Store, place: Path
) -> None:
    metering = Metering(fake.arguments(*NAMES), place, "t-", store)
    fake.after = lambda pauses: metering.stop() if pauses == 2 else None
    metered = metering.run("eth9", pause=fake.pause)
    assert in_store(store) == ["t-0.pcap", "t-1.pcap"]
    assert (metered.problem, metered.dropped) == (None, 3)


def test_duration_ends_the_capturer(fake: Fake, store: Store, place: Path) -> None:
    metering = Metering(fake.arguments(*NAMES), place, "t-", store)
    metered = metering.run("eth9", 3, pause=fake.pause, clock=lambda: float(fake.pauses))
    assert fake.pauses == 3
    assert in_store(store) == ["t-0.pcap", "t-1.pcap", "t-2.pcap"]
    assert (metered.problem, metered.dropped, metered.seconds) == (None, 3, 3)


def test_file_is_deleted_once_it_is_in_the_store(fake: Fake, store: Store, place: Path) -> None:
    left: list[tuple[list[str], list[str]]] = []
    fake.after = lambda _: left.append((in_store(store), on_disc(place)))
    Metering(fake.arguments(*NAMES), place, "t-", store, delete=True).run("eth9", pause=fake.pause)
    assert left[2] == (["t-0.pcap"], ["t-1.pcap", "t-2.pcap"])
    assert (len(in_store(store)), on_disc(place)) == (4, [])


def test_file_that_cannot_be_read_is_not_deleted(
    fake: Fake, store: Store, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "garbage").write_bytes(b"\0\1\2\3" * 500)
    arguments = [*fake.arguments("keep-alive"), str(tmp_path / "garbage"), str(sample("ipv6"))]
    metered = Metering(arguments, place, "t-", store, delete=True).run("eth9", pause=fake.pause)
    assert (metered.files, metered.failed, on_disc(place)) == (2, 1, ["t-1.pcap"])


def test_file_is_not_deleted_where_the_store_refuses(
    fake: Fake, store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(Store, "append", refused)
    metering = Metering(fake.arguments(*NAMES), place, "t-", store, delete=True)
    with pytest.raises(StoreError, match="no space left"):
        metering.run("eth9", pause=fake.pause)
    assert on_disc(place) == ["t-0.pcap", "t-1.pcap"]
    assert metering._capturer is not None
    assert not metering._capturer.running


def test_ring_of_files_loses_the_oldest(fake: Fake, store: Store, place: Path) -> None:
    metering = Metering(fake.arguments(*NAMES), place, "t-", store, files=2)
    metered = metering.run("eth9", pause=fake.pause)
    assert (in_store(store), metered.missed) == ([f"t-{number}.pcap" for number in range(4)], 0)
    assert on_disc(place) == ["t-2.pcap", "t-3.pcap"]


def test_ring_counts_what_it_loses_unread(fake: Fake, store: Store, place: Path) -> None:
    fake.at_once = 4  # three of them finished at the first look, for two of which there is room
    metering = Metering(fake.arguments(*NAMES), place, "t-", store, files=2)
    metered = metering.run("eth9", pause=fake.pause)
    assert (metered.files, metered.missed) == (3, 1)
    assert in_store(store) == ["t-1.pcap", "t-2.pcap", "t-3.pcap"]
    assert on_disc(place) == ["t-2.pcap", "t-3.pcap"]


def test_files_of_others_in_the_directory_are_left_alone(
    fake: Fake, store: Store, place: Path
) -> None:
    (place / "mine.pcap").write_bytes(sample("chunked").read_bytes())
    metering = Metering(fake.arguments("ipv6"), place, "t-", store, files=1, delete=True)
    metering.run("eth9", pause=fake.pause)
    assert (in_store(store), on_disc(place)) == (["t-0.pcap"], ["mine.pcap"])


def test_capturer_that_dies_is_told_with_its_words(fake: Fake, store: Store, place: Path) -> None:
    metered = Metering(fake.arguments("ipv6"), place, "t-", store).run("eth9", pause=fake.pause)
    program = Path(sys.executable)
    said = f"eth9: {program.name} ended (status 1): fake: eth9: The interface disappeared"
    assert metered.problem == f"{said}\n{program} -D lists the interfaces"
    assert (metered.files, metered.dropped) == (1, None)


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("tcpdump: eth0: You don't have permission to perform this capture on that device\n(socket: Operation not permitted)", "setcap cap_net_raw,cap_net_admin=eip"),
        ("Capturing on 'eth7'\ndumpcap: There is no device named \"eth7\".\n(No such device exists)", "-D lists the interfaces"),
        ("tcpdump: can't parse filter expression: syntax error", "man pcap-filter"),
        ("", "it did not say why"),
    ],
    ids=["no permission", "no such interface", "no such filter", "silence"],
)  # fmt: skip
def test_error_names_the_next_step(words: str, step: str, store: Store, place: Path) -> None:
    arguments = [sys.executable, "-c", "import sys; sys.exit(sys.argv[1] or 1)", words]
    metered = Metering(arguments, place, "t-", store).run("eth0")
    assert metered.problem is not None
    assert metered.problem.startswith("eth0: ")
    assert (words.splitlines() or [""])[-1] in metered.problem
    assert step in metered.problem
    assert "Capturing on" not in metered.problem


def test_capturer_that_does_not_start(store: Store, place: Path) -> None:
    metering = Metering([str(place / "absent")], place, "t-", store)
    with pytest.raises(SourceError, match="absent does not start: No such file"):
        metering.run("eth0")


def test_empty_file_of_a_capturer_that_died_is_removed(store: Store, place: Path) -> None:
    arguments = [sys.executable, "-c", "open('t-0.pcap', 'w'); exit(1)"]
    metered = Metering(arguments, place, "t-", store).run("eth0")
    assert (metered.files, metered.failed, on_disc(place)) == (0, 0, [])


def test_captures_are_for_their_owner_alone(fake: Fake, store: Store, place: Path) -> None:
    Metering(fake.arguments("ipv6"), place, "t-", store).run("eth9", pause=fake.pause)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "t-0.pcap").stat().st_mode) == 0o600


def test_order_of_files_is_the_order_of_their_writing(store: Store, place: Path) -> None:
    written = ["t-2.pcap", "t-1.pcap", "t-1.pcap9", "t-1.pcap10", "t-3.pcap"]
    for name in sorted(written):
        (place / name).write_bytes(b"x")
        os.utime(place / name, (1, 1) if name == "t-2.pcap" else (2, 2))
    waiting = Metering([], place, "t-", store)._waiting()
    assert [path.name for path in waiting] == written


def test_directory_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file: "):
        private_directory(tmp_path / "file")
