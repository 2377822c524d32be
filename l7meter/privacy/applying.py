"""A policy applied to frames: what it does not keep is not in them afterwards, in no column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.columns import distinct, map_distinct, spread
from l7meter.privacy import texts
from l7meter.privacy.addresses import REMEMBERED, UNKNOWN, host, truncated, widened
from l7meter.privacy.decisions import ECHOES, PERSONAL
from l7meter.privacy.policy import Policy

_Values = Callable[[pl.Series], pl.Series]  # of distinct texts
_Value = Callable[[str], str | None]


class Privacy:
    """A policy with its keys, read once; for frames whose conclusions are drawn.

    Raises `UsageError` as `Policy.check` does. The frames it gives have the columns, order and height of
    those it takes; text stays Categorical where it was, in categories that hold nothing that was dropped.
    May be called from several threads.
    """

    def __init__(self, policy: Policy) -> None:
        policy.check()
        self.policy = policy
        self._keys = policy.keys()
        keys = tuple(self._keys or ())
        self._address_of = [lru_cache(REMEMBERED)(key.address) for key in keys]
        self._entries_of = [partial(_entries, change=change) for change in self._address_of]
        self._name_of = [key.name for key in keys]
        self._manifest = policy.manifest()
        self.id = policy.id

    def manifest(self) -> dict[str, Any]:
        """What is done, for the ledger: no key, no path."""
        return dict(self._manifest)

    def records(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Records as the policy lets them be stored: `PERSONAL` column by column.

        A frame without some of the columns will do; without `ts`, pseudonyms are under the first key.
        """
        if self.policy.keeps_records or frame.is_empty():
            return frame
        changed: list[pl.Series] = []
        places = self._places(frame)
        echoes = self._echoes(frame)
        for name, decided in PERSONAL.items():
            if name in frame.columns and decided.kind in CHANGES:
                column = frame[name]
                if column.null_count() < column.len():
                    changed.append(CHANGES[decided.kind](self, echoes.pop(name, column), places).alias(name))  # fmt: skip
        return frame.with_columns(changed).with_columns(echoes.values())

    def rejects(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rejected lines as they may be stored: place, reason and length, and the text where it is kept."""
        if self.policy.keeps_rejected_text or "line" not in frame.columns:
            return frame
        return frame.with_columns(line=pl.lit(None, pl.String))

    def _places(self, frame: pl.DataFrame) -> NDArray[np.int64]:
        """The place of each record's key."""
        if self._keys is None or "ts" not in frame.columns:
            return np.zeros(frame.height, np.int64)
        return self._keys.places(frame["ts"])

    def _address(self, column: pl.Series, places: NDArray[np.int64]) -> pl.Series:
        match self.policy.addresses:
            case "full":
                return column
            case "truncated":
                return _mapped(column, _each(truncated))
            case "pseudonymous":
                return _by_key(column, places, self._address_of)
            case _:
                return _nothing(column)

    def _addresses(self, column: pl.Series, places: NDArray[np.int64]) -> pl.Series:
        match self.policy.addresses:
            case "full":
                return column
            case "truncated":
                return _mapped(column, _each(partial(_entries, change=_truncated_entry)))
            case "pseudonymous":
                return _by_key(column, places, self._entries_of)
            case _:
                return _nothing(column)

    def _port(self, column: pl.Series, _: NDArray[np.int64]) -> pl.Series:
        return column if self.policy.addresses == "full" else _nothing(column)

    def _network(self, column: pl.Series, _: NDArray[np.int64]) -> pl.Series:
        return column if self.policy.addresses == "full" else _mapped(column, _each(widened))

    def _target(self, column: pl.Series, _: NDArray[np.int64]) -> pl.Series:
        def change(text: pl.Series) -> pl.Series:
            text = texts.without_userinfo(text)
            if self.policy.queries == "drop":
                return texts.without_query(text)
            return self._without_addresses(text, after="?#")

        return _mapped(column, change)

    def _referrer(self, column: pl.Series, _: NDArray[np.int64]) -> pl.Series:
        def change(text: pl.Series) -> pl.Series:
            if self.policy.referrers == "origin":
                return self._without_addresses(texts.origin(text))
            text = texts.without_userinfo(text)
            if self.policy.queries == "drop":
                text = texts.without_query(text)
            return self._without_addresses(text)

        return _nothing(column) if self.policy.referrers == "drop" else _mapped(column, change)

    def _name(self, column: pl.Series, places: NDArray[np.int64]) -> pl.Series:
        match self.policy.user_names:
            case "keep":
                return _mapped(column, self._without_addresses)
            case "pseudonymous":
                return _by_key(column, places, self._name_of)
            case _:
                return _nothing(column)

    def _text(self, column: pl.Series, _: NDArray[np.int64]) -> pl.Series:
        setting = PERSONAL[column.name].setting
        return column if getattr(self.policy, setting) == "keep" else _nothing(column)

    def _without_addresses(self, text: pl.Series, after: str = "") -> pl.Series:
        mode = self.policy.addresses
        if mode == "full":
            return text
        return texts.without_addresses(text, texts.in_place_of(mode), after)

    def _echoes(self, frame: pl.DataFrame) -> dict[str, pl.Series]:
        """Columns that a client wrote its own address into, that address replaced.

        Other addresses stay: most text of four numbers in paths and agents is a version (`Chrome/120.0.0.0`).
        """
        if self.policy.addresses == "full":
            return {}
        found: dict[str, pl.Series] = {}
        own = [name for name in ("client_address", "network_peer_address") if name in frame.columns]
        for name, concluded in ECHOES.items():
            if name in frame.columns and own:
                echoing = _echoing(frame.select(name, *own), name, own)
                for echo in (name, *concluded) if echoing else ():
                    if echo in frame.columns:
                        found[echo] = self._without_own(frame[echo], echoing)
        return found

    def _without_own(self, column: pl.Series, echoing: dict[int, frozenset[bytes]]) -> pl.Series:
        replace = texts.in_place_of(self.policy.addresses)
        rows = list(echoing)
        before = column[rows].cast(pl.String).to_list()
        # per hit, which only a client that writes its address into its requests gives
        after = [
            text and texts.replaced(text, replace, own)
            for text, own in zip(before, echoing.values(), strict=True)
        ]
        if after == before:
            return column
        result = column.cast(pl.String).scatter(rows, pl.Series(after, dtype=pl.String))
        return result if column.dtype == pl.String else result.cast(_fresh())


CHANGES: dict[str, Callable[[Privacy, pl.Series, NDArray[np.int64]], pl.Series]] = {
    "address": Privacy._address,
    "addresses": Privacy._addresses,
    "port": Privacy._port,
    "network": Privacy._network,
    "target": Privacy._target,
    "referrer": Privacy._referrer,
    "name": Privacy._name,
    "text": Privacy._text,
}


def _mapped(column: pl.Series, change: _Values) -> pl.Series:
    """`change` applied to distinct values; Categorical stays so, in categories of its own."""
    if column.dtype == pl.String:
        return map_distinct(column, change)
    values, places = distinct(column)
    changed = change(values).cast(_fresh())
    if changed.len() == column.len() and places is None:
        return changed
    return spread(changed.to_frame(), places, column.len()).to_series()


def _by_key(column: pl.Series, places: NDArray[np.int64], changes: Sequence[_Value]) -> pl.Series:
    """Each text changed by what the place of its row names."""
    result = column.cast(pl.String)
    for place in np.unique(places).tolist():
        rows = np.flatnonzero(places == place)
        if len(rows) == column.len():
            return _mapped(column, _each(changes[place]))
        part = _mapped(column[rows], _each(changes[place]))
        result = result.scatter(rows, part.cast(pl.String))
    return result if column.dtype == pl.String else result.cast(_fresh())


def _each(change: _Value) -> _Values:
    # A loop over distinct values: 1 µs each where a hash or the C library is at work.
    def of_values(values: pl.Series) -> pl.Series:
        made = [None if text is None else change(text) for text in values.to_list()]
        return pl.Series(values.name, made, dtype=pl.String)

    return of_values


def _entries(text: str, change: Callable[[str], str]) -> str:
    """The entries of a list changed one by one; what tells nothing stays."""
    entries = (entry.strip() for entry in text.split(","))
    return ", ".join(change(entry) if entry not in ("", UNKNOWN) else entry for entry in entries)


def _truncated_entry(text: str) -> str:
    return truncated(text) or UNKNOWN


def _nothing(column: pl.Series) -> pl.Series:
    dtype = column.dtype if not isinstance(column.dtype, pl.Categorical) else _fresh()
    return pl.Series(column.name, [None], dtype=dtype).new_from_index(0, column.len())


def _fresh() -> pl.Categorical:
    return pl.Categorical(pl.Categories.random())


def _echoing(frame: pl.DataFrame, name: str, own: Sequence[str]) -> dict[int, frozenset[bytes]]:
    """The rows whose text in a column holds the record's own address, and their own addresses."""
    values, places = distinct(frame[name])
    likely = values.str.contains(texts.LIKELY).fill_null(False).arg_true()
    if not likely.len():
        return {}
    named = (text for each in own for text in distinct(frame[each])[0].to_list() if text)
    clients = frozenset(octets for text in named if (octets := host(text)))
    inside: list[frozenset[bytes]] = [frozenset()] * values.len()
    for place, text in zip(likely.to_list(), values[likely].to_list(), strict=True):
        inside[place] = clients.intersection(texts.addresses_in(text))
    # a browser's version is some client's address now and then: rows decide
    text_of = np.zeros(frame.height, np.uint32) if places is None else places
    rows = np.flatnonzero(np.array([bool(each) for each in inside])[text_of])
    echoing: dict[int, frozenset[bytes]] = {}
    if len(rows):
        columns = [frame[each][rows].cast(pl.String).to_list() for each in own]
        for row, text, *addresses in zip(
            rows.tolist(), text_of[rows].tolist(), *columns, strict=True
        ):
            if mine := inside[text].intersection(host(address) for address in addresses if address):
                echoing[row] = mine
    return echoing
