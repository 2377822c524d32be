"""GitHub's ranges: https://docs.github.com/en/rest/meta/meta. Each key that holds networks is a service.

`actions` and `actions_macos` are hosted runners: builds of everyone, behind addresses they share.
"""

from __future__ import annotations

from pathlib import Path

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped

OPERATOR = "GitHub"
RUNNERS = ("actions", "actions_macos")
_KEYS = ("ssh_keys", "ssh_key_fingerprints", "domains")  # no networks


def _claims(name: str, start: bytes) -> bool:
    return claiming.has_keys(start, "verifiable_password_authentication")


def _read(path: Path) -> Imported:
    said = reading.document(path)
    networks = [
        {
            "network": reading.text(network),
            "operator": OPERATOR,
            "service": service,
            "network_kind": "ci" if service in RUNNERS else "cloud",
            "shared_egress": "ci" if service in RUNNERS else None,
        }
        for service in (said if isinstance(said, dict) else ())
        if service not in _KEYS
        for network in reading.items(said, service)
    ]
    return shaped("networks", rows("networks", networks), 'lists of networks, as "hooks" and "web"')


IMPORTER = Importer(
    name="github",
    title="GitHub, /meta: networks by service, hosted runners among them",
    kind="networks",
    page="https://docs.github.com/en/rest/meta/meta",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://api.github.com/meta",),
)
