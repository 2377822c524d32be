"""Prefixes that the curated table gives to an organisation, whoever announces them.

185.199.108.0/22 is announced by Fastly and serves GitHub: https://docs.github.com/en/rest/meta.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

import numpy as np
import polars as pl

from l7meter.attribution.organization_table import table
from l7meter.attribution.ranges import Ranges, flatten, ipv6_keys

_VERDICT = {
    "client_network": pl.String,
    "organization": pl.String,
    "organization_method": pl.String,
    "network_kind": pl.String,
    "attributable": pl.Boolean,
    "parent_organization": pl.String,
}


class Held(NamedTuple):
    """The curated prefixes of a day; the labels of the ranges are rows of `verdicts`."""

    ipv4: Ranges
    ipv6: Ranges
    verdicts: pl.DataFrame  # what is concluded of each prefix, but for who announces it


def curated_prefixes(day: date | None = None) -> list[tuple[str, int]]:
    """Each curated prefix, and its organisation's position in `table().organizations`.

    Of the hunks that hold for `day`; None is the snapshot's day.
    """
    return [(prefix, row) for row, hunk in table().valid(day) for prefix in hunk.prefixes]


@cache
def held(day: date | None = None) -> Held:
    """The curated prefixes of `day` (None: the snapshot's) as disjoint ranges, the narrowest first."""
    rules, claims = table(), curated_prefixes(day)
    rows = []
    for prefix, row in claims:
        hunk = rules.organizations[row]
        holder = (hunk.name, "registry", hunk.kind, rules.attributable(hunk), hunk.parent)
        rows.append((prefix, *holder))
    verdicts = pl.DataFrame(rows, schema=_VERDICT, orient="row")
    networks = [ip_network(prefix) for prefix, _ in claims]
    return Held(_ranges(networks, 4), _ranges(networks, 6), verdicts)


def _ranges(networks: list[IPv4Network | IPv6Network], version: int) -> Ranges:
    rows = [row for row, network in enumerate(networks) if network.version == version]
    starts, ends, places = flatten(
        [int(networks[row].network_address) for row in rows],
        [int(networks[row].broadcast_address) for row in rows],
    )
    keys = [
        ipv6_keys(sides) if version == 6 else np.array(sides, np.uint32) for sides in (starts, ends)
    ]
    return Ranges(keys[0], keys[1], np.array([rows[place] for place in places], np.int64))
