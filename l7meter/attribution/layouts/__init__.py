"""One file per registry layout: how the addresses a registry serves are built.

A layout is data: ordered rules, each a regular expression over the path of the request target, and
the columns that its named groups stand for. `load` walks this folder; a new layout is a new file
with a `LAYOUT`, and there is no list to edit.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Literal, NamedTuple

import polars as pl

Kind = Literal["artifact", "metadata", "index", "sidecar", "other"]
Refinement = Callable[[pl.DataFrame], pl.DataFrame]

GROUPS = ("namespace", "name", "version", "variant", "file")
"""The groups a pattern may name; those it does not name are null."""

CHARACTERS = "[!-.0-~]"
"""What a path segment may hold: printable ASCII without the slash."""

# purl percent-encodes all but letters, digits, `-._~` and the colon (ECMA-427, section 5.4)
_ENCODED = {chr(c): f"%{c:02X}" for c in range(0x21, 0x7F) if not (chr(c).isalnum() or chr(c) in "-._~:/")}  # fmt: skip


def encoded(text: pl.Expr) -> pl.Expr:
    """Percent-encode printable ASCII text for a purl; slashes stand, as segments' ends."""
    return text.str.replace_many(_ENCODED)


class Rule(NamedTuple):
    """One shape of path: `pattern` is searched in it, percent-decoded, slashes collapsed."""

    name: str
    kind: Kind
    pattern: str
    named: bool = False
    """Claimed only where the host or the operator names the registry: the shape alone is ambiguous."""
    take: str = ""
    """Where given, takes the groups from the last segment instead of `pattern` from the path: without
    backtracking a wheel's take 0.3 µs, not 0.9."""
    refine: Refinement | None = None
    """Given the rows that match (`path`, `host`, `GROUPS`), the rows that are meant, groups mended."""


class Layout(NamedTuple):
    """One registry's layout; the first rule that matches holds.

    The expressions are over `path`, `host` (lower case, null if not known), `kind` (the rule's) and
    `GROUPS`; those of the purl also over `package_name`.
    """

    ecosystem: str
    """The purl type."""
    labels: tuple[str, ...]
    """Labels of a host name (between its dots) that name this registry."""
    hint: str
    """Literals, one of which is in every path that is claimed by its shape: 30 ns a path, and the
    rules need not be tried on the rest."""
    rules: tuple[Rule, ...]
    package: pl.Expr = pl.col("name")
    """package_name, normalised by the ecosystem's rule."""
    purl_name: pl.Expr = pl.col("package_name")
    """Namespace and name as in a purl, slash between, not yet encoded; null gives no purl."""
    qualifiers: pl.Expr = pl.lit(None, pl.String)
    """Qualifiers of the purl in order of their keys, values encoded."""
    kind: pl.Expr = pl.col("kind")
    """artifact_kind, where the rule's own does not settle it."""


@cache
def load() -> dict[str, Layout]:
    """The layouts of this folder by ecosystem, in alphabetical order."""
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__))
    layouts = [import_module(f"{__name__}.{module}").LAYOUT for module in modules]
    return {layout.ecosystem: layout for layout in layouts}
