"""The file of a price card: its keys, and what is wrong with one.

A key is one field here: its type, its default, its sentence. `docs/cost.md` shows them in tables.
"""
# ruff: noqa: RUF009 (`key` gives a `dataclasses.field`)

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from l7meter import tomlfile
from l7meter.errors import UsageError
from l7meter.tomlfile import Place
from l7meter.tomlkeys import COUNT, NAME, TEXT, Kind, choice, key, many
from l7meter.tomlreading import Reader, shown

Unit = Literal["GB", "GiB"]
Interval = Literal["5min", "hour"]
Beyond = Literal["discount", "list"]
UNITS: tuple[Unit, ...] = get_args(Unit)
OCTETS: dict[Unit, int] = {"GB": 1000**3, "GiB": 1024**3}
_PREFIXES = "kMGTPE"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGTPE])(i?)B")


class Size(NamedTuple):
    """An amount of octets as a card has it: `10TB` is 10 x 1000^4, `10TiB` 10 x 1024^4."""

    amount: Decimal
    power: int
    binary: bool = False

    @property
    def octets(self) -> int:
        """What it is in octets."""
        return int(self.amount * (1024 if self.binary else 1000) ** self.power)

    def __str__(self) -> str:
        return f"{self.amount:f} {_PREFIXES[self.power - 1]}{'i' if self.binary else ''}B"


def _size(value: Any, _: Path) -> Size:
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is no size; write "10TB" (10^13 octets) or "10TiB" (10 x 2^40)')
    made = Size(Decimal(found[1]), _PREFIXES.index(found[2]) + 1, bool(found[3]))
    if made.amount * (1024 if made.binary else 1000) ** made.power != made.octets:
        raise ValueError("is no whole number of octets")
    return made


def _price(value: Any, _: Path) -> Decimal:
    try:
        made = Decimal(str(value))
    except InvalidOperation:
        made = Decimal("NaN")
    # twelve digits on either side: enough for money, and arithmetic stays exact (billing.py)
    if isinstance(value, bool) or not made.is_finite() or made < 0 or made.adjusted() > 12 or int(made.as_tuple().exponent) < -12:  # fmt: skip
        raise ValueError("is no price; write a number from 0 on, as in 0.085")
    return made


def _part(value: Any, folder: Path) -> Decimal:
    made = _price(value, folder)
    if made >= 1:
        raise ValueError("is no discount; write the part that is taken off, as in 0.3")
    return made


def _day(value: Any, _: Path) -> date:
    if type(value) is not date:
        raise ValueError("is no day; write it without quotes, as in 2026-11-01")
    return value


def _currency(value: Any, _: Path) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise ValueError('is no currency; write its code by ISO 4217, as in "USD"')
    return value


