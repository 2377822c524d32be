"""Docker's registry writes each request twice; whatever part of it is read, it is counted once.

`tests/data/registry` was written by Distribution 2.8.2 on loopback, to which curl sent pulls, a push
and what is not there; once with `formatter: text`, once with `json`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter.formats import Format, Options, detect, parse
from l7meter.formats.lines import Lines
from l7meter.formats.logfmt import LogfmtReader
from l7meter.sources import Block

DATA = Path(__file__).parents[1] / "data" / "registry"
BOTH = ["request_method", "url_original", "response_status_code", "response_body_size", "user_agent_original"]  # fmt: skip


def lines(name: str) -> list[str]:
    return (DATA / name).read_text().splitlines()


def read(text: list[str]) -> tuple[Format, list[dict[str, object]]]:
    block = Block("".join(line + "\n" for line in text).encode(), 1)
    format_, _ = detect(block)
    assert format_ is not None
    segments, _ = format_.reader.cut(block, None)
    (parsed,) = (parse(format_, segment, Options()) for segment in segments)
    assert not parsed.rejects.height
    return format_, parsed.records.to_dicts()


def merged(own: list[str], access: list[str]) -> list[str]:
    """As `docker logs` gives them: each line of the access log behind that of the same request."""
    rest = iter(access)
    return [
        line
        for each in own
        for line in ([each, next(rest)] if "response completed" in each else [each])
    ]


@pytest.mark.parametrize("kind", ["text", "json"])
def test_either_log_and_both_together_give_the_same_requests(kind: str) -> None:
    own, access = lines(f"{kind}-own.log"), lines(f"{kind}-access.log")
    (of_own, records), (of_access, plain) = read(own), read(access)
    of_both, both = read(merged(own, access))
    assert [of_own.name, of_access.name, of_both.name] == [
        "distribution",
        "combined",
        "distribution",
    ]
    assert [[row[name] for name in BOTH] for row in records] == [[row[name] for name in BOTH] for row in plain]  # fmt: skip
    without = [
        {name: value for name, value in row.items() if name != "source_line"} for row in both
    ]
    assert without == [{name: value for name, value in row.items() if name != "source_line"} for row in records]  # fmt: skip


@pytest.mark.parametrize("kind", ["text", "json"])
def test_own_log_that_keeps_errors_only_leaves_the_access_log_to_be_read(kind: str) -> None:
    own, access = lines(f"{kind}-own.log"), lines(f"{kind}-access.log")
    errors = [line for line in own if "with error" in line]
    format_, records = read([*access, *errors])
    assert 0 < len(errors) < len(access) == len(records)
    assert format_.name == "distribution-access"


def test_own_log_has_the_client_that_a_proxy_forwarded() -> None:
    _, records = read(lines("json-own.log"))
    assert [row["client_address"] for row in records][-1] == "198.51.100.7"


KEY = st.from_regex(r"[a-zA-Z_.@-]{1,9}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"))


@given(st.dictionaries(KEY, TEXT, min_size=1))
def test_pairs_are_read_as_the_json_object_they_stand_for(pairs: dict[str, str]) -> None:
    reader = LogfmtReader(dict.fromkeys(pairs, "user_name"))
    line = " ".join(f"{key}={json.dumps(value)}" for key, value in pairs.items())
    frames = []
    for text in (line, json.dumps(pairs)):
        block = Block(text.encode() + b"\n", 1)
        frames.append(reader.read(reader.cut(block, None)[0][0], Lines(block)).frame)
    assert frames[0].to_dicts() == frames[1].to_dicts()
