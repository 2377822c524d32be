"""Which requests a what-if is about, and by what it tells them apart."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from l7meter.errors import UsageError


class Dimension(NamedTuple):
    """A way to tell requests apart: the columns it makes of `records`, as SQL, and what they say.

    `raw` are the columns of `records` that they are made of, `value` is what `--only DIMENSION=VALUE`
    compares, as text.
    """

    columns: Mapping[str, str]
    raw: tuple[str, ...]
    value: str
    meaning: str

    @property
    def key(self) -> str:
        """The SQL of a number for each of its values: a hash of few octets, as it is made of each row."""
        parts = ("attributable IS TRUE" if each == "attributable" else each for each in self.raw)
        return f"hash({', '.join(parts) or '0'})"


_ATTRIBUTION = (
    "CASE WHEN attributable THEN 'organization' WHEN organization IS NOT NULL THEN 'provider' "
    "ELSE 'unknown' END"
)


def _plain(column: str, meaning: str, name: str = "", unknown: str = "(unknown)") -> Dimension:
    text = f"CAST({column} AS VARCHAR)"
    columns = MappingProxyType({name or column: f"coalesce({text}, '{unknown}')"})
    return Dimension(columns, (column,), text, meaning)


DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        "all": Dimension(MappingProxyType({}), (), "'all'", "all requests together"),
        "organization": Dimension(
            MappingProxyType({"organization": "coalesce(organization, '(unknown)')", "attribution": _ATTRIBUTION}),
            ("organization", "attributable"),
            "organization",
            "the organisation that used it, or the provider of its network",
        ),
        "asn": Dimension(
            MappingProxyType({"asn": "client_asn", "as_name": "coalesce(client_as_name, '(unknown)')"}),
            ("client_asn", "client_as_name"),
            "CAST(client_asn AS VARCHAR)",
            "the autonomous system",
        ),
        "country": _plain("client_country", "the client's country, by imported reference data (country.py)", "country"),
        "network": _plain("client_network", "the client's network in the reference data", "network"),
        "network-kind": _plain("network_kind", "cloud, ci, access, education, ...", "network_kind"),
        "address": _plain("client_address", "the client's address", "address", "(not said)"),
        "agent": _plain("agent_name", "the software that asked", "agent"),
        "agent-kind": _plain("agent_kind", "package-manager, ci, ai-crawler, ...", "agent_kind"),
        "ecosystem": _plain("package_ecosystem", "the registry's ecosystem (purl type)", "ecosystem"),
        "host": _plain("server_address", "the host the request was for", "host", "(not said)"),
    }
)  # fmt: skip


def dimension(name: str) -> Dimension:
    """The dimension of that name; `UsageError` names the nearest for a strange one."""
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    near = difflib.get_close_matches(name, DIMENSIONS, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(DIMENSIONS)}"
    raise UsageError(f"no dimension {name}; {hint}")


@dataclass(frozen=True)
class Selection:
    """The requests of a period (UTC; its end excluded), and of these those with values of dimensions.

    Of one dimension given more than once any value counts; of several all have to.
    """

    since: datetime | None = None
    until: datetime | None = None
    only: tuple[tuple[str, str], ...] = ()

    @property
    def whole_days(self) -> bool:
        """Whether the period begins and ends with a day, UTC."""
        midnight = datetime.min.time()
        return all(each is None or each.astimezone(UTC).time() == midnight for each in (self.since, self.until))  # fmt: skip

    def where(self, instant: str = "ts") -> tuple[str, dict[str, Any]]:
        """The condition on requests as SQL, and the values of its parameters; `instant` is the SQL of their time."""
        parts = ["exchange_kind = 'http'"]
        values: dict[str, Any] = {}
        for name, sign in (("since", ">="), ("until", "<")):
            if (moment := getattr(self, name)) is not None:
                parts.append(f"{instant} {sign} ${name}::TIMESTAMPTZ")
                values[name] = moment
        names = list(dict.fromkeys(name for name, _ in self.only))
        for number, name in enumerate(names):
            wanted = [value for each, value in self.only if each == name]
            keys = [f"only_{number}_{place}" for place in range(len(wanted))]
            values |= dict(zip(keys, wanted, strict=True))
            parts.append(f"{dimension(name).value} IN ({', '.join(f'${key}' for key in keys)})")
        return " AND ".join(parts), values

    def told(self) -> str:
        """The selection in words, for a title; empty for everything."""
        parts = [f"{name} {value}" for name, value in self.only]
        parts += [f"since {self.since:%Y-%m-%d %H:%M}"] if self.since else []
        parts += [f"until {self.until:%Y-%m-%d %H:%M}"] if self.until else []
        return ", ".join(parts)
