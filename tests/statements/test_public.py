"""A public report says what was used, and of nobody in particular."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable
from datetime import date
from html.parser import HTMLParser
from itertools import chain, combinations, pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from public_stores import Row, made, request
from typer.testing import CliRunner

from l7meter.cli.app import app
from l7meter.errors import StoreError, UsageError
from l7meter.fund.period import Period
from l7meter.statements import public, public_files, public_page, public_spread
from l7meter.statements.public import Public, Terms
from l7meter.statements.public_linked import _few
from l7meter.statements.public_tables import KEYS, OTHERS, OUTSIDE
from l7meter.store import Store, close, retain

DAY = Period.parse("2026-11-02")
EXACT = Terms(digits=15, growth=False)


def report(path: Path, rows: Iterable[Row], terms: Terms = EXACT, period: Period = DAY, **source: Any) -> Public:  # fmt: skip
    """The report of a store of these records."""
    return public.make(made(path / "store", rows, **source), period, terms)


def table(report: Public, name: str) -> dict[str, tuple[int, int | None]]:
    """Bytes and clients by key."""
    rows = report.document[name] or []
    return {next(iter(row.values())): (row["bytes"], row["clients"]) for row in rows}


def crowd(first: int, count: int, size: int = 1000, **more: object) -> list[Row]:
    return [request(first + each, size, **more) for each in range(count)]


# What it says


def test_it_says_who_used_what(tmp_path: Path) -> None:
    rows = crowd(0, 6) + crowd(10, 10, 700, network_kind="cloud", organization="Example Cloud", attributable=False, agent_kind="ai-crawler", package_ecosystem="npm", package_name="reed")  # fmt: skip
    made = report(tmp_path, rows)
    totals = made.document["totals"]
    assert totals == {"bytes": 13_000, "requests": 16, "downloads": 16, "packages": 2, "clients": 16, "unmeasured": 0, "basis": "message"}  # fmt: skip
    assert table(made, "attribution") == {"provider": (7000, 10), "organization": (6000, 6)}
    assert table(made, "networks") == {"cloud": (7000, 10), "education": (6000, 6)}
    assert table(made, "agents") == {"ai-crawler": (7000, 10), "package-manager": (6000, 6)}
    assert table(made, "ecosystems") == {"npm": (7000, 10), "pypi": (6000, 6)}
    assert table(made, "days") == {"2026-11-02": (13_000, 16)}
    assert made.document["unattributed_share"] == pytest.approx(7 / 13, abs=1e-4)
    assert made.document["organizations"] is None
    assert "Example University" not in public_page.render(made.document)


def test_ci_is_what_says_so_and_addresses_that_many_share_are_nobodys(tmp_path: Path) -> None:
    made = report(tmp_path, crowd(0, 5, agent_ci=True) + crowd(10, 5, shared_egress="vpn") + crowd(20, 5, 1, organization=None, attributable=None, network_kind=None, agent_kind=None))  # fmt: skip
    assert table(made, "agents") == {"ci": (5000, 5), "package-manager": (5000, 5), "unknown": (5, 5)}  # fmt: skip
    assert table(made, "attribution") == {"organization": (5000, 5), "shared": (5000, 5), "unknown": (5, 5)}  # fmt: skip


def test_figures_are_rounded_and_samples_weighed(tmp_path: Path) -> None:
    made = report(tmp_path, crowd(0, 6, 123_456, sample_weight=100.0), Terms(digits=2))
    assert made.document["totals"]["bytes"] == 74_000_000
    assert made.document["totals"]["requests"] == 600
    assert any("samples" in note for note in made.document["notes"])


def test_organizations_are_named_on_request_and_from_the_floor_on(tmp_path: Path) -> None:
    rows = list(chain(crowd(0, 9, organization="Alder"), crowd(10, 6, organization="Birch"), crowd(20, 4, 333, organization="Cedar")))  # fmt: skip
    rows += crowd(30, 20, 50, organization="Example Cloud", attributable=False)
    made = report(tmp_path, rows, EXACT._replace(names=True))
    assert table(made, "organizations") == {"Alder": (9000, 9), OTHERS: (6000 + 4 * 333, None), OUTSIDE: (1000, 20)}  # fmt: skip
    octets = b"".join(public_files.octets(made).values())
    assert b"Alder" in octets
    assert not [name for name in (b"Birch", b"Cedar", b"Example Cloud") if name in octets]


def test_only_the_largest_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "LARGEST", 1)
    rows = list(chain(crowd(0, 9, organization="Alder"), crowd(10, 6, organization="Birch"), crowd(20, 7, organization="Cedar")))  # fmt: skip
    made = report(tmp_path, rows, EXACT._replace(names=True))
    assert table(made, "organizations") == {"Alder": (9000, 9), OTHERS: (13_000, None)}


def test_growth_is_by_the_day_and_of_what_both_reports_show(tmp_path: Path) -> None:
    rows = [*chain(*(crowd(0, 6, 1000, day=day, network_kind="cloud") for day in range(-2, 2)))]
    rows += chain(*(crowd(0, 6, 500, day=day, network_kind="cloud") for day in range(2)))
    rows += chain(*(crowd(20, clients, 100, day=day) for day, clients in ((-1, 4), (1, 9))))
    rows += crowd(40, 8, 100, day=-1, network_kind="hosting") + crowd(40, 8, 100, day=1, network_kind="hosting")  # fmt: skip
    made = report(tmp_path, rows, Terms(digits=15), Period.parse("2026-11-02..2026-11-03"))
    growth = made.document["growth"]
    assert growth["before"] == {"first_day": "2026-10-31", "last_day": "2026-11-01", "days": 2, "days_with_records": 2}  # fmt: skip
    changes = {(row["table"], row["key"]): row["change"] for row in growth["rows"]}
    assert changes["totals", "bytes"] == round(19_700 / 13_200 - 1, 3)
    assert changes["totals", "requests"] == round(41 / 24 - 1, 3)
    # the university had 4 clients before: it was folded, and with it the row that hides it
    assert {key for name, key in changes if name == "networks"} <= {"hosting", "cloud"}
    assert "Change" in public_page.render(made.document)


@pytest.mark.parametrize(
    ("period", "before"),
    [
        ("2026-10", "2026-09"),
        ("2026-Q1", "2025-10-01..2025-12-31"),
        ("2026", "2025-01-01..2025-12-31"),
        ("2026-11-02..2026-11-08", "2026-10-26..2026-11-01"),
        ("2026-11-02", "2026-11-01"),
    ],
)
def test_the_period_before_ends_where_this_begins(period: str, before: str) -> None:
    assert public.before(Period.parse(period)) == Period.parse(before)


def test_growth_without_a_period_before_is_left_out(tmp_path: Path) -> None:
    made = report(tmp_path, crowd(0, 6), Terms())
    assert made.document["growth"] is None
    assert any("Growth is left out: 0 of 1 days of 2026-11-01" in why for why in made.document["left_out"])  # fmt: skip


def test_growth_between_measures_that_differ_is_left_out(tmp_path: Path) -> None:
    made = report(tmp_path, crowd(0, 6) + crowd(0, 6, day=-1, server_bytes_basis="content"), Terms())  # fmt: skip
    assert any("does not compare" in why for why in made.document["left_out"])


def test_what_was_fetched_again_is_told_of_closed_days(tmp_path: Path) -> None:
    rows = crowd(0, 6) + crowd(0, 6, 3000)
    for row in rows[:6]:
        row["attributable"] = False  # each for itself, and once each
    for row in rows[6:]:
        row["organization"] = "Other University"  # five of six by one organisation
    store = made(tmp_path / "store", rows)
    open_ = public.make(store, DAY, EXACT)
    assert open_.document["redundancy"] is None
    assert any("no day of the period is closed" in why for why in open_.document["left_out"])
    with Store.open(store) as opened:
        close(opened, date(2026, 11, 3))
    closed = public.make(store, DAY, EXACT)
    assert closed.document["redundancy"] == {"share": 15_000 / 24_000, "days": 1, "window_hours": 24}  # fmt: skip


def test_addresses_are_told_apart_by_records_alone(tmp_path: Path) -> None:
    rows = crowd(0, 60) + crowd(60, 40, 4000)
    store = made(tmp_path / "store", rows)
    spread = public.make(store, DAY, EXACT).document["concentration"]["addresses"]
    assert spread["members"] == 100
    assert spread["gini"] == pytest.approx(160 / 220 - 0.4)
    assert {"top": 0.1, "members": 10, "share": pytest.approx(40 / 220)} in spread["points"]
    assert {"top": 0.5, "members": 50, "share": pytest.approx(170 / 220)} in spread["points"]
    with Store.open(store) as opened:
        close(opened, date(2026, 11, 3))
        retain(opened, records=date(2026, 11, 3))
    after = public.make(store, DAY, EXACT).document
    assert after["concentration"]["addresses"] is None
    assert any("removed by retention" in why for why in after["left_out"])
    assert after["totals"]["bytes"] == 220_000


def test_logs_without_sizes_have_requests_alone(tmp_path: Path) -> None:
    rows = [request(each, None, agent_ci=each < 20) for each in range(40)]
    made = report(tmp_path, rows)
    assert made.document["totals"]["bytes"] is None
    assert made.document["agents"][0]["requests"] == 20
    assert any("no bytes of theirs were measured" in why for why in made.document["left_out"])
    assert "not measured" in public_page.render(made.document)


# What it does not say


def test_a_small_store_comes_out_with_little_and_says_why(tmp_path: Path) -> None:
    made = report(tmp_path, crowd(0, 4))
    assert made.document["totals"] is None
    assert made.tables == {}
    assert "fewer than 5 clients" in public_page.render(made.document)


def test_without_addresses_there_is_nothing_to_publish(tmp_path: Path) -> None:
    rows = [row | {"client_address": None} for row in crowd(0, 9)]
    assert report(tmp_path, rows, privacy='{"addresses": "none"}').document["totals"] is None


def test_organizations_are_not_named_where_the_rest_of_all_is_of_few(tmp_path: Path) -> None:
    rows = crowd(0, 9) + crowd(20, 4, 333, organization="Example Cloud", attributable=False)
    made = report(tmp_path, rows, EXACT._replace(names=True))
    assert made.document["organizations"] is None
    assert 4 * 333 not in set(numbers(made.document))


def test_requests_without_an_address_are_of_nobody_knows_how_few(tmp_path: Path) -> None:
    rows = crowd(0, 9) + crowd(20, 9, network_kind="cloud", agent_kind="mirror")
    rows.append(request(0, 333, agent_kind="mirror") | {"client_address": None})
    made = report(tmp_path, rows)
    assert table(made, "networks") == {"education": (9333, 9), "cloud": (9000, 9)}
    assert table(made, "agents") == {}  # mirrors of 9333 less clouds of 9000


def test_a_difference_of_two_tables_is_no_row_of_few(tmp_path: Path) -> None:
    # of the unknown, 5 sit in a network of unknown kind and 9 in special ones; so do 2 of a known organisation
    nobody = {"organization": None, "attributable": None}
    rows = crowd(0, 5, network_kind="unknown", **nobody) + crowd(10, 9, network_kind="special", **nobody)  # fmt: skip
    rows += crowd(20, 2, 77_777, network_kind="special") + crowd(30, 50)
    made = report(tmp_path, rows)
    assert {key: octets for key, (octets, _) in table(made, "attribution").items()} == {"organization": 205_554, "unknown": 14_000}  # fmt: skip
    # networks by themselves could be shown as they are: 5, 11, 50
    assert table(made, "networks") == {}
    assert any("'networks' is left out" in why for why in made.document["left_out"])


def test_nothing_of_a_request_is_in_it(tmp_path: Path) -> None:
    rows = [*crowd(0, 9), request("2001:db8::1", 5)]
    manifest = json.dumps({"attribution_id": "a1", "reference_data": [{"name": "dbip-asn-2026-10-01-0f3c1a2b", "as_of": "2026-10-01", "licence": "CC-BY-4.0", "attribution": "IP Geolocation by DB-IP, https://db-ip.com"}]})  # fmt: skip
    made = report(tmp_path, rows, EXACT._replace(names=True), manifests=[manifest], format="secret-format", size_meaning="secret meaning")  # fmt: skip
    octets = b"".join(public_files.octets(made).values())
    assert b"secret" not in octets
    assert b"192.0.2." not in octets
    assert b"2001:db8" not in octets
    assert (
        b'<a href="https://db-ip.com" rel="noopener noreferrer">' in octets
    )  # what the terms ask for
    assert made.document["method"]["formats"] == [{"title": "a format of the publisher's own", "size": None}]  # fmt: skip


WAYS = st.fixed_dictionaries(
    {
        "organization": st.sampled_from(["Alder", "Birch", "Cedar", None]),
        "attributable": st.booleans(),
        "network_kind": st.sampled_from(["cloud", "education", "research"]),
        "agent_kind": st.sampled_from(["browser", "mirror", "scanner"]),
        "package_ecosystem": st.sampled_from(["npm", "gem", None]),
        "day": st.integers(0, 1),
    }
)
# few ways to ask, of many that could be: most cells are empty, so that differences tell
ASKED = st.lists(st.tuples(WAYS, st.sets(st.integers(0, 40), min_size=1, max_size=12)), min_size=3, max_size=7)  # fmt: skip
COLUMNS = {"networks": "network_kind", "agents": "agent_kind", "ecosystems": "package_ecosystem", "days": "day"}  # fmt: skip


def keys(row: dict[str, Any]) -> dict[str, str]:
    """The key of a request in each table."""
    known, own = row["organization"] is not None, row["attributable"]
    standing = ("organization" if own else "provider") if known else "unknown"
    return {
        "attribution": standing,
        "organizations": row["organization"] if standing == "organization" else OUTSIDE,
        "days": f"2026-11-0{2 + row['day']}",
        **{name: row[column] or "unknown" for name, column in COLUMNS.items() if name != "days"},
    }


@settings(max_examples=12)  # a store each
@given(asked=ASKED, floor=st.integers(2, 6))
def test_nothing_of_fewer_clients_comes_out(asked: list[tuple[dict[str, Any], set[int]]], floor: int) -> None:  # fmt: skip
    """Neither by a row, nor by the sums of some rows of a table less those of some of another."""
    rows = [{"client": client, **way} for way, clients in asked for client in sorted(clients)]
    sizes = [1_000_003 * (each + 1) ** 2 + 17 for each in range(len(rows))]
    with tempfile.TemporaryDirectory() as folder:
        found = report(
            Path(folder),
            [request(row["client"], size, **{name: value for name, value in row.items() if name != "client"}) for row, size in zip(rows, sizes, strict=True)],
            Terms(floor, 15, True, False),
            Period.parse("2026-11-02..2026-11-03"),
        )  # fmt: skip
    files = public_files.octets(found)
    octets = b"".join(files.values())
    assert b"192.0.2." not in octets
    figures = set(numbers(found.document))
    parts = {}
    for name in (*KEYS, "organizations"):
        groups: dict[str, set[int]] = {}
        sums: dict[str, int] = {}
        for row, size in zip(rows, sizes, strict=True):
            key = keys(row)[name]
            groups.setdefault(key, set()).add(row["client"])
            sums[key] = sums.get(key, 0) + size
        shown = table(found, name)
        for key, clients in groups.items():
            if len(clients) < floor and key != OUTSIDE:
                assert key not in shown
                assert sums[key] not in figures
            if key in shown:
                assert shown[key][0] == sums[key]
                assert floor <= (shown[key][1] or 0) <= len(clients)
        if shown:
            assert sum(octets for octets, _ in shown.values()) == sum(sizes)
            parts[name] = shown
    for one, other in combinations(parts, 2):
        cells: dict[tuple[str, str], set[int]] = {}
        for row in rows:
            place = tuple(key if key in parts[name] else OTHERS for name in (one, other) for key in [keys(row)[name]])  # fmt: skip
            cells.setdefault((place[0], place[1]), set()).add(row["client"])
        assert not telling(cells, floor)


def numbers(value: Any) -> Iterable[float]:
    """All figures of a document."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)
    elif isinstance(value, int | float):
        yield value


