"""Hostile lines: expressions that backtrack end, and what a logger says of secrets is not kept."""

from __future__ import annotations

import polars as pl
import pytest

from l7meter.formats import Options, Segment, by_name, parse, shipped
from l7meter.formats.lines import LONG
from l7meter.sources import Block

PIECES = ['"', " ", "- ", '\\"', '" "', "' ", "[", "] ", ",", '","', ";", "\\", "1.1 ", '":', "/", "\t", "HTTP/"]  # fmt: skip
TEXTUAL = [name for name, format_ in shipped().items() if hasattr(format_.reader, "might")]


@pytest.mark.parametrize("name", TEXTUAL)
def test_telling_a_format_ends_on_hostile_lines(name: str) -> None:
    """Python's expressions backtrack: they see at most `LONG` characters; were one of them worse
    than polynomial, this would not end.
    """  # fmt: skip
    reader = shipped()[name].reader
    lines = [sample["line"] for sample in shipped()[name].samples if "line" in sample][:1]
    for line in ["", *lines]:
        for piece in PIECES[:: 3 if line else 1]:
            hostile = (line[: len(line) // 2] + piece * LONG)[: LONG - 1] + "\x01"
            reader.might(hostile)


@pytest.mark.parametrize("name", [name for name in TEXTUAL if shipped()[name].samples])
def test_hostile_lines_are_each_in_one_place(name: str) -> None:
    hostile = [(piece * 70_000)[:70_000] for piece in PIECES if piece != "\n"]
    data = ("\n".join(hostile) + "\n").encode()
    format_ = shipped()[name]
    segments, _ = format_.reader.cut(Block(data, 1), None)
    lines = ended = 0
    for segment in segments:
        assert isinstance(segment, Segment)
        parsed = parse(format_, segment, Options())
        lines += parsed.lines
        ended += parsed.records.height + parsed.rejects.height + sum(parsed.skipped.values())
    assert lines == ended


def records(format_: str, text: str) -> pl.DataFrame:
    segments, _ = by_name(format_).reader.cut(Block(text.encode(), 1), None)
    return pl.concat([parse(by_name(format_), each, Options()).records for each in segments])


def test_password_that_zeek_logs_is_read_over() -> None:
    sample = shipped()["zeek"].samples[0]["line"]
    assert "\tpassword\t" in sample
    *header, row = sample.splitlines()
    names = next(line for line in header if line.startswith("#fields")).split("\t")[1:]
    cells = row.split("\t")
    cells[names.index("username")], cells[names.index("password")] = "alice", "hush"
    kept = records("zeek", "\n".join([*header, "\t".join(cells), ""]))
    assert kept["user_name"].to_list() == ["alice"]
    assert "hush" not in str(kept.to_dicts())


def test_what_a_target_and_a_referrer_say_is_kept_as_said() -> None:
    """SECURITY.md tells operators so: passwords and tokens of targets are in the records."""
    line = '192.0.2.1 - - [02/Jan/2024:02:04:05 +0000] "GET {} HTTP/1.1" 200 1 "{}" "x"\n'
    target, referrer = "http://user:pw@registry.npm.example/a?sig=1", "http://user:pw@ref.example/"
    (row,) = records("combined", line.format(target, referrer)).to_dicts()
    assert (row["url_original"], row["referrer"]) == (target, referrer)
    assert row["server_address"] == "registry.npm.example"
