"""JSON in any layout gives the objects it holds, one a line, wherever it is cut into pieces."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter.sources.unfolding import is_folded, unfolded

TEXT = st.text(max_size=8) | st.sampled_from(["}{", "[{", '"', "\\", "\n", "\u2028", "é", "},"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXT | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT.filter(lambda key: key != "records"), inner, max_size=3)
    ),
    max_leaves=6,
)
OBJECTS = st.lists(st.fixed_dictionaries({"at": st.integers()}, optional={"of": VALUES}), min_size=2, max_size=6)  # fmt: skip
LAYOUTS = {
    "array": json.dumps,
    "indented array": lambda objects: json.dumps(objects, indent=2) + "\r\n",
    "indented": lambda objects: "\n".join(json.dumps(each, indent=4) for each in objects),
    "one behind the other": lambda objects: "".join(map(json.dumps, objects)),
    "records": lambda objects: json.dumps({"records": objects}),
    "records, line by line": lambda objects: "".join(
        json.dumps({"records": [each]}) + "\n" for each in objects
    ),
    "array, line by line": lambda objects: (
        "[\n" + ",\n".join(json.dumps(each, ensure_ascii=False) for each in objects) + "\n]\n"
    ),
    "with a mark": lambda objects: "\ufeff" + json.dumps(objects),
}


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(ends)]


@given(OBJECTS, st.sampled_from(list(LAYOUTS)), st.lists(st.integers(0, 5000), max_size=5))
def test_each_layout_gives_its_objects(
    objects: list[dict[str, Any]], layout: str, places: list[int]
) -> None:
    data = LAYOUTS[layout](objects).encode("utf-8", "surrogatepass")
    assert is_folded(data)
    lines = b"".join(unfolded(cut(data, places))).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == objects


@given(st.binary(max_size=60) | TEXT.map(str.encode), OBJECTS, st.lists(st.integers(0, 500)))
def test_what_is_no_object_is_a_line_of_its_own(
    junk: bytes, objects: list[dict[str, Any]], places: list[int]
) -> None:
    data = json.dumps(objects).encode() + junk
    made = b"".join(unfolded(cut(data, places)))
    assert made.startswith(b"".join(json.dumps(each).encode() + b"\n" for each in objects))

    def letters(octets: bytes) -> bytes:  # all that separates nothing
        text = octets.decode("utf-8", "surrogateescape")
        return "".join(text.translate(dict.fromkeys(b"[],}")).split()).encode("utf-8", "surrogateescape")  # fmt: skip

    assert letters(made) == letters(data)


def test_object_without_an_end_is_not_held_for_ever() -> None:
    held = b'[{"a": "' + b"x" * (3 << 20)
    first = next(iter(unfolded([held[:100], held[100 : 2 << 20], held[2 << 20 :]])))
    assert len(first) > 1 << 20


@pytest.mark.parametrize(
    "start",
    [
        b'{"a":1}\n{"a":2}\n',
        b'{"a":{"b":[{}]}}',
        b"[error] {",
        b"[2024-01-02T03:04:05Z] {}",
        b"[]",
        b"",
        b'192.0.2.1 - - [02/Jan/2024:03:04:05 +0000] "GET /[{ HTTP/1.1" 200 1',
    ],
)
def test_lines_are_left_alone(start: bytes) -> None:
    assert not is_folded(start)
