"""What a logging system wrote around lines: told, said, and taken off without loss."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.formats import Format, Options, detect, parse, shipped
from l7meter.formats.envelopes import ENVELOPES, Enveloped
from l7meter.formats.jsonfield import lines_in
from l7meter.ingest.source import Said, open_source
from l7meter.sources import Block

LINE = '192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET /{} HTTP/1.1" 200 1 "-" "demo/1"'
HEADS = {
    "containerd's and CRI-O's head": "2024-01-02T03:04:05.123456789Z stdout F ",
    "a syslog head": "<190>1 2024-01-02T03:04:05Z web1 nginx 123 - - ",
    "an old syslog head": "<190>Jan  2 03:04:05 web1 nginx: ",
    "the name of a container": "web-1  | ",
    "a time": "2024-01-02T03:04:05Z ",
}
TRAPS = Path(__file__).resolve().parents[1] / "data" / "traps"


def block(lines: list[str]) -> Block:
    return Block("".join(line + "\n" for line in lines).encode(), 1)


def wrapped(line: str) -> dict[str, object]:
    """By field the object in which a system holds a line, as its documentation shows it."""
    entry: dict[str, object] = {"logName": "projects/demo/logs/web", "severity": "INFO"}
    return {
        "log": {"log": line + "\n", "stream": "stdout", "time": "2024-01-02T03:04:05.1Z"},
        "message": {
            "@timestamp": "2024-01-02T03:04:05.1Z",
            "host": {"name": "web1"},
            "message": line,
        },
        "MESSAGE": {"_HOSTNAME": "web1", "MESSAGE": line, "_PID": "7"},
        "line": {"labels": {"app": "web"}, "line": line, "timestamp": "2024-01-02T03:04:05.1Z"},
        "textPayload": entry | {"textPayload": line},
        "jsonPayload": entry | {"jsonPayload": {"log": line}},
        "_raw": {"_time": 1704164645.1, "_raw": line, "host": "web1"},
        "event": {"time": 1704164645.1, "host": "web1", "event": line},
        "event.original": {"@timestamp": "2024-01-02T03:04:05.1Z", "event": {"original": line}},
        "_source": {"_index": "web", "_source": {"message": line}},
        "short_message": {"version": "1.1", "host": "web1", "short_message": line, "level": 6},
    }


def test_each_envelope_is_told_and_is_around_the_format_alone() -> None:
    lines = [LINE.format(at) for at in range(5)]
    around = {name: [head + line for line in lines] for name, head in HEADS.items()}
    for envelope in ENVELOPES[: -len(HEADS)]:
        field = envelope.name.split()[3]
        around[envelope.name] = [json.dumps(wrapped(line)[field]) for line in lines]
    assert around.keys() == {envelope.name for envelope in ENVELOPES}
    for name, each in around.items():
        format_, made = detect(block(each))
        assert format_ is not None
        assert isinstance(format_.reader, Enveloped)
        assert (format_.name, format_.reader.envelope.name) == ("combined", name)
        assert (made[0].records, made[0].addressed) == (5, 5)
        assert content(format_, each) == content(shipped()["combined"], lines), name


def content(format_: Format, lines: list[str]) -> list[tuple[object, ...]]:
    (segment,), _ = format_.reader.cut(block(lines), None)
    return parse(format_, segment, Options()).records.sort(pl.all()).rows()


def test_an_object_in_a_field_is_read_as_it_was_logged() -> None:
    """Caddy's log out of the journal: an object in a text in an object."""
    caddy = shipped()["caddy"]
    lines = [sample["line"] for sample in caddy.samples if "line" in sample]
    for field in ("event", "jsonPayload", "_source"):
        objects = [json.dumps({"host": "web1", field: json.loads(line)}) for line in lines]
        format_, _ = detect(block(objects))
        assert format_ is not None
        assert format_.name == "caddy"
        assert content(format_, objects) == content(caddy, lines)
    texts = [json.dumps({"host": "web1", "MESSAGE": line}) for line in lines]
    format_, _ = detect(block(texts))
    assert format_ is not None
    assert content(format_, texts) == content(caddy, lines)


