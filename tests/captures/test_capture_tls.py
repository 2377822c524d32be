"""TLS without keys: hello, version, and octets by record."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_samples import (
    AT,
    alpn,
    client_hello,
    extension,
    handshake,
    numbers,
    record,
    server_hello,
    server_name,
    session,
    versions,
)

from l7meter.captures.base import Side
from l7meter.captures.tls import Tls, looks_like_tls

ORIG, RESP = Side
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
HELLO = handshake(1, client_hello(numbers(0x1302), server_name(b"example.org"), versions(0x0304)))


def read(sent, midstream=False):
    tls = Tls(midstream)
    for side, octets in sent:
        tls.data(side, octets, AT)
    for side in Side:
        size = sum(len(octets) for of, octets in sent if of == side)
        assert size == 5 * tls.records[side] + tls.bodies[side] + tls.other[side]
    return tls


def facts(tls):
    return (
        tls.hello, tls.version, tls.cipher, tls.alpn, tls.overhead,
        tls.application, tls.records, tls.bodies, tls.other,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ciphers", "overhead", "added"),
    [
        ("ECDHE-ECDSA-AES256-GCM-SHA384", (8, 16), 0),
        ("ECDHE-ECDSA-AES128-CCM", (8, 16), 0),
        ("ECDHE-ECDSA-AES128-CCM8", (8, 8), 0),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", (0, 16), 0),
        ("ECDHE-ECDSA-AES128-SHA", None, 16 + 20 + 16),  # vector, MAC, at most a block of padding
    ],
)
def test_application_octets_of_tls_1_2(ciphers, overhead, added):
    tls = read(session(TLS12, ciphers, request=b"q" * 300, response=b"r" * 40_000))
    assert (tls.version, tls.alpn, tls.overhead) == ("TLSv1.2", "http/1.1", overhead)
    assert tls.hello.server_name == "example.org"
    assert 300 <= tls.application[ORIG] <= 300 + added
    assert 40_000 <= tls.application[RESP] <= 40_000 + 3 * added
    assert tls.other == [0, 0]


def test_application_octets_of_tls_1_3_are_an_upper_bound():
    idle = read(session(TLS13, request=b"q", response=b"r"))
    busy = read(session(TLS13, request=b"q" * 300, response=b"r" * 40_000))
    assert (busy.version, busy.alpn, busy.overhead) == ("TLSv1.3", None, (0, 17))
    assert busy.application[ORIG] - idle.application[ORIG] == 299
    # certificate and tickets are in both; the signature's length varies by some octets
    assert abs(busy.application[RESP] - idle.application[RESP] - 39_999) < 16
    assert 32 < idle.application[ORIG] < 100  # the Finished message and one octet


def test_hello_retry_request():
    sent = session(TLS13, curve="secp384r1")
    assert [side for side, _ in sent][:4] == [ORIG, RESP, ORIG, RESP]  # two hellos of the client
    tls = read(sent)
    assert (tls.hello.version, tls.version) == ("TLSv1.3", "TLSv1.3")


def test_several_messages_a_record_and_one_message_over_several_records():
    whole = handshake(0, b"") + HELLO
    for size in (1, 7, len(whole)):
        records = [record(22, whole[at : at + size]) for at in range(0, len(whole), size)]
        tls = read([(ORIG, b"".join(records))])
        assert tls.hello.server_name == "example.org"
        assert tls.records == [len(records), 0]


def test_a_post_quantum_hello_larger_than_a_record():
    large = client_hello(
        numbers(0x1302), extension(0x33, bytes(20_000)), server_name(b"example.org")
    )
    message = handshake(1, large)
    tls = read([(ORIG, record(22, message[:16384])), (ORIG, record(22, message[16384:]))])
    assert tls.hello.server_name == "example.org"


def test_a_handshake_message_beyond_the_limit_is_not_kept():
    start = b"\1" + (1 << 20).to_bytes(3, "big")
    tls = read([(ORIG, record(22, start + bytes(16000)))] + [(ORIG, record(22, bytes(16000)))] * 4)
    assert tls.hello is None
    assert tls.records == [5, 0]


def test_encrypted_handshake_messages_are_not_read():
    finished = record(20, b"\1") + record(22, HELLO)
    assert read([(ORIG, finished)]).hello is None


def test_alpn_of_a_server_hello():
    hello = handshake(2, server_hello(0xC02F, alpn(b"h2")))
    tls = read([(RESP, record(22, hello))])
    assert (tls.version, tls.cipher, tls.alpn) == ("TLSv1.2", 0xC02F, "h2")


def test_without_a_server_hello_bodies_are_counted_whole():
    tls = read([(ORIG, record(23, bytes(100))), (RESP, record(23, bytes(9)))])
    assert (tls.overhead, tls.application) == (None, [100, 9])


def test_records_shorter_than_their_overhead():
    hello = record(22, handshake(2, server_hello(0xC02F)))
    tls = read([(RESP, hello + record(23, bytes(3)) + record(23, b"") + record(23, bytes(25)))])
    assert tls.application == [0, 1]


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x80\x2e\x01\x03\x01\x00\x15\x00",  # SSLv2 framing (RFC 5246 E.2)
        b"SSH-2.0-OpenSSH\r\n",
        b"\x16\x03\x01",
        b"\x16\x03\x01\xff\xff\x01",
        b"\x16\x03\x09\x00\x20\x01",
        b"\x16\x03\x01\x00\x20\x07",
        b"",
    ],
)
def test_what_is_no_tls(octets):
    assert not looks_like_tls(octets)
    assert read([(ORIG, octets)]).hello is None


def test_what_is_tls():
    assert looks_like_tls(record(22, HELLO))
    assert looks_like_tls(record(23, bytes(40)))
    assert looks_like_tls(record(21, b"\2\50"))


def test_after_octets_that_are_no_record_two_records_in_a_chain_count():
    records = record(23, bytes(200)) + record(23, bytes(50))
    garbage = b"\x16\x03\x01\x00\x05 not a chain"
    assert facts(read([(ORIG, b"GET /" + garbage + records)]))[-4:] == (
        [250, 0], [2, 0], [250, 0], [5 + len(garbage), 0],
    )  # fmt: skip


def test_a_gap_inside_a_record_keeps_the_step():
    tls = Tls()
    tls.data(ORIG, record(23, bytes(1000))[:105], AT)
    tls.gap(ORIG, 900, AT)
    tls.data(ORIG, record(23, bytes(10)), AT)
    assert (tls.records, tls.bodies, tls.other) == ([2, 0], [110, 0], [0, 0])


def test_a_gap_over_a_header_loses_the_step_until_two_records_follow():
    tls = Tls()
    tls.data(RESP, record(23, bytes(100))[:50], AT)
    tls.gap(RESP, 100, AT)
    tls.data(RESP, b"rest of a body" + record(23, bytes(30)) + record(21, b"\1\0"), AT)
    assert (tls.records, tls.bodies, tls.other) == ([0, 3], [0, 45 + 32], [0, 14])


def test_a_capture_that_starts_inside_a_record():
    octets = b"rest of a body" + record(23, bytes(30)) * 3
    tls = read([(ORIG, octets)], midstream=True)
    assert (tls.hello, tls.records, tls.other) == (None, [3, 0], [14, 0])


PIECES = st.one_of(
    st.binary(max_size=40),
    st.builds(record, st.integers(20, 24), st.binary(max_size=60)),
    st.just(record(22, HELLO)),
    st.just(record(22, handshake(2, server_hello(0x1301, extension(43, b"\3\4"))))),
    st.sampled_from([b"\x17\x03\x03", b"\x17\x03\x03\x00\x05", b"\x17\x03", b"\x17"]),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(Side), PIECES | st.integers(1, 100)), max_size=8),
    st.integers(1, 30),
    st.booleans(),
)
def test_octets_are_conserved_however_they_are_split(events, size, midstream):
    whole, split, given_octets = Tls(midstream), Tls(midstream), [0, 0]
    for side, event in events:
        if isinstance(event, int):
            whole.gap(side, event, AT)
            split.gap(side, event, AT)
            continue
        given_octets[side] += len(event)
        whole.data(side, event, AT)
        for at in range(0, len(event), size):
            split.data(side, event[at : at + size], AT)
        for tls in (whole, split):
            found = [
                5 * n + bodies + other
                for n, bodies, other in zip(tls.records, tls.bodies, tls.other, strict=True)
            ]
            assert found == given_octets
    assert facts(whole) == facts(split)
    assert all(a <= b for a, b in zip(whole.application, whole.bodies, strict=True))
