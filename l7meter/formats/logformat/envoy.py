"""Envoy's format strings, Istio's `accessLogFormat` among them.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from __future__ import annotations

import re

from l7meter.formats.logformat.apache import REQUEST_FIELDS, RESPONSE_FIELDS
from l7meter.formats.logformat.template import Item, Lit, Shape, Var, tidy

# BYTES_SENT is the content; WIRE_BYTES are those of the HTTP stream, fields and framing included
OPERATORS: dict[str, tuple[str, Shape]] = {
    "PROTOCOL": ("network_protocol_version", "token"),
    "RESPONSE_CODE": ("response_status_code", "number"),
    "BYTES_RECEIVED": ("request_body_size", "number"),
    "BYTES_SENT": ("response_body_size", "number"),
    "DOWNSTREAM_WIRE_BYTES_SENT": ("response_size", "number"),
    "DOWNSTREAM_WIRE_BYTES_RECEIVED": ("request_size", "number"),
    "DURATION": ("duration_ms", "number"),
    "DOWNSTREAM_REMOTE_ADDRESS": ("client_address_port", "token"),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": ("client_address", "token"),
    "DOWNSTREAM_REMOTE_PORT": ("client_port", "number"),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": ("network_peer_address_port", "token"),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": ("network_peer_address", "token"),
    "REQUESTED_SERVER_NAME": ("tls_server_name", "token"),
    "DOWNSTREAM_TLS_VERSION": ("tls_version", "token"),
}
_PSEUDO: dict[str, tuple[str, Shape]] = {
    ":method": ("request_method", "token"),
    ":path": ("url_original", "text"),
    ":authority": ("server_host", "host"),
    ":scheme": ("url_scheme", "token"),
    **REQUEST_FIELDS,
}
_EPOCHS = {"%s": "ts_epoch_s", "%s.%3f": "ts_epoch_s", "%s.%6f": "ts_epoch_s", "%s%3f": "ts_epoch_ms", "%s%6f": "ts_epoch_us"}  # fmt: skip
_OPERATOR = re.compile(r"%([A-Z][A-Z0-9_]+)(?:\(((?:[^()]|\([^()]*\))*)\))?(?::\d+)?%")
# Values without a blank that mean nothing to us; any other operator may give any text.
_TOKENS = re.compile(r"RESPONSE_FLAGS|\w+_(?:ADDRESS|PORT|ID|CLUSTER|HOST|ADDRESS_WITHOUT_PORT)|\w*(?:DURATION|BYTES\w*|TX_\w+)|HOSTNAME")  # fmt: skip


def speaks(text: str) -> bool:
    """Whether a format string is Envoy's."""
    return _OPERATOR.search(text) is not None


def parse(text: str) -> list[Item]:
    """The items of an Envoy format string."""
    items: list[Item] = []
    place = 0
    for found in _OPERATOR.finditer(text):
        items += [Lit(text[place : found.start()]), _operator(found[0], found[1], found[2])]
        place = found.end()
    return tidy([*items, Lit(text[place:].removesuffix("\\n"))])


def _operator(name: str, operator: str, argument: str | None) -> Var:
    if operator == "START_TIME":
        if argument is None:
            return Var(name, "ts_iso", "token")
        shape: Shape = "text" if " " in argument else "token"
        return Var(name, _EPOCHS.get(argument, f"ts_strftime:{argument}"), shape)
    if argument is not None and operator in ("REQ", "RESP"):
        known = _PSEUDO if operator == "REQ" else RESPONSE_FIELDS
        for field in argument.lower().split("?"):  # the second where the first is absent
            if field in known:
                return Var(name, *known[field])
    if operator in OPERATORS:
        return Var(name, *OPERATORS[operator])
    return Var(name, None, "token" if _TOKENS.fullmatch(operator) else "text")