def test_a_syslog_head_in_a_field_is_taken_off_as_well() -> None:
    inside = [HEADS["an old syslog head"] + LINE.format(at) for at in range(5)]
    lines = [json.dumps({"message": line}) for line in inside]
    format_, _ = detect(block(lines))
    assert format_ is not None
    assert isinstance(format_.reader, Enveloped)
    assert isinstance(format_.reader.inner, Enveloped)
    assert content(format_, lines) == content(
        shipped()["combined"], [LINE.format(at) for at in range(5)]
    )


def test_journald_gives_octets_that_are_no_text_as_numbers() -> None:
    odd = LINE.format("caf\xe9").encode("latin-1")
    (journald,) = (each for each in ENVELOPES if "journald" in each.name)
    assert journald.opened(json.dumps({"MESSAGE": list(odd)}).encode()) == odd


def test_a_subscription_of_cloudwatch_is_taken_apart(tmp_path: Path) -> None:
    def delivery(lines: list[str]) -> str:
        events = [
            {"id": str(at), "timestamp": 1704164645100, "message": line}
            for at, line in enumerate(lines)
        ]
        return json.dumps({
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "web",
            "logStream": "i-1", "subscriptionFilters": ["all"], "logEvents": events,
        })  # fmt: skip

    lines = [LINE.format(at) for at in range(6)]
    path = tmp_path / "delivered"
    path.write_text(delivery(lines[:2]) + delivery(lines[2:5]) + delivery(lines[5:]))
    reading = open_source(str(path), Said())
    with reading.stream:
        (parsed,) = list(reading)
    assert reading.format.name == "combined"
    assert parsed.records["url_original"].to_list() == [f"/{at}" for at in range(6)]
    assert parsed.rejects.is_empty()


def test_what_is_in_no_envelope_is_read_as_it_is() -> None:
    for format_ in shipped().values():
        for sample in format_.samples:
            if "line" in sample and format_.detect:
                found, _ = detect(block([sample["line"]]))
                assert found is None or not isinstance(found.reader, Enveloped), format_.name


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])),
            st.sampled_from([head + LINE for head in HEADS.values()]),
            st.text().map(lambda text: json.dumps({"log": text + "\n"})),
            st.dictionaries(
                st.sampled_from(["message", "event", "log", "_raw", "original"]),
                st.recursive(
                    st.none() | st.integers() | st.text() | st.lists(st.integers()),
                    lambda inner: st.dictionaries(st.sampled_from(["original", "a"]), inner),
                ),
            ).map(json.dumps),
            st.sampled_from(['{"log":7}', '{"log":null}', '{"log":"\\ud800"}', '{"log":', '{"log":{}}']),
        )
    )
)  # fmt: skip
def test_no_line_is_lost_or_made(lines: list[str]) -> None:
    octets = block(lines).data
    for envelope in ENVELOPES:
        inside = envelope.opened(octets)
        assert inside.count(b"\n") == octets.count(b"\n")


HELD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text()
    | st.just(LINE)
    | st.just("a\r\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from(["message", "event", "log", "original"]), HELD)
ODD = st.sampled_from(['{"message":"a\\n\\r\\n"}', '{"message":"\\ud800"}', '{"message":"\\ud83d\\ude00"}', '{"message":"1","message":"2"}', "{", "", "[1]", "7", LINE])  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(OBJECTS.map(json.dumps), OBJECTS.map(json.dumps), ODD), max_size=6),
    st.integers(1, 30),
    st.sampled_from([["message"], ["event", "original"], ["event", "a", "b"]]),
    st.booleans(),
)
def test_the_fast_way_gives_the_lines_of_the_exact_one(
    lines: list[str], times: int, path: list[str], ended: bool
) -> None:
    octets = "\n".join(lines * times).encode() + b"\n" * ended
    fast, exact = lines_in(octets, path), lines_in(octets, path, fast=False)
    assert list(map(canonical, fast.split(b"\n"))) == list(map(canonical, exact.split(b"\n")))


def canonical(line: bytes) -> object:
    """An object however its JSON is laid out, and any other line."""
    try:
        return json.loads(line)
    except ValueError:
        return line
