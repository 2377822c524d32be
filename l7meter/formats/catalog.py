"""The formats that are shipped: one TOML file each, found by walking the folder."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from l7meter.errors import UsageError
from l7meter.formats.contract import Format, Reader
from l7meter.formats.csvlines import CsvReader
from l7meter.formats.delimited import DelimitedReader, W3cReader
from l7meter.formats.jsonlines import JsonReader, Only
from l7meter.formats.logfmt import LogfmtReader
from l7meter.formats.logformat import (
    Captures,
    LogFormatReader,
    captures_in,
    compile_format,
    dialect,
    formats_in,
    log_formats_in,
    pattern_with,
)
from l7meter.formats.parquet import ParquetReader
from l7meter.formats.pattern import PatternReader
from l7meter.formats.readings import reading
from l7meter.tomlkeys import nearest

MAPPED = "mapped"  # the name of what pairs describe
_FOLDER = files("l7meter.formats") / "shipped"


@cache
def tables() -> dict[str, dict[str, Any]]:
    """What each shipped file says, by the name of its format, sorted."""
    found = {
        entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text("utf-8"))
        for entry in _FOLDER.iterdir()
        if entry.name.endswith(".toml")
    }
    return dict(sorted(found.items()))


@cache
def shipped() -> dict[str, Format]:
    """Every shipped format by name, sorted."""
    return {name: _format(name, table, tables()) for name, table in tables().items()}


def by_name(name: str) -> Format:
    """The shipped format of this name.

    Raises `UsageError` where there is none.
    """
    formats = shipped()
    if name not in formats:
        hint = nearest(name, list(formats)) or "; 'l7meter formats' lists them"
        raise UsageError(f"--format {name}: no such format{hint}")
    return formats[name]


def from_mapping(path: Path) -> Format:
    """The format that a mapping file (TOML, as the shipped ones) describes.

    Raises `UsageError` where it cannot be read or maps a field to a reading there is not.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--map {path}: cannot be read: {error}") from error
    table = {"family": "json", **table}
    try:
        return _format(path.stem, table, tables())
    except KeyError as error:
        raise UsageError(
            f"--map {path}: {error.args[0]!r} is missing or is no reading; 'l7meter schema' and "
            "docs/formats.md list what a field can be"
        ) from error


def from_pairs(pairs: list[str]) -> list[Format]:
    """The formats, JSON lines and CSV, of `field=column` pairs.

    Raises `UsageError` for a pair without `=` or with an unknown column.
    """
    fields: dict[str, str] = {}
    for pair in pairs:
        field, equals, column = pair.rpartition("=")
        if not equals:
            raise UsageError(f"--map {pair}: give a TOML file or field=column")
        fields[field] = column
    try:
        return [
            _format(MAPPED, {"family": family, "fields": fields, "title": f"{family.upper()} by the pairs given with --map"}, {})
            for family in ("json", "csv")
        ]  # fmt: skip
    except KeyError as error:
        raise UsageError(
            f"--map: {error.args[0]!r} is no column or reading; 'l7meter schema' lists the columns"
        ) from error


def from_log_format(text: str) -> list[Format]:
    """The formats of a `--log-format` value: a string, a configuration file, or FILE:NAME.

    Of HAProxy's configuration they are its own ones, with the headers that it captures.

    Raises `UsageError` where the file holds no format, or none of this name.
    """
    file, name = _configuration(text)
    if file is None:
        return [_from_string("log-format", text.strip(), "default")]
    configuration = file.read_text("utf-8", "replace")
    found = _found(configuration)
    if not (named := [make for each, make in found if name in (None, each)]):
        known = ", ".join(each for each, _ in found) or "none at all"
        raise UsageError(f"--log-format {text}: no such format in {file}; it holds {known}")
    made: list[Format] = []
    wrong: list[UsageError] = []
    for make in named:
        try:
            made.append(make())
        except UsageError as error:  # one that logs no time, as of TCP connections
            wrong.append(error)
    if not made:
        raise wrong[0]
    return made


