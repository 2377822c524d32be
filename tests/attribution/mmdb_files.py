"""A writer of MaxMind databases, as small as the tests need: https://maxmind.github.io/MaxMind-DB/."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

BUILT = 1790857088  # 2026-10-01
_SEPARATOR = bytes(16)
_TYPES = {dict: 7, list: 11}


def database(
    records: Mapping[str, Any],
    database_type: str,
    record_size: int = 24,
    ip_version: int = 6,
    aliases: tuple[str, ...] = (),
) -> bytes:
    """A database of networks and their records; `aliases` are prefixes that lead to the IPv4 tree."""
    tree = _Tree(32 if ip_version == 4 else 128)
    data = bytearray()
    for text, record in records.items():
        network = ip_network(text)
        shift = 96 if network.version == 4 and ip_version == 6 else 0
        tree.put(int(network.network_address), network.prefixlen + shift, len(data))
        data += _encoded(record)
    if aliases:
        root = tree.node(0, 96)
        for text in aliases:
            network = ip_network(text)
            tree.alias(int(network.network_address), network.prefixlen, root)
    metadata = {
        "node_count": (6, len(tree.nodes)),
        "record_size": (5, record_size),
        "ip_version": (5, ip_version),
        "database_type": database_type,
        "languages": ["en"],
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, BUILT),
        "description": {"en": "made for a test"},
    }
    return (
        tree.encoded(record_size)
        + _SEPARATOR
        + data
        + b"\xab\xcd\xefMaxMind.com"
        + _encoded(metadata)
    )


class _Tree:
    """Nodes of two sides, each None, ("node", number) or ("data", offset)."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.nodes: list[list[tuple[str, int] | None]] = [[None, None]]

    def node(self, address: int, depth: int) -> int:
        """The node at a depth on the way to an address, made where it is not there."""
        at = 0
        for place in range(depth):
            side = address >> (self.bits - 1 - place) & 1
            child = self.nodes[at][side]
            if child is None:
                self.nodes.append([None, None])
                child = self.nodes[at][side] = ("node", len(self.nodes) - 1)
            assert child[0] == "node", "the networks of a test do not nest"
            at = child[1]
        return at

    def put(self, address: int, length: int, offset: int) -> None:
        self._set(address, length, ("data", offset))

    def alias(self, address: int, length: int, node: int) -> None:
        self._set(address, length, ("node", node))

    def _set(self, address: int, length: int, value: tuple[str, int]) -> None:
        side = address >> (self.bits - length) & 1
        self.nodes[self.node(address, length - 1)][side] = value

    def encoded(self, record_size: int) -> bytes:
        return b"".join(_node(*map(self._number, node), record_size) for node in self.nodes)

    def _number(self, side: tuple[str, int] | None) -> int:
        if side is None:
            return len(self.nodes)
        return side[1] if side[0] == "node" else len(self.nodes) + len(_SEPARATOR) + side[1]


def _node(left: int, right: int, record_size: int) -> bytes:
    if record_size == 28:
        middle = left >> 24 << 4 | right >> 24
        low = 0xFFFFFF
        return b"".join(
            (
                (left & low).to_bytes(3, "big"),
                middle.to_bytes(1, "big"),
                (right & low).to_bytes(3, "big"),
            )
        )
    return b"".join(side.to_bytes(record_size // 8, "big") for side in (left, right))


def _encoded(value: Any) -> bytes:
    """A string, map, list, or number with its type (5: uint16, 6: uint32, 9: uint64)."""
    if isinstance(value, tuple):
        kind, number = value
        octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return _control(kind, len(octets)) + octets
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    items = [each for pair in value.items() for each in pair] if isinstance(value, dict) else value
    return _control(_TYPES[type(value)], len(value)) + b"".join(map(_encoded, items))


def _control(kind: int, size: int) -> bytes:
    assert size < 29 + 256, "no longer value is needed"
    first, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | first]) if kind <= 7 else bytes([first, kind - 7])) + more
