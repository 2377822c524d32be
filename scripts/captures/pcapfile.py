"""Classic pcap files as lists of packets, for the edits that damage a good capture."""

from __future__ import annotations

import struct
from pathlib import Path

HEADER, RECORD = 24, 16  # octets
SERVER_ADDRESS = bytes([192, 0, 2, 80])


def read(path: Path) -> tuple[bytes, list[bytes]]:
    """The file's header, and each packet with its record header."""
    data = path.read_bytes()
    packets, place = [], HEADER
    while place + RECORD <= len(data):
        end = place + RECORD + int.from_bytes(data[place + 8 : place + 12], "little")
        packets.append(data[place:end])
        place = end
    return data[:HEADER], packets


def write(path: Path, header: bytes, packets: list[bytes]) -> None:
    """The inverse of `read`."""
    path.write_bytes(header + b"".join(packets))


def frame(packet: bytes) -> bytes:
    """The packet without its record header."""
    return packet[RECORD:]


def from_server(packet: bytes) -> bool:
    """Whether an Ethernet and IPv4 packet was sent by the server."""
    return frame(packet)[26:30] == SERVER_ADDRESS


def length(packet: bytes) -> int:
    """Octets captured, as the record header says."""
    size: int = struct.unpack_from("<I", packet, 8)[0]
    return size
