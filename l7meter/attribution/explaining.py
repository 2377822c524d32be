"""What is concluded of single values, and by which rule."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from l7meter.attribution import addresses, agents, artifacts, organizations, snapshot


def explain(what: str, values: Sequence[str], registry: str | None = None) -> pl.DataFrame:
    """The conclusions about addresses, user agents or request targets, in their order.

    `what` is `address`, `agent` or `target`; the columns are the value, those of the schema that
    are concluded from it, and `rule`.
    """
    given = pl.Series(what, list(values), dtype=pl.String)
    distinct = given.unique(maintain_order=True)
    if what == "address":
        concluded = addresses.conclude(distinct)
    elif what == "agent":
        concluded = agents.conclude(distinct)
    else:
        targets = pl.DataFrame({"url_original": distinct}).with_columns(
            server_address=pl.lit(None, pl.String)
        )
        concluded = artifacts.conclude(targets, registry=registry)
    rule = next(name for name in concluded.columns if name.endswith("_rule"))
    known = concluded.insert_column(0, distinct).rename({rule: "rule"})
    return given.to_frame().join(known, on=what, how="left", maintain_order="left")


def reference_data() -> dict[str, str]:
    """The reference data in use, by name: what it is and of which day."""
    shipped = snapshot.load()
    ranges = len(shipped.ipv4.starts) + len(shipped.ipv6.starts)
    return {
        "address ranges": f"{ranges:,} ranges of {shipped.systems.height:,} systems, as of {shipped.as_of}",
        "organisations": f"{len(organizations.table().organizations):,} pinned by AS number",
    }
