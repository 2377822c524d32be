"""CSV with a header: cells by their names, as the `csv` module of the standard library reads them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter.formats import Options, Parsed, from_mapping, from_pairs, parse
from l7meter.formats.csvlines import NO_HEADER, NOT_SO_MANY, SEPARATORS
from l7meter.ingest import Said, check, open_source
from l7meter.sources import Block

PAIRS = ["when=ts", "ip=client_address", "path=url_original", "octets=response_size", "ua=user_agent_original"]  # fmt: skip
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9) | st.sampled_from(['a"b', "a,b", '"', "a;b|c\td"])  # fmt: skip
ROWS = st.lists(st.tuples(WORDS, WORDS, st.integers(0, 10**9)), min_size=1, max_size=9)


def read(data: str, pairs: list[str] = PAIRS) -> Parsed:
    _, format_ = from_pairs(pairs)
    (segment,), _ = format_.reader.cut(Block(data.encode(), 1), None)
    return parse(format_, segment, Options())


@given(ROWS, st.sampled_from(SEPARATORS), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))  # fmt: skip
def test_cells_are_those_that_were_written(
    rows: list[tuple[str, str, int]], separator: str, quoting: int, end: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerow(["when", "other", "path", "ua", "octets"])
    for path, agent, octets in rows:
        writer.writerow(["2024-01-02 03:04:05", "x", f"/{path}", f"{agent} 1", octets])
    parsed = read(text.getvalue())
    assert not parsed.rejects.height
    assert parsed.skipped == {"blank": 0, "header": 1}
    said = parsed.records.select("url_original", "user_agent_original", "response_size").rows()
    assert said == [(f"/{path}", f"{agent} 1", octets) for path, agent, octets in rows]


def test_lines_with_other_numbers_of_cells_and_repeated_headers() -> None:
    parsed = read(
        'when,ip,octets\n1704161045,192.0.2.1,5\n\n1704161045,192.0.2.1\n"1704161045","192.0.2.2","6"\n'
        'when,ip,octets\n1704161045,192.0.2.3,7,8\n1704161045,"192.0.2.4,9\n1704161046,,\n'
    )
    assert parsed.records["response_size"].to_list() == [5, 6, None]
    assert parsed.records["source_line"].to_list() == [2, 5, 9]
    assert parsed.rejects.select("source_line", "reason").rows() == [
        (4, NOT_SO_MANY),
        (7, NOT_SO_MANY),
        (8, NOT_SO_MANY),
    ]
    assert parsed.skipped == {"blank": 1, "header": 2}


def test_first_line_that_names_no_column_is_said() -> None:
    assert set(read("a,b\n1,2\n").rejects["reason"]) == {NO_HEADER}


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_pairs_read_json_and_csv(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(
        "when,ip,octets\n1704161045,192.0.2.1,5\n"
        if name == "log.csv"
        else '{"when":1704161045,"ip":"192.0.2.1","octets":5}\n'
    )
    said = Said(map=tuple(PAIRS))
    reading = open_source(str(path), said)
    with reading.stream:
        (parsed,) = reading
    assert parsed.records.select("client_address", "response_size").rows() == [("192.0.2.1", 5)]
    found = check(str(path), said)
    assert found.format is not None
    assert (found.format.family, found.records) == (path.suffix.strip(".").removesuffix("l"), 1)


def test_mapping_file_can_be_for_csv(tmp_path: Path) -> None:
    path = tmp_path / "export.toml"
    path.write_text(
        'family = "csv"\nrequired = ["when"]\n[fields]\nwhen = "ts_epoch_s"\nip = "client_address"\n'
    )
    format_ = from_mapping(path)
    (segment,), _ = format_.reader.cut(Block(b"ip\twhen\n192.0.2.1\t1704161045\n", 1), None)
    (row,) = parse(format_, segment, Options()).records.to_dicts()
    assert row["client_address"] == "192.0.2.1"


def test_pairs_of_the_readme_and_the_help_are_mappings() -> None:
    root = Path(__file__).parents[2]
    texts = [root / "README.md", *(root / "docs").glob("*.md"), root / "l7meter/cli/checking.py"]
    lines = [
        line for text in texts for line in text.read_text().splitlines() if "reconcile" not in line
    ]
    found = [pairs for line in lines if (pairs := re.findall(r"--map (\w[\w.-]*=\w+)", line))]
    assert len(found) > 1
    for pairs in found:
        from_pairs(pairs)
