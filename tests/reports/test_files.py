"""What each writer makes of a frame, in batches and as a whole."""

from __future__ import annotations

import csv
import gc
import io
import json
import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.errors import UsageError
from l7meter.reports import jsonlines
from l7meter.reports.files import FORMATS, open_writer, write

FRAME = pl.DataFrame(
    {
        "ts": [datetime(2026, 11, 1, 9, 30, 0, 5, UTC), None],
        "url_path": ["/a|b", 'say "hi",\nthen\tgo'],
        "bytes": [9_007_199_254_740_993, None],
        "share": [1 / 3, 0.0],
        "attributable": [True, None],
    },
    schema_overrides={"ts": pl.Datetime("us", "UTC")},
)
ODD = pl.DataFrame(
    {
        "day": [date(2026, 11, 1)],
        "naive": [datetime(2026, 11, 1)],
        "took": [timedelta(milliseconds=1500)],
        "cost": [Decimal("12.30")],
        "raw": [b"\x00\xff"],
        "tags": [["a", "b"]],
        "kind": pl.Series(["cloud"], dtype=pl.Categorical()),
        "nothing": [None],
        "huge": [1e300],
        "nan": [float("nan")],
    }
)


def written(format_: str, *frames: pl.DataFrame, **options: bool) -> bytes:
    stream = io.BytesIO()
    with open_writer(format_, stream, frames[0].schema, **options) as writer:
        for frame in frames:
            writer.write(frame)
    return stream.getvalue()


def test_csv() -> None:
    assert written("csv", FRAME).decode() == (
        "ts,url_path,bytes,share,attributable\n"
        "2026-11-01T09:30:00.000005Z,/a|b,9007199254740993,0.3333333333333333,true\n"
        ',"say ""hi"",\nthen\tgo",,0.0,\n'
    )


def test_jsonl_with_nulls_and_without() -> None:
    first = (
        '{"ts":"2026-11-01T09:30:00.000005Z","url_path":"/a|b","bytes":9007199254740993,'
        '"share":0.3333333333333333,"attributable":true}\n'
    )
    text = r'"url_path":"say \"hi\",\nthen\tgo"'
    assert written("jsonl", FRAME).decode() == (
        f'{first}{{"ts":null,{text},"bytes":null,"share":0.0,"attributable":null}}\n'
    )
    assert written("jsonl", FRAME, absent_nulls=True).decode() == (
        f'{first}{{{text},"share":0.0}}\n'
    )


def test_json_is_one_array_over_batches() -> None:
    rows = json.loads(written("json", FRAME, FRAME.clear(), FRAME))
    assert [row["share"] for row in rows] == [1 / 3, 0.0, 1 / 3, 0.0]
    assert rows[1]["ts"] is None


def test_parquet_keeps_types() -> None:
    data = written("parquet", FRAME, FRAME)
    assert pl.read_parquet(data).equals(pl.concat([FRAME, FRAME]))


def test_markdown_escapes_and_shows_control_characters() -> None:
    assert written("markdown", FRAME.select("url_path", "bytes")).decode() == (
        "| url_path | bytes |\n"
        "| --- | ---: |\n"
        "| /a\\|b | 9007199254740993 |\n"
        '| say "hi",\\x0athen\\x09go |  |\n'
    )


def test_types_that_only_sql_makes() -> None:
    (row,) = json.loads(written("json", ODD))
    assert row == {
        "day": "2026-11-01",
        "naive": "2026-11-01T00:00:00.000000",
        "took": 1.5,
        "cost": 12.3,
        "raw": "00ff",
        "tags": ["a", "b"],
        "kind": "cloud",
        "nothing": None,
        "huge": 1e300,
        "nan": None,
    }
    _, fields = csv.reader(io.StringIO(written("csv", ODD).decode()))
    assert fields[4:8] == ["00ff", '["a","b"]', "cloud", ""]


