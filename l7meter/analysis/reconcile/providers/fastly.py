"""Fastly: historical stats (JSON) of one service, by day or by hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from l7meter.analysis.reconcile.bill import File, Left, Line, Provider, Refused, number_of

START, REQUESTS, EDGE_REQUESTS, BANDWIDTH = "start_time", "requests", "edge_requests", "bandwidth"
SHIELD = ("shield_resp_header_bytes", "shield_resp_body_bytes")
ORIGIN = ("bereq_header_bytes", "bereq_body_bytes")


def _tells(file: File) -> bool:
    return file.is_json and f'"{BANDWIDTH}"' in file.text and f'"{START}"' in file.text


def _read(file: File) -> Iterator[Line | Refused | Left]:
    region = file.text.partition('"region"')[2].partition('"')[2].partition('"')[0]
    some = False
    for number, element in file.elements("data"):
        some = True
        try:
            requests = number_of(element[REQUESTS])
            edge = number_of(element[EDGE_REQUESTS]) if EDGE_REQUESTS in element else None
            yield Line(
                number,
                datetime.fromtimestamp(number_of(element[START]), UTC).date(),
                None if region in ("", "all") else region,
                bytes=number_of(element[BANDWIDTH]),
                requests=requests,
                shield_bytes=_sum(element, SHIELD),
                shield_requests=None if edge is None else requests - edge,
                origin_bytes=_sum(element, ORIGIN),
            )
        except (KeyError, TypeError, ValueError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            yield Refused(number, f"no stats of a day: {what}")
    if not some:
        yield Refused(
            1, "no list under 'data'; fetch the stats of one service: /stats/service/ID?by=day"
        )


def _sum(element: dict[str, object], names: tuple[str, ...]) -> float | None:
    found = [number_of(element[name]) for name in names if name in element]
    return sum(found) if found else None


PROVIDER = Provider(
    name="fastly",
    title="Fastly historical stats",
    documentation="https://www.fastly.com/documentation/reference/api/metrics-stats/historical-stats/",
    meaning="`bandwidth`: header fields and content of responses, from edge and from shield to edge, and of the requests sent to "
    "origins; days are UTC",
    counts_fields=True,
    counts_hops=True,
    tells=_tells,
    read=_read,
    unit="bytes",
)