def telling(cells: dict[tuple[str, str], set[int]], floor: int) -> bool:
    """By trying all: rows of the one table that hold all of some rows of the other, and a few clients more."""
    ones, others = ({place[side] for place in cells} for side in (0, 1))

    def some(names: set[str]) -> Iterable[tuple[str, ...]]:
        return chain.from_iterable(combinations(sorted(names), size) for size in range(len(names) + 1))  # fmt: skip

    for upper, lower in product(some(ones), some(others)):
        above = {place for place in cells if place[0] in upper}
        below = {place for place in cells if place[1] in lower}
        for more, less in ((above, below), (below, above)):
            if less < more and len(set().union(*(cells[place] for place in more - less))) < floor:
                return True
    return False


CELLS = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")),
    st.frozensets(st.integers(0, 12), min_size=1, max_size=8),
    max_size=12,
)


@settings(max_examples=300)
@given(CELLS, st.integers(2, 6))
@example({("a", "w"): frozenset({1, 2}), ("b", "w"): frozenset(range(6)), ("b", "x"): frozenset(range(6))}, 5)  # fmt: skip
def test_few_are_found_wherever_a_difference_tells(cells: dict[tuple[str, str], frozenset[int]], floor: int) -> None:  # fmt: skip
    seen = {place: None if len(clients) >= floor else clients for place, clients in cells.items()}
    assert _few(seen, floor) == telling({place: set(each) for place, each in cells.items()}, floor)


