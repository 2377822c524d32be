"""What counts as a download, and what the Python package index once counted wrongly."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution.artifacts import conclude
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
        ("everything as one range, length not said", {**PART, "response_header_content_length": None}, False),
        ("first octets up to the last, perhaps", {**PART, "range_requested": "bytes=0-999"}, False),
        ("resumed", {**PART, "range_requested": "bytes=500-", "response_body_size": 500, "response_header_content_length": 500}, False),
        ("HEAD", {"request_method": "HEAD"}, False),
        ("HEAD of a known length", {"request_method": "HEAD", "response_body_size": 0}, False),
        ("OPTIONS", {"request_method": "OPTIONS"}, False),
        ("upload", {"request_method": "PUT"}, False),
        ("method in another case", {"request_method": "get"}, False),
        ("not modified", {"response_status_code": 304}, False),
        ("moved", {"response_status_code": 301}, False),
        ("redirect", {"response_status_code": 302}, False),
        ("temporary redirect", {"response_status_code": 307}, False),
        ("range beyond the end", {"response_status_code": 416}, False),
        ("client left before the answer", {"response_status_code": 499}, False),
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


WHEEL = "/x/six-1.16.0-py2.py3-none-any.whl"
JAR = "/maven2/junit/junit/4.13.2/junit-4.13.2"
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (WHEEL, True),
        (WHEEL + ".metadata", False),
        (WHEEL + ".provenance", False),
        ("/simple/six/", False),
        (JAR + ".jar", True),
        (JAR + "-sources.jar", True),
        (JAR + ".pom", False),
        (JAR + ".module", False),
        (JAR + ".jar.asc", False),
        (JAR + ".jar.sha1", False),
        (JAR + ".pom.md5", False),
        ("/maven2/junit/junit/maven-metadata.xml", False),
        ("/left-pad/-/left-pad-1.3.0.tgz", True),
        ("/gems/rake-13.1.0.gem", True),
        ("/quick/Marshal.4.8/rake-13.1.0.gemspec.rz", False),
        ("/crates/serde/1.0.195/download", True),
        ("/api/v1/crates/serde/1.0.195", False),
        ("/debian/pool/main/c/curl/curl_7.88.1-10_amd64.deb", True),
        ("/debian/pool/main/c/curl/curl_7.88.1-10.dsc", False),
        ("/debian/dists/bookworm/InRelease", False),
        ("/fedora/Packages/b/bash-5.2.26-3.fc40.x86_64.rpm", True),
        ("/fedora/repodata/repomd.xml", False),
        (f"/v2/library/debian/blobs/{DIGEST}", True),
        (f"/v2/library/debian/manifests/{DIGEST}", False),
        ("/github.com/gorilla/mux/@v/v1.8.1.zip", True),
        ("/github.com/gorilla/mux/@v/v1.8.1.mod", False),
        ("/github.com/gorilla/mux/@v/v1.8.1.ziphash", False),
        ("/core/os/x86_64/pacman-6.0.2-8-x86_64.pkg.tar.zst", True),
        ("/core/os/x86_64/pacman-6.0.2-8-x86_64.pkg.tar.zst.sig", False),
        ("/favicon.ico", False),
    ],
)
def test_only_artifacts_are_downloads(target: str, verdict: bool) -> None:
    targets = pl.DataFrame({"url_original": [target], "server_address": [None]})
    kind = conclude(targets).get_column("artifact_kind").item()
    assert judged(WHOLE | {"artifact_kind": kind}) is verdict


@pytest.mark.parametrize(
    ("request_", "response", "verdict"),
    [
        (("GET", WHEEL, None), (200, 11053, 11053), True),
        (("GET", WHEEL, None), (200, 4096, 11053), False),
        (("GET", WHEEL, "bytes=0-"), (206, 11053, 11053), True),
        (("GET", WHEEL, "bytes=0-1"), (206, 2, 2), False),
        (("GET", WHEEL, None), (304, None, None), False),
        (("HEAD", WHEEL, None), (200, None, 11053), False),
        (("GET", WHEEL + ".metadata", None), (200, 1795, 1795), False),
        (("GET", "/simple/six/", None), (200, 14023, 14023), False),
    ],
)
def test_what_the_python_index_once_counted(
    request_: tuple[str, str, str | None],
    response: tuple[int, int | None, int | None],
    verdict: bool,
) -> None:
    """The example of docs/downloads.md."""
    method, target, ranges = request_
    status, sent, declared = response
    targets = pl.DataFrame({"url_original": [target], "server_address": [None]})
    record = {
        "request_method": method,
        "response_status_code": status,
        "artifact_kind": conclude(targets).get_column("artifact_kind").item(),
        "response_body_size": sent,
        "response_size": None,
        "response_header_content_length": declared,
        "range_requested": ranges,
        "complete": None,
    }
    assert judged(record) is verdict


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
