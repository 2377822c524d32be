"""All conclusions about a frame of records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.attribution import addresses, agents, artifacts, declared, downloads, measure
from l7meter.attribution.eras import Eras
from l7meter.attribution.ground import Ground
from l7meter.attribution.memo import Memo
from l7meter.attribution.overriding import declare
from l7meter.attribution.reference.choosing import doubts
from l7meter.attribution.reference.listing import as_told
from l7meter.attribution.reference.shelf import Shelf
from l7meter.attribution.robots import verification
from l7meter.columns import distinct, spread
from l7meter.schema import CONCLUDED, POLARS, closed

NOTHING = pl.Enum([""])  # text that is null throughout, at a third of the cost


class Attribution:
    """Fills the concluded columns.

    `registries` name the registry (`npm`) where neither host nor path tells which it is, or which one
    a host serves (`mirror.example=npm`, `*.example=npm`); `organizations` is the foundation's file of
    its organisations, `refdata` the directory of imported reference data (None: the user's own). Raises `UsageError` for a file that is faulty.
    """

    def __init__(
        self,
        registries: Sequence[str] | None = None,
        *,
        organizations: Path | None = None,
        refdata: Path | None = None,
    ) -> None:
        self.registries = artifacts.registries(registries or ())
        self.declared = declared.read(organizations) if organizations else declared.NOTHING
        self._eras = Eras(Shelf(refdata), self.declared)
        self._used: dict[str, Ground] = {}  # by attribution_id

    @cached_property
    def _rules(self) -> str:
        """Digest of all rules, and of the data that ship with the package."""
        digest = sha256(repr(self.registries).encode())
        digest.update(version("ua-parser-builtins").encode())
        for name, content in _contents(files("l7meter.attribution")):
            digest.update(f"\n{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()

    def id(self, day: date | None = None) -> str:
        """Digest of all that records of a day (None: of the last) stand on: equal ids, equal conclusions."""
        return self._id(self._eras.on(day or date.max))

    def _id(self, ground: Ground) -> str:
        return sha256(f"{self._rules} {ground.id}".encode()).hexdigest()[:16]

    def ids(self, ts: pl.Series) -> pl.Series:
        """The `attribution_id` of records of these instants."""
        places = self._eras.places(ts)
        grounds = {place: self._eras.ground(place) for place in np.unique(places).tolist()}
        made = {place: self._id(ground) for place, ground in grounds.items()}
        self._used.update(zip(made.values(), grounds.values(), strict=True))
        kind = pl.Enum(sorted(set(made.values())))
        if len(places) == 1:
            return pl.Series("attribution_id", [made[int(places[0])]], dtype=kind).new_from_index(0, ts.len())  # fmt: skip
        names = pl.Series(list(made.values()), dtype=kind)
        return names[np.searchsorted(list(made), places)].alias("attribution_id")

    def manifests(self) -> list[str]:
        """What each id that was given so far stands for, as JSON: reference data, declarations, version."""
        return [self._manifest(name, ground) for name, ground in dict(self._used).items()]

    def _manifest(self, name: str, ground: Ground) -> str:
        said = {
            "attribution_id": name,
            "l7meter": version("l7meter"),
            "rules_sha256": self._rules,
            "reference_data": as_told(ground.snapshots),
            "organizations_sha256": self.declared.digest or None,
            "registry": self.registries.default,
            "registry_hosts": self.registries.hosts,
        }
        return json.dumps(said, ensure_ascii=False)

    def doubts(self, day: date) -> list[str]:
        """What is to be said of the reference data for records of a day: that it is old, or later."""
        return doubts(self._eras.on(day).snapshots, day)

    def prepare(self) -> None:
        """Read the data and compile the rules that first use would wait for (0.4 s)."""
        announced = pl.Series(["1.1.1.1", "2606:4700:4700::1111"])
        addresses.conclude(announced, self._eras.on(date.max))
        agents.conclude(pl.Series(["-", 'pip/1 {"ci":null}', "Mozilla/5.0 (X11) Firefox/1"]))
        self._artifacts(pl.Series(["/"]))
        texts = pl.Series(["-"])
        verification(pl.DataFrame({"agent_name": texts, "client_address": texts}))
        self.id()

    def conclude(self, said: pl.DataFrame, memo: Memo | None = None) -> pl.DataFrame:
        """The records in all columns of the schema; the said columns are untouched.

        `memo` remembers what was concluded of earlier frames of the same coding. Text of the result
        may be Categorical: few values, many rows.
        """
        memo = memo or Memo()
        records = said.with_columns(
            pl.lit(None, NOTHING if POLARS[name] == pl.String else POLARS[name]).alias(name)
            for name in POLARS
            if name not in said.columns
        )
        places = self._eras.places(records["ts"])
        for concluded in (
            self._networks(records, places, memo),
            self._agents(records, memo),
            self._targets(records, memo),
        ):
            kept = [name for name in concluded.columns if name in CONCLUDED]
            records = records.with_columns(concluded.select(kept))
        records = self._declare(records, places)
        records = records.with_columns(
            *measure.server_bytes(),
            verification(records),
            self.ids(records["ts"]),
        )
        return records.with_columns(is_download=downloads.is_download()).select(POLARS.names())

    def _networks(
        self, records: pl.DataFrame, places: NDArray[np.int64], memo: Memo
    ) -> pl.DataFrame:
        """The conclusions about client addresses, as of the days of their records."""

        def conclude(part: pl.DataFrame, ground: Ground) -> pl.DataFrame:
            return self._clients(part["client_address"], ground, memo)

        return self._by_era(records.select("client_address"), places, conclude)

    def _clients(self, clients: pl.Series, ground: Ground, memo: Memo) -> pl.DataFrame:
        return memo.conclude(clients, lambda texts: addresses.conclude(texts, ground), ground.id)

    def _agents(self, records: pl.DataFrame, memo: Memo) -> pl.DataFrame:
        def conclude(texts: pl.Series) -> pl.DataFrame:
            return closed(agents.conclude(texts))

        return memo.conclude(records["user_agent_original"], conclude)

    def _targets(self, records: pl.DataFrame, memo: Memo) -> pl.DataFrame:
        targets, hosts = records["url_original"], records["server_address"]
        if hosts.null_count() == records.height:
            return memo.conclude(targets, self._artifacts)
        pairs, places = _pairs(targets, hosts)
        concluded = artifacts.conclude(pairs, *self.registries)
        return spread(concluded, places, records.height)

    def _artifacts(self, targets: pl.Series) -> pl.DataFrame:
        none = pl.lit(None, pl.String)
        frame = targets.alias("url_original").to_frame().with_columns(server_address=none)
        return artifacts.conclude(frame, *self.registries)

    def _declare(self, records: pl.DataFrame, places: NDArray[np.int64]) -> pl.DataFrame:
        """What the foundation's file says of requests, as of the days of the records."""
        if not any(each.credentials or each.agents for each in self.declared.organizations):
            return records
        return self._by_era(records, places, lambda part, ground: declare(part, ground.declared))

    def _by_era(
        self,
        rows: pl.DataFrame,
        places: NDArray[np.int64],
        conclude: Callable[[pl.DataFrame, Ground], pl.DataFrame],
    ) -> pl.DataFrame:
        """What is concluded of the rows of each era, in the order of all rows."""
        if len(places) == 1:
            return conclude(rows, self._eras.ground(int(places[0])))
        parts, order = [], []
        for place in np.unique(places).tolist():
            mine = np.flatnonzero(places == place)
            part = conclude(rows[mine], self._eras.ground(place))
            parts.append(part.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)))
            order.append(mine)
        return pl.concat(parts)[np.argsort(np.concatenate(order))]


def _pairs(target: pl.Series, host: pl.Series) -> tuple[pl.DataFrame, np.ndarray | None]:
    """The distinct pairs of target and host, and each row's place among them."""
    targets, target_places = distinct(target)
    hosts, host_places = distinct(host)
    if host_places is None or target_places is None:
        places = target_places if host_places is None else host_places
        height = max(targets.len(), hosts.len())
        pair = [series if series.len() == height else series.new_from_index(0, height) for series in (targets, hosts)]  # fmt: skip
        return pl.DataFrame(pair), places
    pairs = target_places.astype(np.int64) * hosts.len() + host_places
    kept, places = np.unique(pairs, return_inverse=True)
    return pl.DataFrame([targets[kept // hosts.len()], hosts[kept % hosts.len()]]), places


def _contents(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and not entry.name.startswith("__"):
            yield from _contents(entry)
        elif entry.is_file() and not entry.name.endswith(".pyc"):
            yield entry.name, entry.read_bytes()