@given(
    octets=st.lists(st.integers(0, 10**9), max_size=120),
    shown=st.lists(st.booleans(), min_size=120, max_size=120),
    floor=st.integers(2, 12),
)
def test_points_of_the_curve_stand_for_enough(octets: list[int], shown: list[bool], floor: int) -> None:  # fmt: skip
    hidden = [not each for each in shown[: len(octets)]]
    unseen = [sum(hidden[:count]) for count in range(len(octets) + 1)]
    points = [0, *public_spread._points(unseen, len(octets), floor), len(octets)]
    assert points == sorted(points)
    for low, high in pairwise(points) if len(points) > 2 else ():
        assert high - low >= floor
        assert unseen[high] - unseen[low] == 0 or unseen[high] - unseen[low] >= floor


# The files


def test_the_page_is_whole_by_itself(tmp_path: Path) -> None:
    rows = crowd(0, 40, organization="<b>Alder & Co</b>") + crowd(50, 40, 77, network_kind="cloud")
    made = report(tmp_path, rows, EXACT._replace(names=True, title="Who <used> it"))
    page = public_page.render(made.document, made.tables)
    seen = Seen()
    seen.feed(page)
    assert seen.open == []
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in seen.tags}
    assert "&lt;b&gt;Alder &amp; Co&lt;/b&gt;" in page
    assert "Who &lt;used&gt; it" in page
    names = [dict(attributes)["id"] for _, attributes in seen.tags if "id" in dict(attributes)]
    assert len(names) == len(set(names))
    links = [dict(attributes)["href"] or "" for tag, attributes in seen.tags if tag == "a"]
    assert {each[1:] for each in links if each.startswith("#")} <= set(names)
    assert {each for each in links if not each.startswith("#")} == set(public_files.octets(made)) - {"index.html"}  # fmt: skip
    headers = [dict(attributes) for tag, attributes in seen.tags if tag == "th"]
    assert headers
    assert all("scope" in each for each in headers)
    assert all("aria-label" in dict(each) or "aria-hidden" in dict(each) for tag, each in seen.tags if tag == "svg")  # fmt: skip


