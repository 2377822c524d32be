"""A bill's file to a frame of days and regions, in octets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from l7meter.analysis.reconcile.bill import SCHEMA, File, Line, Provider, Refused
from l7meter.analysis.reconcile.providers import providers
from l7meter.analysis.reconcile.providers.generic import MEANINGS
from l7meter.analysis.reconcile.units import UNITS, unit_named, unit_said
from l7meter.errors import SourceError, UsageError

LARGEST = 256 << 20  # octets of a bill; the largest cost reports come cut in parts


@dataclass(frozen=True)
class Bill:
    """A bill that was read: its days (`bill.SCHEMA`, one row a day and region, octets), and what could not be.

    `problems` are sentences that begin with file and line. `left` counts lines about something else.
    """

    name: str
    provider: Provider
    days: pl.DataFrame
    unit: str
    lines: int
    problems: list[str]
    left: dict[str, int]

    @property
    def has_regions(self) -> bool:
        """Whether every line says its region."""
        return bool(self.days["region"].is_not_null().all())


def read_bill(
    path: str | Path,
    *,
    provider: str | None = None,
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
    regions: bool = False,
) -> Bill:
    """Read a bill; its provider is told by content if not given.

    `columns` says what columns of a CSV file mean (`{"Volume": "bytes"}`), `unit` of which unit the
    bytes are, where the file does not say so. Raises `UsageError` where that is missing, or names
    nothing, and `SourceError` where no line can be read; lines that cannot, beside others that can, are
    in `problems`.
    """
    for column, meaning in (columns or {}).items():
        if meaning not in MEANINGS:
            raise UsageError(
                f"--map {column}={meaning}: no meaning; there is: {', '.join(MEANINGS)}"
            )
    file = File(str(path), _text(path), columns or {}, regions)
    chosen = _chosen(file, provider)
    said = unit_named(unit) if unit else None
    lines: list[Line] = []
    problems: list[str] = []
    left: Counter[str] = Counter()
    for each in chosen.read(file):
        if isinstance(each, Line):
            lines.append(each)
        elif isinstance(each, Refused):
            problems.append(f"{path}:{each.number}: {each.problem}")
        else:
            left[each.what] += 1
    if not lines:
        why = problems[0] if problems else "no line has bytes or requests of a day"
        raise SourceError(f"{path}: nothing of this bill can be read: {why}")
    units = {_unit(file, chosen, line, said) for line in lines if line.bytes is not None}
    days = _frame(
        lines,
        {
            line.unit: UNITS[_unit(file, chosen, line, said)]
            for line in lines
            if line.bytes is not None
        },
    )
    told = "+".join(sorted(units)) or "bytes"
    count = len(lines) + len(problems) + left.total()
    return Bill(str(path), chosen, days, told, count, problems, dict(left))


def _text(path: str | Path) -> str:
    try:
        if Path(path).stat().st_size > LARGEST:
            raise SourceError(
                f"{path}: larger than {LARGEST >> 20} MiB; cut it by month or by service"
            )
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 at octet {error.start}; save it as UTF-8") from error


def _chosen(file: File, name: str | None) -> Provider:
    known = providers()
    if name is not None and name not in known:
        raise UsageError(f"--provider {name}: no such provider; there is: {', '.join(known)}")
    if name is not None:
        return known[name]
    for each in known.values():
        if each.tells(file):
            return each
    if file.is_json:
        raise SourceError(
            f"{file.name}: no bill that is known; say whose it is: --provider {', '.join(known)}"
        )
    return known["generic"]  # it says which columns are missing


def _unit(file: File, provider: Provider, line: Line, said: str | None) -> str:
    told = unit_said(line.unit) if line.unit else provider.unit
    if told is None and said is None:
        what = (
            f"says '{line.unit}', which is used for 1000³ and for 1024³"
            if line.unit
            else "does not say its unit"
        )
        raise UsageError(
            f"{file.name}:{line.number}: the bill {what}: give --unit GB (1000³), GiB (1024³), TB, TiB or bytes"
        )
    if told and said and told != said:
        raise UsageError(
            f"{file.name}:{line.number}: --unit {said}, but the bill says {told}: leave --unit out"
        )
    return told or str(said)


def _frame(lines: list[Line], octets: Mapping[str | None, int]) -> pl.DataFrame:
    names = (
        "day",
        "region",
        "bytes",
        "requests",
        "shield_bytes",
        "shield_requests",
        "origin_bytes",
    )
    rows = [(*(getattr(line, name) for name in names), octets.get(line.unit, 1)) for line in lines]
    plain = pl.DataFrame(rows, schema={**dict(SCHEMA), "octets": pl.Float64()}, orient="row")
    scaled = plain.with_columns(
        pl.col("billed_bytes", "shield_bytes", "origin_bytes") * pl.col("octets")
    ).drop("octets")
    figures = [name for name in SCHEMA if name not in ("day", "region")]
    return (
        scaled.group_by("day", "region")
        .agg(  # null is "not said": the sum of none is none
            pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
            for name in figures
        )
        .sort("day", "region")
    )
