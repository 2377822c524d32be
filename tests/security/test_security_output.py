"""What clients sent is shown, and does nothing: to a terminal, a spreadsheet or a page."""

from __future__ import annotations

import csv
import io
import json
import re

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from l7meter.cli.printing import literal
from l7meter.reports.cells import visible
from l7meter.reports.files import write
from l7meter.reports.table import print_table

SIGNS = "=+-@＝＋－＠"
# Cells as a spreadsheet may cut them: at a comma, and where its locale has other separators.
SEPARATORS = ",;|\t"
STEERING = "\x00\x07\b\r\n\x1b\x7f\x85\x9b\x9d\u061c\u180e\u200b\u200f\u202a\u202e\u2028\u2066\u2069\ufeff\U000e0041\u3164\xad"  # fmt: skip
TEXT = st.text(st.sampled_from(SIGNS + SEPARATORS + "\"' \r\na1") | st.characters(exclude_categories=["Cs"]), max_size=9)  # fmt: skip
often = settings(max_examples=150, deadline=None)


def written(format_: str, frame: pl.DataFrame) -> str:
    stream = io.BytesIO()
    write(format_, stream, frame)
    return stream.getvalue().decode()


@often
@example(texts=[""], name="@\n")
@given(
    texts=st.lists(TEXT, min_size=1, max_size=5),
    name=TEXT.filter(lambda name: name not in ("", "n")),
)
def test_no_cell_of_csv_is_a_formula_however_it_is_cut(texts: list[str], name: str) -> None:
    table = written("csv", pl.DataFrame({name: texts, "n": [-1] * len(texts)}))
    for row in csv.reader(io.StringIO(table, newline="")):
        assert not re.match(rf"[ \t\r\n\x00]*[{re.escape(SIGNS)}]|[\t\r]", row[0])
    for separator in SEPARATORS:
        for line in re.split("[\r\n]", table):
            # cut without regard to quotes, and quotes taken off (the ' is what makes it text)
            for cell in line.split(separator):
                cell = cell.strip('"')
                assert cell[:1] not in SIGNS or cell == "" or re.fullmatch(r"-\d+", cell)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("＝1", "'＝1"),
        ("-5", "'-5"),
        ("a;=1+1", "a;'=1+1"),
        ('"=1"', '"\'=1"'),
        ("a\t@SUM(A1)", "a\t'@SUM(A1)"),
        ("a\n+1", "a\n'+1"),
        ("Bot/1.0 (+https://bot.example/)", "Bot/1.0 (+https://bot.example/)"),
        ("Mozilla/5.0 (compatible; +https://bot.example/)",) * 2,
        ("/simple/a-b/?x=1&y=-2", "/simple/a-b/?x=1&y=-2"),
        ("", ""),
    ],
)
def test_only_what_would_be_a_formula_is_marked(text: str, safe: str) -> None:
    (row,) = list(csv.reader(io.StringIO(written("csv", pl.DataFrame({"a": [text]})), newline="")))[1:]  # fmt: skip
    assert row == [safe]


def test_negative_numbers_stay_numbers() -> None:
    frame = pl.DataFrame({"change": [-0.5, None], "bytes": [-7, 7]})
    assert written("csv", frame) == "change,bytes\n-0.5,-7\n,7\n"


def test_names_of_columns_are_text_too() -> None:
    """A PIVOT makes columns of what clients sent."""
    frame = pl.DataFrame({"=cmd()": [1], "'=cmd()": [2], "a;+1": [3]})
    assert written("csv", frame).splitlines()[0] == "'=cmd(),''=cmd(),a;'+1"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\\\\\|b"),
        ("<script>", "&lt;script>"),
        ("![x](https://spy.example/x.png)", "!\\[x](https://spy.example/x.png)"),
        ("[x](javascript:y)", "\\[x](javascript:y)"),
        ("`code`", "\\`code\\`"),
        ("&lt;", "&amp;lt;"),
        ("a\nb", "a\\\\x0ab"),
    ],
)
def test_markdown_cell_is_text(text: str, cell: str) -> None:
    line = written("markdown", pl.DataFrame({"a": [text]})).splitlines()[2]
    assert line.replace("\\x0a", "\\\\x0a") == f"| {cell} |"


@often
@given(text=st.text(st.sampled_from(STEERING + "ab[]") | st.characters(), max_size=12))
def test_text_for_people_holds_nothing_that_steers(text: str) -> None:
    shown = visible(text)
    assert not set(shown) & set(STEERING)
    shown.encode()
    assert "\x1b" not in literal(text)


@often
@given(texts=st.lists(st.text(st.sampled_from(STEERING + "[]b/"), max_size=9), min_size=1, max_size=4))  # fmt: skip
def test_table_holds_nothing_that_steers(texts: list[str]) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, color_system=None)
    print_table(pl.DataFrame({"agent": texts, "bytes": range(len(texts))}), console, "title")
    assert not set(stream.getvalue().replace("\n", "")) & set(STEERING)
    assert stream.getvalue().count("\n") == 2 + len(texts)


@pytest.mark.parametrize("hidden", sorted(set(STEERING)))
def test_what_was_hidden_is_shown_as_its_escape(hidden: str) -> None:
    escape = visible(f"a{hidden}b")[1:-1]
    assert chr(int(escape[2:], 16)) == hidden


def test_octets_of_a_name_that_is_no_text_are_shown() -> None:
    assert visible("a\udcff\udc80\ud800") == "a\\xff\\x80\\ud800"


@often
@given(texts=st.lists(TEXT | st.text(st.sampled_from(STEERING), max_size=5), max_size=5))
def test_json_is_exact(texts: list[str]) -> None:
    frame = pl.DataFrame({"a": texts}, schema={"a": pl.String})
    assert [row["a"] for row in json.loads(written("json", frame))] == texts
    lines = written("jsonl", frame).split("\n")[:-1]
    assert [json.loads(line)["a"] for line in lines] == texts
