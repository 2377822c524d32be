"""Lines that a regular expression with named groups takes apart; each group is a reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import LONG, TOO_LONG, Lines
from l7meter.sources import Block

NO_MATCH = "line does not match the format"


class PatternReader:
    """Reads lines by one expression; `skip` names expressions of lines that are no requests.

    A group `READING__2` is another one for the same reading; the first that has a value counts.
    """

    def __init__(self, pattern: str, skip: Mapping[str, str] | None = None) -> None:
        self.pattern = f"^(?:{pattern})$"
        self._whole = re.compile(self.pattern)
        self._groups = {name: name.partition("__")[0] for name in self._whole.groupindex}
        self.readings = list(dict.fromkeys(self._groups.values()))
        self.skip = skip or {}

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Every line is read alike."""
        return [Segment(block)], context

    def might(self, line: str) -> bool:
        """Whether the line matches, or is one to skip."""
        return (
            len(line) > LONG
            or self._whole.match(line) is not None
            or any(re.search(each, line) for each in self.skip.values())
        )

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each line that matches."""
        blank, comment, long = lines.passed_over()
        rows = np.flatnonzero(~blank & ~comment & ~long)
        text = lines.text if len(rows) == lines.count else lines.text[rows]
        text = text.str.strip_suffix("\n")
        skipped = {"blank": int(blank.sum()), "comment": int(comment.sum())}
        text, rows = passed_by(text, rows, self.skip, skipped)
        matched = text.str.contains(self.pattern)
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        unread = unread.vstack(lines.reasons(rows[~matched.to_numpy()], NO_MATCH))
        text, rows = text.filter(matched), rows[matched.to_numpy()]
        named = [pl.Series("source_line", lines.number(rows))]
        if len(rows):
            groups = text.str.extract_groups(self.pattern).struct.unnest()
            named += [groups[name].alias(f"{word}\t{name}") for name, word in self._groups.items()]
        return Raw(pl.DataFrame(named), unread, skipped)


def passed_by(
    text: pl.Series, rows: np.ndarray, skip: Mapping[str, str], skipped: dict[str, int]
) -> tuple[pl.Series, np.ndarray]:
    """The lines that no expression of `skip` finds, and their rows; the others are counted."""
    for reason, expression in skip.items():
        found = text.str.contains(expression)
        skipped[reason] = int(found.sum())
        text, rows = text.filter(~found), rows[~found.to_numpy()]
    return text, rows
