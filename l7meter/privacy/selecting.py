"""Which stored records are of given persons or networks: for erasure, and for requests of access."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

import polars as pl

from l7meter.columns import map_distinct
from l7meter.errors import UsageError
from l7meter.privacy.addresses import KEPT_BITS, bounds, carried, read, written
from l7meter.privacy.keys import MARK, Keys

Network = IPv4Network | IPv6Network
ENUMERATED = 1 << 16  # addresses of networks whose pseudonyms are tried: 0.1 s a key


class _Asked(NamedTuple):
    """What is looked for: ranges of octets by their length, and pseudonyms."""

    ranges: dict[int, list[tuple[bytes, bytes]]]
    pseudonyms: frozenset[str]
    truncated: bool

    def holds(self, text: str) -> bool:
        """Whether a stored address, or one entry of a list, is asked for."""
        text = text.strip()
        if text.startswith(MARK):
            return text in self.pseudonyms
        octets = read(text)
        if octets is None:
            return False
        inner = carried(octets)
        return self._inside(octets) or (inner is not None and self._inside(inner))

    def _inside(self, octets: bytes) -> bool:
        last = octets
        kept = KEPT_BITS[len(octets)] // 8
        if self.truncated and not any(octets[kept:]):
            last = octets[:kept] + b"\xff" * (len(octets) - kept)
        return any(start <= octets and last <= end for start, end in self.ranges[len(octets)])


def selection(
    addresses: Sequence[str | Network] = (),
    user_names: Sequence[str] = (),
    keys: Keys | None = None,
    *,
    truncated: bool = True,
) -> pl.Expr:
    """Whether a stored record is of one of these addresses, networks or user names; never null.

    Looks into client_address, network_peer_address, each entry of forwarded_for, and user_name. A full
    address is of a network that holds it; a pseudonym of an address, or of a network of up to `ENUMERATED`
    addresses, is found with its key. A stored address that ends like a truncated one (`192.0.2.0`) stands for its
    whole /24 (/48), and is found only where all of that was asked for; `truncated=False` says that the store
    never had truncated ones. `untold` says what of this cannot be found. Raises `UsageError` for what is no
    network, and where nothing is asked for.
    """
    if not addresses and not user_names:
        raise UsageError("nobody is named: give an address, a network or a user name")
    networks = [network_of(each) for each in addresses]
    found: list[pl.Expr] = []
    if networks:
        asked = _asked(networks, keys, truncated)
        for column in ("client_address", "network_peer_address"):
            found.append(_where(column, asked.holds))
        found.append(_where("forwarded_for", lambda text: any(map(asked.holds, text.split(",")))))
    if user_names:
        names = set(user_names)
        for name in user_names if keys else ():
            names |= {each.text for each in keys.pseudonyms_of_name(name)}  # type: ignore[union-attr]
        found.append(pl.col("user_name").cast(pl.String).is_in(sorted(names)).fill_null(False))
    return pl.any_horizontal(found)


def untold(
    addresses: Sequence[str | Network] = (),
    user_names: Sequence[str] = (),
    keys: Keys | None = None,
) -> list[str]:
    """What `selection` cannot find of what is asked for, in sentences to show before anything is erased."""
    networks = [network_of(each) for each in addresses]
    said = []
    if networks or user_names:
        said.append("Records stored without address and user name cannot be told apart, and stay.")
    for network in networks:
        kept = KEPT_BITS[4 if network.version == 4 else 16]
        if network.prefixlen > kept:
            said.append(f"{network} is narrower than /{kept}: truncated addresses may be of others, and stay.")  # fmt: skip
        if keys and network.num_addresses > ENUMERATED:
            said.append(f"{network} has too many addresses to try: pseudonyms of it stay; name the addresses, or smaller networks.")  # fmt: skip
    if not keys and (networks or user_names):
        said.append("Without the key file, pseudonyms stay.")
    elif keys:
        said.append("Pseudonyms under keys that were destroyed stay.")
    return said


def network_of(text: str | Network) -> Network:
    """A network or a single address. Raises `UsageError` for any other text."""
    if not isinstance(text, str):
        return text
    try:
        return ip_network(text.strip())
    except ValueError as error:
        ends = bounds(text) if "/" in text else None
        hint = f"did you mean {written(ends[0])}/{text.partition('/')[2]}?" if ends else "write an address, or a network as in 192.0.2.0/24"  # fmt: skip
        raise UsageError(f"{text}: no address and no network; {hint}") from error


def _asked(networks: Sequence[Network], keys: Keys | None, truncated: bool) -> _Asked:
    ranges: dict[int, list[tuple[bytes, bytes]]] = {4: [], 16: []}
    for network in networks:
        first, last = network.network_address.packed, network.broadcast_address.packed
        if mapped := _of_mapped(network):  # stored ones are read as IPv4 addresses
            first, last = mapped
        ranges[len(first)].append((first, last))
    made = frozenset(_pseudonyms(networks, keys)) if keys else frozenset[str]()
    return _Asked(ranges, made, truncated)


def _of_mapped(network: Network) -> tuple[bytes, bytes] | None:
    ends = network.network_address.packed, network.broadcast_address.packed
    if network.version == 6 and network.prefixlen >= 96 and ends[0][:12] == bytes(10) + b"\xff\xff":
        return ends[0][12:], ends[1][12:]
    return None


def _pseudonyms(networks: Sequence[Network], keys: Keys) -> Iterator[str]:
    for network in networks:
        if network.num_addresses <= ENUMERATED:
            for address in network:
                yield from (each.text for each in keys.pseudonyms(str(address)))


def _where(column: str, holds) -> pl.Expr:  # type: ignore[no-untyped-def]
    def over(series: pl.Series) -> pl.Series:
        def of_values(values: pl.Series) -> pl.Series:
            told = [text is not None and holds(text) for text in values.to_list()]
            return pl.Series(values.name, told, dtype=pl.Boolean)

        return map_distinct(series, of_values)

    return pl.col(column).map_batches(over, return_dtype=pl.Boolean)
