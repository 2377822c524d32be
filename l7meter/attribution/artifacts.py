"""What a request target names: ecosystem, package, version, kind of file, purl.

The path tells where its shape belongs to one registry alone (a wheel, `/-/` and a tarball, a file
beside its Maven coordinates). Where it does not (`/left-pad`), a label of the host name or the
operator must name the registry; nothing is guessed from anything else.

Works on columns of distinct targets; `claims` tells which rule of which layout has a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from l7meter.attribution.claims import claims
from l7meter.attribution.layouts import Layout, load
from l7meter.errors import UsageError

MAX_PATH = 4096
"""Octets of path that are looked at: no registry serves longer ones (file names end at 255)."""

CONCLUDED = (
    "url_path",
    "package_ecosystem",
    "package_name",
    "package_version",
    "artifact_kind",
    "artifact_type",
    "purl",
    "artifact_rule",
)
"""The columns `conclude` returns."""

_NO_LAYOUT = "no layout has that name; take one of "
_ABSOLUTE = r"^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)"
_DECODED = {f"%{h}": chr(c) for c in range(0x21, 0x7F) for h in {f"{c:02X}", f"{c:02x}"}}


def conclude(
    targets: pl.DataFrame, registry: str | None = None, hosts: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """What each target names; the same height and order as `targets`.

    Takes `url_original` (request target as logged) and `server_address` (host or null), best as
    distinct pairs. The authority of an absolute-form target goes before `server_address` (RFC 9112,
    section 3.2.2). `hosts` is the ecosystem that the operator says a host serves, by its name or by
    `*.` and a suffix of it (any case, no port); the longest that fits wins, and over the labels of
    the host. `registry` is the ecosystem served otherwise, asked only where neither host nor path
    tells.

    Returns the columns of `CONCLUDED`, all strings. `artifact_kind` and the package's columns are
    null where no layout claims the target; `artifact_type` also where it is neither artifact nor
    metadata. `artifact_rule` names layout, rule and what told it.

    Raises `UsageError` for a registry that has no layout and for what is no host.
    """
    layouts = load()
    served = {host.lower(): ecosystem for host, ecosystem in (hosts or {}).items()}
    _check(registry, served)
    path, host = _path_and_host(targets)
    rows = pl.DataFrame(
        {"row": pl.arange(len(path), eager=True), "path": _cleaned(path), "host": host}
    ).with_columns(said=_said(host, layouts, served))
    claimed = claims(rows, layouts, registry)
    place = np.full(len(path), len(claimed), dtype=np.int64)
    place[claimed.get_column("row").to_numpy()] = np.arange(len(claimed))
    unclaimed = pl.DataFrame(schema=claimed.schema).clear(1)
    found = pl.concat([claimed, unclaimed])[place]
    return found.with_columns(url_path=path).select(CONCLUDED)


class Registries(NamedTuple):
    """What the operator says of the registries: the one that is served, and what hosts serve."""

    default: str | None
    hosts: dict[str, str]


def registries(said: Iterable[str]) -> Registries:
    """Read `npm`, `mirror.example=npm` and `*.example=npm`, as `conclude` takes them.

    Raises `UsageError` for a registry that has no layout, what is no host, and contradictions.
    """
    default: str | None = None
    hosts: dict[str, str] = {}
    for text in said:
        host, equals, ecosystem = text.rpartition("=")
        before = hosts.get(host.lower()) if equals else default
        if before not in (None, ecosystem):
            raise UsageError(f"--registry {text}: it was {before} before: give one of them")
        if equals:
            hosts[host.lower()] = ecosystem
        else:
            default = ecosystem
    _check(default, hosts)
    return Registries(default, hosts)


def _check(registry: str | None, hosts: Mapping[str, str]) -> None:
    layouts = load()
    for name, ecosystem in hosts.items():
        if not name.removeprefix("*.") or set(name.removeprefix("*.")) & set("*/:@ "):
            raise UsageError(f"host {name}: write a name, or *. and the end of one; no port")
        if ecosystem not in layouts:
            raise UsageError(f"host {name}: registry {ecosystem}: {_NO_LAYOUT}{', '.join(layouts)}")
    if registry is not None and registry not in layouts:
        raise UsageError(f"registry {registry}: {_NO_LAYOUT}{', '.join(layouts)}")


def _path_and_host(targets: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """`url_path` and the host in lower case.

    The path is null for the authority form, `*` and what is no form of RFC 9112, section 3.2.
    """
    target = targets.get_column("url_original").cast(pl.String)
    host = targets.get_column("server_address").cast(pl.String)
    # one look for both, as most have neither: 20 ns a target
    if target.str.contains("[?#]").any():
        for mark in "?#":
            target = target.str.splitn(mark, 2).struct.field("field_0")
    origin = target.str.starts_with("/")
    if not origin.all():
        absolute = target.str.contains(_ABSOLUTE).fill_null(False)
        authority = target.str.extract(_ABSOLUTE).str.replace("^.*@", "")
        rest = target.str.replace(_ABSOLUTE, "")
        # RFC 9110, section 4.2.3: an empty path is "/"
        target = rest.replace("", "/").zip_with(absolute, target)
        host = authority.zip_with(absolute, host)
        origin = target.str.starts_with("/")
    return target.set(~origin, None), host.str.to_lowercase()


def _cleaned(path: pl.Series) -> pl.Series:
    """The path as rules read it: percent-decoded once, slashes collapsed.

    Null if it is too long, or holds what no URI has: only printable ASCII (RFC 3986, section 2).
    """
    short = path.set(path.str.len_bytes() > MAX_PATH, None)
    # one look at what to mend and what to refuse: most paths are neither
    marked = short.str.contains("%|//|[^!-~]").fill_null(False).arg_true()
    mended = short.gather(marked).str.replace_many(_DECODED).str.replace_all("//+", "/")
    return short.scatter(marked, mended.set(mended.str.contains("[^!-~]"), None))


def _said(host: pl.Series, layouts: dict[str, Layout], served: Mapping[str, str]) -> pl.Series:
    """The ecosystem that a host is said to serve, else the one that its labels name.

    Null if none or two of them do.
    """
    names = host.unique().drop_nulls()
    if names.is_empty():
        return host
    naming = {
        ecosystem: names.str.contains(rf"(?:^|\.)(?:{'|'.join(layout.labels)})(?:[.:]|$)")
        for ecosystem, layout in layouts.items()
    }
    labelled = pl.when(pl.sum_horizontal(pl.all()) == 1).then(
        pl.coalesce(pl.when(pl.col(e)).then(pl.lit(e)) for e in naming)
    )
    said = pl.DataFrame(naming).select(labelled).to_series()
    alone = names.str.replace(r":[0-9]*$", "")
    # shortest first, so that the longest overwrites, and a whole name any suffix
    for known in sorted(served, key=lambda known: (not known.startswith("*."), len(known))):
        fits = alone.str.ends_with(known[1:]) if known.startswith("*.") else alone == known
        said = (
            pl.Series([served[known]], dtype=pl.String)
            .new_from_index(0, len(said))
            .zip_with(fits, said)
        )
    return host.replace_strict(names, said, default=None, return_dtype=pl.String)
