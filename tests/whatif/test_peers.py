"""Peers computed by columns could have served what peers that see one request after the other could have."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from whatif_peers import HOUR, Delivery, Served, holders, served
from whatif_stores import START, Row, delivery, made, opened

from l7meter.analysis.whatif import Answer, Selection, peers_holders
from l7meter.analysis.whatif.peers import peers
from l7meter.analysis.whatif.peers_holders import NEVER, Deliveries
from l7meter.cli.app import app
from l7meter.errors import UsageError

ORGANIZATIONS = ("Example Ltd", "Example Inc")
MINUTE = 60_000_000
START_US = int(START.timestamp()) * 1_000_000

DELIVERIES = st.lists(
    st.builds(
        Delivery,
        scope=st.integers(0, 1),
        ts=st.integers(0, 60).map(lambda n: START_US + n * 10 * MINUTE),
        key=st.integers(0, 3),
        client=st.integers(0, 4),
        octets=st.sampled_from([0, 1, 100, 7000, 90_000]),
    ),
    max_size=40,
)
WINDOWS = st.integers(0, 20).map(lambda n: n * 10 * MINUTE)
PARTS = st.sampled_from([0.0, 0.1, 0.5, 1.0])
UPLOADS = st.sampled_from([None, 0, 1, 3, 10, 10_000])


def frame(deliveries: list[Delivery]) -> pl.DataFrame:
    schema = {"scope": pl.UInt64, "ts": pl.Int64, "key": pl.UInt64, "client": pl.UInt64, "octets": pl.Int64}  # fmt: skip
    return pl.DataFrame(deliveries, schema=schema, orient="row").sort("scope", "ts", maintain_order=True)  # fmt: skip


def rows(deliveries: list[Delivery]) -> list[Row]:
    return [
        delivery(
            (each.ts - START_US) / 1e6, f"192.0.2.{each.client}", f"/{each.key}.tgz", each.octets,
            organization=ORGANIZATIONS[each.scope],
        )
        for each in deliveries
    ]  # fmt: skip


def found(answer: Answer) -> dict[str, Served]:
    columns = answer.rows.select("organization", "own_bytes", "peer_bytes", "bounded_bytes")
    return {name: Served(*values) for name, *values in columns.iter_rows()}


@settings(max_examples=300)
@given(deliveries=DELIVERIES, window=WINDOWS, longest=st.sampled_from([2.0**61, float(HOUR)]))
def test_holders_are_those_of_the_reference(deliveries: list[Delivery], window: int, longest: float) -> None:  # fmt: skip
    """However the line of times is cut into lines of whole objects."""
    of = frame(deliveries)
    columns = Deliveries(of)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peers_holders, "_LONGEST", longest)
        had = columns.holders(window)
    seen = dict(zip(columns.row.tolist(), zip(had.tolist(), columns.gap.tolist(), strict=True), strict=True))  # fmt: skip
    for row, each in enumerate(Delivery(*values) for values in of.iter_rows()):
        own = [other.ts for other in deliveries if other.ts < each.ts and (other.scope, other.key, other.client) == (each.scope, each.key, each.client)]  # fmt: skip
        gap = each.ts - max(own) if own else NEVER
        expected = len(holders(deliveries, each, each.ts - window, each.ts)), gap
        assert seen.get(row, (0, NEVER)) == expected


@given(deliveries=DELIVERIES, window=WINDOWS, ahead=st.integers(0, 20))
def test_holders_of_later_instants(deliveries: list[Delivery], window: int, ahead: int) -> None:
    of = frame(deliveries)
    columns = Deliveries(of)
    later = min(ahead * 10 * MINUTE, window)
    places = np.arange(len(columns))[::-2]
    had = columns.holders(window, places, later)
    for place, count in zip(places, had, strict=True):
        each = Delivery(*of.row(int(columns.row[place])))
        then = each.ts + later
        assert count == len(holders(deliveries, each, then - window, then))


@settings(max_examples=40)
@given(
    deliveries=DELIVERIES.filter(len),
    window=WINDOWS,
    participation=PARTS,
    upload=UPLOADS,
    since=st.none() | st.integers(1, 60),
)
def test_peers_serve_what_the_reference_serves(
    tmp_path_factory: pytest.TempPathFactory, deliveries: list[Delivery], window: int, participation: float, upload: int | None, since: int | None
) -> None:  # fmt: skip
    begin = START + timedelta(minutes=10 * since) if since is not None else None
    folder = tmp_path_factory.mktemp("peers")
    with opened(folder / "store", rows(deliveries)) as con:
        answer = peers(
            con,
            Selection(since=begin),
            window=timedelta(microseconds=window),
            participation=participation,
            upload=upload,
        )
    start = START_US + (since or 0) * 10 * MINUTE
    of = found(answer)
    for scope, name in enumerate(ORGANIZATIONS):
        expected = served(deliveries, scope, window, participation, upload, start)
        own, peer, bounded = of.get(name, Served(0, 0, 0))
        assert (own, peer) == expected[:2]
        assert bounded == pytest.approx(expected.bounded, abs=0.5001)
        assert bounded <= peer


@settings(max_examples=25)
@given(deliveries=DELIVERIES.filter(len), window=WINDOWS, more=WINDOWS, upload=UPLOADS, data=st.data())  # fmt: skip
def test_more_time_more_peers_more_upload_serve_no_less_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, deliveries: list[Delivery], window: int, more: int, upload: int | None, data: st.DataObject
) -> None:  # fmt: skip
    mixed = data.draw(st.permutations(deliveries))
    folder = tmp_path_factory.mktemp("peers")
    short, long = (timedelta(microseconds=each) for each in (window, window + more))
    with opened(folder / "a", rows(deliveries)) as con, opened(folder / "b", rows(mixed)) as other:
        one = found(peers(con, window=short, participation=0.3, upload=upload))
        assert found(peers(other, window=short, participation=0.3, upload=upload)) == one
        longer = found(peers(con, window=long))
        all_of_them = found(peers(con, window=short, upload=upload))
        unlimited = found(peers(con, window=short, participation=0.3))
        faster = found(peers(con, window=short, participation=0.3, upload=2 * (upload or 0)))
        for name, (own, peer, bounded) in one.items():
            assert longer[name].own >= own
            assert longer[name].own + longer[name].peer >= own + peer
            assert bounded <= all_of_them[name].bounded <= peer
            assert bounded <= unlimited[name].bounded
            assert upload is None or faster[name].bounded >= bounded


def test_an_example_by_hand(tmp_path: Path) -> None:
    """Two fetch the same: the second from the first; then the first has it itself; a third is too late."""
    of = [
        delivery(0, "192.0.2.1"),
        delivery(60, "192.0.2.2"),
        delivery(120, "192.0.2.1"),
        delivery(7320, "192.0.2.3"),
        delivery(7320, "192.0.2.4", size=500),  # of the same instant: no peer of the one before
        delivery(200, "192.0.2.9", artifact_kind="index", is_download=False, size=10),
        delivery(200, "198.51.100.1", organization="Other Ltd", size=40),
    ]
    with opened(tmp_path / "store", of) as con:
        answer = peers(con, window=timedelta(hours=1))
        assert answer.rows.rows(named=True) == [
            {
                "organization": "Example Ltd", "attribution": "organization", "requests": 6, "bytes": 4510, "artifact_bytes": 4500,
                "own_bytes": 1000, "peer_bytes": 1000, "bounded_bytes": 1000, "peer_share": 1000 / 4510, "clients": 4,
            },
            {
                "organization": "Other Ltd", "attribution": "organization", "requests": 1, "bytes": 40, "artifact_bytes": 40,
                "own_bytes": 0, "peer_bytes": 0, "bounded_bytes": 0, "peer_share": 0.0, "clients": 1,
            },
        ]  # fmt: skip
        exactly = peers(con, window=timedelta(hours=2)).rows  # those of second 120 are within it
        assert exactly["peer_bytes"].to_list() == [2500, 0]
        everybody = peers(con, window=timedelta(hours=1), by="all").rows
        assert everybody.columns[0] == "requests"
        assert everybody["peer_bytes"].to_list() == [1040]


def test_participation_and_upload_by_hand(tmp_path: Path) -> None:
    of = [delivery(n, f"192.0.2.{n}", size=10**6) for n in range(3)]
    with opened(tmp_path / "store", of) as con:
        half = peers(con, participation=0.5).rows
        assert half["bounded_bytes"].item() == 500_000 * 0.5 + 500_000 * 0.75
        assert half["peer_bytes"].item() == 2_000_000
        slow = peers(con, upload=100).rows  # three holders, 3,600 s
        assert slow["bounded_bytes"].item() == 3 * 100 * 3600


def test_peers_of_a_scope_upload_no_more_than_they_can_together(tmp_path: Path) -> None:
    """Each of four objects has two holders, and these are the same two."""
    of = [delivery(n, f"192.0.2.{n % 2}", f"/{n // 2}.tgz", 10**6) for n in range(8)]
    with opened(tmp_path / "store", of) as con:
        assert peers(con, upload=100).rows["bounded_bytes"].item() == 2 * 100 * 3600


def test_the_rest_is_folded_and_what_is_not_known_is_nobodys_peer(tmp_path: Path) -> None:
    names = ("A", "B", "C", None)
    of = [
        delivery(60 * n + m, f"192.0.2.{m}", size=1000 - n, organization=name, attributable=name == "A")
        for n, name in enumerate(names) for m in range(2)
    ]  # fmt: skip
    of += [delivery(0, None, size=5), delivery(1, size=None)]
    with opened(tmp_path / "store", of) as con:
        answer = peers(con, limit=2)
        whole = peers(con, limit=None)
    assert answer.rows["organization"].to_list() == ["A", "B", "(others)"]
    assert answer.rows["peer_bytes"].to_list() == [1000, 999, 998]
    assert whole.rows.filter(organization="(unknown)")["peer_bytes"].item() == 0
    for column in ("requests", "bytes", "artifact_bytes", "peer_bytes", "bounded_bytes"):
        assert answer.rows[column].sum() == whole.rows[column].sum()
    said = " ".join(answer.notes)
    for part in ("unknown organization", "tenants are strangers", "1 deliveries have no client's address", "1 requests have no byte count"):  # fmt: skip
        assert part in said


def test_small_artifacts_are_not_worth_a_peer(tmp_path: Path) -> None:
    of = [delivery(n, f"192.0.2.{n}", f"/{size}.tgz", size) for size in (99, 100) for n in range(2)]
    with opened(tmp_path / "store", of) as con:
        row = peers(con, smallest=100).rows.row(0, named=True)
    assert (row["bytes"], row["artifact_bytes"], row["peer_bytes"]) == (398, 200, 100)


@pytest.mark.parametrize(
    ("mode", "said"),
    [("truncated", "undercounted"), ("pseudonymous", "another key"), ("none", "were not kept")],
)
def test_what_privacy_does_to_addresses_is_said(tmp_path: Path, mode: str, said: str) -> None:
    privacy = json.dumps({"addresses": mode})
    with opened(tmp_path / "store", [delivery(0)], privacy=privacy) as con:
        assert said in peers(con).assumptions[-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"participation": 1.5}, "participation of 1.5"),
        ({"upload": -1}, "upload of -1"),
        ({"smallest": -1}, "-1 octets"),
        ({"window": timedelta(hours=-1)}, "window"),
        ({"by": "organisation"}, "did you mean organization"),
    ],
)
def test_options_that_name_nothing(tmp_path: Path, options: dict[str, object], said: str) -> None:
    with opened(tmp_path / "store", [delivery(0)]) as con, pytest.raises(UsageError, match=said):
        peers(con, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    of = [delivery(n, f"192.0.2.{n}", size=10**6) for n in range(4)]
    return made(tmp_path_factory.mktemp("peers") / "store", of)


def run(store: Path, *options: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["whatif", "peers", "--store", str(store), *options])
    return done.exit_code, done.stdout, done.stderr or str(done.exception or "")


def test_the_command_prints_json(store: Path) -> None:
    code, out, _ = run(store, "--upload", "1kB/s", "--participation", "0.5", "--price", "0.08/GB", "-o", "json")  # fmt: skip
    answer = json.loads(out)
    assert code == 0
    (row,) = answer["rows"]
    assert row["peer_bytes"] == 3_000_000
    expected = 10**6 * 0.5 * (0.5 + 0.75 + 0.875)
    assert row["bounded_bytes"] == expected
    assert "avoidable_cost" in row
    assert any("not promises" in each for each in answer["assumptions"])


def test_the_command_prints_a_table_and_csv(store: Path) -> None:
    code, out, _ = run(store)
    assert code == 0
    assert "Assumed" in out
    code, out, err = run(store, "--scope", "asn", "-o", "csv")
    assert code == 0
    assert out.splitlines()[0].startswith("asn,as_name,requests,bytes")
    assert "Assumed:" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--upload", "fast"), "--upload fast: give an amount such as 1MB/s"),
        (("--min-size", "big"), "--min-size big"),
        (("--window", "null"), "--window null: give a time"),
        (("--scope", "country"), "country: no reference data"),
    ],
)
def test_the_command_says_what_it_cannot_read(store: Path, options: tuple[str, ...], said: str) -> None:  # fmt: skip
    code, _, err = run(store, *options)
    assert code != 0
    assert said in err
