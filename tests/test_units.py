from __future__ import annotations

import pytest

from l7meter.units import bytes_text, count_text, number_text, percent_text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (62_250_000_000_000_000, "62.2 PB"),
        (10**24, "1000 ZB"),
        (-1500, "-1.50 kB"),
    ],
)
def test_bytes_in_si_units(octets: int, text: str) -> None:
    assert bytes_text(octets) == text


def test_percentages_do_not_round_something_to_nothing() -> None:
    assert percent_text(0) == "0.0 %"
    assert percent_text(0.0001) == "< 0.1 %"
    assert percent_text(0.123) == "12.3 %"
    assert percent_text(5.1, signed=True) == "+510.0 %"
    assert percent_text(-0.25, signed=True) == "-25.0 %"


def test_counts_and_numbers() -> None:
    assert count_text(1_234_567) == "1,234,567"
    assert number_text(0.49587) == "0.4959"
