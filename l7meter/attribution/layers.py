"""Networks of which somebody says whose they are: the rungs of the ladder that go before the system's name.

A layer's ranges are disjoint, the narrowest of what was given; their labels are rows of `verdicts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from l7meter.attribution.ranges import Ranges, flatten, keys_of
from l7meter.attribution.reference.making import BORDERS, MAPPED, borders
from l7meter.schema import COLUMNS

SAID = pl.Schema(
    {
        name: COLUMNS[name].polars
        for name in ("organization", "organization_method", "network_kind", "attributable", "parent_organization", "shared_egress")
    }
    | {"rule": pl.String()}
)  # fmt: skip
"""What a layer says of a network. Of a null kind the system's holds, and of a null `attributable`
what the kind means; `rule` is the sentence for `address_rule`."""

_IPV4_END = MAPPED + (1 << 32)


class Layer(NamedTuple):
    """Whose networks are, in the columns of `SAID`."""

    ipv4: Ranges
    ipv6: Ranges
    verdicts: pl.DataFrame
    declared: bool = False  # by the foundation: goes before systems that it declares


def of_networks(networks: Sequence[str], verdicts: pl.DataFrame) -> Layer:
    """A layer of networks as text, one to a row of `verdicts`; ValueError for one that is none."""
    ends = []
    for network in networks:
        if isinstance(both := borders(network), str):
            raise ValueError(f"{network}: {both}")
        ends.append(both)
    return of_borders([start for start, _ in ends], [end for _, end in ends], verdicts)


def of_tables(tables: Sequence[pl.DataFrame]) -> Layer:
    """A layer of tables that have the four `BORDERS` beside the columns of `SAID`."""
    table = pl.concat(
        [pl.DataFrame(schema=dict.fromkeys(BORDERS, pl.UInt64) | dict(SAID)), *tables]
    )
    start, end = (
        [high << 64 | low for high, low in table.select(names).iter_rows()]
        for names in (BORDERS[:2], BORDERS[2:])
    )
    return of_borders(start, end, table.select(SAID.names()))


def of_borders(starts: Sequence[int], ends: Sequence[int], verdicts: pl.DataFrame) -> Layer:
    """A layer of inclusive ranges, IPv4 as IPv4-mapped; among equal ones the later row holds."""
    first, last, rows = flatten(starts, ends)
    labels = np.array(rows, np.int64)
    mapped = np.array([MAPPED <= start < _IPV4_END for start in first], bool)
    four = np.flatnonzero(mapped).tolist()
    six = np.flatnonzero(~mapped).tolist()
    ipv4 = Ranges(
        keys_of([first[at] - MAPPED for at in four], 4),
        keys_of([last[at] - MAPPED for at in four], 4),
        labels[four],
    )
    ipv6 = Ranges(
        keys_of([first[at] for at in six], 6), keys_of([last[at] for at in six], 6), labels[six]
    )
    return Layer(ipv4, ipv6, verdicts.cast(dict(SAID)))  # type: ignore[arg-type]
