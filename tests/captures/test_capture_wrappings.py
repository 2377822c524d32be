"""Every wrapping against tshark, and mutated."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import packets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import CLIENT, SERVER, TCP, UDP
from wrappings import FOUR, SIX, TUNNELS, WRAPPED

from l7meter.captures.containers import Container
from l7meter.captures.links import Datagram, Decoder

# what tshark reads with a setting, or otherwise: it asks who made the cards, and takes a checksum off
LEFT = ("Ethernet in MPLS", "old VLAN tag", "FabricPath", "NFLOG, big endian")
SAMPLES = Path(__file__).parents[2] / "sample_pcaps"
SEEDS = [*WRAPPED.values(), *((101, octets) for octets in TUNNELS.values())]


@given(st.lists(st.sampled_from(SEEDS), max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_hostile_octets_raise_nothing_and_are_counted(
    frames: list[tuple[int, bytes]], chance: random.Random
) -> None:
    decoder, counted = Decoder(), 0
    for link, octets in frames:
        mutated = bytearray(
            octets[: chance.randrange(len(octets) + 1)] if chance.random() < 0.2 else octets
        )
        for _ in range(min(chance.randrange(4), len(mutated))):
            mutated[chance.randrange(min(len(mutated), 60))] = chance.randrange(256)
        found = decoder.decode(link, memoryview(mutated), len(octets))
        if found:
            counted += found.packets
            assert len(found.payload) <= found.length <= found.wire
            assert found.overhead >= 0
    assert counted + decoder.skipped.total() + decoder.held == len(frames)
    decoder.flush()
    assert counted + decoder.skipped.total() == len(frames)


def tshark(path: Path, *fields: str) -> list[list[str]]:
    command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
    for check in ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"):
        command += ["-o", f"{check}:TRUE"]
    command += ["-d", "udp.port==8472,vxlan", *(f"-e{field}" for field in fields)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in output.splitlines()]


def innermost(row: list[str]) -> tuple[str, ...]:
    """The last of each field, of the last IP version in the protocols."""
    protocols, four, four_length, six, six_length, ports, *checks = (
        each.split(",") for each in row
    )
    versions = [each for each in protocols[0].split(":") if each in ("ip", "ipv6")]
    if not versions:
        return ()
    last = versions[-1] == "ip"
    wire = int(four_length[-1]) if last else int(six_length[-1]) + 40
    return (
        (four if last else six)[-1],
        str(wire),
        ports[-1],
        str(any(each and each[-1] == "0" for each in checks)),
    )


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize(
    "name", ["wrappings", "nginx-pip-npm-session", "gre", "vxlan", "vlan", "sll2", "snapped"]
)
def test_tshark_reads_the_same(name: str, tmp_path: Path) -> None:
    path = SAMPLES / f"{name}.pcap"
    if name == "wrappings":
        path = tmp_path / "capture"
        plain = [FOUR[:-1] + b"x", SIX, packets.ipv4(CLIENT, SERVER, UDP, packets.udp(7, 8))]
        frames = [each[1] for name, each in WRAPPED.items() if each[0] == 1 and name not in LEFT]
        frames += [packets.ethernet(octets) for octets in (*plain, *TUNNELS.values())]
        path.write_bytes(packets.pcap([(packets.START, frame) for frame in frames]))
    assert _ours(path) == _theirs(path)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("link", sorted({link for link, _ in WRAPPED.values()} - {1}))
def test_tshark_reads_the_same_behind_other_links(link: int, tmp_path: Path) -> None:
    frames = [each[1] for name, each in WRAPPED.items() if each[0] == link and name not in LEFT]
    path = tmp_path / "capture"
    path.write_bytes(packets.pcap([(packets.START, frame) for frame in frames], link=link))
    theirs = _theirs(path)
    assert _ours(path) == theirs
    assert all(theirs)


def _theirs(path: Path) -> list[tuple[str, ...]]:
    fields = ["frame.protocols", "ip.src", "ip.len", "ipv6.src", "ipv6.plen", "tcp.srcport"]
    checks = ["ip.checksum.status", "tcp.checksum.status", "udp.checksum.status"]
    return [innermost(row) for row in tshark(path, *fields, *checks)]


def _ours(path: Path) -> list[tuple[str, ...]]:
    decoder, ours = Decoder(), []
    for window in Container([path.read_bytes()]).windows():
        for at in range(len(window.start)):
            start = int(window.start[at])
            octets = window.data[start : start + int(window.captured[at])]
            found = decoder.decode(int(window.link[at]), octets, int(window.length[at]))
            ours.append(_told(found) if found else ())
    return ours


def _told(found: Datagram) -> tuple[str, ...]:
    port = str(int.from_bytes(found.payload[:2], "big")) if found.protocol == TCP else ""
    source = packets.ipaddress.ip_address(found.source)
    return str(source), str(found.wire), port, str(found.checksum_bad)
