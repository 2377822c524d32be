"""The terminal table: never too wide, never a digit cut, nothing that steers the terminal."""

from __future__ import annotations

import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from l7meter.reports.table import print_table

ANSWER = pl.DataFrame(
    {
        "organization": ["Example University of Applied Sciences", "Example Cloud", "(unknown)"],
        "attribution": ["organization", "provider", "unknown"],
        "bytes": [7_180_000_000_000, 3_500_000_000, 170],
        "share": [0.75, 0.2499, 0.0001],
        "requests": [6_000_000, 4, 3],
        "asn": [64496, 64500, None],
        "clients": [3000, 3, None],
        "unmeasured": [0, 0, 0],
        "basis": ["content+message", "message", "wire"],
    }
)


def printed(frame: pl.DataFrame, width: int, encoding: str = "utf-8", **options: object) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    console = Console(file=file, width=width, legacy_windows=False, **options)  # type: ignore[arg-type]
    print_table(frame, console)
    file.flush()
    return raw.getvalue().decode(encoding)


def test_wide_terminal_shows_everything() -> None:
    assert [line.rstrip() for line in printed(ANSWER, 140).splitlines()] == [
        "organization                            attribution     bytes           share   requests"
        "    asn  clients  unmeasured  basis",
        "Example University of Applied Sciences  organization  7.18 TB  ████▌   75.0 %  6,000,000"
        "  64496    3,000           0  content+message",
        "Example Cloud                           provider      3.50 GB  █▌      25.0 %          4"
        "  64500        3           0  message",
        "(unknown)                               unknown         170 B         < 0.1 %          3"
        "                           0  wire",
    ]


def test_eighty_columns_keep_what_matters() -> None:
    assert [line.rstrip() for line in printed(ANSWER, 80).splitlines()] == [
        "organization              attribution     bytes    share    asn  basis",
        "Example University of A…  organization  7.18 TB   75.0 %  64496  content+message",
        "Example Cloud             provider      3.50 GB   25.0 %  64500  message",
        "(unknown)                 unknown         170 B  < 0.1 %         wire",
        "No room for: unmeasured, clients, requests. A wider terminal or a file shows",
        "them.",
    ]


def test_no_colour_where_it_is_not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in printed(ANSWER, 140)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[38" in printed(ANSWER, 140, force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[38" not in printed(ANSWER, 140, force_terminal=True)


def test_plain_ascii_terminal() -> None:
    lines = printed(ANSWER, 60, encoding="ascii").splitlines()
    assert lines[1].rstrip() == "Example University of...   7.18 TB   75.0 %  content+message"
    assert r"caf\xe9" in printed(pl.DataFrame({"name": ["café"]}), 60, encoding="ascii")


def test_control_characters_and_markup_are_shown_not_obeyed() -> None:
    hostile = "\x1b[31mred\r\u202e[bold]x[/bold]"
    text = printed(pl.DataFrame({"user\x1b_agent": [hostile], "bytes": [1]}), 100)
    assert r"\x1b[31mred\x0d\u202e[bold]x[/bold]" in text
    assert r"user\x1b_agent" in text


def test_no_columns_and_no_rows() -> None:
    assert printed(pl.DataFrame(), 80).strip() == ""
    assert printed(ANSWER.clear(), 140).split() == ANSWER.columns


WORDS = st.text(alphabet="ab é漢\u200b", max_size=30)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": WORDS | st.none(),
            "note": WORDS,
            "bytes": st.integers(0, 10**18) | st.none(),
            "share": st.floats(0, 1),
            "requests": st.integers(0, 10**12),
            "basis": st.sampled_from(["content", "content+message+tls", "wire"]),
        }
    ),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS, width=st.integers(10, 160))
@settings(max_examples=100, deadline=None)
def test_never_wider_than_the_terminal(rows: list[dict[str, object]], width: int) -> None:
    frame = pl.DataFrame(rows, infer_schema_length=None, schema_overrides={"name": pl.String})
    assert max(map(cell_len, printed(frame, width).splitlines())) <= width
