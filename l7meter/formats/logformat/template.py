"""A format string as literals and variables."""

from __future__ import annotations

from typing import Literal, NamedTuple

Shape = Literal["time", "number", "token", "host", "text"]


class Lit(NamedTuple):
    """Text that stands as it is."""

    text: str


class Var(NamedTuple):
    """A value: what the format calls it, what it means to us (None: nothing), what it may hold.

    `width` is the number of characters it always has, 0 if that varies.
    """

    name: str
    reading: str | None
    shape: Shape
    width: int = 0


Item = Lit | Var


def tidy(items: list[Item]) -> list[Item]:
    """Neighbouring literals joined, empty ones dropped."""
    tidied: list[Item] = []
    for item in items:
        if isinstance(item, Lit):
            if not item.text:
                continue
            if tidied and isinstance(tidied[-1], Lit):
                tidied[-1] = Lit(tidied[-1].text + item.text)
                continue
        tidied.append(item)
    return tidied


def sections(items: list[Item]) -> list[list[Item]]:
    """The items between one quotation mark and the next: inside and outside quotes in turn."""
    cut: list[list[Item]] = [[]]
    for item in items:
        if isinstance(item, Var):
            cut[-1].append(item)
            continue
        first, *others = item.text.split('"')
        cut[-1].append(Lit(first))
        cut.extend([Lit(other)] for other in others)
    return [tidy(section) for section in cut]
