"""TLS octets for tests: hellos put together by hand, and whole sessions of the ssl module in memory."""

from __future__ import annotations

import datetime
import functools
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from l7meter.captures.base import Moment, Side

AT = Moment(1_700_000_000_000_000_000, 1)


def vector(width: int, octets: bytes) -> bytes:
    return len(octets).to_bytes(width, "big") + octets


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def extension(number: int, octets: bytes = b"") -> bytes:
    return numbers(number) + vector(2, octets)


def server_name(name: bytes) -> bytes:
    return extension(0, vector(2, b"\0" + vector(2, name)))


def alpn(*names: bytes) -> bytes:
    return extension(16, vector(2, b"".join(vector(1, name) for name in names)))


def signatures(*values: int) -> bytes:
    return extension(13, vector(2, numbers(*values)))


def versions(*values: int) -> bytes:
    return extension(43, vector(1, numbers(*values)))


def client_hello(ciphers: bytes, *extensions: bytes, version: int = 0x0303) -> bytes:
    """A ClientHello without handshake header; without extensions as SSL 3.0 sent it."""
    hello = numbers(version) + bytes(32) + vector(1, b"") + vector(2, ciphers) + b"\1\0"
    return hello + (vector(2, b"".join(extensions)) if extensions else b"")


def server_hello(cipher: int, *extensions: bytes, version: int = 0x0303) -> bytes:
    hello = numbers(version) + bytes(32) + vector(1, b"") + numbers(cipher) + b"\0"
    return hello + vector(2, b"".join(extensions))


def handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + vector(2, body)


@functools.cache
def certificate() -> bytes:
    """A throw-away certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.org")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.TraditionalOpenSSL
    return signed.public_bytes(pem) + key.private_bytes(pem, private, serialization.NoEncryption())


def session(
    version: ssl.TLSVersion,
    ciphers: str = "ALL",
    curve: str | None = None,
    request: bytes = b"",
    response: bytes = b"",
) -> list[tuple[Side, bytes]]:
    """What client and server of the ssl module send, in turns; `curve` is the server's only one."""
    client, server = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
    )
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
        context.set_ciphers(ciphers)
        context.set_alpn_protocols(["http/1.1"])
    if curve:
        server.set_ecdh_curve(curve)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pem")
        path.write_bytes(certificate())
        server.load_cert_chain(path)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="example.org"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    sent: list[tuple[Side, bytes]] = []
    bios = (to_server, to_client)

    def step(side: Side, action: str, *arguments: bytes | int) -> bool:
        try:
            getattr(ends[side], action)(*arguments)
            done = True
        except ssl.SSLWantReadError:
            done = False
        if octets := bios[side].read():
            sent.append((side, octets))
            bios[side].write(octets)
        return done

    finished = [False, False]
    while not all(finished):
        for side in Side:
            finished[side] = finished[side] or step(side, "do_handshake")
    for side, octets in ((Side.ORIG, request), (Side.RESP, response)):
        if octets:
            step(side, "write", octets)
            left = len(octets)
            while left:
                left -= len(ends[side.other].read(left))
    return sent
