"""ClientHello and JA4: what a client offers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_samples import (
    alpn,
    client_hello,
    extension,
    numbers,
    server_name,
    signatures,
    vector,
    versions,
)

from l7meter.captures.client_hello import parse_client_hello

# the example of the specification of JA4, GREASE added as its browser did
CIPHERS = numbers(0x1A1A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8,
                  0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035)  # fmt: skip
EXTENSIONS = (
    extension(0x0A0A),
    extension(0x001B),
    server_name(b"www.example.org"),
    extension(0x0033),
    alpn(b"h2", b"http/1.1"),
    extension(0x4469),
    extension(0x0017),
    versions(0x2A2A, 0x0304, 0x0303),
    signatures(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601),
    *(extension(n) for n in (0x2D, 0x05, 0x23, 0x12, 0xFF01, 0x0B, 0x0A, 0x15)),
)
BROWSER = client_hello(CIPHERS, *EXTENSIONS)


def test_the_example_of_the_specification():
    hello = parse_client_hello(BROWSER, "t")
    assert hello.ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert hello.version == "TLSv1.3"
    assert hello.server_name == "www.example.org"
    assert hello.alpn == ("h2", "http/1.1")
    assert not hello.ech


def test_shuffled_extensions_and_quic():
    shuffled = client_hello(CIPHERS, *reversed(EXTENSIONS))
    assert parse_client_hello(shuffled, "q").ja4 == "q13d1516h2_8daaf6152771_e5627efa2ab1"


def test_a_hello_without_extensions():
    hello = parse_client_hello(client_hello(numbers(0x002F), version=0x0300), "t")
    assert (hello.version, hello.server_name, hello.alpn) == ("SSLv3", None, ())
    assert hello.ja4.startswith("ts3i010000_")
    assert hello.ja4.endswith("_000000000000")


def test_server_name_and_alpn_alone_are_no_extensions_to_hash():
    hello = parse_client_hello(client_hello(b"", server_name(b"example.org"), alpn(b"h2")), "t")
    assert hello.ja4 == "t12d0002h2_000000000000_000000000000"


@pytest.mark.parametrize(
    ("names", "ends"),
    [
        ((b"http/1.1", b"h2"), "h1"),
        ((b"h",), "hh"),
        ((b"\xab",), "ab"),
        ((b"\xab\xcd",), "ad"),
        ((b"0\xab",), "3b"),
        ((b"01\xab\xcd",), "3d"),
        ((b"0\xab\xcd1",), "01"),
        ((b"",), "00"),
        ((), "00"),
    ],
)
def test_ends_of_the_first_alpn_name(names, ends):
    assert parse_client_hello(client_hello(b"", alpn(*names)), "t").ja4[8:10] == ends


def test_more_than_99_ciphers():
    hello = parse_client_hello(client_hello(numbers(*range(0x100, 0x200)), extension(5)), "t")
    assert hello.ja4.startswith("t12i990100_")


@pytest.mark.parametrize(
    ("offered", "version", "ja4"),
    [(0x0304, "TLSv1.3", "t13"), (0x0302, "TLSv1.1", "t11"), (0x7F1C, "0x7f1c", "t00")],
)
def test_highest_offered_version(offered, version, ja4):
    hello = parse_client_hello(client_hello(b"", versions(0x0301, 0xFAFA, offered)), "t")
    assert (hello.version, hello.ja4[:3]) == (version, ja4)


def test_encrypted_client_hello():
    assert parse_client_hello(client_hello(b"", extension(0xFE0D, b"\0")), "t").ech


def test_a_server_name_that_is_no_host_name():
    entry = extension(0, vector(2, b"\1" + vector(2, b"example.org")))
    hello = parse_client_hello(client_hello(b"", entry), "t")
    assert hello.server_name is None
    assert hello.ja4[3] == "d"  # the extension is there


def test_a_server_name_of_any_octets():
    hello = parse_client_hello(
        client_hello(b"", server_name("bücher.example".encode() + b"\xff")), "t"
    )
    assert hello.server_name == "bücher.example\\xff"


def test_every_cut_is_refused():
    after_ciphers = len(client_hello(CIPHERS))  # without extensions: a whole hello
    read = [n for n in range(len(BROWSER)) if parse_client_hello(BROWSER[:n], "t")]
    assert read == [after_ciphers]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, len(BROWSER) - 1), st.binary(max_size=4), st.binary(max_size=60))
def test_any_octets_are_read_or_refused(at, change, alone):
    changed = BROWSER[:at] + change + BROWSER[at + len(change) :]
    for octets in (changed, alone):
        hello = parse_client_hello(octets, "t")
        assert hello is None or len(hello.ja4) == 36
