"""What is concluded of single values, by which rule, and what it would take to know better."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from l7meter.attribution import addresses, agents, artifacts, declared, snapshot
from l7meter.attribution.eras import Eras
from l7meter.attribution.organization_table import table
from l7meter.attribution.reference.shelf import Shelf

_DECLARE = "where the holder is a customer, declare its network or credential by --organizations"
_BEHIND = "who is behind it no address tells: log a credential, or the forwarded-for list of a proxy that is trusted"  # fmt: skip


def explain(
    what: str,
    values: Sequence[str],
    registries: Sequence[str] | None = None,
    *,
    organizations: Path | None = None,
    refdata: Path | None = None,
    day: date | None = None,
) -> pl.DataFrame:
    """The conclusions about addresses, user agents or request targets, in their order.

    `what` is `address`, `agent` or `target`; the columns are the value, those of the schema that
    are concluded from it, and `rule`; of addresses also `to_know_better`. Addresses are
    concluded as of `day` (None: today) by what `Attribution` takes of these options.
    """
    given = pl.Series(what, list(values), dtype=pl.String)
    distinct = given.unique(maintain_order=True)
    if what == "address":
        own = declared.read(organizations) if organizations else declared.NOTHING
        ground = Eras(Shelf(refdata), own).on(day or datetime.now(UTC).date())
        concluded = addresses.conclude(distinct, ground).with_columns(_better())
    elif what == "agent":
        concluded = agents.conclude(distinct)
    else:
        targets = pl.DataFrame({"url_original": distinct}).with_columns(
            server_address=pl.lit(None, pl.String)
        )
        concluded = artifacts.conclude(targets, *artifacts.registries(registries or ()))
    rule = next(name for name in concluded.columns if name.endswith("_rule"))
    known = concluded.insert_column(0, distinct).rename({rule: "rule"})
    return given.to_frame().join(known, on=what, how="left", maintain_order="left")


def _better() -> pl.Expr:
    """What would tell more of an address than is known; null where the user is known."""
    method, kind, rule = (
        pl.col(name) for name in ("organization_method", "network_kind", "address_rule")
    )
    asn = pl.col("client_asn")
    return (
        pl.when(pl.col("attributable"))
        .then(pl.lit(None, pl.String))
        .when(rule.str.starts_with("not an address") | rule.str.starts_with("no address"))
        .then(pl.lit("log the address of the client, alone and in full"))
        .when(pl.col("shared_egress").is_not_null())
        .then(pl.lit(f"many users share it; {_BEHIND}"))
        .when(kind == "special")
        .then(pl.lit("it is nobody's on the Internet: log the address that the outermost proxy saw (--trusted-hops)"))
        .when(asn.is_null())
        .then(pl.lit("import newer routes ('l7meter refdata update'), or " + _DECLARE))
        .when(method.is_in(["as_name", "none"]))
        .then(pl.format("import who holds AS{} ('l7meter refdata sources': systems), or {}", asn, pl.lit(_DECLARE)))
        .when(kind.is_in(["cloud", "hosting", "cdn", "ci"]))
        .then(pl.lit(f"the provider is known, its tenant is not: {_DECLARE}"))
        .when(kind == "access")
        .then(pl.lit(f"the subscriber is not known: {_DECLARE}"))
        .otherwise(pl.lit(f"it serves others than its holder: {_DECLARE}"))
        .alias("to_know_better")
    )  # fmt: skip


def reference_data() -> dict[str, str]:
    """The reference data that ship with the package, by name: what it is and of which day."""
    shipped = snapshot.load()
    ranges = len(shipped.ipv4.starts) + len(shipped.ipv6.starts)
    return {
        "address ranges": f"{ranges:,} ranges of {shipped.systems.height:,} systems, as of {shipped.as_of}",
        "organisations": f"{len(table().valid()):,} pinned by AS number or network",
    }