@pytest.mark.parametrize("format_", FORMATS)
def test_no_rows_is_a_whole_file(format_: str) -> None:
    stream = io.BytesIO()
    open_writer(format_, stream, FRAME.schema).close()
    expected = {
        "csv": b"ts,url_path,bytes,share,attributable\n",
        "json": b"[]\n",
        "jsonl": b"",
        "markdown": b"| ts | url_path | bytes | share | attributable |\n"
        b"| --- | --- | ---: | ---: | --- |\n",
    }
    if format_ == "parquet":
        assert pl.read_parquet(stream.getvalue()).schema == FRAME.schema
    else:
        assert stream.getvalue() == expected[format_]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_csv_is_safe_for_spreadsheets(text: str) -> None:
    frame = pl.DataFrame({"text": [text, "a=b", "a\n=b"], "number": [-1, -2, -3]})
    safe = list(csv.reader(io.StringIO(written("csv", frame).decode(), newline="")))
    assert safe[1:] == [["'" + text, "-1"], ["a=b", "-2"], ["a\n'=b", "-3"]]
    plain = written("csv", frame, spreadsheet_safe=False).decode()
    assert list(csv.reader(io.StringIO(plain, newline="")))[1] == [text, "-1"]


def test_empty_text_is_not_null_in_csv() -> None:
    assert written("csv", pl.DataFrame({"a": ["", None, "x"], "b": [1, 2, 3]})) == (
        b'a,b\n"",1\n,2\nx,3\n'
    )


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no output format 'xml'; there is: csv, json, jsonl"):
        open_writer("xml", io.BytesIO(), FRAME.schema)


def test_a_block_that_fails_leaves_the_file_open_ended() -> None:
    stream = io.BytesIO()

    def fail() -> None:
        with open_writer("json", stream, FRAME.schema) as writer:
            writer.write(FRAME)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.getvalue())


def test_a_block_that_fails_writes_no_parquet_footer() -> None:
    stream = io.BytesIO()

    def fail() -> None:
        with open_writer("parquet", stream, FRAME.schema) as writer:
            writer.write(FRAME)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    gc.collect()
    assert len(stream.getvalue()) > len(b"PAR1")
    assert not stream.getvalue().endswith(b"PAR1")


def test_parquet_through_a_pipe() -> None:
    source, sink = os.pipe()
    with open(sink, "wb") as stream:  # noqa: PTH123
        write("parquet", stream, FRAME)
    with open(source, "rb") as pipe:  # noqa: PTH123
        assert pl.read_parquet(pipe.read()).equals(FRAME)


class ClosedPipe(io.BytesIO):
    def write(self, data: object, /) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("format_", FORMATS)
def test_a_closed_pipe_is_the_callers(format_: str) -> None:
    with pytest.raises(BrokenPipeError):
        write(format_, ClosedPipe(), FRAME)


VALUES = st.fixed_dictionaries(
    {
        "a": st.none() | st.text(max_size=4),
        "b": st.none() | st.text(alphabet='"\\{,}:a\n\x00é\u2028', max_size=6),
        "c": st.none() | st.integers(-(2**63), 2**63 - 1),
        "d": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "e": st.none() | st.booleans(),
        "f": st.just("the same"),
    }
)
TYPES = pl.Schema(
    {
        "a": pl.String,
        "b": pl.String,
        "c": pl.Int64,
        "d": pl.Float64,
        "e": pl.Boolean,
        "f": pl.String,
    }
)


@given(
    rows=st.lists(VALUES, max_size=8), order=st.permutations(list(TYPES)), slice_=st.integers(1, 4)
)
@settings(max_examples=150, deadline=None)
def test_json_lines_say_what_the_frame_says(
    rows: list[dict[str, object]], order: list[str], slice_: int
) -> None:
    frame = pl.DataFrame(rows, schema=TYPES).select(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonlines, "SLICE", slice_)
        lines = written("jsonl", frame, absent_nulls=True).split(b"\n")
        rest = written("jsonl", frame).split(b"\n")
    assert lines.pop() == rest.pop() == b""
    present = [{k: v for k, v in row.items() if v is not None} for row in frame.to_dicts()]
    assert list(map(json.loads, lines)) == present
    assert list(map(json.loads, rest)) == frame.to_dicts()
    assert [list(json.loads(line)) for line in rest] == [order] * len(rows)


@given(rows=st.lists(VALUES, min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_markdown_and_csv_keep_rows_and_columns(rows: list[dict[str, object]]) -> None:
    frame = pl.DataFrame(rows, schema=TYPES)
    lines = written("markdown", frame).decode().splitlines()
    assert len(lines) == 2 + len(rows)
    assert {line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines} == {7}
    fields = list(csv.reader(io.StringIO(written("csv", frame).decode(), newline="")))
    assert [len(row) for row in fields] == [6] * (1 + len(rows))
