"""JSON lines with a declared mapping from fields to readings.

Polars reads whole blocks with a schema of just the fields that are mapped, everything as text. A
block it refuses (one bad line spoils it) is halved until the bad lines stand alone; those are read
by the standard library, which is exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import TOO_LONG, Lines
from l7meter.formats.pattern import passed_by
from l7meter.sources import Block

FEW = 32  # lines read one by one

Path = tuple[str, ...]


class Only(NamedTuple):
    """Lines that are requests: those where a field has one of these values, or starts with them.

    `empty` says whether a line without the field is one. Others are skipped under `reason`.
    """

    field: str
    values: tuple[str, ...]
    reason: str
    starts: bool = False
    empty: bool = True
    negate: bool = False


class JsonReader:
    """Reads objects, one a line, whatever stands before the brace.

    `fields` maps a field (`request.client_ip`; `headers.User-Agent[0]` for the first of a list) to
    a reading; `required` are top-level keys that a line must have at all to be of this format;
    `skip` names expressions of lines that are no requests.
    """

    nothing = "line holds no JSON object"  # the reason of a reject

    def __init__(
        self,
        fields: Mapping[str, str],
        required: Iterable[str] = (),
        only: Iterable[Only] = (),
        skip: Mapping[str, str] | None = None,
    ) -> None:
        self.fields = dict(fields)
        self.required = tuple(required)
        self.only = tuple(only)
        self.skip = skip or {}
        wanted = [*self.fields, *self.required, *(rule.field for rule in self.only)]
        self._paths = {field: _path(field) for field in dict.fromkeys(wanted)}
        self._schema = _schema(self._paths.values())

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Every line is read alike."""
        return [Segment(block)], context

    def might(self, line: str) -> bool:
        """Whether the line names every key that one of the format must have."""
        keys = (part for field in self.required for part in self._paths[field] if part != "[0]")
        return "{" in line and all(part in line for part in keys)

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each object."""
        blank, _, long = lines.passed_over()
        rows = np.flatnonzero(~blank & ~long)
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        skipped = {"blank": int(blank.sum())}
        if self.skip:
            _, rows = passed_by(lines.text[rows], rows, self.skip, skipped)
        texts, whole = self._objects(lines, rows)
        decoded = self._decode(texts, whole)
        good = decoded.filter("good").with_columns(pl.Series("row", rows[decoded["good"]]))
        unread = unread.vstack(lines.reasons(rows[~decoded["good"].to_numpy()], self.nothing))
        lacking = np.zeros(good.height, np.bool_)
        for field in self.required:
            lacking |= good[field].is_null().to_numpy()
        if lacking.any():
            reason = f"object lacks a field of the format ({', '.join(self.required)})"
            other = np.zeros(good.height, np.bool_)
            for rule in self.only:
                other |= good[rule.field].is_not_null().to_numpy() & ~_meets(good[rule.field], rule)
            absent = lacking & ~other
            unread = unread.vstack(lines.reasons(good["row"].to_numpy()[absent], reason))
            good = good.filter(~absent)
        for rule in self.only:
            met = _meets(good[rule.field], rule)
            if not met.all():
                skipped[rule.reason] = skipped.get(rule.reason, 0) + int((~met).sum())
                good = good.filter(met)
        named = [pl.Series("source_line", lines.number(good["row"].to_numpy()))]
        if good.height:
            named += [
                good[field].alias(f"{reading}\t{place}")
                for place, (field, reading) in enumerate(self.fields.items())
                if reading
            ]
        return Raw(pl.DataFrame(named), unread, skipped)

    def _objects(self, lines: Lines, rows: np.ndarray) -> tuple[pl.Series, bytes | None]:
        """The objects of the lines, and the block itself where it is nothing but objects."""
        if len(rows) == lines.count and lines.all_start_with(b"{"):
            return lines.text, lines.data
        text = lines.text[rows]
        return text.str.extract(r"(?s)^[^{]*(\{.*)$"), None

    def _decode(self, texts: pl.Series, whole: bytes | None) -> pl.DataFrame:
        """Every wanted field as text, and whether the line is an object."""
        if not texts.len():
            return self._frame([])
        data = whole if whole is not None else "".join(texts.fill_null("\n").to_list()).encode()
        frame = self._bulk(data)
        if frame is not None and frame.height == texts.len():
            return self._flat(frame)
        if texts.len() <= FEW:
            return self._frame([_loads(text) for text in texts])
        middle = texts.len() // 2
        halves = texts.slice(0, middle), texts.slice(middle)
        return self._decode(halves[0], None).vstack(self._decode(halves[1], None))

    def _bulk(self, data: bytes) -> pl.DataFrame | None:
        try:
            return pl.read_ndjson(data, schema=self._schema)
        except pl.exceptions.PolarsError:
            return None

    def _flat(self, frame: pl.DataFrame) -> pl.DataFrame:
        columns = []
        for field, path in self._paths.items():
            series = _down(frame, path)
            flat = frame[field] if len(path) > 1 and field in frame.columns else None
            columns.append((series if flat is None else flat.fill_null(series)).alias(field))
        return pl.DataFrame([*columns, pl.Series("good", [True]).new_from_index(0, frame.height)])

    def _frame(self, objects: list[dict[str, Any] | None]) -> pl.DataFrame:
        columns: dict[str, pl.Series] = {
            field: pl.Series([_get(made, field, path) for made in objects], dtype=pl.String)
            for field, path in self._paths.items()
        }
        good = pl.Series([made is not None for made in objects], dtype=pl.Boolean)
        return pl.DataFrame({**columns, "good": good})


def _path(field: str) -> Path:
    return tuple(field.replace("[0]", ".[0]").split("."))


def _schema(paths: Iterable[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in paths:
        if len(path) > 1 and path[-1] != "[0]":
            tree[".".join(path)] = None  # the name itself may hold dots (Zeek, docker)
        node = tree
        for place, name in enumerate(path):
            last = place == len(path) - 1
            if not last and node.get(name) is None:
                node[name] = {}
            if last:
                node.setdefault(name, None)
            else:
                node = node[name]
    return {name: _type(node) for name, node in tree.items()}


def _type(node: dict[str, Any] | None) -> Any:
    if node is None:
        return pl.String
    if list(node) == ["[0]"]:
        return pl.List(pl.String)
    return pl.Struct({name: _type(child) for name, child in node.items()})


def _down(frame: pl.DataFrame, path: Path) -> pl.Series:
    series = frame[path[0]]
    for name in path[1:]:
        series = series.list.first() if name == "[0]" else series.struct.field(name)
    if isinstance(series.dtype, pl.Struct):  # a null would come as the text "null"
        return series.struct.json_encode().set(series.is_null(), None)
    return series


def _meets(series: pl.Series, rule: Only) -> np.ndarray:
    met = pl.Series([False]).new_from_index(0, series.len())
    for value in rule.values:
        met |= (series.str.starts_with(value) if rule.starts else series == value).fill_null(value=False)  # fmt: skip
    if rule.negate:
        met = ~met
    return (met | series.is_null() if rule.empty else met & series.is_not_null()).to_numpy()


def _loads(text: str | None) -> dict[str, Any] | None:
    if not text:
        return None
    for repaired in (text, text.replace("\\x", "\\\\x")):  # nginx without escape=json writes \x22
        try:
            made = json.loads(repaired, parse_int=str, parse_float=str, object_pairs_hook=_first)
        except (ValueError, RecursionError):
            continue
        return made if isinstance(made, dict) else None
    return None


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that stands twice the first counts, as in the bulk reader."""
    return dict(reversed(pairs))


def _get(made: Any, field: str, path: Path) -> str | None:
    if isinstance(made, dict) and field in made:
        return _text(made[field])
    for name in path:
        if name == "[0]" and isinstance(made, list):
            made = made[0] if made else None
        elif isinstance(made, dict):
            made = made.get(name)
        else:
            return None
    return _text(made)


def _text(value: Any) -> str | None:
    if value is None:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair stays escaped
