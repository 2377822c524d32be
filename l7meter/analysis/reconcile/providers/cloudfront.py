"""Amazon CloudFront: the AWS usage report (CSV), and its lines in a Cost and Usage Report."""

from __future__ import annotations

import re
from collections.abc import Iterator

from l7meter.analysis.reconcile.bill import (
    File,
    Left,
    Line,
    Provider,
    Refused,
    day_of,
    meanings,
    number_of,
)

TYPE, START, AMOUNT, UNIT = "type", "start", "amount", "unit"
COLUMNS = {  # usage report, bill, CUR, CUR 2.0
    "usagetype": TYPE, "lineitem/usagetype": TYPE, "line_item_usage_type": TYPE,
    "starttime": START, "usagestartdate": START, "lineitem/usagestartdate": START, "line_item_usage_start_date": START,
    "usagevalue": AMOUNT, "usagequantity": AMOUNT, "lineitem/usageamount": AMOUNT, "line_item_usage_amount": AMOUNT,
    "pricing/unit": UNIT, "pricing_unit": UNIT,
}  # fmt: skip
REGION = re.compile(r"([A-Z]{2,4}\d?)-(.+)")
# Served to viewers; the codes of the bill, and those of the usage report that it is made of.
BYTES = re.compile(r"DataTransfer-Out-Bytes|Out-Bytes-HTTPS?-(Static|Dynamic|Proxy)")
REQUESTS = re.compile(r"Requests-(Tier1|Tier2-HTTPS|HTTPS?-(Static|Dynamic|Proxy)|HTTPS-Proxy-FLE)")
# The bill's codes are sums of the report's: where a file has both, these are left out.
SUMS = re.compile(r"DataTransfer-Out-Bytes|Requests-(Tier1|Tier2-HTTPS)")
PARTS = re.compile(r"-(Out-Bytes|Requests)-HTTPS?-(Static|Dynamic)")


def _tells(file: File) -> bool:
    told = {COLUMNS.get(name.lower()) for name in file.header()}
    return {TYPE, START, AMOUNT} <= told and bool(
        BYTES.search(file.text) or REQUESTS.search(file.text)
    )


def _read(file: File) -> Iterator[Line | Refused | Left]:
    column = meanings(file, COLUMNS)
    in_parts = PARTS.search(file.text) is not None
    for number, row in file.rows():  # a bill has some thousand lines
        match = REGION.fullmatch(row[column[TYPE]])
        region, what = (match[1], match[2]) if match else (None, row[column[TYPE]])
        is_bytes = BYTES.fullmatch(what) is not None
        sums = in_parts and SUMS.fullmatch(what)
        if sums or (not is_bytes and not REQUESTS.fullmatch(what)):
            yield Left(number, what or "no usage type")
            continue
        try:
            day = day_of(row[column[START]], month_first=True)
            amount = number_of(row[column[AMOUNT]])
        except ValueError as error:
            yield Refused(number, str(error))
            continue
        if is_bytes:
            # a usage report counts octets, as its codes say; a cost report has a unit of its own
            said = row[column[UNIT]] if UNIT in column else "bytes"
            yield Line(number, day, region, bytes=amount, unit=said)
        else:
            yield Line(number, day, region, requests=amount)


PROVIDER = Provider(
    name="cloudfront",
    title="Amazon CloudFront usage report",
    documentation="https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/billing-and-usage-interpreting.html",
    meaning="octets served from edge locations to viewers, as sc-bytes of the access log: header fields included; transfer to "
    "the origin and origin shield are lines of their own and not compared; access logs are best effort",
    counts_fields=True,
    counts_hops=False,
    tells=_tells,
    read=_read,
)