class Seen(HTMLParser):
    """The elements of a page, and those that were not closed."""

    EMPTY = ("meta", "rect", "line", "circle", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def test_each_table_is_a_csv_with_the_figures_of_the_json(tmp_path: Path) -> None:
    made = report(tmp_path, crowd(0, 20) + crowd(30, 20, 7, network_kind="cloud"))
    files = public_files.octets(made)
    document = json.loads(files["report.json"])
    assert document == json.loads(json.dumps(made.document))
    rows = list(csv.DictReader(io.StringIO(files["networks.csv"].decode())))
    assert [(row["network_kind"], int(row["bytes"])) for row in rows] == [(row["network_kind"], row["bytes"]) for row in document["networks"]]  # fmt: skip
    assert set(files) == {"index.html", "report.json", "totals.csv", "concentration.csv", *(f"{name}.csv" for name in KEYS)}  # fmt: skip


def test_the_same_store_gives_the_same_octets(tmp_path: Path) -> None:
    store = made(tmp_path / "store", crowd(0, 20, 7) + crowd(3, 30, 11, sample_weight=3.7))
    assert public_files.octets(public.make(store, DAY, EXACT)) == public_files.octets(public.make(store, DAY, EXACT))  # fmt: skip


def test_it_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = report(tmp_path, crowd(0, 20))
    to = tmp_path / "out" / "report"
    public_files.write(to, made)
    (to / "mark").touch()
    before = {each.name for each in to.iterdir()}
    with pytest.raises(UsageError, match="--force"):
        public_files.write(to, made)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StoreError, match="No space left"):
            public_files.write(to, made, force=True)
    assert {each.name for each in to.iterdir()} == before
    public_files.write(to, made, force=True)
    assert {each.name for each in to.iterdir()} == before - {"mark"}
    assert [each.name for each in to.parent.iterdir()] == ["report"]


def test_what_is_no_report_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match="no report"):
        public_files.check(tmp_path, force=True)
    with pytest.raises(UsageError, match="is a file"):
        public_files.check(tmp_path / "thesis.txt")


def test_the_command_writes_it(tmp_path: Path) -> None:
    store = made(tmp_path / "store", crowd(0, 20))
    arguments = ["fund", "publish", "--store", str(store), "--to", str(tmp_path / "report"), "--publisher", "Example Foundation"]  # fmt: skip
    done = CliRunner().invoke(app, [*arguments, "--period", "2026-11-02"])
    assert done.exit_code == 0, done.output
    assert "Growth is left out" in done.output
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (document["schema"], document["publisher"]) == ("l7meter.public/1", "Example Foundation")
    assert abs(document["totals"]["clients"] - 20) <= 2  # two addresses may meet in a sketch
    nothing = CliRunner().invoke(app, [*arguments, "--force", "--period", "2026-12"])
    assert isinstance(nothing.exception, UsageError) or nothing.exit_code == 2
    assert "no records in 2026-12" in f"{nothing.output}{nothing.exception}"
