"""HAProxy's `log-format`: https://docs.haproxy.org/dev/configuration.html#8.2.6"""

from __future__ import annotations

import re
from collections.abc import Sequence

from l7meter.formats.logformat.apache import REQUEST_FIELDS, RESPONSE_FIELDS
from l7meter.formats.logformat.template import Item, Lit, Shape, Var, tidy

# %B is what went to the client, fields and content; %U what came from it
VARIABLES: dict[str, tuple[str | None, Shape]] = {
    "ci": ("client_address", "token"),
    "cp": ("client_port", "number"),
    "tr": ("ts_clf", "token"),
    "t": ("ts_clf", "token"),
    "trg": ("ts_clf", "text"),
    "trl": ("ts_clf", "text"),
    "T": ("ts_clf", "text"),
    "Tl": ("ts_clf", "text"),
    "Ts": ("ts_epoch_s", "number"),
    "B": ("response_size", "number"),
    "U": ("request_size", "number"),
    "ST": ("response_status_code", "number"),
    "Ta": ("duration_ms", "number"),
    "Tt": ("duration_ms", "number"),
    "r": ("request_line", "text"),
    "HM": ("request_method", "token"),
    "HU": ("url_original", "text"),
    "HP": ("url_stem", "text"),
    "HPO": ("url_stem", "text"),
    "HQ": ("url_query", "text"),
    "HV": ("network_protocol_version", "token"),
    "sslv": ("tls_version", "token"),
    "fi": ("server_address", "token"),
    "fp": ("server_port", "number"),
}
EXPRESSIONS: dict[str, tuple[str, Shape]] = {
    "src": ("client_address", "token"),
    "src_port": ("client_port", "number"),
    "ssl_fc_sni": ("tls_server_name", "token"),
    "ssl_fc_protocol": ("tls_version", "token"),
    "capture.req.method": ("request_method", "token"),
    "capture.req.uri": ("url_original", "text"),
    "capture.req.ver": ("network_protocol_version", "token"),
    "status": ("response_status_code", "number"),
}
_TEXTS = {"CC", "CS", "H"}
CAPTURED = {
    "hr",
    "hrl",
    "hs",
    "hsl",
}  # with the blank before them, nothing where nothing was captured
# numbers, times and flags are never put into quotation marks
_QUOTABLE = _TEXTS | {"ci", "fi", "bi", "si", "r", "f", "ft", "b", "s", "ID", "HM", "HU", "HP", "HPO", "HQ", "HV", "sslv", "sslc"}  # fmt: skip
_VARIABLE = re.compile(
    r"%(?:\{(?P<flags>[^}]*)\})?(?:\[(?P<expression>(?:[^\[\]\\]|\\.)+)\]"
    r"|(?P<name>%|[A-Za-z]+))"
)
_SLOT = re.compile(r"capture\.(req|res)\.hdr\((\d+)\)")


def speaks(text: str) -> bool:
    """Whether a format string is HAProxy's: Apache's have neither these nor expressions."""
    return re.search(r"%(?:\{[^}]*\})?(?:ci\b|ST\b|tr[gl]?\b|\[)", text) is not None


def parse(text: str, request: Sequence[str | None] = (), response: Sequence[str | None] = ()) -> list[Item]:  # fmt: skip
    """The items of a HAProxy format string; `request` and `response` are the fields in the slots."""
    items: list[Item] = []
    place, quoting = 0, False
    for found in _VARIABLE.finditer(text):
        items.append(Lit(text[place : found.start()]))
        place = found.end()
        flags = found["flags"] or ""
        if found["name"] == "o":  # flags for all that follow
            quoting = "+Q" in flags or (quoting and "-Q" not in flags)
            continue
        if found["name"] == "%":
            items.append(Lit("%"))
            continue
        if found["name"] in CAPTURED:
            _captured(items, found[0])
            continue
        quotable = found["expression"] or found["name"] in _QUOTABLE
        quoted = quotable and ("+Q" in flags or (quoting and "-Q" not in flags))
        quote = [Lit('"')] if quoted else []
        items += [*quote, _variable(found[0], found["name"], found["expression"], request, response), *quote]  # fmt: skip
    items = tidy([*items, Lit(text[place:])])
    first = items[0] if items else None
    return tidy([Lit(first.text.lstrip()), *items[1:]]) if isinstance(first, Lit) else items


def _captured(items: list[Item], name: str) -> None:
    """Add captured headers, as one with those that stand right before."""
    if isinstance(items[-1], Lit):
        items[-1] = Lit(items[-1].text.removesuffix(" "))
    before = next((item for item in reversed(items) if item != Lit("")), None)
    if not (isinstance(before, Var) and before.name.lstrip("%") in CAPTURED):
        items.append(Var(name, None, "text"))


def _variable(
    whole: str,
    name: str | None,
    expression: str | None,
    request: Sequence[str | None],
    response: Sequence[str | None],
) -> Var:
    if name:
        reading, shape = VARIABLES.get(name, (None, "text" if name in _TEXTS else "token"))
        return Var(whole, reading, shape)
    fetch = (expression or "").partition(",")[0]
    if slot := _SLOT.fullmatch(fetch):
        fields, known = (request, REQUEST_FIELDS) if slot[1] == "req" else (response, RESPONSE_FIELDS)  # fmt: skip
        field = fields[int(slot[2])] if int(slot[2]) < len(fields) else None
        if field and field.lower() in known:
            return Var(whole, *known[field.lower()])
    return Var(whole, *EXPRESSIONS[fetch]) if fetch in EXPRESSIONS else Var(whole, None, "text")
