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
from l7meter.columns import distinct, spread
from l7meter.schema import COLUMNS, CONCLUDED, POLARS


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

    def conclude(self, said: pl.DataFrame) -> pl.DataFrame:
        """The records in all columns of the schema; the said columns are untouched.

        Text may be Categorical: few values, many rows.
        """
        records = said.with_columns(
            pl.lit(None, POLARS[name]).alias(name) for name in POLARS if name not in said.columns
        )
        for column, conclude in (
            ("client_address", addresses.conclude),
            ("user_agent_original", agents.conclude),
        ):
            values, places = distinct(records[column])
            records = _filled(records, conclude(values), places)
        targets, places = _targets(records["url_original"], records["server_address"])
        concluded = artifacts.conclude(targets, registry=self.registry)
        records = _filled(records, concluded, places)
        records = records.with_columns(measure.server_bytes(), attribution_id=pl.lit(self.id))
        return records.with_columns(is_download=downloads.is_download()).select(POLARS.names())


def _filled(records: pl.DataFrame, concluded: pl.DataFrame, places: np.ndarray | None) -> pl.DataFrame:  # fmt: skip
    kept = [name for name in concluded.columns if name in CONCLUDED]
    text = [name for name in kept if COLUMNS[name].type == "string"]
    coded = concluded.select(kept).with_columns(  # a code is spread faster than a string
        pl.col(name).cast(pl.Categorical(pl.Categories.random())) for name in text
    )
    return records.with_columns(spread(coded, places, records.height))


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
