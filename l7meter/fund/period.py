"""The days that a fund accounts for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from l7meter.errors import UsageError

_DAY = timedelta(days=1)
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_QUARTER = re.compile(r"(\d{4})-?[Qq]([1-4])")
_YEAR = re.compile(r"\d{4}")


class Period(NamedTuple):
    """UTC days, the first and the last included."""

    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read `2026-10`, `2026-Q4`, `2026`, `2026-10-05` or `2026-10-01..2026-10-15`.

        Raises `UsageError` for any other text.
        """
        try:
            return cls._parse(text.strip())
        except ValueError as error:
            raise UsageError(
                f"period {text}: write a month (2026-10), a quarter (2026-Q4), a year, a day, or FIRST..LAST"
            ) from error

    @classmethod
    def _parse(cls, text: str) -> Period:
        if found := _MONTH.fullmatch(text):
            return cls._months(int(found[1]), int(found[2]), 1)
        if found := _QUARTER.fullmatch(text):
            return cls._months(int(found[1]), int(found[2]) * 3 - 2, 3)
        if _YEAR.fullmatch(text):
            return cls._months(int(text), 1, 12)
        first, dots, last = text.partition("..")
        made = cls(date.fromisoformat(first), date.fromisoformat(last if dots else first))
        if made.first > made.last:
            raise ValueError(text)
        return made

    @classmethod
    def _months(cls, year: int, month: int, count: int) -> Period:
        first, behind = date(year, month, 1), month + count
        return cls(first, date(year + (behind > 12), (behind - 1) % 12 + 1, 1) - _DAY)

    @property
    def days(self) -> int:
        """How many they are."""
        return (self.last - self.first).days + 1

    @property
    def since(self) -> datetime:
        """The instant it begins."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """The instant it is over."""
        return datetime.combine(self.last + _DAY, time(), UTC)

    def months(self) -> Iterator[Period]:
        """Its calendar months, the first and the last of them cut to what is in it."""
        begin = self.first
        while begin <= self.last:
            end = min(self._months(begin.year, begin.month, 1).last, self.last)
            yield Period(begin, end)
            begin = end + _DAY

    def __str__(self) -> str:
        """As it is written: `2026-10`, or with both days."""
        if self == self._months(self.first.year, self.first.month, 1):
            return f"{self.first:%Y-%m}"
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"
