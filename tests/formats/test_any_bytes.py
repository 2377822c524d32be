"""No octets make a format fail or lose a line, and where blocks end changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.formats import Format, Options, Parsed, by_name, detect, from_pairs, parse, shipped
from l7meter.sources import Block, blocks
from l7meter.sources.blocks import KEPT, MAX_LINE

LINES = {
    name: [sample["line"].encode() for sample in format_.samples]
    for name, format_ in shipped().items()
    if format_.family != "parquet"
}
NOISE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"#Fields: a b c", b"#", b"{", b"{}", b"\xff\xfe", b'"', b"\r", b"\0" * 9]
    ),
    st.text('{}[]":,\\u0dt1 \t|-#', max_size=30).map(str.encode),
)


def logs(lines: list[bytes]) -> st.SearchStrategy[bytes]:
    """Logs of these lines, whole, cut and with octets changed, among noise."""
    line = st.sampled_from(lines)
    cut = st.builds(lambda whole, end: whole[:end], line, st.integers(0, 200))
    changed = st.builds(
        lambda whole, at, octet: whole[: at % len(whole)] + octet + whole[at % len(whole) + 1 :],
        line,
        st.integers(0, 2000),
        st.binary(max_size=2),
    )
    return st.lists(st.one_of(line, line, cut, changed, NOISE), max_size=14).map(b"\n".join)


def read(format_: Format, made: Iterable[Block]) -> list[Parsed]:
    context = None
    parts = []
    for block in made:
        segments, context = format_.reader.cut(block, context)
        parts += [parse(format_, segment, Options()) for segment in segments]
    return parts


def counted(parts: list[Parsed], data: bytes) -> None:
    for part in parts:
        assert part.lines == part.records.height + part.rejects.height + sum(part.skipped.values())
    assert sum(part.lines for part in parts) == data.removesuffix(b"\n").count(b"\n") + bool(data)


def told(parts: list[Parsed]) -> tuple[list[dict[str, object]], list[tuple[object, ...]]]:
    """What was said and what was rejected, whatever the blocks: columns of nulls left out."""
    said = [
        {name: value for name, value in row.items() if value is not None}
        for part in parts
        for row in part.records.iter_rows(named=True)
    ]
    return said, [row for part in parts for row in part.rejects.iter_rows()]


@pytest.mark.parametrize("name", LINES)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_octets_are_counted(name: str, data: st.DataObject) -> None:
    log = data.draw(logs(LINES[name]))
    counted(read(shipped()[name], [Block(log, 1)] if log else []), log)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(logs([line for lines in LINES.values() for line in lines]))
def test_detection_takes_any_octets(log: bytes) -> None:
    best, claims = detect(Block(log, 1))
    assert best is None or any(claim.format is best for claim in claims)


@pytest.mark.parametrize(
    "name", ["combined", "vhost-combined", "nginx-json", "cloudfront", "haproxy"]
)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data(), size=st.integers(600, 4000))
def test_where_blocks_end_changes_nothing(name: str, data: st.DataObject, size: int) -> None:
    log = data.draw(logs([line[:500] for line in LINES[name]]))
    whole = read(shipped()[name], blocks([log]))
    assert told(read(shipped()[name], blocks([log], size))) == told(whole)


def test_absolute_target_far_into_a_block_is_taken_apart() -> None:
    line = '192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET {} HTTP/1.1" 200 5 "-" "x"\n'
    log = line.format("/a") * 5000 + line.format("http://www.example.org:8080/a")
    (parsed,) = read(by_name("combined"), [Block(log.encode(), 1)])
    last = parsed.records.row(-1, named=True)
    assert (last["url_scheme"], last["server_address"]) == ("http", "www.example.org")
    assert last["server_port"] == 8080
    assert parsed.records["server_address"].null_count() == 5000


@pytest.mark.parametrize(
    "name", ["combined", "nginx-json", "cloudfront", "haproxy", "pypi-linehaul"]
)
def test_long_line_is_a_reject_with_its_place_and_start(name: str) -> None:
    before = b"\n".join(LINES[name])
    line = LINES[name][0].split(b"\n")[-1]  # some samples have a header
    for length in (MAX_LINE + 1, 3 * MAX_LINE):
        log = b"\n".join([before, line.ljust(length, b"x"), line])
        parts = read(shipped()[name], blocks([log], 2 * MAX_LINE))
        counted(parts, log)
        rejects = pl.concat(part.rejects for part in parts)
        ((number, reason, start, octets),) = rejects.filter(pl.col("line_bytes") == length).rows()
        assert (number, octets) == (len(before.split(b"\n")) + 1, length)
        assert reason == "line is longer than 1 MiB"
        assert start == line.ljust(length, b"x")[:KEPT].decode()


def test_line_of_just_a_mebibyte_is_read() -> None:
    line = b'192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET /%s HTTP/1.1" 200 5 "-" "x"'
    line %= b"a" * (MAX_LINE - len(line) + 2)
    assert len(line) == MAX_LINE
    (parsed,) = read(by_name("combined"), [Block(line, 1)])
    assert parsed.records["url_original"].str.len_bytes().to_list() == [MAX_LINE - 72]


def test_one_bad_line_among_thousands_costs_only_itself() -> None:
    mapped, _ = from_pairs(["t=ts", "n=response_size"])
    lines = [json.dumps({"t": 1704161045, "n": place}) for place in range(5000)]
    lines[3210] = '{"t": 1704161045, "n": '
    (parsed,) = read(mapped, [Block("\n".join(lines).encode(), 1)])
    assert parsed.rejects["source_line"].to_list() == [3211]
    assert parsed.records["response_size"].to_list() == [*range(3210), *range(3211, 5000)]


@pytest.mark.parametrize("depth", [100, 2000, 200_000])
def test_object_of_any_depth_is_a_record_or_a_reject(depth: int) -> None:
    deep = '{"t":1704161045,"x":' + "[" * depth + "]" * depth + "}"
    log = f'{{"t":1704161045}}\n{deep}\n{{"t":1704161045}}\n'.encode()
    (parsed,) = read(from_pairs(["t=ts"])[0], [Block(log, 1)])
    counted([parsed], log)
    assert {1, 3} <= set(parsed.records["source_line"])
