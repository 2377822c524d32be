"""Frames to files: CSV, JSON, JSON lines, Parquet and Markdown, batch by batch.

Numbers are written in full and bytes as octets; timestamps are ISO 8601, UTC, with microseconds.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

import polars as pl
import polars.selectors as cs
import pyarrow.parquet as pq

from l7meter.errors import UsageError
from l7meter.reports.cells import flat, visible_column
from l7meter.reports.jsonlines import encode

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12


class Writer(ABC):
    """Writes frames of one schema to a binary stream that the caller opened and closes.

    Used as a context manager it is closed at the end of the block, unless the block failed: half a
    file is not made to look whole. What the stream raises (BrokenPipeError) is the caller's.
    """

    def __init__(self, stream: BinaryIO, schema: pl.Schema) -> None:
        self.stream = stream
        self.schema = schema

    @abstractmethod
    def write(self, frame: pl.DataFrame) -> None:
        """Write the rows of a frame of the writer's schema."""

    def close(self) -> None:
        """Write what ends the file, and flush the stream."""
        self.stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()


# What a spreadsheet takes for a formula, at the start of a cell or where one of another separator or
# quoting begins, also full-width (https://owasp.org/www-community/attacks/CSV_Injection).
_SIGNS = r"=+\-@\uFF1D\uFF0B\uFF0D\uFF20"
_AT_START = rf"\A[\s\x00]*[{_SIGNS}]|\A[\t\r]"
_INSIDE = rf"([;,|\t\r\n\"'])([{_SIGNS}])"


class CsvWriter(Writer):
    """RFC 4180 with a header; null is an empty field, empty text is `""`.

    With `spreadsheet_safe`, text that a spreadsheet would take for a formula gets a `'`: before it
    where it begins with = + - @ (also full-width, also after blanks), tab or carriage return, and
    before such a sign inside of it that follows a separator, a quote or a line end. Numbers stay
    numbers.
    """

    def __init__(
        self, stream: BinaryIO, schema: pl.Schema, *, spreadsheet_safe: bool = True
    ) -> None:
        super().__init__(stream, schema)
        self.safe = spreadsheet_safe
        # the names as a row: a PIVOT makes names of what clients sent
        names = [pl.Series(str(n), [name], pl.String) for n, name in enumerate(schema)]
        stream.write(_csv(self._safe(pl.DataFrame(names))))

    def write(self, frame: pl.DataFrame) -> None:
        """Write the rows."""
        self.stream.write(_csv(self._safe(flat(frame))))

    def _safe(self, plain: pl.DataFrame) -> pl.DataFrame:
        if not self.safe:
            return plain
        text = plain.select(cs.string())
        # The few columns that need it: looking takes an eighth of the time of replacing.
        found = text.select(pl.all().str.contains(f"{_AT_START}|{_INSIDE}").any())
        risky = pl.col([column.name for column in found.get_columns() if column.any()])
        inside = risky.str.replace_all(_INSIDE, "${1}'${2}")
        return plain.with_columns(inside.str.replace(_AT_START, "'${0}"))


class JsonLinesWriter(Writer):
    """One JSON object a line; with `absent_nulls` the key of a null is left out."""

    def __init__(self, stream: BinaryIO, schema: pl.Schema, *, absent_nulls: bool = False) -> None:
        super().__init__(stream, schema)
        self.absent_nulls = absent_nulls

    def write(self, frame: pl.DataFrame) -> None:
        """Write the rows."""
        for lines in encode(frame, absent_nulls=self.absent_nulls):
            self.stream.write(lines)


class JsonWriter(Writer):
    """One JSON array of objects; null is `null`."""

    separator = b"[\n"

    def write(self, frame: pl.DataFrame) -> None:
        """Write the rows."""
        for lines in encode(frame, absent_nulls=False):
            # A line feed inside a text is escaped: those left end the lines.
            self.stream.write(self.separator + lines[:-1].replace(b"\n", b",\n"))
            self.separator = b",\n"

    def close(self) -> None:
        """End the array."""
        self.stream.write(b"[]\n" if self.separator == b"[\n" else b"\n]\n")
        super().close()


class ParquetWriter(Writer):
    """Parquet, compressed with zstd, a row group for each frame; types as they are."""

    def __init__(self, stream: BinaryIO, schema: pl.Schema) -> None:
        super().__init__(stream, schema)
        arrow = pl.DataFrame(schema=schema).to_arrow().schema
        self.gate = _Gate(stream)
        self.file = pq.ParquetWriter(self.gate, arrow, compression="zstd")
        self.gate.open = False

    def write(self, frame: pl.DataFrame) -> None:
        """Write the rows."""
        self.gate.open = True
        self.file.write_table(frame.to_arrow().cast(self.file.schema))
        self.gate.open = False

    def close(self) -> None:
        """Write the footer."""
        self.gate.open = True
        self.file.close()
        super().close()


class _Gate(io.RawIOBase):
    """Passes octets on while it is open: pyarrow ends the file even when its writer is dropped.

    It counts what passes, since a pipe cannot tell its position.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.open = True
        self.position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        if self.open:
            self.stream.write(data)
        self.position += size
        return size


class MarkdownWriter(Writer):
    """A table of GitHub Flavored Markdown; control characters are shown as their escapes."""

    def __init__(self, stream: BinaryIO, schema: pl.Schema) -> None:
        super().__init__(stream, schema)
        names = pl.DataFrame({"name": schema.names()}, schema={"name": pl.String})
        heads = names.select(_markdown(pl.col("name"))).to_series().to_list()
        rules = ["---:" if type_.is_numeric() else "---" for type_ in schema.dtypes()]
        for cells in (heads, rules):
            stream.write(f"| {' | '.join(cells)} |\n".encode())

    def write(self, frame: pl.DataFrame) -> None:
        """Write the rows."""
        text = flat(frame).select(_markdown(pl.all().cast(pl.String)).fill_null(""))
        lines = text.select(
            pl.concat_str(pl.lit("| "), pl.concat_str(pl.all(), separator=" | "), pl.lit(" |\n"))
        )
        self.stream.write("".join(lines.to_series()).encode())


FORMATS: dict[str, type[Writer]] = {
    "csv": CsvWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
    "parquet": ParquetWriter,
    "markdown": MarkdownWriter,
}


def open_writer(format_: str, stream: BinaryIO, schema: pl.Schema, **options: bool) -> Writer:
    """Return the writer of a format, to be closed by the caller.

    Options: `spreadsheet_safe` for csv (on unless False), `absent_nulls` for jsonl (off unless
    True). Raises UsageError naming the formats for one that there is not.
    """
    if format_ not in FORMATS:
        raise UsageError(f"no output format '{format_}'; there is: {', '.join(FORMATS)}")
    return FORMATS[format_](stream, schema, **options)


def write(format_: str, stream: BinaryIO, frame: pl.DataFrame, **options: bool) -> None:
    """Write one frame as a whole file."""
    with open_writer(format_, stream, frame.schema, **options) as writer:
        writer.write(frame)


def _csv(frame: pl.DataFrame) -> bytes:
    # To memory first: Polars would turn a BrokenPipeError into one of its own.
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False)
    return buffer.getvalue()


# What begins markup, an entity, code, a link or an image (https://github.github.com/gfm/).
_MARKUP = {"\\": "\\\\", "|": "\\|", "&": "&amp;", "<": "&lt;", "`": "\\`", "[": "\\[", "*": "\\*", "~": "\\~"}  # fmt: skip


def _markdown(text: pl.Expr) -> pl.Expr:
    return visible_column(text.str.replace_many(_MARKUP))
