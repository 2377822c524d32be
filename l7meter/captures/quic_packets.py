"""QUIC packets with long headers, and Initial packets opened with their published keys.

RFC 9000 17.2, RFC 9001 5, RFC 9369 3: the keys of Initial packets follow from the client's first
connection ID, which is in the packet.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from l7meter.captures.client_hello import Cursor, ShortError

NEGOTIATION = 0  # as a version: the packet lists versions
V1, V2 = 1, 0x6B3343CF
MAX_CONNECTION_ID = 20  # octets
INITIAL, RETRY = 0, 3

# RFC 9001 5.2, RFC 9369 3.3.1 and 3.3.2
SALTS = {
    V1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
}
LABELS = {V1: "quic", V2: "quicv2"}


class LongPacket(NamedTuple):
    """A packet with a long header; `sealed` begins `number_at` octets into `octets`."""

    version: int
    kind: int  # as numbered by version 1: INITIAL, ..., RETRY; of other versions -1
    destination: bytes
    octets: bytes  # header and payload
    number_at: int  # where the packet number is


def varint(cursor: Cursor) -> int:
    """A number of 1, 2, 4 or 8 octets (RFC 9000 16)."""
    first = cursor.number(1)
    rest = cursor.take((1 << (first >> 6)) - 1)
    return int.from_bytes(bytes([first & 0x3F]) + rest, "big")


def long_packet(octets: bytes) -> LongPacket | None:
    """The first packet of a datagram's octets, if it has a whole long header of a known form.

    A packet of unknown version, a Retry and a Version Negotiation take all octets.
    """
    cursor = Cursor(octets)
    try:
        first, version = cursor.number(1), cursor.number(4)
        if not first & 0x80:
            return None
        destination, source = cursor.vector(1), cursor.vector(1)
        if version not in SALTS:
            return LongPacket(version, -1, destination, octets, 0)
        if not first & 0x40 or max(len(destination), len(source)) > MAX_CONNECTION_ID:
            return None
        kind = (first >> 4) & 3
        if version == V2:  # the types are one further (RFC 9369 3.2)
            kind = (kind - 1) % 4
        if kind == RETRY:
            return LongPacket(version, kind, destination, octets, 0)
        if kind == INITIAL:
            cursor.take(varint(cursor))  # token
        length = varint(cursor)
        number_at = len(octets) - len(cursor)
        cursor.take(length)
    except ShortError:
        return None
    return LongPacket(version, kind, destination, octets[: number_at + length], number_at)


class Keys:
    """What opens a client's Initial packets."""

    def __init__(self, version: int, destination: bytes) -> None:
        self.version = version
        secret = hmac.digest(SALTS[version], destination, hashlib.sha256)
        secret = _expand(secret, "client in", 32)
        self._aead = AESGCM(_expand(secret, f"{LABELS[version]} key", 16))
        self._iv = _expand(secret, f"{LABELS[version]} iv", 12)
        mask = algorithms.AES128(_expand(secret, f"{LABELS[version]} hp", 16))
        self._mask = Cipher(mask, modes.ECB())  # a block at a time (RFC 9001 5.4.3)
        self._expected = 0  # number of the next packet

    def open(self, packet: LongPacket) -> bytes | None:
        """The frames of an Initial packet; None where these are not its keys."""
        octets, at = packet.octets, packet.number_at
        sample = octets[at + 4 : at + 20]
        if len(sample) < 16:
            return None
        mask = self._mask.encryptor().update(sample)
        first = octets[0] ^ (mask[0] & 0x0F)
        width = (first & 3) + 1
        number = bytes(a ^ b for a, b in zip(octets[at : at + width], mask[1:], strict=False))
        whole = self._whole(int.from_bytes(number, "big"), 8 * width)
        nonce = (int.from_bytes(self._iv, "big") ^ whole).to_bytes(12, "big")
        header = bytes([first]) + octets[1:at] + number
        try:
            frames = self._aead.decrypt(nonce, octets[at + width :], header)
        except InvalidTag:
            return None
        self._expected = max(self._expected, whole + 1)
        return frames

    def _whole(self, number: int, bits: int) -> int:
        """The packet number whose last bits were sent (RFC 9000 A.3): the one nearest to the next."""
        window = 1 << bits
        near = (self._expected & -window) | number
        if near <= self._expected - window // 2:
            return near + window
        if near > self._expected + window // 2 and near >= window:
            return near - window
        return near


def _expand(secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label without context, for one block of output (RFC 8446 7.1)."""
    name = b"tls13 " + label.encode("ascii")
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0" + b"\1"
    return hmac.digest(secret, info, hashlib.sha256)[:size]
