"""What a logging system wrote around lines: told, said, and taken off without loss."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.formats import detect, shipped
from l7meter.formats.envelopes import ENVELOPES, Enveloped
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


def test_each_envelope_is_told_and_is_around_the_format_alone() -> None:
    lines = [LINE.format(at) for at in range(5)]
    around = {name: [head + line for line in lines] for name, head in HEADS.items()}
    around["Docker's JSON"] = [json.dumps({"log": line + "\n"}) for line in lines]
    assert around.keys() == {envelope.name for envelope in ENVELOPES}
    for name, each in around.items():
        format_, made = detect(block(each))
        assert format_ is not None
        assert isinstance(format_.reader, Enveloped)
        assert (format_.name, format_.reader.envelope.name) == ("combined", name)
        assert (made[0].records, made[0].addressed) == (5, 5)


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
            st.sampled_from(['{"log":7}', '{"log":null}', '{"log":"\\ud800"}', '{"log":', '{"log":{}}']),
        )
    )
)  # fmt: skip
def test_no_line_is_lost_or_made(lines: list[str]) -> None:
    octets = block(lines).data
    for envelope in ENVELOPES:
        inside = envelope.opened(octets)
        assert inside.count(b"\n") == octets.count(b"\n")
