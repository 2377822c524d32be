"""All conclusions about a frame of records."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

import numpy as np
import polars as pl

from l7meter.attribution import addresses, agents, artifacts, downloads, measure
from l7meter.attribution.memo import Memo
from l7meter.columns import distinct, spread
from l7meter.schema import POLARS

NOTHING = pl.Enum([""])  # text that is null throughout, at a third of the cost


class Attribution:
    """Fills the concluded columns.

    `registry` names the registry (`npm`) where neither host nor path tells which it is.
    """

    def __init__(self, registry: str | None = None) -> None:
        self.registry = registry
        self._memos = {
            "client_address": Memo(lambda values: addresses.conclude(values.to_series())),
            "user_agent_original": Memo(lambda values: agents.conclude(values.to_series())),
            "url_original": Memo(partial(artifacts.conclude, registry=registry)),
        }

    @cached_property
    def id(self) -> str:
        """Digest of all reference data and rules: an equal id means equal conclusions."""
        digest = sha256((self.registry or "").encode())
        digest.update(version("ua-parser-builtins").encode())
        for name, content in _contents(files("l7meter.attribution")):
            digest.update(f"\n{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()[:16]

    def conclude(self, said: pl.DataFrame) -> pl.DataFrame:
        """The records in all columns of the schema; the said columns are untouched.

        Text may be Categorical: few values, many rows.
        """
        records = said.with_columns(
            pl.lit(None, NOTHING if POLARS[name] == pl.String else POLARS[name]).alias(name)
            for name in POLARS
            if name not in said.columns
        )
        for column, conclude in self._memos.items():
            if column == "url_original":
                values, places = _targets(records["url_original"], records["server_address"])
            else:
                distinct_values, places = distinct(records[column])
                values = distinct_values.alias(column).to_frame()
            records = records.with_columns(spread(conclude(values), places, records.height))
        records = records.with_columns(
            measure.server_bytes(), attribution_id=pl.lit(self.id, pl.Enum([self.id]))
        )
        return records.with_columns(is_download=downloads.is_download()).select(POLARS.names())


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
