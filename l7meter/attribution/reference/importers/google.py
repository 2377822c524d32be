"""All ranges that Google announces: https://support.google.com/a/answer/10026322 (`goog.json`).

Those of Google Cloud's customers are among them, so that the kind of network is left open.
"""

from __future__ import annotations

from pathlib import Path

from l7meter.attribution.reference import claiming, prefixes
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.importers.bots import LISTS


def _claims(name: str, start: bytes) -> bool:
    has = claiming.has_keys
    other = claiming.stem(name) in LISTS or has(start, "scope")
    return has(start, "syncToken", "creationTime", "prefixes") and not other


def _read(path: Path) -> Imported:
    return prefixes.read(path, operator="Google")


IMPORTER = Importer(
    name="google",
    title="Google, goog.json: all networks it announces",
    kind="networks",
    page="https://support.google.com/a/answer/10026322",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://www.gstatic.com/ipranges/goog.json",),
)
