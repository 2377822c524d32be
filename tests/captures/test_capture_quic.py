"""QUIC: the ClientHello in Initial packets, which anybody can open."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_samples import (
    AT,
    alpn,
    client_hello,
    extension,
    handshake,
    numbers,
    server_name,
    signatures,
    versions,
)

from l7meter.captures.base import Side
from l7meter.captures.quic import MAX_INITIALS, Quic, looks_like_quic

ORIG, RESP = Side
V1, V2 = 1, 0x6B3343CF
SALTS = {
    V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
    V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9",
}
LABELS = {V1: b"quic", V2: b"quicv2"}
DCID = bytes.fromhex("8394c8f03e515708")
HELLO = handshake(1, client_hello(
    numbers(0x1301, 0x1302), server_name(b"example.org"), alpn(b"h3"), versions(0x0304),
    signatures(0x0403), extension(0x39, bytes(50)), extension(0x33, bytes(1200)),
))  # fmt: skip

# RFC 9001 A.2 (RFC 9369 A.2 has the same): the CRYPTO frame of the client's Initial
RFC_FRAME = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868"
    "04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578"
    "616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
    "04616c706e000500050100000000003300260024001d00209370b2c9caa47fba"
    "baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400"
    "0d0010000e0403050306030203080408050806002d00020101001c0002400100"
    "3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
    "75300901100f088394c8f03e51570806048000ffff"
)


def varint(number: int) -> bytes:
    return (number | 0x8000_0000).to_bytes(4, "big")


def crypto(offset: int, octets: bytes) -> bytes:
    return b"\6" + varint(offset) + varint(len(octets)) + octets


def long_header(version: int, kind: int, destination: bytes, source: bytes = b"") -> bytes:
    kind = (kind + (version == V2)) % 4
    ids = bytes([len(destination)]) + destination + bytes([len(source)]) + source
    return bytes([0xC0 | kind << 4]) + version.to_bytes(4, "big") + ids


def initial(frames: bytes, number: int = 0, version: int = V1, keyed: bytes = DCID,
            destination: bytes | None = None, token: bytes = b"", width: int = 4) -> bytes:  # fmt: skip
    """A client's Initial packet, sealed with the keys of `keyed`."""

    def expand(secret, label, size):
        info = size.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
        return HKDFExpand(SHA256(), size, info).derive(secret)

    secret = expand(
        hmac.digest(bytes.fromhex(SALTS[version]), keyed, hashlib.sha256), b"client in", 32
    )
    key, iv, hp = (
        expand(secret, LABELS[version] + b" " + what, size)
        for what, size in ((b"key", 16), (b"iv", 12), (b"hp", 16))
    )
    size = width + len(frames) + 16
    header = long_header(version, 0, keyed if destination is None else destination)
    header += bytes([len(token)]) + token + (size | 0x4000).to_bytes(2, "big")
    first, at = header[0] | width - 1, len(header)
    header = bytes([first]) + header[1:] + (number % 256**width).to_bytes(width, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = header + AESGCM(key).encrypt(nonce, frames, header)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sealed[at + 4 : at + 20])
    hidden = bytes(a ^ b for a, b in zip(sealed[at : at + width], mask[1:], strict=False))
    return bytes([first ^ mask[0] & 15]) + sealed[1:at] + hidden + sealed[at + width :]


def read(*datagrams: bytes) -> Quic:
    quic = Quic()
    for datagram in datagrams:
        quic.datagram(ORIG, datagram, AT)
    return quic


@pytest.mark.parametrize(
    ("version", "name", "start", "end"),
    [
        (V1, "1", "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
         "e221af44860018ab0856972e194cd934"),
        (V2, "2", "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
         "a18b2faa745b6fe189cf772a9f84cbfc"),
    ],
)  # fmt: skip
def test_the_sample_packets_of_rfc_9001_and_rfc_9369(version, name, start, end):
    packet = initial(RFC_FRAME.ljust(1162, b"\0"), 2, version)
    assert packet[:32].hex() == start
    assert packet[-16:].hex() == end  # the tag, a sum over all of the packet
    quic = read(packet)
    assert (quic.version, quic.datagrams, quic.octets) == (name, [1, 0], [1200, 0])
    assert quic.hello.server_name == "example.com"
    assert quic.hello.alpn == ("alpn",)
    assert quic.hello.version == "TLSv1.3"
    assert quic.hello.ja4.startswith("q13d0211an_")


