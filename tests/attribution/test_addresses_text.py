"""Text → address, held against `ipaddress`."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution.address_text import REASONS, WRAPPINGS, parse, reasons

NAT64 = int(IPv6Address("64:ff9b::"))


def read(texts: list[str | None]) -> list[tuple[str, int] | None]:
    """What `parse` says of each text: ("", IPv4 or IPv6 number), or (wrapping, IPv4 number)."""
    parsed = parse(pl.Series(texts, dtype=pl.String))
    found: list[tuple[str, int] | None] = [None] * len(texts)
    for row, number in zip(parsed.ipv4_rows, parsed.ipv4.tolist(), strict=True):
        found[row] = (WRAPPINGS[parsed.wrapping[row]], number)
    buffer = parsed.ipv6.tobytes()
    for place, row in enumerate(parsed.ipv6_rows):
        assert found[row] is None
        found[row] = ("", int.from_bytes(buffer[place * 16 : place * 16 + 16], "big"))
    return found


def expected(text: str | None) -> tuple[str, int] | None:
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return "", int(address)
    if address.scope_id is not None:
        return None
    if address.ipv4_mapped:
        return "IPv4-mapped", int(address.ipv4_mapped)
    if int(address) >> 32 == NAT64 >> 32:
        return "NAT64", int(address) & 0xFFFFFFFF
    if address.sixtofour:
        return "6to4", int(address.sixtofour)
    if address.teredo:
        return "Teredo", int(address.teredo[1])
    return "", int(address)


IPV4 = st.integers(0, 2**32 - 1).map(lambda n: str(IPv4Address(n)))
GROUP = st.sampled_from(["0", "00", "1", "db8", "ffff", "FFFF", "0db8", "12345", "g", ""])
IPV6 = st.one_of(
    st.integers(0, 2**128 - 1).map(lambda n: str(IPv6Address(n))),
    st.integers(0, 2**128 - 1).map(lambda n: IPv6Address(n).exploded),
    st.builds(lambda n, p: str(IPv6Address(n & (2**64 - 1) | p)), st.integers(0), st.just(0x20010DB8 << 96)),
    st.builds(lambda n, p: str(IPv6Address(n & 0xFFFFFFFF | p)), st.integers(0), st.sampled_from([0xFFFF << 32, NAT64])),
    st.builds(lambda n, p: str(IPv6Address(n >> 32 & (2**96 - 1) | p << 96)), st.integers(0), st.sampled_from([0x20010000, 0x2002CB00])),
    st.builds(lambda v4: f"::ffff:{v4}", IPV4),
    st.builds(lambda v4: f"2001:db8::{v4}", IPV4),
    st.lists(GROUP, max_size=10).map(":".join),
)  # fmt: skip
DOTTED = st.lists(
    st.sampled_from(["0", "00", "1", "01", "10", "255", "256", "1000", "", "+1", "a"]), max_size=6
)
ALMOST = st.one_of(IPV4, IPV6, DOTTED.map(".".join)).flatmap(
    lambda text: st.builds(
        lambda at, new: text[: at % (len(text) + 1)] + new + text[at % (len(text) + 1) + 1 :],
        st.integers(0, 50),
        st.sampled_from(["", ":", ".", "0", "%", " ", "\n", "\0", "f", "é", "٣", "/", "[", "]"]),
    )
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), IPV4, IPV6, ALMOST, st.text(max_size=8)), max_size=40))
def test_exactly_the_addresses_of_ipaddress_are_read(texts):
    assert read(texts) == [expected(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("-", "empty"),
        ("unix:", "a Unix-domain socket"),
        ("192.0.2.1, 198.51.100.2", "a list"),
        ("192.0.2.0/24", "a network or a path"),
        ("fe80::1%eth0", "an IPv6 zone is local to the server"),
        ("[2001:db8::1]", "in brackets"),
        ("[2001:db8::1]:443", "in brackets"),
        ("192.0.2.1:443", "with a port"),
        ("2001:db8:::1", "malformed IPv6"),
        ("8.8.8", "not four decimal octets without leading zeros"),
        ("008.8.8.8", "not four decimal octets without leading zeros"),
        ("1.1.1.1.1", "not four decimal octets without leading zeros"),
        ("1.1.1.256", "not four decimal octets without leading zeros"),
        ("client.example.org", "a name"),
        ("1.1.1.1\n", "a name"),
        ("134744072", "not four decimal octets without leading zeros"),
        ("0x8.8.8.8", "a name"),
    ],
)
def test_what_is_no_address_is_not_read_and_says_why(text, reason):
    assert read([text]) == [None]
    assert REASONS[reasons(pl.Series([text]))[0]] == f"not an address: {reason}"
