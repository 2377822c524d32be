"""Prefixes that the curated table gives to an organisation, whoever announces them.

185.199.108.0/22 is announced by Fastly and serves GitHub: https://docs.github.com/en/rest/meta.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import polars as pl

from l7meter.attribution.layers import SAID, Layer, of_networks
from l7meter.attribution.organization_table import table

_VERDICT = {
    "client_network": pl.String,
    "organization": pl.String,
    "organization_method": pl.String,
    "network_kind": pl.String,
    "attributable": pl.Boolean,
    "parent_organization": pl.String,
}


def curated_prefixes(day: date | None = None) -> list[tuple[str, int]]:
    """Each curated prefix, and its organisation's position in `table().organizations`.

    Of the hunks that hold for `day`; None is the snapshot's day.
    """
    return [(prefix, row) for row, hunk in table().valid(day) for prefix in hunk.prefixes]


@cache
def held(day: date | None = None) -> Layer:
    """The curated prefixes of `day` (None: the snapshot's), the narrowest first."""
    rules, claims = table(), curated_prefixes(day)
    holders = [(prefix, rules.organizations[row]) for prefix, row in claims]
    said = [
        (each.name, "registry", each.kind, rules.attributable(each), each.parent, None,
         f"{prefix} is listed in organizations.toml")
        for prefix, each in holders
    ]  # fmt: skip
    verdicts = pl.DataFrame(said, schema=SAID, orient="row")
    return of_networks([prefix for prefix, _ in claims], verdicts)
