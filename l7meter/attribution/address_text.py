"""Text of client addresses → numbers, as strictly as `ipaddress` reads it, without guessing.

What is not exactly an address (`8.8.8`, `008.8.8.8`, a zone, brackets, a port, a host name, `unix:`) is not
read at all. IPv6 addresses that carry the IPv4 address of the client are unwrapped to it:

| block | how the client's IPv4 address is held | source |
|---|---|---|
| `::ffff:0:0/96` | IPv4-mapped: last 32 bits | RFC 4291 §2.5.5.2 |
| `64:ff9b::/96` | NAT64: last 32 bits | RFC 6052 §2.1 |
| `2002::/16` | 6to4: bits 16 to 47, the router of the site | RFC 3056 §2 |
| `2001::/32` | Teredo: last 32 bits inverted, the client's NAT | RFC 4380 §4 |

A 6to4 or Teredo client has received the response through that IPv4 address, so its holder carried it.
"""

from __future__ import annotations

from socket import AF_INET6, inet_pton
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.attribution.ranges import Keys

WRAPPINGS = ("", "IPv4-mapped", "NAT64", "6to4", "Teredo")

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"^{_OCTET}(?:\.{_OCTET}){{3}}$"
_IPV6 = r"^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$"  # what `inet_pton` may see; it decides

# Why a text is no address, first match first, for `explain`.
_REASONS = (
    (r"^-?$", "not an address: empty"),
    (r"(?i)^unix:", "not an address: a Unix-domain socket"),
    (r",", "not an address: a list"),
    (r"/", "not an address: a network or a path"),
    (r"%", "not an address: an IPv6 zone is local to the server"),
    (r"^\[", "not an address: in brackets"),
    (r"^[0-9.]+:[0-9]+$", "not an address: with a port"),
    (r":", "not an address: malformed IPv6"),
    (r"^[0-9.]+$", "not an address: not four decimal octets without leading zeros"),
    (r"", "not an address: a name"),
)
REASONS = tuple(reason for _, reason in _REASONS)


class Addresses(NamedTuple):
    """Numbers of the texts that are addresses; each row is in at most one of the two."""

    ipv4_rows: NDArray[np.int64]
    ipv4: Keys  # uint32, unwrapped ones included
    ipv6_rows: NDArray[np.int64]
    ipv6: Keys  # S16
    wrapping: NDArray[np.uint8]  # per text: position in WRAPPINGS


def parse(texts: pl.Series) -> Addresses:
    """Numbers of every text that is an address; null is none."""
    is_ipv4 = texts.str.contains(_IPV4).fill_null(False)
    ipv4_rows = np.flatnonzero(is_ipv4.to_numpy())
    ipv4 = _octets(texts.filter(is_ipv4))
    rows, ipv6 = _ipv6(texts, np.flatnonzero(~is_ipv4.to_numpy()))
    held, kind = _unwrap(ipv6)
    wrapped = kind > 0
    wrapping = np.zeros(len(texts), np.uint8)
    wrapping[rows] = kind
    return Addresses(
        np.concatenate([ipv4_rows, rows[wrapped]]),
        np.concatenate([ipv4, held[wrapped]]),
        rows[~wrapped],
        ipv6[~wrapped],
        wrapping,
    )


def reasons(texts: pl.Series) -> pl.Series:
    """Position in `REASONS` of why each text, known to be no address, is none."""
    branches: Any = pl
    for position, (pattern, _) in enumerate(_REASONS):
        branches = branches.when(pl.col("text").str.contains(pattern)).then(pl.lit(position))
    return texts.rename("text").to_frame().select(branches.alias("reason")).to_series()


def _octets(texts: pl.Series) -> Keys:
    # Texts are valid: joined by dots, the octets are what lies between the dots of one buffer
    # (70 ns an address; splitting each text and casting its parts takes 130 ns).
    if not len(texts):
        return np.empty(0, np.uint32)
    joined = texts.str.join(".").to_arrow(compat_level=pl.CompatLevel.oldest())
    octets = np.frombuffer(joined.buffers()[2], np.uint8)
    ends = np.append(np.flatnonzero(octets == ord(".")), len(octets))
    length = np.diff(ends, prepend=-1) - 1
    value = octets[ends - 1] - np.uint8(ord("0"))
    value += (octets[ends - 2] - np.uint8(ord("0"))) * np.uint8(10) * (length > 1)
    value += (octets[ends - 3] - np.uint8(ord("0"))) * np.uint8(100) * (length > 2)
    numbers: Keys = value.view(">u4").astype(np.uint32)
    return numbers


def _ipv6(texts: pl.Series, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Keys]:
    candidates = texts.gather(rows)
    plausible = candidates.str.contains(_IPV6).fill_null(False)
    rows = rows[plausible.to_numpy()]
    # The C library reads 4 M addresses/s; a loop over distinct addresses, one in ten as a rule.
    packed = [_pton(text) for text in candidates.filter(plausible).to_list()]
    valid = np.array([octets is not None for octets in packed], bool)
    return rows[valid], np.frombuffer(b"".join(filter(None, packed)), "S16")


def _pton(text: str) -> bytes | None:
    try:
        return inet_pton(AF_INET6, text)
    except OSError:
        return None


def _unwrap(keys: Keys) -> tuple[Keys, NDArray[np.uint8]]:
    words = keys.view(">u4").reshape(-1, 4).astype(np.uint32)
    first, last = words[:, 0], words[:, 3]
    empty = (first == 0) & (words[:, 1] == 0)
    mapped = empty & (words[:, 2] == 0xFFFF)
    nat64 = (first == 0x64FF9B) & (words[:, 1] == 0) & (words[:, 2] == 0)
    six_to_four = first >> 16 == 0x2002
    teredo = first == 0x20010000
    kind = np.select([mapped, nat64, six_to_four, teredo], [1, 2, 3, 4], 0).astype(np.uint8)
    held = np.select([mapped | nat64, six_to_four], [last, first << 16 | words[:, 1] >> 16], ~last)
    return held.astype(np.uint32), kind
