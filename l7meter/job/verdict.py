"""What is said of a store and its job: lines with a verdict, a number where there is one, and the next step."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple

Verdict = Literal["ok", "warning", "critical"]
WORST: tuple[Verdict, ...] = ("ok", "warning", "critical")


class Line(NamedTuple):
    """One line: `value` in `unit` (seconds, bytes, share, or what is counted), for programs."""

    section: str
    what: str
    verdict: Verdict
    said: str
    next_step: str | None = None
    value: float | None = None
    unit: str | None = None


def graded(value: float, warning: float, critical: float) -> Verdict:
    """A value that should be small, by the limits above which it is not well."""
    return "critical" if value > critical else "warning" if value > warning else "ok"


def worst(lines: list[Line]) -> Verdict:
    """The worst verdict of all."""
    return max((line.verdict for line in lines), key=WORST.index, default="ok")


def span(time: timedelta) -> str:
    """A duration in its two largest units: `3 d 4 h`, `12 min`, `8 s`."""
    seconds = int(abs(time.total_seconds()))
    units = (("d", seconds // 86_400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60))  # fmt: skip
    first = next((place for place, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count) or "0 s"


def plural(count: int, noun: str, many: str = "") -> str:
    """A count with its noun: `1 file`, `2,000 files`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
