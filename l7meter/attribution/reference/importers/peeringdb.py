"""PeeringDB: https://docs.peeringdb.com/api_specs/; a dump with `net` and `org`, or the API's answer for `net`.

A network says of itself what it is. Of its words only those that say one thing become a kind: `Content` may be a
cloud, a CDN or a publisher, `Non-Profit` anything; `Educational/Research` is taken for `education`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped

KINDS = {
    "NSP": "access",
    "Cable/DSL/ISP": "access",
    "Educational/Research": "education",
    "Enterprise": "enterprise",
    "Government": "government",
}
DELETED = "deleted from PeeringDB"


def _claims(name: str, start: bytes) -> bool:
    is_dump = "peeringdb" in claiming.base(name) and start.lstrip()[:1] == b"{"
    return is_dump or claiming.has_keys(start, "data", "info_type", "asn")


def _read(path: Path) -> Imported:
    said = reading.document(path)
    nets = said.get("net", said) if isinstance(said, dict) else said
    holders = {
        key: org
        for org in reading.items(said, "org", "data")
        if (key := reading.number(reading.member(org, "id"))) is not None
    }
    there = reading.items(nets, "data")
    live = [net for net in there if reading.member(net, "status") in (None, "ok")]
    frame = rows("systems", (_system(net, holders) for net in live))
    as_of = reading.day(reading.member(nets, "meta", "generated"))
    return shaped(
        "systems",
        frame,
        'objects with "asn" and "name" in "data" of "net"',
        as_of or reading.day_of_name(path.name),
        {DELETED: len(there) - len(live)},
    )


def _system(net: object, holders: dict[str, Any]) -> dict[str, str | None]:
    key = reading.number(reading.member(net, "org_id"))
    holder = holders.get(key) if key is not None else None
    holder = holder or reading.member(net, "org")  # the API's answer for one network holds it
    return {
        "asn": reading.number(reading.member(net, "asn")),
        "name": reading.text(reading.member(net, "name")),
        "organization": reading.text(reading.member(holder, "name")),
        "country": reading.text(reading.member(holder, "country")),
        "network_kind": _kind(net),
    }


def _kind(net: object) -> str | None:
    """The one kind that all of a network's words mean; `info_type` is the first of `info_types`."""
    words = reading.items(net, "info_types") or [reading.member(net, "info_type")]
    kinds = {KINDS.get(str(word)) for word in words}
    return kinds.pop() if len(kinds) == 1 else None


IMPORTER = Importer(
    name="peeringdb",
    title="PeeringDB (JSON): names, holders and kinds of systems that peer",
    kind="systems",
    page="https://docs.peeringdb.com/api_specs/",
    licence="PeeringDB AUP",
    attribution="PeeringDB, https://www.peeringdb.com",
    claims=_claims,
    read=_read,
)
