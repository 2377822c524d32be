"""A card of one's own: what is wrong with it is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7meter.errors import UsageError
from l7meter.fund import cards

GOOD = """\
title = "Contract"
origin = "contract of 2026"
as_of = 2026-11-01
currency = "EUR"
unit = "GB"
minimum = 10
[[region]]
name = "world"
tiers = [
    { up_to = "10TB", price = 0.05 },
    { price = 0.04 },
]
[[commit]]
amount = 100
discount = 0.1
"""
FAULTS = {
    "unit = 'GB'": ("unit = 'TB'", 5, "unit 'TB' is none of GB, GiB"),
    'unit = "GB"': ('unit = "GiB"', 10, "10 TB is of another kind than the unit GiB: write both in powers of 1024"),
    "as_of = 2026-11-01": ('as_of = "2026-11-01"', 3, "as_of '2026-11-01' is no day; write it without quotes"),
    'currency = "EUR"': ('currency = "euro"', 4, "currency 'euro' is no currency; write its code"),
    "minimum = 10": ("minimum = -1", 6, "minimum -1 is no price"),
    "minimum = 10 ": ("minimun = 10", 6, "unknown key minimun; did you mean minimum?"),
    "minimum = 10  ": ("requests_per = 15", 6, "requests_per 15 is no power of ten"),
    "minimum = 10   ": ("free_bytes = 5", 6, "free_bytes 5 is no size"),
    "minimum = 10    ": ("committed = 99", 6, r"no \[\[commit\]\] is for so little"),
    'title = "Contract"': ("", 1, "the file needs title"),
    'name = "world"': ("", 7, r"\[\[region\]\] needs name"),
    '    { up_to = "10TB", price = 0.05 },': ('    { up_to = "10TB" },', 10, "is no tier"),
    '    { up_to = "10TB", price = 0.05 }, ': ("    { price = 0.05 },", 10, "only the last tier has no edge"),
    '    { up_to = "10TB", price = 0.05 },  ': ('    { up_to = "10TB", price = "much" },', 10, "has price 'much', which is no price"),
    '    { up_to = "10TB", price = 0.05 },   ': ('    { up_to = "0.5 B", price = 1 },', 10, "which is no size"),
    "    { price = 0.04 },": ('    { up_to = "20TB", price = 0.04 },', 11, "the last tier has an edge"),
    "    { price = 0.04 },  ": ('    { up_to = "10TB", price = 0.04 }, { price = 0.03 },', 11, "the edge 10 TB is not above the one before"),
    "    { price = 0.04 }, ": ('    { up_to = "9TB", price = 0.04 }, { price = 0.03 },', 11, "the edge 9 TB is not above the one before"),
    "discount = 0.1": ("discount = 1", 15, "discount 1 is no discount"),
    "discount = 0.1 ": ("", 13, "a commit has a discount or a rate"),
    "discount = 0.1  ": ("rate = 0.1\nbeyond = 'list'", 16, "a flat rate holds for all bytes"),
    "amount = 100": ('amount = 100\ndiscount = 0.2\n[[commit]]\namount = 100', 17, "a commit of 100 is there already"),
}  # fmt: skip


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_of_ones_own_is_read_like_one_that_ships(tmp_path: Path) -> None:
    card = cards.read(written(tmp_path, GOOD))
    assert (card.name, card.currency, card.region) == ("own", "EUR", "world")
    assert cards.read(str(tmp_path / "own.toml")) == card


@pytest.mark.parametrize("before", FAULTS)
def test_a_fault_is_told_with_its_line(tmp_path: Path, before: str) -> None:
    after, line, message = FAULTS[before]
    wanted = before.strip().replace("'", '"')
    assert wanted in GOOD
    path = written(tmp_path, GOOD.replace(wanted, after.strip(), 1))
    with pytest.raises(UsageError, match=rf"own\.toml: line {line}: .*{message}"):
        cards.read(path)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("0.04", "'cheap'").replace("2026-11-01", "'today'").replace("0.1", "7")
    with pytest.raises(UsageError) as told:
        cards.read(written(tmp_path, text))
    lines = [line.split(": ")[1] for line in str(told.value).splitlines()]
    assert lines == ["line 3", "line 11", "line 15"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "the card has no price"),
        ("[percentile]\ncommit = 5\n", r"\[percentile\] needs price"),
        ("[[region]]\nname='a'\ntiers=[]\n", "region a needs a tier"),
        ("[[region]]\nname='a'\ntiers=[{price=1}]\n" * 2, "region a is there already"),
        ("[region]\nname='a'\n", r"write \[\[region\]\], in two brackets"),
    ],
)
def test_what_a_card_needs(tmp_path: Path, more: str, message: str) -> None:
    head = GOOD[: GOOD.index("[[region]]")]
    with pytest.raises(UsageError, match=message):
        cards.read(written(tmp_path, head + more))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml: cannot be read"):
        cards.read(tmp_path / "absent.toml")
