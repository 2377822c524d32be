"""Price cards: one TOML file each, those that ship in `cards/`, and a user's own.

What use costs by one is in billing.py, what the file may hold in card_file.py.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from l7meter.errors import UsageError
from l7meter.fund import billing
from l7meter.fund.billing import Bill, Line, Use
from l7meter.fund.card_file import UNITS, CardKeys, Commit, Size, Tier, load

__all__ = ["Bill", "Card", "Line", "Use", "names", "read"]
SHIPPED = Path(__file__).parent / "cards"


@dataclass(frozen=True, kw_only=True)
class Card(CardKeys):
    """A price card. Prices are in `currency` for a `unit` of bytes (GB: 10^9 octets, GiB: 2^30)."""

    @property
    def name(self) -> str:
        """The file's, without its ending."""
        return self.path.stem

    @property
    def region(self) -> str:
        """The default region; "" where the card has none."""
        return self.regions[0].name if self.regions else ""

    @cached_property
    def commit(self) -> Commit | None:
        """What the commitment gets: of the commits that are not above it the highest."""
        if self.committed is None:
            return None
        reached = [each for each in self.commits if each.amount <= self.committed]
        return max(reached, key=lambda each: each.amount, default=None)

    def bill(self, use: Use) -> Bill:
        """What a month's use costs (`billing.bill`)."""
        return billing.bill(self, self.commit, use)

    def marginal(self, use: Use, region: str = "") -> Decimal:
        """What one octet more would cost, in money (`billing.marginal`)."""
        return billing.marginal(self, self.commit, use, region)

    def with_unit(self, unit: str) -> Card:
        """The same prices, read for another unit: edges and what is free change with it (TB to TiB).

        Raises `UsageError` for any but GB and GiB.
        """
        if unit not in UNITS:
            raise UsageError(f"unit {unit}: there are GB (10^9 octets) and GiB (2^30)")

        def of(size: Size | None) -> Size | None:
            return size._replace(binary=unit == "GiB") if size else None

        regions = tuple(
            replace(each, tiers=tuple(Tier(of(tier.up_to), tier.price) for tier in each.tiers))
            for each in self.regions
        )
        return replace(self, unit=unit, regions=regions, free_bytes=of(self.free_bytes))

    def with_commit(self, amount: Decimal | None) -> Card:
        """The same with a commitment to pay so much a month, or with none.

        Raises `UsageError` where the card has no commit for it.
        """
        made = replace(self, committed=amount)
        if amount is not None and made.commit is None:
            least = min((each.amount for each in self.commits), default=None)
            there = "it has no commits" if least is None else f"the least is {least:f}"
            raise UsageError(f"card {self.name}: no commit for {amount:f} a month; {there}")
        return made

    def without_free(self) -> Card:
        """The same with nothing free: what one pays whose free allowance is used elsewhere."""
        return replace(self, free_bytes=None, free_requests=0)


def names() -> list[str]:
    """The cards that ship."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read(name_or_path: str | Path) -> Card:
    """A card that ships, by name, or one's own, by path (what has a `/` in it or ends in `.toml`).

    Raises `UsageError` for a name that none has, and for every fault of the file with its line.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(".toml"):
        return load(Path(text), Card)
    there = names()
    if text not in there:
        near = difflib.get_close_matches(text, there, 1)
        hint = f"did you mean {near[0]}" if near else f"there are {', '.join(there)}"
        raise UsageError(f"no price card {text}; {hint}; a file of your own is given by its path")
    return load(SHIPPED / f"{text}.toml", Card)
