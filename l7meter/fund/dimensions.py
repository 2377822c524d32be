"""By what cost can be told apart: columns of the usage tables."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from l7meter.errors import UsageError


class Dimension(NamedTuple):
    """The columns it makes, as SQL over a usage table, and the columns of the table that it needs.

    `value` is the SQL of its value, null where that is not known.
    """

    columns: Mapping[str, str]
    raw: tuple[str, ...]
    value: str
    meaning: str
    daily: bool = False  # only `usage(since, until)` has it


_ATTRIBUTION = "CASE WHEN attributable THEN 'organization' WHEN organization IS NOT NULL THEN 'provider' ELSE 'unknown' END"  # fmt: skip

_COMPANY = "coalesce(parent_organization, organization)"


def _plain(column: str, meaning: str, name: str = "", *, unknown: str = "(unknown)", daily: bool = False) -> Dimension:  # fmt: skip
    columns = {name or column: f"coalesce(CAST({column} AS VARCHAR), '{unknown}')"}
    return Dimension(MappingProxyType(columns), (column,), column, meaning, daily)


def _two(first: str, second: str, names: tuple[str, str], meaning: str, *, daily: bool = False) -> Dimension:  # fmt: skip
    columns = {names[0]: f"CAST({first} AS VARCHAR)", names[1]: f"coalesce({second}, '(unknown)')"}
    return Dimension(MappingProxyType(columns), (first, second), first, meaning, daily)


DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        "organization": Dimension(
            MappingProxyType({"organization": "coalesce(organization, '(unknown)')", "attribution": _ATTRIBUTION}),
            ("organization", "attributable"),
            "organization",
            "the organisation that used it, or the provider of its network",
        ),
        "parent": Dimension(
            MappingProxyType({"parent": f"coalesce({_COMPANY}, '(unknown)')"}),
            ("parent_organization", "organization"),
            _COMPANY,
            "the company that owns it, or itself",
        ),
        "asn": _two("client_asn", "client_as_name", ("asn", "as_name"), "the autonomous system"),
        "network-kind": _plain("network_kind", "cloud, access, education, ..."),
        "agent": _plain("agent_name", "the software that asked", "agent"),
        "agent-kind": _plain("agent_kind", "package-manager, ci, ai-crawler, ..."),
        "ecosystem": _plain("package_ecosystem", "the registry's ecosystem (purl type)", "ecosystem"),
        "package": _two("package_name", "package_ecosystem", ("package", "ecosystem"), "the package", daily=True),
        "artifact-kind": _plain("artifact_kind", "artifact, metadata, index, ..."),
        "method": _plain("organization_method", "how the organisation was found", "method", unknown="(none)"),
        "cache-status": _plain("cache_status", "what the cache said", unknown="(not said)"),
        "status-class": _plain("status_class", "2xx, 3xx, ...", unknown="(none)"),
    }
)  # fmt: skip


def dimension(name: str) -> Dimension:
    """The dimension of that name; `UsageError` names the nearest for a strange one."""
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    near = difflib.get_close_matches(name, DIMENSIONS, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(DIMENSIONS)}"
    raise UsageError(f"no dimension {name}; {hint}")
