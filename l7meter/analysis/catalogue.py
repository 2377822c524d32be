"""The catalogue of questions: SQL files whose header is their documentation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from l7meter.analysis.parameters import Parameter, Value
from l7meter.errors import UsageError
from l7meter.store import Connection, select

COMMON_COLUMNS: dict[str, str] = {
    "bytes": "Octets sent to clients (`server_bytes`), each record times its sample weight; "
    "what they count is in `basis`. Empty where nothing was measured.",
    "share": "What the row's bytes make of the bytes of all rows, 0 to 1.",
    "requests": "HTTP exchanges, each times its sample weight.",
    "clients": "Distinct client addresses: counted, or where the query says so estimated from the "
    "sketches of the rollups; empty on a folded row, unless its sketches were put together.",
    "unmeasured": "Records, times their sample weight, whose source gave no byte count.",
    "unattributed": "Which part of the row's bytes has no known user (at best the provider of the "
    "network is known), 0 to 1.",
    "basis": "What the bytes count: `message`, `content`, `declared`, `wire`, `tls`; a row that "
    "adds several says so: `content+message`.",
}
"""Columns that mean the same in every query that has them."""

_USED = re.compile(r"\$([A-Za-z_]\w*)")
_QUOTED = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'[^']*'|"[^"]*"|(\$\w*\$).*?\1""", re.DOTALL
)  # comments, strings, quoted names, $tag$strings$tag$


@dataclass(frozen=True)
class Query:
    """One question: its name, the text of its header, and the SQL of the whole file."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    sql: str

    def bind(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Return a value for every parameter; UsageError names the known ones for a strange one."""
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                knows = f"it knows: {', '.join(known)}" if known else "it has none"
                raise UsageError(f"query '{self.name}' has no parameter '{name}'; {knows}")
        return {p.name: p.convert(given.get(p.name, p.default)) for p in self.parameters}


def parse(name: str, text: str, place: str) -> Query:
    """Read a query from its text: the leading comment is title, description and parameters.

    Raises UsageError, naming `place`, for a malformed parameter and for one that is declared but
    not used, or used but not declared.
    """
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header = [line.removeprefix("--").strip() for line in lines[:end]]
    cut = header.index("Parameters:") if "Parameters:" in header else len(header)
    title, *description = header[:cut] or [name]
    parameters = tuple(Parameter.parse(line, place) for line in header[cut + 1 :] if line)
    used = set(_USED.findall(_QUOTED.sub("", text)))
    for odd in sorted(used.symmetric_difference(p.name for p in parameters)):
        how = "used but not declared" if odd in used else "declared but not used"
        raise UsageError(f"{place}: parameter '{odd}' is {how} in the header's 'Parameters:'")
    return Query(name, title, " ".join(filter(None, description)), parameters, text)


def catalogue(directories: Sequence[Path] = ()) -> list[Query]:
    """Return l7meter's queries and those of `directories`, by name; a later directory wins."""
    return [_read(path) for _, path in sorted(_files(directories).items())]


def load(name: str, directories: Sequence[Path] = ()) -> Query:
    """Return the query of that name, or of that file where `name` ends in `.sql`.

    Raises UsageError with the nearest names for one that is not there.
    """
    if name.endswith(".sql"):
        return _read(Path(name))
    files = _files(directories)
    if name in files:
        return _read(files[name])
    near = difflib.get_close_matches(name, files, n=3, cutoff=0.5) or sorted(files)
    raise UsageError(f"no query '{name}'; there is: {', '.join(near)}")


def run(
    connection: Connection, query: Query, parameters: Mapping[str, object] | None = None
) -> pl.DataFrame:
    """Run a query with bound parameters, given as text or as Python values.

    Parameters that are not given take the default of the header. Raises UsageError for a parameter
    that the query does not know or that is not of its type.
    """
    bound = query.bind(parameters or {})
    return select(connection, query.sql, bound)


def _files(directories: Sequence[Path]) -> dict[str, Path]:
    """The queries' files by name."""
    return {path.stem: path for folder in (_own(), *directories) for path in folder.glob("*.sql")}


def _own() -> Path:
    packaged = Path(__file__).parent.parent / "queries"  # in the wheel; a checkout has them above
    return packaged if packaged.is_dir() else packaged.parent.parent / "queries"


def _read(path: Path) -> Query:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: the query cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the query is not UTF-8 text; save it as UTF-8") from error
    return parse(path.stem, text, str(path))
