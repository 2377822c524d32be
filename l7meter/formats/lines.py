"""The lines of a block as columns: their places, lengths and texts."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from l7meter.sources import Block
from l7meter.sources.blocks import KEPT, MAX_LINE

LONG = 4096  # characters that a backtracking match is not tried on
FEW = 1000  # lines that are cut out one by one; more, and the whole block is made a column
TOO_LONG = f"line is longer than {MAX_LINE >> 20} MiB"


class Lines:
    """The lines of one block, valid UTF-8: octets that are not stand as `\\xHH`.

    Line ends may be LF or CR LF. Nothing is copied until a text is asked for.
    """

    def __init__(self, block: Block) -> None:
        data = block.data
        if b"\r" in data:  # one octet is found ten times faster than two
            data = data.replace(b"\r\n", b"\n")
        if not data.isascii():
            data = _as_utf8(data)
        if data and not data.endswith(b"\n"):
            data += b"\n"
        self.data = data
        self.first_line = block.first_line

    @cached_property
    def _bounds(self) -> np.ndarray:
        ends = np.flatnonzero(np.frombuffer(self.data, np.uint8) == 10)
        bounds = np.empty(len(ends) + 1, np.int64)
        bounds[0] = 0
        np.add(ends, 1, out=bounds[1:])
        return bounds

    @property
    def count(self) -> int:
        """How many lines."""
        return len(self._bounds) - 1

    @cached_property
    def lengths(self) -> np.ndarray:
        """Octets of each line, its end left out."""
        return np.diff(self._bounds) - 1

    @cached_property
    def text(self) -> pl.Series:
        """Each line with its line end, as a view of the block."""
        array = pa.LargeStringArray.from_buffers(
            self.count, pa.py_buffer(self._bounds), pa.py_buffer(self.data)
        )
        return pl.Series("line", pl.from_arrow(array))

    def some(self, rows: np.ndarray) -> pl.Series:
        """The lines of these rows, with their line ends."""
        if len(rows) > FEW:
            return self.text[rows]
        bounds = self._bounds
        texts = [self.data[bounds[row] : bounds[row + 1]].decode() for row in rows]
        return pl.Series("line", texts, dtype=pl.String)

    def all_start_with(self, octet: bytes) -> bool:
        """Whether every line starts with this octet."""
        starts = np.frombuffer(self.data, np.uint8)[self._bounds[:-1]]
        return bool((starts == octet[0]).all())

    def number(self, rows: np.ndarray) -> np.ndarray:
        """The line number in the source of each row."""
        return rows.astype(np.int64) + self.first_line

    def kept(self, numbers: pl.Series) -> pl.Series:
        """The first 4 KiB of the lines with these numbers."""
        bounds = self._bounds
        rows = numbers.to_numpy() - self.first_line
        texts = [
            self.data[bounds[row] : min(bounds[row + 1] - 1, bounds[row] + KEPT)].decode("utf-8", "ignore")
            for row in rows  # rejected lines only
        ]  # fmt: skip
        return pl.Series("line", texts, dtype=pl.String)

    def reasons(self, rows: np.ndarray, reason: str) -> pl.DataFrame:
        """Rows that are no records, with the reason."""
        numbers = pl.Series("source_line", self.number(rows), dtype=pl.Int64)
        return pl.DataFrame([numbers]).with_columns(reason=pl.lit(reason))

    def passed_over(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows that are no request whatever the format: blank, a `#` comment, too long."""
        start = np.frombuffer(self.data, np.uint8)[self._bounds[:-1]]
        blank = self.lengths == 0
        return blank, (start == 35) & ~blank, self.lengths > MAX_LINE


def _as_utf8(data: bytes) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace").encode()
    return data
