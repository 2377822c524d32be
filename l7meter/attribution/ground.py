"""What is known of addresses on a day: who announced them, what systems are called, and the layers above."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache, cached_property
from hashlib import sha256
from threading import Lock

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.attribution import organization_prefixes, organizations, snapshot
from l7meter.attribution.declared import NOTHING, Declaration, Declared
from l7meter.attribution.layers import SAID, Layer, of_networks, of_tables
from l7meter.attribution.organization_table import table
from l7meter.attribution.reference.making import BORDERS
from l7meter.attribution.reference.shelf import Shelf, Snapshot
from l7meter.attribution.reference.shipped import SERIES


class Ground:
    """The reference data and declarations that hold on a day.

    `snapshots` are the imported ones that hold, the shipped one among them where it does.
    """

    def __init__(
        self,
        day: date | None = None,
        snapshots: Sequence[Snapshot] = (),
        shelf: Shelf | None = None,
        declared: Declared = NOTHING,
    ) -> None:
        self.day = day
        self.snapshots = tuple(snapshots)
        self._shelf = shelf
        self.declared: tuple[Declaration, ...] = tuple(
            each for each in declared.organizations if day is None or each.holds(day)
        )
        self._lock = Lock()
        self._verdicts: pl.DataFrame | None = None  # of systems that were asked for
        # of each system among them, -1 for none; the last is nobody's
        self._places = np.empty(0, np.int64)

    @cached_property
    def id(self) -> str:
        """Digest of what is known: equal ones conclude alike."""
        curated = [row for row, _ in table().valid(self.day)]
        digests = sorted(each.digest for each in self.snapshots)
        return sha256(repr((curated, digests, self.declared)).encode()).hexdigest()

    @cached_property
    def routes(self) -> snapshot.Snapshot:
        """Who announced which addresses, and what those systems are called."""
        shipped = snapshot.load()
        parts = self._tables("routes")
        if not parts:
            return shipped
        # parts of one source, such as IPv4 and IPv6: disjoint already
        ranges = pl.concat([frame for _, frame in parts]).sort("start_hi", "start_lo")
        return snapshot.of(ranges, str(max(each.as_of for each, _ in parts)), shipped.systems)

    @cached_property
    def systems(self) -> pl.DataFrame:
        """asn (ascending), name, and from imported data organization, network_kind and `said_by`.

        Of several tables the first in order of their series says it, field by field.
        """
        shipped = self.routes.systems.select(pl.col("asn").cast(pl.UInt32), "name")
        frame = shipped
        if self.routes is not snapshot.load():  # which names all of its systems
            labels = np.concatenate([self.routes.ipv4.labels, self.routes.ipv6.labels])
            known = pl.DataFrame({"asn": np.unique(labels).astype(np.uint32)})
            frame = known.join(shipped, on="asn", how="full", coalesce=True)
        nothing = pl.lit(None, pl.String)
        frame = frame.with_columns(organization=nothing, network_kind=nothing, said_by=nothing)
        for each, told in self._tables("systems"):
            said = told.select("asn", "name", "organization", "network_kind")
            frame = frame.join(said, on="asn", how="left", suffix="_said").select(
                    "asn",
                    *(pl.coalesce(name, f"{name}_said") for name in ("name", "organization")),
                    pl.coalesce("network_kind", "network_kind_said"),
                    pl.when(pl.col("organization").is_null() & pl.col("organization_said").is_not_null())
                    .then(pl.lit(each.name))
                    .otherwise("said_by")
                    .alias("said_by"),
                )  # fmt: skip
        return frame.sort("asn")

    @cached_property
    def declared_asns(self) -> NDArray[np.int64]:
        """The systems that are declared."""
        return self._declared_systems["client_asn"].to_numpy()

    @cached_property
    def _declared_systems(self) -> pl.DataFrame:
        rows = [(asn, each.name, each.parent) for each in self.declared for asn in each.asns]
        schema = {"client_asn": pl.Int64, "declared": pl.String, "owner": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def holders(self, asns: NDArray[np.int64]) -> pl.DataFrame:
        """What is concluded of systems, a row each in this order; of 0 that nobody announces it.

        The columns of `addresses.SCHEMA` but for the network. What was concluded once is kept: most
        systems of a batch of records stood in the one before.
        """
        known = self.systems["asn"].to_numpy()
        at = np.searchsorted(known, asns)
        at[asns == 0] = len(known)
        with self._lock:
            if self._verdicts is None:
                self._verdicts = self._concluded(np.zeros(1, np.int64))
                self._places = np.append(np.full(len(known), -1), 0)
            unmet = np.unique(at[self._places[at] < 0])
            if len(unmet):
                fresh = self._concluded(known[unmet].astype(np.int64))
                self._places[unmet] = np.arange(fresh.height) + self._verdicts.height
                self._verdicts = pl.concat([self._verdicts, fresh], rechunk=True)
            return self._verdicts[self._places[at]]

    def _concluded(self, asns: NDArray[np.int64]) -> pl.DataFrame:
        """The same of distinct systems."""
        known = pl.DataFrame({"asn": asns}, schema={"asn": pl.UInt32}).join(
            self.systems, on="asn", how="left", maintain_order="left"
        )
        listed = pl.col("organization_method") == "registry"
        held = ~listed & known["organization"].is_not_null()
        kinds = sorted(table().attributable_kinds)
        kind = pl.when(pl.col("network_kind") == "unknown").then(known["network_kind"])
        told = kind.is_not_null()
        declared = pl.col("declared").is_not_null()
        nobody = pl.Series(asns == 0)
        return (
            organizations.holders(known.select("asn", "name"), self.day)
            .with_columns(
                pl.when(held).then(known["organization"]).otherwise("organization").alias("organization"),
                pl.when(held).then(pl.lit("registry")).otherwise("organization_method").alias("organization_method"),
                kind.fill_null(pl.col("network_kind")).alias("network_kind"),
                pl.when(told).then(kind.is_in(kinds)).otherwise("attributable").alias("attributable"),
                pl.when(held)
                .then(pl.format("{} holds AS{} ({})", known["organization"], "client_asn", known["said_by"]))
                .otherwise("address_rule")
                .alias("address_rule"),
            )
            .join(self._declared_systems, on="client_asn", how="left", maintain_order="left")
            .with_columns(
                pl.coalesce("declared", "organization").alias("organization"),
                pl.when(declared).then(pl.lit("declared")).otherwise("organization_method").alias("organization_method"),
                (declared | pl.col("attributable")).alias("attributable"),
                pl.when(declared).then("owner").otherwise("parent_organization").alias("parent_organization"),
                pl.when(declared)
                .then(pl.format("AS{} is declared {}'s", "client_asn", "declared"))
                .otherwise("address_rule")
                .alias("address_rule"),
                pl.when(pl.col("network_kind") == "ci").then(pl.lit("ci")).alias("shared_egress"),
                pl.when(~nobody).then("client_asn").alias("client_asn"),
            )
            .drop("declared", "owner")
        )  # fmt: skip

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """What goes before the systems, best first: declared, published, curated, held."""
        return (
            self._declared(),
            self._published(),
            organization_prefixes.held(self.day),
            self._held(),
        )

    def _declared(self) -> Layer:
        rows = [
            (str(network), each.name, "declared", None, True, each.parent, None,
             f"{network} is declared {each.name}'s")
            for each in self.declared
            for network in each.networks
        ]  # fmt: skip
        said = pl.DataFrame([row[1:] for row in rows], schema=SAID, orient="row")
        return of_networks([row[0] for row in rows], said)._replace(declared=True)

    def _published(self) -> Layer:
        parents = {each.name: each.parent for _, each in table().valid(self.day)}
        shared = pl.col("shared_egress").is_not_null()
        tables = []
        for each, frame in self._tables("networks"):
            told = pl.concat_str(
                pl.col("operator").fill_null("its operator") + f" publishes it ({each.name}",
                ", service " + pl.col("service"),
                ", region " + pl.col("region"),
                pl.lit(")"),
                ignore_nulls=True,
            )
            tables.append(
                frame.with_columns(
                    organization="operator",
                    organization_method=pl.when(pl.col("operator").is_not_null()).then(
                        pl.lit("published")
                    ),
                    attributable=pl.when(shared).then(pl.lit(False)),
                    parent_organization=pl.col("operator").replace_strict(
                        parents, default=None, return_dtype=pl.String
                    ),
                    rule=told,
                )
            )
        return of_tables([frame.select(*BORDERS, *SAID.names()) for frame in tables])

    def _held(self) -> Layer:
        tables = [
            frame.with_columns(
                organization_method=pl.lit("registry"),
                network_kind=pl.lit(None, pl.String),
                attributable=pl.lit(None, pl.Boolean),
                parent_organization=pl.lit(None, pl.String),
                shared_egress=pl.lit(None, pl.String),
                rule=pl.format("{} holds it ({})", "organization", pl.lit(each.name)),
            ).select(*BORDERS, *SAID.names())
            for each, frame in self._tables("holders")
        ]
        return of_tables(tables)

    def _tables(self, kind: str) -> list[tuple[Snapshot, pl.DataFrame]]:
        if self._shelf is None:
            return []
        return [
            (each, self._shelf.table(each))
            for each in self.snapshots
            if each.kind == kind and each.series != SERIES
        ]


@cache
def shipped() -> Ground:
    """What ships with the package, as of its own day."""
    return Ground()
