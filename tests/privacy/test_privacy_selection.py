"""Which stored records are of a person or a network, whatever mode they were stored under."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from privacy_records import records

from l7meter.errors import UsageError
from l7meter.privacy import Keys, Policy, Privacy, selection, untold


def found(frame: pl.DataFrame, *addresses: str, **named: Any) -> list[int]:
    told = frame.select(selection(addresses, **named).alias("mine"))["mine"]
    assert told.null_count() == 0
    return told.arg_true().to_list()


STORED = [
    "192.0.2.17",  # 0
    "::ffff:192.0.2.17",  # 1
    "2002:c000:211::1",  # 2 6to4 of 192.0.2.17
    "192.0.2.0",  # 3 a truncated one, or one that ends so
    "198.51.100.17",  # 4
    "2001:db8:1::17",  # 5
    "2001:db8:1::",  # 6
    "client.example",  # 7
    None,  # 8
]


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        (["192.0.2.17"], [0, 1, 2]),
        (["::ffff:192.0.2.17"], [0, 1, 2]),
        (["2002:c000:211::1"], [2]),
        (["192.0.2.0/28"], []),
        (["192.0.2.0/25"], [0, 1, 2]),
        (["192.0.2.0/24"], [0, 1, 2, 3]),
        (["192.0.0.0/16"], [0, 1, 2, 3]),
        (["192.0.2.0"], []),  # could be anybody's of the /24
        (["2001:db8:1::17"], [5]),
        (["2001:db8:1::/48"], [5, 6]),
        (["2001:db8:1::/64"], [5]),
        (["0.0.0.0/0", "::/0"], [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_full_and_truncated_addresses(asked: list[str], rows: list[int], coded: bool) -> None:
    frame = records(*({"client_address": each} for each in STORED), coded=coded)
    assert found(frame, *asked) == rows


def test_where_nothing_was_truncated_addresses_that_end_in_zero_are_found() -> None:
    frame = records({"client_address": "192.0.2.0"}, {"client_address": "2001:db8:1::"})
    assert found(frame, "192.0.2.0", truncated=False) == [0]
    assert found(frame, "2001:db8:1::/64", truncated=False) == [1]


@pytest.mark.parametrize("column", ["client_address", "network_peer_address", "forwarded_for"])
def test_every_column_of_addresses_is_looked_into(column: str, key_file: Path, keys: Keys) -> None:
    frame = records({column: "192.0.2.17"}, {column: "192.0.2.18"})
    assert found(frame, "192.0.2.17") == [0]
    hidden = Privacy(Policy(addresses="pseudonymous", key_file=key_file)).records(frame)
    assert found(hidden, "192.0.2.17", keys=keys) == [0]
    assert found(hidden, "192.0.2.16/30", keys=keys) == [0, 1]
    assert found(hidden, "192.0.2.17") == []


def test_entries_of_a_list_are_looked_at_one_by_one(key_file: Path, keys: Keys) -> None:
    frame = records({"forwarded_for": "198.51.100.1,  192.0.2.17 , x"}, {"forwarded_for": "192.0.2.170"})  # fmt: skip
    assert found(frame, "192.0.2.17") == [0]
    hidden = Privacy(Policy(addresses="pseudonymous", key_file=key_file)).records(frame)
    assert found(hidden, "192.0.2.17", keys=keys) == [0]


def test_user_names(key_file: Path, keys: Keys) -> None:
    frame = records({"user_name": "alice"}, {"user_name": "bob"}, {"client_address": "192.0.2.17"})
    assert found(frame, user_names=["alice"]) == [0]
    assert found(frame, "192.0.2.17", user_names=["bob"]) == [1, 2]
    hidden = Privacy(Policy(user_names="pseudonymous", key_file=key_file)).records(frame)
    assert found(hidden, user_names=["alice"]) == []
    assert found(hidden, user_names=["alice"], keys=keys) == [0]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5), st.integers(0, 2**32 - 1), st.integers(0, 32))  # fmt: skip
def test_full_addresses_are_found_as_the_standard_library_says(numbers: list[int], of: int, size: int) -> None:  # fmt: skip
    network = ipaddress.ip_network((of >> 32 - size << 32 - size, size))
    addresses = [ipaddress.IPv4Address(number) for number in [*numbers, of]]
    frame = records(*({"client_address": str(each)} for each in addresses))
    wanted = [row for row, each in enumerate(addresses) if each in network]
    assert found(frame, str(network), truncated=False) == wanted


def test_nobody_and_nonsense_are_refused() -> None:
    with pytest.raises(UsageError, match="nobody is named"):
        selection()
    with pytest.raises(UsageError, match=r"did you mean 192\.0\.2\.0/24\?"):
        selection(["192.0.2.17/24"])
    with pytest.raises(UsageError, match="no address and no network"):
        selection(["client.example"])


def test_what_cannot_be_told_is_said(keys: Keys) -> None:
    assert any("narrower than /24" in line for line in untold(["192.0.2.17"]))
    assert not any("narrower" in line for line in untold(["192.0.2.0/24"]))
    assert any("Without the key file" in line for line in untold(user_names=["alice"]))
    assert any("too many addresses" in line for line in untold(["10.0.0.0/8"], keys=keys))
    assert untold() == []