def _tens(value: Any, _: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not re.fullmatch("10*", str(value)):
        raise ValueError("is no power of ten; write 10000 if the price is for 10,000 requests")
    return value


class Tier(NamedTuple):
    """A price of each unit of bytes, up to an edge; the last tier has none."""

    up_to: Size | None
    price: Decimal


def _tier(value: Any, folder: Path) -> Tier:
    if not isinstance(value, dict) or not {"price"} <= set(value) <= {"up_to", "price"}:
        raise ValueError('is no tier; write { up_to = "10TB", price = 0.085 }, the last { price = 0.02 }')  # fmt: skip
    parts: dict[str, Any] = {}
    for name, read in (("up_to", _size), ("price", _price)):
        try:
            parts[name] = read(value[name], folder) if name in value else None
        except ValueError as error:
            raise ValueError(f"has {name} {shown(value[name])}, which {error}") from None
    return Tier(**parts)


PRICE = Kind("price", _price, Decimal(0))
PART = Kind("part, 0 to 1", _part, Decimal(0))
SIZE = Kind("size", _size)
DAY = Kind("day", _day, date.min)
CURRENCY = Kind("currency", _currency, "")
TENS = Kind("power of ten", _tens, 1)
TIERS = many(Kind("tier", _tier, Tier(None, Decimal(0))), "tiers = [{ price = 0.01 }]")


@dataclass(frozen=True, kw_only=True)
class Region:
    """Where octets are sent from or to, as the provider bills it. The first one is the default."""

    name: str = key(NAME, "What `--region` and `--regions` call it.")
    covers: str | None = key(TEXT, "Which countries it is.", None)
    tiers: tuple[Tier, ...] = key(TIERS, "Prices of a unit of bytes, each for the octets up to its edge in a month; the last without edge.")  # fmt: skip
    requests: Decimal | None = key(PRICE, "The price of so many requests as `requests_per` says.", None)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What one gets who commits to pay so much each month, used or not. `--commit` says how much that is."""

    amount: Decimal = key(PRICE, "The least commitment that gets it, in money a month.")
    discount: Decimal | None = key(PART, "The part that is taken off all prices.", None)
    rate: Decimal | None = key(PRICE, "Instead: a flat price of each unit of bytes, in all regions.", None)  # fmt: skip
    beyond: Beyond = key(choice(Beyond), "What holds for use beyond the commitment: the discount, or the prices of the list.", "discount")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Percentile:
    """Billing by the 95th percentile of the samples of a month: the highest 5 % of them are free."""

    price: Decimal | None = key(PRICE, "Of a Mbit/s (10^6 bit/s) a month.", None)
    samples: Interval = key(choice(Interval), "How long the provider's samples are. l7meter has sums by the hour.", "5min")  # fmt: skip
    commit: Decimal = key(PRICE, "Mbit/s that are paid for at least.", 0)
    burst: Decimal | None = key(PRICE, "The price of a Mbit/s above `commit`; if not given, the same.", None)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CardKeys:
    """What stands above the tables."""

    title: str = key(TEXT, "What it is a price list of.")
    origin: str = key(TEXT, "The page it was taken from, or the contract.")
    as_of: date = key(DAY, "The day of the prices.")
    currency: str = key(CURRENCY, "ISO 4217.")
    unit: Unit = key(choice(Unit), "What prices of bytes are for: GB is 10^9 octets, GiB 2^30. Sizes in the file are of the same kind (TB, TiB).")  # fmt: skip
    requests_per: int = key(TENS, "How many requests a price of requests is for.", 10000)
    free_bytes: Size | None = key(SIZE, "The first octets of a month cost nothing, all regions together.", None)  # fmt: skip
    free_requests: int = key(COUNT, "The same, of requests.", 0)
    minimum: Decimal = key(PRICE, "What a month costs at least.", 0)
    committed: Decimal | None = key(PRICE, "What one has committed to pay a month; `--commit` goes before it.", None)  # fmt: skip
    note: str | None = key(TEXT, "What a reader of a bill should know.", None)
    regions: tuple[Region, ...] = ()
    commits: tuple[Commit, ...] = ()
    percentile: Percentile = Percentile()
    path: Path = Path("card.toml")
    digest: str = ""  # SHA-256 of the file


TABLES: dict[str, type] = {"percentile": Percentile}
ARRAYS: dict[str, type] = {"region": Region, "commit": Commit}
C = TypeVar("C", bound=CardKeys)


def load(path: Path, type_: type[C]) -> C:
    """Read and check a card. Raises `UsageError` that names every fault with file and line."""
    file = tomlfile.read(path)
    reader = Reader(file)
    made = reader.read(type_, TABLES, ARRAYS)
    for place, problem in (*_prices(made), *_regions(made), *_commits(made), *_sizes(made)):
        reader.fault(place, problem)
    if reader.faults:
        raise UsageError("\n".join(reader.said()))
    return made


Faults = list[tuple[Place, str]]


def _prices(card: CardKeys) -> Faults:
    found: Faults = []
    percentile = card.percentile
    if not card.regions and percentile.price is None:
        found.append(((), "the card has no price; write a [[region]] with tiers, or [percentile] with a price"))  # fmt: skip
    if percentile.price is None and (percentile.commit or percentile.burst is not None):
        found.append((("percentile",), "[percentile] needs price: of a Mbit/s a month"))
    return found


def _regions(card: CardKeys) -> Faults:
    found: Faults = []
    names = [region.name for region in card.regions]
    for number, region in enumerate(card.regions):
        place = ("region", number)
        if region.name in names[:number]:
            found.append(((*place, "name"), f"region {region.name} is there already"))
        edges = [tier.up_to.octets if tier.up_to else None for tier in region.tiers]
        if not edges:
            found.append(((*place, "tiers"), f"region {region.name} needs a tier, as in tiers = [{{ price = 0.01 }}]"))  # fmt: skip
        for at, edge in enumerate(edges):
            here = (*place, "tiers", at)
            last, before = at == len(edges) - 1, edges[at - 1] if at else 0
            if last and edge is not None:
                found.append((here, "the last tier has an edge; leave up_to out of it: what is beyond has a price, too"))  # fmt: skip
            elif not last and edge is None:
                found.append((here, "only the last tier has no edge; give this one its up_to"))
            elif edge is not None and before is not None and edge <= before:
                found.append((here, f"the edge {region.tiers[at].up_to} is not above the one before"))  # fmt: skip
    return found


def _commits(card: CardKeys) -> Faults:
    found: Faults = []
    for number, commit in enumerate(card.commits):
        place = ("commit", number)
        if (commit.discount is None) == (commit.rate is None):
            found.append((place, "a commit has a discount or a rate; give one of them"))
        if commit.rate is not None and commit.beyond == "list":
            found.append(((*place, "beyond"), "a flat rate holds for all bytes; take beyond out, or give a discount"))  # fmt: skip
        if commit.amount in [other.amount for other in card.commits[:number]]:
            found.append(((*place, "amount"), f"a commit of {commit.amount:f} is there already"))
    if card.committed is not None and not any(each.amount <= card.committed for each in card.commits):  # fmt: skip
        found.append((("committed",), "no [[commit]] is for so little; write one, or leave committed out"))  # fmt: skip
    return found


def _sizes(card: CardKeys) -> Faults:
    binary = card.unit == "GiB"
    said: list[tuple[Place, Size | None]] = [(("free_bytes",), card.free_bytes)]
    for number, region in enumerate(card.regions):
        said += [(("region", number, "tiers", at), tier.up_to) for at, tier in enumerate(region.tiers)]  # fmt: skip
    return [
        (place, f"{size} is of another kind than the unit {card.unit}: write both in powers of {1024 if binary else 1000}")
        for place, size in said
        if size is not None and size.binary != binary
    ]  # fmt: skip
