"""From the tables of a TOML file to dataclasses of `tomlkeys`, with every fault on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from typing import Any, TypeVar

from l7meter.tomlfile import Place, TomlFile
from l7meter.tomlkeys import REQUIRED, Kind, nearest

T = TypeVar("T")


class Reader:
    """Reads a file's tables; what is faulty is noted, and stands at its default."""

    def __init__(self, file: TomlFile) -> None:
        self.file = file
        self.faults: list[tuple[Place, str]] = []
        self._path = file.path.absolute()

    def fault(self, place: Place, problem: str) -> None:
        """Note what is wrong at a place, unless something is wrong there already, or in it."""
        if all(place != other[: len(place)] for other, _ in self.faults):
            self.faults.append((place, problem))

    def said(self) -> list[str]:
        """The faults with file and line, in the order of the lines."""
        ordered = sorted(self.faults, key=lambda fault: self.file.line(*fault[0]))
        return [self.file.said(place, problem) for place, problem in ordered]

    def read(self, type_: type[T], tables: Mapping[str, type], arrays: Mapping[str, type]) -> T:
        """The whole file: `[name]` is the field `name`, `[[name]]` the field `names`, beside `path` and
        `digest`; not to be used where there are faults.
        """
        data = self.file.data
        values = self._values(type_, data, (), [*tables, *arrays])
        for name, each in tables.items():
            if not isinstance(table := data.get(name, {}), dict):
                self.fault((name,), f"{name} is a table; write [{name}] and its keys below it")
                table = {}
            values[name] = self._made(each, table, (name,))
        for name, each in arrays.items():
            values[f"{name}s"] = tuple(self._made(each, *found) for found in self._tables(name))
        return type_(**values, path=self._path, digest=self.file.digest)  # type: ignore[call-arg]

    def _tables(self, name: str) -> Iterator[tuple[dict[str, Any], Place]]:
        found = self.file.data.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.fault((name,), f"write [[{name}]], in two brackets, once for each {name}")
            return
        yield from ((each, (name, number)) for number, each in enumerate(found))

    def _made(self, type_: type, table: dict[str, Any], place: Place) -> Any:
        return type_(**self._values(type_, table, place))

    def _values(
        self, type_: type, table: Mapping[str, Any], place: Place, others: list[str] | None = None
    ) -> dict[str, Any]:
        known = keys(type_)
        for name in table:
            if name not in known and name not in (others or ()):
                words = [*known, *(others or ())]
                hint = nearest(name, words) or f"; there are {', '.join(words)}"
                self.fault((*place, name), f"unknown key {name}{hint}")
        return {name: self._value(each, table, (*place, name)) for name, each in known.items()}

    def _value(self, field: Field[Any], table: Mapping[str, Any], place: Place) -> Any:
        kind, default = field.metadata["kind"], field.metadata["default"]
        if field.name in table:
            before = len(self.faults)
            value = self._read(kind, table[field.name], place)
            if len(self.faults) == before:
                return value
        elif default is REQUIRED:
            what = (
                f"[[{place[0]}]]"
                if len(place) > 2
                else f"[{place[0]}]"
                if len(place) > 1
                else "the file"
            )
            self.fault(place, f"{what} needs {field.name}: {field.metadata['sentence']}")
        if default is REQUIRED or default is None:
            return kind.blank if default is REQUIRED else None
        return kind.read(default, self._path.parent)

    def _read(self, kind: Kind, value: Any, place: Place) -> Any:
        if kind.each and isinstance(value, list):
            return tuple(self._read(kind.each, each, (*place, n)) for n, each in enumerate(value))
        try:
            return kind.read(value, self._path.parent)
        except ValueError as error:
            name = next(part for part in reversed(place) if isinstance(part, str))
            self.fault(place, f"{name} {shown(value)} {error}")


def keys(type_: type) -> dict[str, Field[Any]]:
    """The keys that a table has, as fields."""
    return {each.name: each for each in fields(type_) if "kind" in each.metadata}


def shown(value: Any) -> str:
    """A value as an error shows it: short, and nearly as it was written."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)  # fmt: skip
    return text if len(text) <= 60 else f"{text[:57]}..."
