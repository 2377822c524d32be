"""Keys: deterministic, by the day of the record, never shown."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from privacy_records import records

from l7meter.errors import UsageError
from l7meter.privacy import Keys, Policy, Privacy, new_key, rotate
from l7meter.privacy.keys import is_pseudonym

SECRET = "00112233445566778899aabbccddeeff" * 2


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def stored(key_file: Path, *rows: dict[str, Any], **policy: str) -> pl.DataFrame:
    said: Any = {"addresses": "pseudonymous"} | policy
    return Privacy(Policy(key_file=key_file, **said)).records(records(*rows))


def test_a_pseudonym_is_the_first_96_bits_of_hmac_sha256(tmp_path: Path) -> None:
    path = write(tmp_path / "k", f"2026-01-01 {SECRET}\n")
    secret = bytes.fromhex(SECRET)
    (made,) = Keys.read(path).pseudonyms("192.0.2.17")
    digest = hmac.new(secret, b"address\0" + bytes([192, 0, 2, 17]), hashlib.sha256).hexdigest()
    key_id = hmac.new(secret, b"id", hashlib.sha256).hexdigest()[:8]
    assert made.text == f"pseudonym:{key_id}:{digest[:24]}"
    assert is_pseudonym(made.text)


def test_the_key_is_that_of_the_day_of_the_record(key_file: Path, keys: Keys) -> None:
    times = ["2025-01-01T00:00", "2026-05-31T23:59", "2026-06-01T00:00", "2027-01-01T00:00"]
    rows = [{"ts": datetime.fromisoformat(each).replace(tzinfo=UTC), "client_address": "192.0.2.17", "user_name": "alice", "forwarded_for": "192.0.2.17, unknown"} for each in times]  # fmt: skip
    before, after = keys.pseudonyms("192.0.2.17")
    made = stored(key_file, *rows, user_names="pseudonymous")
    assert made["client_address"].to_list() == [before.text] * 2 + [after.text] * 2
    assert made["forwarded_for"].to_list() == [f"{before.text}, unknown"] * 2 + [f"{after.text}, unknown"] * 2  # fmt: skip
    names = [each.text for each in keys.pseudonyms_of_name("alice")]
    assert made["user_name"].to_list() == [names[0]] * 2 + [names[1]] * 2
    assert (before.first_day, before.until) == (None, date(2026, 6, 1))
    assert (after.first_day, after.until) == (date(2026, 6, 1), None)


def test_without_a_time_the_first_key_counts(key_file: Path, keys: Keys) -> None:
    row = {"client_address": "192.0.2.17"}
    first = keys.pseudonyms("192.0.2.17")[0].text
    privacy = Privacy(Policy(addresses="pseudonymous", key_file=key_file))
    assert stored(key_file, row | {"ts": None})["client_address"].to_list() == [first]
    assert privacy.records(pl.DataFrame(row))["client_address"].to_list() == [first]


@settings(deadline=None)
@given(text=st.text(min_size=1, max_size=20), days=st.integers(1, 4000))
def test_a_value_has_one_pseudonym_a_key_and_keys_differ(text: str, days: int) -> None:
    from l7meter.privacy import Key

    day = date(2026, 1, 1)
    one, other = Key(day, b"1" * 32), Key(day + timedelta(days), b"2" * 32)
    assert one.address(text) == Key(day, b"1" * 32).address(text)
    assert one.address(text) != other.address(text)
    assert one.id != other.id
    assert one.name(text) != one.address(text)  # a name is not joined to an address


def test_ways_to_write_an_address_have_one_pseudonym(keys: Keys) -> None:
    ways = ["192.0.2.17", "::ffff:192.0.2.17", "::FFFF:c000:211", "192.0.2.17:80"]
    assert len({keys.pseudonyms(each)[0].text for each in ways}) == 1
    assert keys.pseudonyms("fe80::1%eth0") == keys.pseudonyms("fe80::1%eth1")
    assert keys.pseudonyms("unix:") != keys.pseudonyms("client.example")


def test_adding_a_key_changes_no_pseudonym_of_earlier_days(key_file: Path) -> None:
    row = {"ts": datetime(2026, 6, 30, tzinfo=UTC), "client_address": "192.0.2.17"}
    before = stored(key_file, row)
    rotate(key_file, date(2026, 7, 1))
    assert stored(key_file, row).equals(before)
    later = stored(key_file, row | {"ts": datetime(2026, 7, 1, tzinfo=UTC)})
    assert later["client_address"][0] != before["client_address"][0]


def test_a_key_file_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "k"
    new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"exists already.*privacy rotate"):
        new_key(path)
    assert path.read_bytes() == before
    rotate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["k"]


@pytest.mark.parametrize("day", [date(2026, 6, 1), date(2025, 1, 1)])
def test_rotation_never_takes_days_from_a_key(key_file: Path, day: date) -> None:
    before = key_file.read_bytes()
    with pytest.raises(UsageError, match="has a key from 2026-06-01 on"):
        rotate(key_file, day)
    assert key_file.read_bytes() == before


def test_an_interrupted_rotation_is_told(key_file: Path) -> None:
    (key_file.parent / f"{key_file.name}.new").touch()
    before = key_file.read_bytes()
    with pytest.raises(UsageError, match=r"\.new: exists: .* remove it"):
        rotate(key_file, date(2026, 7, 1))
    assert key_file.read_bytes() == before


def test_comments_and_blank_lines_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "k", f"# ours\n\n2026-01-01  {SECRET}  # first")
    rotate(path, date(2026, 2, 1))
    assert path.read_text().startswith(f"# ours\n\n2026-01-01  {SECRET}  # first\n2026-02-01 ")
    assert len(list(Keys.read(path))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no key"),
        ("# nothing\n", "holds no key"),
        (f"2026-01-01 {SECRET[:-2]}", "line 1: not FIRST-DAY KEY"),
        (f"2026-13-01 {SECRET}", "line 1: not FIRST-DAY KEY"),
        (f"\n{SECRET}", "line 2: not FIRST-DAY KEY"),
        (f"2026-01-01 {SECRET}\n2026-01-01 {'ab' * 32}", "line 2: a second key of 2026-01-01"),
        (f"2026-01-01 {SECRET}\n2026-02-01 {SECRET}", "line 2: a second key of 2026-01-01"),
    ],
)
def test_a_faulty_file_is_told_by_line_and_without_its_keys(tmp_path: Path, text: str, message: str) -> None:  # fmt: skip
    with pytest.raises(UsageError, match=message) as told:
        Keys.read(write(tmp_path / "k", text))
    assert SECRET[:16] not in str(told.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "k", f"2026-01-01 {SECRET}", mode)
    with pytest.raises(UsageError, match="chmod 600"):
        Policy(addresses="pseudonymous", key_file=path).check()


def test_a_missing_file_is_told_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="privacy new-key"):
        Keys.read(tmp_path / "none")
    with pytest.raises(UsageError, match="privacy new-key"):
        Policy(user_names="pseudonymous").check()


def test_nothing_that_is_shown_holds_a_key(tmp_path: Path) -> None:
    path = write(tmp_path / "k", f"2026-01-01 {SECRET}")
    keys = Keys.read(path)
    policy = Policy(addresses="pseudonymous", key_file=path)
    shown = repr([*keys, keys.ids(), policy, policy.manifest(), policy.id, keys.pseudonyms("::1")])
    assert SECRET not in shown
    assert repr(bytes.fromhex(SECRET))[2:-1] not in shown
