"""What must not be kept never reaches the disk, and what was concluded of it before stays."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from test_attribute import ALL, log
from test_ingest_capture import rows, sound

from l7meter.attribution import Attribution
from l7meter.ingest import attribute, ingest
from l7meter.privacy import Policy, Privacy, new_key
from l7meter.store import Store, close, cover, expire
from l7meter.store.accept import day_of

CUSTOMERS = """\
[[organization]]
name = "Customer"
networks = ["8.8.8.8/32"]

[[organization]]
name = "Others"
agents = ["^curl/"]
"""


def octets(store: Path) -> bytes:
    """All values of all files of a store, as text, and the catalog."""
    found = [path.read_bytes() for path in store.rglob("*") if path.suffix != ".parquet" and path.is_file()]  # fmt: skip
    for path in store.rglob("*.parquet"):
        found.append(pl.read_parquet(path, glob=False).write_csv().encode())
    return b"\n".join(found)


def test_addresses_are_nowhere_in_the_store(tmp_path: Path) -> None:
    path = log(tmp_path, "a.log", range(1, 4))
    path.write_text(path.read_text() + "8.8.8.8 is no line\n")
    key = tmp_path / "pseudonyms.key"
    new_key(key)
    for addresses in ("truncated", "pseudonymous", "none"):
        place = tmp_path / addresses
        privacy = Privacy(Policy(addresses=addresses, key_file=key))
        with Store.open_or_create(place) as store:
            (source,) = ingest([str(path)], store, privacy=privacy).sources
            assert (source.records, source.rejects) == (12, 1)
            cover(store)
        assert b"8.8.8.8" not in octets(place)
        sound(place)
        assert rows(place, "SELECT organization, count(*) FROM records GROUP BY 1 ORDER BY 1")
        ((said,),) = rows(place, "SELECT privacy FROM sources")
        assert json.loads(said)["addresses"] == addresses
        assert key.read_text().split()[1] not in said


def test_attribute_keeps_what_only_the_ingest_could_conclude(tmp_path: Path) -> None:
    path, place = log(tmp_path, "a.log", range(1, 4)), tmp_path / "store"
    (declared := tmp_path / "organizations.toml").write_text(CUSTOMERS)
    with Store.open_or_create(place) as store:
        ingest([str(path)], store, privacy=Privacy(Policy(addresses="truncated")))
        before = rows(place, ALL.replace("* EXCLUDE (ts)", "* EXCLUDE (ts, attribution_id)"))
        attribute(store, Attribution(organizations=declared))
    # 8.8.8.0 is not the customer's address, and who it was is known no longer
    assert rows(place, ALL.replace("* EXCLUDE (ts)", "* EXCLUDE (ts, attribution_id)")) == before
    sound(place)


def test_attribute_changes_rollups_with_the_records(tmp_path: Path) -> None:
    path, place = log(tmp_path, "a.log", range(1, 4)), tmp_path / "store"
    (declared := tmp_path / "organizations.toml").write_text(CUSTOMERS)
    asked = "SELECT organization, sum(server_bytes)::BIGINT FROM {} GROUP BY 1 ORDER BY 1"
    with Store.open_or_create(place) as store:
        ingest([str(path)], store)
        last = max(filter(None, map(day_of, store.files("usage_daily"))), default=None)
        assert last is None
        cover(store)
        days = store.summed_days()
        close(store, days[2])
        attribute(store, Attribution(organizations=declared))
        assert [(each.state, each.settled) for each in store.days()] == [("restated", False)] * 2
        assert all(file.covered for file in store.files("records"))
        expire(store, store.snapshot())
    summed = rows(place, asked.format("usage_daily"))
    assert summed == rows(place, asked.format("records"))
    assert "Customer" in dict(summed)
    sound(place)
