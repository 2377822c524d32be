"""What an AS name alone says: the name without its legal form, and now and then the kind of network."""

from __future__ import annotations

import re

import polars as pl

from l7meter.attribution.organization_table import NameRule, table

# A legal form stands apart; behind a mere dot only after a word: that of `U.S.A.` is none.
_APART = r"(?:[\s,.&]*[\s,&][\s,.&]*(?:and\s+)?|[\s,.&]*\s[-–]+\s*)"
_WORD = r"\p{L}{3}"


def plain_name(name: pl.Expr) -> pl.Expr:
    """An AS name without handle, quotes and legal form; never empty where the name is not.

    `HIPL-AS-AP - HUAWEI INTERNATIONAL PTE. LTD.` → `HUAWEI INTERNATIONAL`; the letter case is kept.
    """
    rules = table()
    # Regional registries write `HANDLE - Holder`, AFRINIC also `Holder - Holder`.
    halves = name.str.split_exact(" - ", 1)
    first, second = halves.struct[0], halves.struct[1]
    handle = first.str.contains(r"^(?:AS[0-9]+|[A-Z0-9-]+-AS(?:-[A-Z]{2,4})?)$")
    whole = pl.when(handle.and_(second.is_not_null()) | (name == first + " - " + first)).then(
        name.str.replace(r"^.*? - ", "")
    )
    form = rf"(?:(?i:{_alternatives(rules.any_case)})|{_alternatives(rules.as_written)})"
    apart = rf"(?:{_APART}{form}(?:\.+{form})*)"
    tail = rf"(?:({_WORD})(?:\.+{form})+{apart}*|{apart}+)[\s,.&]*$"
    head = rf"^(?:{_alternatives(rules.leading)})\s+"
    plain = (
        whole.otherwise(name)
        .str.replace(tail, "${1}")
        .str.replace(head, "")
        .str.replace_all('"', "", literal=True)
        .str.strip_chars(" ,&")
        .str.replace(r"\s[-–_]+$", "")
    )
    return pl.when(plain.str.contains(r"\p{Alphabetic}|[0-9]")).then(plain).otherwise(name)


def is_told(name: pl.Expr, rules: tuple[NameRule, ...]) -> pl.Expr:
    """Whether a pattern of `rules` is in the name, whatever `unless` says: one search, not one a rule."""
    return name.str.contains("(?i)" + "|".join(f"(?:{rule.pattern})" for rule in rules))


def rule_of(name: pl.Expr, rules: tuple[NameRule, ...]) -> pl.Expr:
    """Position of the first of `rules` that speaks of the name (int32), null where none does."""
    position = pl.lit(None, pl.Int32)
    for row, rule in reversed(list(enumerate(rules))):
        speaks = name.str.contains(f"(?i){rule.pattern}")
        if rule.unless:
            speaks &= ~name.str.contains(f"(?i){rule.unless}")
        position = pl.when(speaks).then(pl.lit(row, pl.Int32)).otherwise(position)
    return position


def _alternatives(words: tuple[str, ...]) -> str:
    # Longest first, so that `Ltda - ME` is not read as `ME`; a dot at the end is a separator.
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
