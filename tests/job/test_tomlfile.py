"""Where a key or a value stands is what an editor would say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter import tomlfile
from l7meter.errors import UsageError
from l7meter.tomlfile import Place, TomlFile
from l7meter.tomlreference import toml

TEXT = '''\
# a comment with [[source]] and = in it
store = "x"
a.b.c = 1
"quoted key" . d = 2

[[source]] # first
name = """
two lines, and ""quotes"" """
paths = [
  "one", # "not this"
  'two',
  [ "three",
    "four" ],
]
inline = {x = 1, y = [1,
  2]}

[source.sub]
deep = 1979-05-27 07:32:00

[[source]]
name = @@@
[[source]]
no = key@@@
last = 1
'''.replace("@@@", "'" * 3)


def file_of(text: str) -> TomlFile:
    return TomlFile(Path("f.toml"), text.encode(), text, tomllib.loads(text))


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("store",), 2),
        (("a", "b", "c"), 3),
        (("quoted key", "d"), 4),
        (("source",), 6),
        (("source", 0), 6),
        (("source", 0, "name"), 7),
        (("source", 0, "paths"), 9),
        (("source", 0, "paths", 1), 11),
        (("source", 0, "paths", 2, 1), 13),
        (("source", 0, "inline", "y", 1), 16),
        (("source", 0, "sub", "deep"), 19),
        (("source", 1), 21),
        (("source", 1, "name"), 22),
        (("source", 1, "last"), 25),
        (("source", 1, "absent", "key"), 21),
        (("absent",), 1),
        ((), 1),
    ],
)
def test_lines(place: Place, line: int) -> None:
    assert file_of(TEXT).line(*place) == line


def places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    if place:
        yield place, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for key, each in inner:
        yield from places(each, (*place, key))


letters = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | letters,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(letters, values), max_size=6, unique_by=lambda pair: pair[0]))
def test_each_key_is_on_the_line_it_was_written_on(pairs: list[tuple[str, Any]]) -> None:
    lines = [f"{toml(key)} = {toml(value)}" for key, value in pairs]
    file = file_of("\n\n".join(lines))
    assert file.data == dict(pairs)  # `toml` writes what TOML reads
    numbers = {key: 1 + 2 * number for number, (key, _) in enumerate(pairs)}
    for place, _ in places(file.data):
        assert file.line(*place) == numbers[str(place[0])]


@given(st.lists(st.lists(letters, min_size=1, max_size=4), min_size=1, max_size=4))
def test_elements_of_arrays_of_tables(tables: list[list[str]]) -> None:
    text, expected, line = "", {}, 1
    for number, names in enumerate(tables):
        text += "[[ t ]]\n[t.u]\nlist = [ # (\n"
        expected[("t", number)] = line
        for at, name in enumerate(names):
            text += f"  {toml(name)},\n"
            expected[("t", number, "u", "list", at)] = line + 3 + at
        text += "]\n"
        line += 4 + len(names)
    file = file_of(text)
    assert {place: file.line(*place) for place in expected} == expected


def test_windows_line_ends() -> None:
    assert file_of("a = 1\r\n\r\n[b]\r\nc = [\r\n1]\r\n").line("b", "c", 0) == 5


def test_what_is_no_file_of_toml(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a = " + "[" * 100_000)
    (tmp_path / "bad").write_text("a = 1\nb\n")
    (tmp_path / "latin").write_bytes(b"a = '\xe9'")
    for name, problem in (
        ("deep", "not TOML"),
        ("bad", "not TOML: Expected '=' after a key in a key/value pair (at line 2"),
        ("latin", "not UTF-8 at octet 5"),
        ("absent", "cannot be read: No such file"),
    ):
        with pytest.raises(UsageError, match=re.escape(f"{name}: {problem}")):
            tomlfile.read(tmp_path / name)
