"""Lines that a regular expression with named groups takes apart; each group is a reading."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import TOO_LONG, Lines
from l7meter.sources import Block

NO_MATCH = "line does not match the format"


class PatternReader:
    """Reads lines by one expression; `skip` names expressions of lines that are no requests."""

    def __init__(self, pattern: str, skip: dict[str, str] | None = None) -> None:
        self.pattern = f"^(?:{pattern})\n?$"
        self.readings = list(re.compile(self.pattern).groupindex)
        self.skip = skip or {}

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Every line is read alike."""
        return [Segment(block)], context

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each line that matches."""
        blank, comment, long = lines.passed_over()
        rows = np.flatnonzero(~blank & ~comment & ~long)
        text = lines.text if len(rows) == lines.count else lines.text[rows]
        skipped = {"blank": int(blank.sum()), "comment": int(comment.sum())}
        matched = text.str.contains(self.pattern)
        for reason, expression in self.skip.items():
            passed = text.str.contains(expression)
            skipped[reason] = int(passed.sum())
            text, matched, rows = text.filter(~passed), matched.filter(~passed), rows[~passed]
        groups = text.str.extract_groups(self.pattern).struct.unnest()
        named = [pl.Series("source_line", lines.number(rows))]
        named += [groups[name].alias(f"{name}\t{name}") for name in self.readings]
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        unread = unread.vstack(lines.reasons(rows[~matched.to_numpy()], NO_MATCH))
        return Raw(pl.DataFrame(named).filter(matched), unread, skipped)
