"""Reference data fetched from who publishes it, over loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from l7meter.attribution.reference.fetching import fetch, fetchable, named, take
from l7meter.attribution.reference.shelf import Shelf, Snapshot
from l7meter.errors import SourceError, UsageError

AWS = {"prefixes": [{"ip_prefix": "8.8.8.0/24", "region": "us-east-1", "service": "EC2"}], "ipv6_prefixes": [], "syncToken": "1"}  # fmt: skip
PAGES = {
    "/dated.json": json.dumps(AWS | {"createDate": "2026-10-02-03-04-05"}),
    "/undated.json": json.dumps(AWS),
    "/other.json": json.dumps({"hello": []}),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = PAGES.get(self.path)
        self.send_response(200 if page else 404)
        self.send_header("Last-Modified", "Thu, 01 Oct 2026 23:59:59 GMT")
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at what comes of it."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("page", "day"), [("dated", date(2026, 10, 2)), ("undated", date(2026, 10, 1))])  # fmt: skip
def test_fetched_with_its_day_or_that_of_the_server(host: str, tmp_path: Path, page: str, day: date) -> None:  # fmt: skip
    made = fetch(Shelf(tmp_path), named("aws"), f"{host}/{page}.json")
    assert isinstance(made, Snapshot)
    assert (made.as_of, made.rows, made.origin) == (day, 1, f"{host}/{page}.json")


def test_what_hinders_is_told_and_nothing_is_kept(host: str, tmp_path: Path) -> None:
    told = fetch(Shelf(tmp_path), named("aws"), f"{host}/absent.json")
    assert told == f"{host}/absent.json: Not Found"
    told = fetch(Shelf(tmp_path), named("aws"), f"{host}/other.json")
    assert str(told).startswith(f"{host}/other.json: ")
    assert "not what aws publishes" in str(told)
    assert Shelf(tmp_path).snapshots() == []


def test_what_can_be_fetched_has_an_address_that_is_safe() -> None:
    assert fetchable()
    assert all(url.startswith("https://") for each in fetchable() for url in each.urls)


def test_importer_that_is_none_and_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="nothing: not among the sources of reference data: as2org"
    ):
        named("nothing")
    with pytest.raises(SourceError, match="absent: no such file"):
        take(Shelf(tmp_path), tmp_path / "absent", named("aws"))
