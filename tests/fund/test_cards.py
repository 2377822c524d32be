"""What use costs by the cards that ship, against sums made plainly here."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter.errors import UsageError
from l7meter.fund import cards
from l7meter.fund.billing import mbits
from l7meter.fund.card_file import OCTETS, Commit, Region
from l7meter.fund.cards import SHIPPED, Card, Use

PB, TB, GB = 10**15, 10**12, 10**9
CARDS = {name: cards.read(name) for name in cards.names()}
BY_BYTES = [name for name, card in CARDS.items() if card.regions]


def edges() -> Iterator[tuple[str, str, int]]:
    for name, card in CARDS.items():
        for region in card.regions:
            for tier in region.tiers:
                if tier.up_to:
                    yield name, region.name, tier.up_to.octets


def plain(card: Card, region: Region, octets: int) -> Fraction:
    """Octet by octet in thought: the price of each tier times what lies in it."""
    money, below = Fraction(0), 0
    for tier in region.tiers:
        top = octets if tier.up_to is None else min(octets, tier.up_to.octets)
        money += max(top - below, 0) * Fraction(tier.price) / OCTETS[card.unit]
        below = max(below, top)
    return money


def region_of(card: Card, name: str) -> Region:
    return next(each for each in card.regions if each.name == name)


def exactly(card: Card, use: Use) -> Fraction:
    """The sum of the lines, which is the total."""
    bill = card.bill(use)
    assert all(Fraction(line.amount) == Fraction(line.quantity) * Fraction(line.rate) for line in bill.lines)  # fmt: skip
    assert sum(Fraction(line.amount) for line in bill.lines) == Fraction(bill.total)
    return Fraction(bill.total)


@pytest.mark.parametrize(("unit", "dollars"), [("GB", 1_284_290), ("GiB", 1_199_730)])
def test_units_alone_move_a_large_bill_by_seven_percent(unit: str, dollars: int) -> None:
    card = cards.read("cloudfront").with_unit(unit)
    use = Use({"us": 6225 * PB // 100}, {})
    listed = [line.amount for line in card.bill(use).lines if not line.what.startswith("free")]
    assert sum(listed).quantize(Decimal(1)) == dollars
    assert card.without_free().bill(use).rounded().quantize(Decimal(1)) == dollars
    # the first TB is free: 85 dollars of it
    assert sum(listed) - card.bill(use).total == (85 if unit == "GB" else Decimal("87.04"))


@pytest.mark.parametrize(("name", "region", "edge"), list(edges()))
def test_the_octet_before_at_and_behind_an_edge(name: str, region: str, edge: int) -> None:
    card = CARDS[name].without_free()
    of = region_of(card, region)
    for octets in (edge - 1, edge, edge + 1):
        expected = max(plain(card, of, octets), Fraction(card.minimum))
        assert exactly(card, Use({region: octets}, {})) == expected
    before, behind = (card.marginal(Use({region: at}, {}), region) for at in (edge - 1, edge))
    tiers = list(of.tiers)
    place = next(n for n, tier in enumerate(tiers) if tier.up_to and tier.up_to.octets == edge)
    assert Fraction(before) == Fraction(tiers[place].price) / OCTETS[card.unit]
    assert Fraction(behind) == Fraction(tiers[place + 1].price) / OCTETS[card.unit]


@pytest.mark.parametrize("name", BY_BYTES)
@given(data=st.data())
def test_a_bill_of_several_regions_is_the_plain_sum(name: str, data: st.DataObject) -> None:
    card = CARDS[name].without_free()
    octets = {each.name: data.draw(st.integers(0, 8 * PB)) for each in card.regions}
    requests = {each.name: data.draw(st.integers(0, 10**11)) for each in card.regions}
    money = sum(plain(card, each, octets[each.name]) for each in card.regions)
    money += sum(Fraction(each.requests or 0) * requests[each.name] / card.requests_per for each in card.regions)  # fmt: skip
    assert exactly(card, Use(octets, requests)) == max(money, Fraction(card.minimum))


@pytest.mark.parametrize("name", BY_BYTES)
@given(data=st.data())
def test_more_use_never_costs_less_and_no_octet_more_than_the_dearest(name: str, data: st.DataObject) -> None:  # fmt: skip
    card = CARDS[name]
    octets = {each.name: data.draw(st.integers(0, 8 * PB)) for each in card.regions}
    region = data.draw(st.sampled_from([each.name for each in card.regions]))
    more = data.draw(st.integers(0, PB))
    less_money = exactly(card, Use(octets, {}))
    money = exactly(card, Use({**octets, region: octets[region] + more}, {}))
    dearest = max(tier.price for each in card.regions for tier in each.tiers)
    assert 0 <= money - less_money <= Fraction(dearest) * more / OCTETS[card.unit]


@pytest.mark.parametrize("name", BY_BYTES)
@given(data=st.data())
def test_a_bill_bends_down_only_and_is_straight_between_edges(
    name: str, data: st.DataObject
) -> None:
    card = CARDS[name].without_free()
    region = data.draw(st.sampled_from(card.regions))
    start, step = data.draw(st.integers(0, 8 * PB)), data.draw(st.integers(1, PB))
    # above the minimum, which is a bend up
    places = [start + 10 * TB * 1000 * (card.minimum > 0) + n * step for n in range(3)]
    one, two, three = (exactly(card, Use({region.name: at}, {})) for at in places)
    assert three - two <= two - one
    ends = [tier.up_to.octets for tier in region.tiers if tier.up_to]
    if not any(places[0] < end < places[2] for end in ends):
        assert three - two == two - one


def test_what_is_free_is_the_first_of_all_regions_together() -> None:
    card = cards.read("cloudfront")
    assert card.bill(Use({"us": TB // 2, "india": TB // 2}, {"us": 10**7})).total == 0
    # the default region's octets are free first
    assert card.bill(Use({"": TB, "india": GB}, {})).total == Decimal("0.109")
    assert card.bill(Use({"india": TB + GB}, {})).total == Decimal("0.109")
    assert card.bill(Use({}, {"japan": 10**7 + 10_000})).total == Decimal("0.012")
    assert card.marginal(Use({"us": TB - 1}, {}), "us") == 0
    assert card.marginal(Use({"us": TB}, {}), "us") == Decimal("0.085") / 10**9


def test_a_minimum_is_due_whatever_was_used() -> None:
    card = cards.read("fastly")
    # https://docs.fastly.com/en/guides/about-the-charges-on-your-bill: 10 GB and 10 M requests are 8.70
    use = Use({"": 10 * GB}, {"": 10**7})
    bill = card.bill(use)
    assert [line.amount for line in bill.lines] == [Decimal("1.20"), Decimal("7.5"), Decimal("41.3")]  # fmt: skip
    assert bill.rounded() == 50
    assert card.bill(Use({}, {})).total == 50
    assert card.marginal(use) == 0
    assert card.bill(Use({"": TB}, {})).total == 120


def own(tmp_path: Path, text: str) -> Card:
    path = tmp_path / "own.toml"
    path.write_text(f'title = "Own"\norigin = "contract"\nas_of = 2026-11-01\ncurrency = "EUR"\nunit = "GB"\n{text}')  # fmt: skip
    return cards.read(path)


REGION = '[[region]]\nname = "world"\nrequests = 0.01\ntiers = [{ up_to = "1TB", price = 0.10 }, { price = 0.05 }]\n'


def test_a_commitment_lowers_all_rates_and_is_paid_at_least(tmp_path: Path) -> None:
    card = own(tmp_path, REGION + "[[commit]]\namount = 100\ndiscount = 0.25\n[[commit]]\namount = 1000\ndiscount = 0.5\n")  # fmt: skip
    use = Use({"": 2 * TB}, {"": 10**6})  # 100 + 50 + 1
    assert card.bill(use).total == 151
    assert card.with_commit(Decimal(100)).bill(use).total == Decimal("113.25")
    assert card.with_commit(Decimal(999)).bill(use).total == 999  # a quarter off, and short of it
    assert card.with_commit(Decimal(1000)).bill(Use({"": 30 * TB}, {})).total == 1000
    assert card.with_commit(Decimal(1000)).bill(Use({"": 61 * TB}, {})).total == 1550
    assert card.with_commit(Decimal(999)).marginal(use) == 0
    assert card.with_commit(Decimal(100)).marginal(use) == Decimal("0.0375") / 10**9
    assert card.with_commit(Decimal(100)).with_commit(None).bill(use).total == 151
    with pytest.raises(UsageError, match="no commit for 99 a month; the least is 100"):
        card.with_commit(Decimal(99))


def test_a_flat_committed_rate_stands_for_the_tiers(tmp_path: Path) -> None:
    card = own(tmp_path, "committed = 60\nfree_bytes = '500GB'\n" + REGION + "[[commit]]\namount = 50\nrate = 0.02\n")  # fmt: skip
    assert card.bill(Use({"": 4 * TB}, {"": 10**6})).total == 71
    assert card.bill(Use({"": TB}, {})).total == 60
    assert card.commit == Commit(amount=Decimal(50), rate=Decimal("0.02"))


def test_a_savings_bundle_covers_more_than_it_costs() -> None:
    # 100 a month cover 142.86 of the list:
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/savings-bundle.html
    card = cards.read("cloudfront").without_free().with_commit(Decimal(100))
    assert card.bill(Use({"us": 2 * TB}, {})).total == 170 - Decimal("142.86") + 100
    small = card.bill(Use({"us": TB}, {}))
    assert small.total == 100
    assert [line.amount for line in small.lines] == [85, -85, 100]
    assert card.marginal(Use({"us": 2 * TB}, {})) == Decimal("0.085") / 10**9
    assert card.marginal(Use({"us": TB}, {})) == 0


@given(
    samples=st.lists(st.integers(0, 10**15), min_size=1, max_size=800),
    order=st.randoms(use_true_random=False),
)
def test_the_percentile_leaves_the_highest_five_percent_out(samples: list[int], order) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(samples)
    order.shuffle(shuffled)
    found = mbits(shuffled)
    assert found == mbits(samples)
    rates = [Fraction(each * 8, 3600 * 10**6) for each in samples]
    half = Fraction(1, 2 * 10**6)
    assert sum(rate > Fraction(found) + half for rate in rates) * 20 <= len(samples)
    assert sum(rate >= Fraction(found) - half for rate in rates) * 20 > len(samples)


def test_a_month_of_hours_by_the_percentile(tmp_path: Path) -> None:
    hour = 450_000_000  # octets: 1 Mbit/s
    samples = [100 * hour] * 36 + [10 * hour] * 684  # 720 hours: the 36 highest are left out
    card = cards.read("generic-95th")
    use = Use({"": sum(samples)}, {}, samples, 30)
    assert card.bill(use).total == Decimal("0.50") * 10
    assert card.bill(use._replace(samples=[*samples[:36], 100 * hour, *samples[37:]])).total == 50
    # an octet more in each hour is 8/3600 bit/s
    assert Fraction(card.marginal(use)).limit_denominator(10**24) == Fraction(8, 3600 * 720) / 2 / 10**6  # fmt: skip
    committed = own(tmp_path, "[percentile]\nprice = 2\ncommit = 4\nburst = 3\n")
    assert committed.bill(use).total == 4 * 2 + 6 * 3
    assert committed.bill(use._replace(samples=[0] * 720)).total == 8
    assert committed.marginal(use._replace(samples=[0] * 720)) == 0
    with pytest.raises(UsageError, match="there are no samples"):
        card.bill(Use({"": 1}, {}))


@pytest.mark.parametrize("name", CARDS)
def test_a_card_that_ships_says_where_from_and_when(name: str) -> None:
    card = CARDS[name]
    assert card.digest == sha256((SHIPPED / f"{name}.toml").read_bytes()).hexdigest()
    assert card.origin.startswith("https://") or name.startswith("generic")
    assert card.as_of.year == 2026
    for region in card.regions:
        prices = [tier.price for tier in region.tiers]
        assert prices == sorted(prices, reverse=True)  # so that a bill only bends down
    assert card.with_unit("GiB").with_unit("GB") == card.with_unit("GB")


def test_money_is_exact_in_a_short_context() -> None:
    use = Use({"us": 6225 * PB // 100 + 1}, {"us": 12_345_678_901})
    card = cards.read("cloudfront").with_unit("GiB")
    with localcontext(prec=6):
        short = card.bill(use)
        assert short.rounded() == card.bill(use).rounded()
    assert short == card.bill(use)


def test_what_there_is_not_is_named() -> None:
    with pytest.raises(UsageError, match="no price card cloudfrnt; did you mean cloudfront"):
        cards.read("cloudfrnt")
    with pytest.raises(
        UsageError, match="card fastly: no region mars; there are north-america, eur"
    ):
        cards.read("fastly").bill(Use({"mars": 1}, {}))
    with pytest.raises(UsageError, match="unit TB: there are GB"):
        cards.read("fastly").with_unit("TB")
    with pytest.raises(ValueError, match="never negative"):
        cards.read("fastly").bill(Use({"": -1}, {}))
