"""Cloudflare: analytics of a zone by day, from the GraphQL API (JSON) or a table saved as CSV."""

from __future__ import annotations

from collections.abc import Iterator

from l7meter.analysis.reconcile.bill import File, Left, Line, Provider, Refused, day_of, number_of
from l7meter.analysis.reconcile.providers import generic

GROUPS, COUNTRIES, COUNTRY = "httpRequests1dGroups", "countryMap", "clientCountryName"


def _tells(file: File) -> bool:
    return file.is_json and f'"{GROUPS}"' in file.text


def _read(file: File) -> Iterator[Line | Refused | Left]:
    if not file.is_json:  # the dashboard's columns are not documented: they are named with --map
        yield from generic.read(file)
        return
    for number, element in file.elements(GROUPS):
        try:
            day, sums = day_of(element["dimensions"]["date"]), element["sum"]
            countries = sums.get(COUNTRIES) if file.regions else None
            for part in countries or [sums]:
                yield Line(
                    number,
                    day,
                    part.get(COUNTRY),
                    bytes=number_of(part["bytes"]) if "bytes" in part else None,
                    requests=number_of(part["requests"]) if "requests" in part else None,
                    unit="bytes",
                )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            yield Refused(number, f"no group of a day: {what}")


PROVIDER = Provider(
    name="cloudflare",
    title="Cloudflare analytics",
    documentation="https://developers.cloudflare.com/analytics/graphql-api/",
    meaning="`bytes`: octets of responses from the edge to clients, header fields included (EdgeResponseBytes); requests to origins "
    "and of workers are not in it; days are UTC",
    counts_fields=True,
    counts_hops=False,
    tells=_tells,
    read=_read,
    unit=None,
)
