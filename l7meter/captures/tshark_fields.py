"""What is asked of tshark about a packet, and its answer: a line of tab-separated fields.

Only numbers and hexadecimal octets are asked for, so that no value can hold a separator.
https://www.wireshark.org/docs/dfref/
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

from l7meter.captures.base import Moment
from l7meter.captures.tcp import FIN, RST, SYN

APPLICATION_DATA, CLIENT_HELLO = "23", "1"
EMPTY = "<MISSING>"  # what tshark prints for no octets
UDP_HEADER = 8

FIELDS = (
    "frame.number", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
    "tcp.stream", "tcp.srcport", "tcp.dstport", "tcp.flags",
    "tls.record.content_type", "tls.record.length", "tls.handshake.type", "data.data",
    "udp.stream", "udp.srcport", "udp.dstport", "udp.length",
    "quic.connection.number", "quic.remaining_payload", "quic.stream.stream_id",
    "quic.stream.off", "quic.stream.offset", "quic.stream.fin", "quic.stream_data",
)  # fmt: skip

End = tuple[str, int]  # address as text (RFC 5952), port


class FieldsError(ValueError):
    """A line that is not what was asked for."""


class Stretch(NamedTuple):
    """A STREAM frame of QUIC (RFC 9000 19.8)."""

    connection: int
    stream: int
    offset: int
    octets: bytes
    fin: bool


class Packet(NamedTuple):
    """What tshark says of one packet that ends TLS records, holds QUIC, or begins or ends a connection.

    `octets`: of the TLS records that end in it, headers included; of the UDP payload for QUIC.
    `opened`: none of its application data stayed closed.
    """

    transport: str  # "tcp" or "udp"
    stream: int  # tshark's number of the connection, by transport
    sender: End
    receiver: End
    at: Moment
    octets: int
    opened: bool
    syn: bool = False
    fin: bool = False
    reset: bool = False
    hello: bool = False  # a ClientHello is in it
    plain: tuple[bytes, ...] = ()  # content of the TLS records
    stretches: tuple[Stretch, ...] = ()


def parse(line: bytes) -> Packet:
    """Read a line; FieldsError where it is not what was asked for."""
    values = line.decode("ascii", "replace").rstrip("\r\n").split("\t")
    if len(values) != len(FIELDS):
        raise FieldsError(f"{len(values)} fields where {len(FIELDS)} were asked for")
    said = dict(zip(FIELDS, values, strict=True))
    try:
        return _tcp(said) if said["tcp.stream"] else _udp(said)
    except ValueError as error:
        raise FieldsError(str(error)) from None


def _tcp(said: dict[str, str]) -> Packet:
    kinds, lengths = _all(said["tls.record.content_type"]), _all(said["tls.record.length"])
    plain = tuple(bytes.fromhex(octets) for octets in _all(said["data.data"]) if octets != EMPTY)
    flags = int(_last(said["tcp.flags"]) or "0", 16)
    return Packet(
        "tcp",
        int(_last(said["tcp.stream"])),
        *_ends(said, "tcp"),
        _moment(said),
        sum(5 + int(length) for length in lengths),
        # a record of TLS 1.3 that stays closed has no content type
        len(kinds) == len(lengths) and kinds.count(APPLICATION_DATA) == len(plain),
        bool(flags & SYN),
        bool(flags & FIN),
        bool(flags & RST),
        CLIENT_HELLO in _all(said["tls.handshake.type"]),
        plain,
    )


def _udp(said: dict[str, str]) -> Packet:
    streams, contents = _all(said["quic.stream.stream_id"]), _all(said["quic.stream_data"])
    fins = _all(said["quic.stream.fin"])
    offsets = iter(_all(said["quic.stream.offset"]))  # of the frames that have one
    starts = [int(next(offsets)) if _true(off) else 0 for off in _all(said["quic.stream.off"])]
    connection = int((_all(said["quic.connection.number"]) or ["-1"])[-1])
    return Packet(
        "udp",
        int(_last(said["udp.stream"])),
        *_ends(said, "udp"),
        _moment(said),
        int(_last(said["udp.length"])) - UDP_HEADER,
        not said["quic.remaining_payload"] and connection >= 0,
        stretches=tuple(
            Stretch(
                connection,
                int(stream),
                start,
                b"" if octets == EMPTY else bytes.fromhex(octets),
                _true(fin),
            )
            for stream, start, fin, octets in zip(streams, starts, fins, contents, strict=True)
        ),
    )


def _ends(said: dict[str, str], transport: str) -> tuple[End, End]:
    """Sender and receiver; of packets in packets, the innermost (tshark says it last)."""
    ip = "ipv6" if said["ipv6.src"] else "ip"
    source, destination = (
        (
            _address(_last(said[f"{ip}.{address}"])),
            int(_last(said[f"{transport}.{port}"])),
        )
        for address, port in (("src", "srcport"), ("dst", "dstport"))
    )
    return source, destination


@lru_cache(maxsize=1 << 16)
def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _moment(said: dict[str, str]) -> Moment:
    seconds, _, fraction = said["frame.time_epoch"].partition(".")
    return Moment(int(seconds) * 10**9 + int(fraction.ljust(9, "0")), int(said["frame.number"]))


def _all(values: str) -> list[str]:
    return values.split(",") if values else []


def _last(values: str) -> str:
    return values.rpartition(",")[2]


def _true(flag: str) -> bool:
    return flag in ("1", "True")
