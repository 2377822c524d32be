"""What counts as a download, and what the Python package index once counted wrongly."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution.downloads import is_download
from l7meter.schema import POLARS

WHOLE = {
    "request_method": "GET",
    "response_status_code": 200,
    "artifact_kind": "artifact",
    "response_body_size": 1000,
    "response_size": 1300,
    "response_header_content_length": 1000,
    "range_requested": None,
    "complete": None,
}
SCHEMA = {name: POLARS[name] for name in WHOLE}
PART = {"response_status_code": 206, "range_requested": "bytes=0-"}
UNSAID = {
    "response_body_size": None,
    "response_size": None,
    "response_header_content_length": None,
}


def judged(record: dict[str, object]) -> bool | None:
    verdict: bool | None = pl.DataFrame([record], SCHEMA).select(is_download()).item()
    return verdict


@pytest.mark.parametrize(
    ("phenomenon", "change", "verdict"),
    [
        ("whole artifact", {}, True),
        ("source says complete", {"complete": True}, True),
        ("sizes not said", UNSAID, True),
        ("only content said", {**UNSAID, "response_body_size": 1000}, True),
        ("range ignored by the server", {"range_requested": "bytes=0-1"}, True),
        ("metadata beside a wheel", {"artifact_kind": "metadata"}, False),
        ("index page", {"artifact_kind": "index"}, False),
        ("no layout claims the target", {"artifact_kind": None}, False),
        ("two octets of a wheel", {**PART, "range_requested": "bytes=0-1", "response_body_size": 2, "response_header_content_length": 2}, False),
        ("last octets of a wheel", {**PART, "range_requested": "bytes=-1000"}, False),
        ("everything as one range", PART, True),
        ("everything as one range, spelled oddly", {**PART, "range_requested": " bytes = 00- "}, True),
        ("everything as one range, cut", {**PART, "response_body_size": 999}, False),
        ("everything as one range, sizes not said", {**PART, **UNSAID}, False),
        ("two ranges", {**PART, "range_requested": "bytes=0-,5-"}, False),
        ("part of a range not logged", {**PART, "range_requested": None}, False),
        ("HEAD", {"request_method": "HEAD"}, False),
        ("method in another case", {"request_method": "get"}, False),
        ("not modified", {"response_status_code": 304}, False),
        ("redirect", {"response_status_code": 302}, False),
        ("not found", {"response_status_code": 404}, False),
        ("source says incomplete", {"complete": False}, False),
        ("content shorter than declared", {"response_body_size": 999}, False),
        ("message shorter than declared content", {**UNSAID, "response_size": 900, "response_header_content_length": 1000}, False),
        ("nothing was sent", {**UNSAID, "response_body_size": 0}, False),
        ("method not said", {"request_method": None}, None),
        ("status not said", {"response_status_code": None}, None),
        ("status not said, incomplete", {"response_status_code": None, "complete": False}, False),
        ("method not said, index page", {"request_method": None, "artifact_kind": "index"}, False),
    ],
)  # fmt: skip
def test_a_download_is_a_whole_artifact_delivered(
    phenomenon: str, change: dict[str, object], verdict: bool | None
) -> None:
    assert judged(WHOLE | change) is verdict


# without 206: a part is presumed a part until its length is known
RECORDS = st.fixed_dictionaries(
    {
        "request_method": st.sampled_from(["GET", "HEAD", None]),
        "response_status_code": st.sampled_from([200, 304, None]),
        "artifact_kind": st.sampled_from(["artifact", "metadata", None]),
        "response_body_size": st.one_of(st.none(), st.integers(0, 5)),
        "response_size": st.one_of(st.none(), st.integers(0, 9)),
        "response_header_content_length": st.one_of(st.none(), st.integers(0, 5)),
        "range_requested": st.none(),
        "complete": st.sampled_from([True, False, None]),
    }
)
SAID = sorted(WHOLE.keys() - {"artifact_kind", "range_requested"})


@settings(deadline=None)
@given(RECORDS, st.sampled_from(SAID))
def test_learning_more_never_turns_a_no_into_a_yes(record: dict[str, object], column: str) -> None:
    knowing_less = judged(record | {column: None})
    assert not (knowing_less is False and judged(record))