def test_crypto_frames_out_of_order_over_several_packets():
    """As clients shuffle and cut them so that nobody relies on their order."""
    first = crypto(500, HELLO[500:700]) + b"\0\0\1" + crypto(0, HELLO[:90]) + bytes(40)
    second = crypto(690, HELLO[690:]) + b"\2\0\0\0\0" + crypto(90, HELLO[90:500])
    for packets in (
        [initial(first, 0), initial(second, 1)],
        [initial(second, 1), initial(first, 0)],
    ):
        assert read(packets[0]).hello is None
        assert read(*packets).hello.server_name == "example.org"


def test_coalesced_packets():
    handshake_packet = long_header(V1, 2, DCID) + varint(30) + bytes(30)
    datagram = (
        handshake_packet + initial(crypto(0, HELLO[:700])) + initial(crypto(700, HELLO[700:]), 1)
    )
    assert read(datagram + b"\x40 short header").hello.server_name == "example.org"


def test_a_retry_makes_new_keys():
    quic = read(initial(crypto(0, HELLO[:700])))
    quic.datagram(RESP, long_header(V1, 3, b"", b"new-one!") + b"token" + bytes(16), AT)
    quic.datagram(ORIG, initial(crypto(0, HELLO[:700]), 1, keyed=b"new-one!", token=b"token"), AT)
    quic.datagram(ORIG, initial(crypto(700, HELLO[700:]), 2, keyed=b"new-one!", token=b"token"), AT)
    assert quic.hello.server_name == "example.org"
    assert quic.datagrams == [3, 1]


def test_the_keys_stay_when_the_server_has_chosen_its_connection_id():
    quic = read(initial(crypto(0, HELLO[:700])))
    quic.datagram(ORIG, initial(crypto(700, HELLO[700:]), 1, destination=b"chosen"), AT)
    assert quic.hello.server_name == "example.org"


def test_version_negotiation():
    quic = read(long_header(0x1A2A3A4A, 0, DCID) + bytes(1200))
    assert quic.version == "0x1a2a3a4a"
    quic.datagram(RESP, long_header(0, 0, b"", DCID) + V2.to_bytes(4, "big"), AT)
    quic.datagram(ORIG, initial(crypto(0, HELLO), version=V2), AT)
    assert (quic.version, quic.hello.server_name) == ("2", "example.org")


def test_the_server_chooses_a_compatible_version():
    quic = read(initial(crypto(0, HELLO)))
    assert quic.version == "1"
    quic.datagram(RESP, long_header(V2, 0, b"", DCID) + b"\0" + varint(30) + bytes(30), AT)
    quic.datagram(ORIG, long_header(V1, 2, DCID) + varint(30) + bytes(30), AT)
    assert quic.version == "2"


def test_packet_numbers_are_cut_to_their_last_octets():
    first = initial(crypto(0, HELLO[:700]), 0x1234_56FE)
    assert read(first, initial(crypto(700, HELLO[700:]), 0x1234_5701, width=1)).hello
    assert read(first, initial(crypto(700, HELLO[700:]), 0x1234_56F0, width=1)).hello


def test_a_packet_that_was_changed_is_not_opened():
    packet = bytearray(initial(crypto(0, HELLO)))
    packet[-1] ^= 1
    assert read(bytes(packet)).hello is None


def test_only_so_many_packets_are_tried():
    wrong = initial(crypto(0, HELLO), keyed=DCID, destination=b"other")
    right = initial(crypto(0, HELLO))
    assert read(*[wrong] * (MAX_INITIALS - 1), right).hello
    assert read(*[wrong] * MAX_INITIALS, right).hello is None


def test_crypto_beyond_the_limit_is_not_kept():
    assert read(initial(crypto(1 << 29, b"x") + crypto(0, HELLO))).hello
    assert read(initial(b"\6" + b"\xff" * 8 + b"\1x"), initial(crypto(0, HELLO), 1)).hello


def test_what_looks_like_quic():
    assert looks_like_quic(initial(crypto(0, HELLO)))
    assert looks_like_quic(initial(crypto(0, HELLO), version=V2))
    for other in (b"", b"\xc0", bytes(1200), b"\xff" * 1200, long_header(0x1A2A3A4A, 0, DCID) + bytes(99),
                  b"\x12\x34\x01\x00\x00\x01" + bytes(30)):  # the last is DNS  # fmt: skip
        assert not looks_like_quic(other)


WHOLE = initial(crypto(0, HELLO))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=80), st.integers(0, 60), st.binary(max_size=3), st.sampled_from(Side))
def test_any_octets_are_taken(octets, at, change, side):
    quic = Quic()
    for datagram in (octets, WHOLE[:at] + change + WHOLE[at + len(change) :]):
        quic.datagram(side, datagram, AT)
    for frames in (octets, b"\6" + octets, b"\2" + octets, crypto(3, octets)):
        quic.datagram(ORIG, initial(frames.ljust(20, b"\0")), AT)
    assert sum(quic.datagrams) == 6