def _found(configuration: str) -> list[tuple[str, Callable[[], Format]]]:
    """The formats of a configuration by name, not made yet; HAProxy's with what its frontends capture."""
    strings = [(each.name, partial(_from_string, *each)) for each in formats_in(configuration)]
    own = [
        (captures.frontend, partial(_from_string, captures.frontend, text, "default", captures))
        for captures, text in log_formats_in(configuration)
    ]
    if not (frontends := captures_in(configuration)):
        return [*strings, *own]
    shipped = [
        (name, partial(_format, name, table | {"pattern": pattern_with(table["pattern"], frontends)}, tables()))
        for name, table in tables().items()
        if name.startswith("haproxy")
    ]  # fmt: skip
    return [*strings, *own, *shipped]


def _configuration(text: str) -> tuple[Path | None, str | None]:
    if "$" in text or "%" in text:
        return None, None
    file, colon, name = text.rpartition(":")
    try:
        if Path(text).is_file():
            return Path(text), None
        if colon and Path(file).is_file():
            return Path(file), name
    except OSError as error:
        raise UsageError(f"--log-format {text}: cannot be read: {error.strerror}") from error
    return None, None


def _from_string(name: str, text: str, escape: str, captures: Captures | None = None) -> Format:
    from l7meter.formats.logformat.jsonstring import json_fields

    fields = json_fields(text, captures)
    reader: Reader = JsonReader(fields) if fields else compile_format(text, captures)
    used = list(fields.values()) if fields else reader.readings  # type: ignore[attr-defined]
    return Format(
        name=name,
        title=f"the format string given as {name}",
        specification=text,
        size=_size_of(used),
        moment="as the format string says",
        reader=reader,
        family="json" if fields else "log-format",
        escapes="none" if escape == "none" else dialect(text).escapes,
        rank=len(used),
    )


def _size_of(readings: list[str | None]) -> str:
    if "response_size" in readings:
        return "message: octets of the response as sent, fields included"
    if {"response_body_size", "response_body_size_clf"} & set(readings):
        return "content: octets of the response content as sent"
    if "response_header_content_length" in readings:
        return "declared: the Content-Length the response announced"
    return "none: the format logs no size"


def _format(name: str, table: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> Format:
    fields = table.get("fields", others.get(table.get("like", ""), {}).get("fields", {}))
    fields = {field: word for field, word in fields.items() if word}
    for word in [*fields.values(), *filter(None, table.get("readings", ()))]:
        reading(word)
    reader = _reader(table, fields)
    return Format(
        name=name,
        title=table.get("title", f"mapping {name}"),
        specification=table.get("specification", ""),
        size=table.get("size", _size_of(list(fields.values()))),
        moment=table.get("moment", "as the mapping says"),
        reader=reader,
        family=table["family"],
        escapes=table.get("escapes", "clf" if table["family"] == "log-format" else "none"),
        rank=table.get("rank", len(getattr(reader, "readings", fields))),
        detect=table.get("detect", True),
        lenient=table.get("lenient", False),
        note=table.get("note", ""),
        samples=tuple(table.get("samples", ())),
    )


def _reader(table: Mapping[str, Any], fields: Mapping[str, str]) -> Reader:
    match table["family"]:
        case "log-format":
            return compile_format(table["log_format"])
        case "json" | "logfmt" as family:
            only = [Only(**{**rule, "values": tuple(rule["values"])}) for rule in table.get("only", ())]  # fmt: skip
            kind = LogfmtReader if family == "logfmt" else JsonReader
            return kind(fields, table.get("required", ()), only, table.get("skip"))
        case "csv":
            return CsvReader(fields, table.get("required", ()))
        case "w3c":
            return W3cReader(
                fields,
                table["separator"],
                table.get("required", ()),
                table.get("software"),
                table.get("missing", ()),
            )
        case "delimited":
            readings = [word or None for word in table["readings"]]
            return DelimitedReader(
                table["separator"], readings, table.get("first", ()), table.get("skip")
            )
        case "pattern":
            return PatternReader(table["pattern"], table.get("skip"))
        case "parquet":
            return ParquetReader(fields, table.get("required", ()))
        case other:
            raise UsageError(f"family {other!r}: there are log-format, json, logfmt, csv, w3c, delimited, pattern, parquet")  # fmt: skip


__all__ = ["LogFormatReader", "by_name", "from_log_format", "from_mapping", "from_pairs", "shipped"]
