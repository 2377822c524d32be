"""What stands behind a public report, from the facts of the store: what was read, what a byte is, by which data."""

from __future__ import annotations

import json
from typing import Any

from l7meter.analysis.publishing import significant
from l7meter.attribution.reference.importers import load
from l7meter.attribution.reference.shipped import SERIES, shipped
from l7meter.formats.catalog import tables
from l7meter.fund.period import Period
from l7meter.store import Connection

OWN = "a format of the publisher's own"
_CAPTURES = {"pcap": "packet capture (pcap)", "pcapng": "packet capture (pcapng)"}
Facts = dict[str, Any]


def read(con: Connection, period: Period, digits: int) -> Facts:
    """The facts: `formats`, `bases`, `attribution_methods`, `reference_data`, `completeness`, `addresses`.

    Names of sources are left out: they are paths. Counts of lines are of whole sources that have records of the period,
    rounded.
    """
    values = {"since": period.since, "until": period.until}
    within = "first_ts < $until AND last_ts >= $since"
    formats = con.sql(f"SELECT DISTINCT format, size_meaning FROM sources WHERE {within} ORDER BY ALL", params=values).fetchall()  # fmt: skip
    known = con.sql("SELECT DISTINCT server_bytes_basis, organization_method FROM usage_by_hour($since, $until)", params=values).fetchall()  # fmt: skip
    privacy = con.sql(f"SELECT DISTINCT privacy FROM sources WHERE {within}", params=values).fetchall()  # fmt: skip
    return {
        "formats": _formats(formats),
        "bases": sorted({basis for basis, _ in known if basis}),
        "attribution_methods": sorted({method or "none" for _, method in known}),
        "reference_data": _reference(con, values),
        "completeness": _completeness(con, values, within, digits),
        "addresses": sorted({_addresses(text) for (text,) in privacy}),
    }


def _formats(rows: list[tuple[str, str | None]]) -> list[Facts]:
    """The formats by title. One that does not ship may be called by anything: its name is not shown."""
    found: dict[str, Facts] = {}
    for name, meaning in rows:
        known = tables().get(name)
        title = known["title"] if known else _CAPTURES.get(name, OWN)
        found.setdefault(title, {"title": title, "size": meaning if title != OWN else None})  # fmt: skip
    return [found[title] for title in sorted(found)]


def _addresses(privacy: str | None) -> str:
    """How addresses are kept: `full`, `truncated`, `pseudonymous` or `none`."""
    return str(json.loads(privacy).get("addresses", "full")) if privacy else "full"


def _completeness(con: Connection, values: dict[str, Any], within: str, digits: int) -> Facts:
    row = con.sql(
        "SELECT count(*) AS sources, count(problem) AS broken, sum(lines)::BIGINT AS lines, "
        f"sum(rejects)::BIGINT AS rejected, sum(skipped)::BIGINT AS skipped FROM sources WHERE {within}",
        params=values,
    ).pl()
    made = {name: significant(row[name], digits)[0] for name in ("sources", "broken", "lines", "rejected", "skipped")}  # fmt: skip
    return {name: int(number or 0) for name, number in made.items()}


def _reference(con: Connection, values: dict[str, Any]) -> list[Facts]:
    """The reference data of the conclusions, with what their terms ask to be shown."""
    of_records = "SELECT DISTINCT attribution_id FROM records WHERE ts >= $since AND ts < $until"
    found = con.sql(f"SELECT manifest FROM attributions WHERE attribution_id IN ({of_records})", params=values).fetchall()  # fmt: skip
    if not found:  # of records that retention removed
        found = con.sql("SELECT manifest FROM attributions JOIN sources USING (attribution_id) WHERE first_ts < $until AND last_ts >= $since", params=values).fetchall()  # fmt: skip
    data = {each["name"]: each for (text,) in found for each in json.loads(text).get("reference_data", [])}  # fmt: skip
    return [_described(data[name]) for name in sorted(data)]


def _described(said: Facts) -> Facts:
    """A snapshot; its series is the head of its name (`aws-2026-10-01-0f3c`, `bots.gptbot-...`)."""
    series = str(said["name"]).partition(f"-{said['as_of']}")[0]
    importer = load().get(series.split(".")[0].removesuffix("-names"))
    title = importer.title if importer else shipped().title if series == SERIES else series  # fmt: skip
    return {
        "name": series, "title": title, "page": importer.page if importer else None, "as_of": said["as_of"],
        "licence": said.get("licence") or (importer.licence if importer else None),
        "attribution": said.get("attribution") or (importer.attribution if importer else None) or None,
    }  # fmt: skip
