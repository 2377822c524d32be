"""All conclusions about a frame of records."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

import numpy as np
import polars as pl

from l7meter.attribution import addresses, agents, artifacts, downloads, measure
from l7meter.attribution.memo import Memo
from l7meter.columns import distinct, spread
from l7meter.schema import CONCLUDED, POLARS

NOTHING = pl.Enum([""])  # text that is null throughout, at a third of the cost


class Attribution:
    """Fills the concluded columns.

    `registry` names the registry (`npm`) where neither host nor path tells which it is.
    """

    def __init__(self, registry: str | None = None) -> None:
        self.registry = registry

    @cached_property
    def id(self) -> str:
        """Digest of all reference data and rules: an equal id means equal conclusions."""
        digest = sha256((self.registry or "").encode())
        digest.update(version("ua-parser-builtins").encode())
        for name, content in _contents(files("l7meter.attribution")):
            digest.update(f"\n{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()[:16]

    def conclude(self, said: pl.DataFrame, memo: Memo | None = None) -> pl.DataFrame:
        """The records in all columns of the schema; the said columns are untouched.

        `memo` remembers what was concluded of earlier frames of the same coding. Text of the result
        may be Categorical: few values, many rows.
        """
        records = said.with_columns(
            pl.lit(None, NOTHING if POLARS[name] == pl.String else POLARS[name]).alias(name)
            for name in POLARS
            if name not in said.columns
        )
        for column, conclude in (
            ("client_address", addresses.conclude),
            ("user_agent_original", agents.conclude),
            ("url_original", self._artifacts),
        ):
            series = records[column]
            hosts = (
                column == "url_original" and records["server_address"].null_count() < said.height
            )
            if hosts:
                concluded = self._of_pairs(series, records["server_address"])
            elif isinstance(series.dtype, pl.Categorical):
                concluded = (memo or Memo()).spread(series, conclude)
            else:
                values, places = distinct(series)
                concluded = spread(conclude(values), places, said.height)
            kept = [name for name in concluded.columns if name in CONCLUDED]
            records = records.with_columns(concluded.select(kept))
        attribution_id = pl.lit(self.id, pl.Enum([self.id]))
        records = records.with_columns(measure.server_bytes(), attribution_id=attribution_id)
        return records.with_columns(is_download=downloads.is_download()).select(POLARS.names())

    def _artifacts(self, targets: pl.Series) -> pl.DataFrame:
        none = pl.lit(None, pl.String)
        frame = targets.alias("url_original").to_frame().with_columns(server_address=none)
        return artifacts.conclude(frame, registry=self.registry)

    def _of_pairs(self, target: pl.Series, host: pl.Series) -> pl.DataFrame:
        pairs, places = _targets(target, host)
        return spread(artifacts.conclude(pairs, registry=self.registry), places, target.len())


def _targets(target: pl.Series, host: pl.Series) -> tuple[pl.DataFrame, np.ndarray | None]:
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
