"""Apache's `LogFormat`, which varnishncsa writes too.

https://httpd.apache.org/docs/2.4/mod/mod_log_config.html and mod_logio.html;
https://varnish-cache.org/docs/trunk/reference/varnishncsa.html
"""

from __future__ import annotations

import re

from l7meter.formats.logformat.template import Item, Lit, Shape, Var, tidy

# directive → reading, shape. %b and %B are content, %O is the message as it left (mod_logio).
DIRECTIVES: dict[str, tuple[str, Shape]] = {
    "h": ("client_address", "token"),
    "a": ("client_address", "token"),
    "{c}a": ("network_peer_address", "token"),
    "{c}h": ("network_peer_address", "token"),
    "A": ("server_address", "token"),
    "u": ("user_name", "text"),
    "r": ("request_line", "text"),
    "m": ("request_method", "token"),
    "U": ("url_stem", "text"),
    "q": ("url_query", "text"),
    "H": ("network_protocol_version", "token"),
    "v": ("server_name", "host"),
    "V": ("server_name", "host"),
    "p": ("server_port", "number"),
    "{canonical}p": ("server_port", "number"),
    "{local}p": ("server_port", "number"),
    "{remote}p": ("client_port", "number"),
    "s": ("response_status_code", "number"),
    "b": ("response_body_size_clf", "number"),
    "B": ("response_body_size", "number"),
    "O": ("response_size", "number"),
    "I": ("request_size", "number"),
    "D": ("duration_us", "number"),
    "T": ("duration_s", "number"),
    "{s}T": ("duration_s", "number"),
    "{ms}T": ("duration_ms", "number"),
    "{us}T": ("duration_us", "number"),
    "X": ("complete_apache", "token"),
    "{ssl_protocol}x": ("tls_version", "token"),
    "{ssl_tls_sni}x": ("tls_server_name", "token"),
    "{varnish:hitmiss}x": ("cache_status", "token"),
    "{varnish:handling}x": ("cache_status_finer", "token"),
    "{cache-status}e": ("cache_status", "token"),
}
REQUEST_FIELDS: dict[str, tuple[str, Shape]] = {
    "referer": ("referrer", "text"),
    "user-agent": ("user_agent_original", "text"),
    "x-forwarded-for": ("forwarded_for", "text"),
    "range": ("range_requested", "text"),
    "host": ("server_host", "host"),
}
RESPONSE_FIELDS: dict[str, tuple[str, Shape]] = {
    "content-type": ("content_type", "text"),
    "content-encoding": ("content_encoding", "text"),
    "content-length": ("response_header_content_length", "number"),
}
_EPOCHS = {"sec": "ts_epoch_s", "msec": "ts_epoch_ms", "usec": "ts_epoch_us"}
_FRACTIONS = {"msec_frac": "%3f", "usec_frac": "%6f"}
_STRFTIME = "ts_strftime:"
_TOKENS = frozenset("lDTPkLRSfI^")
_DIRECTIVE = re.compile(
    r"%(?:!?[0-9,]*)?[<>]?(?:\{([^}]*)\})?(\^?[A-Za-z]{1,2}(?<=\^..)|[A-Za-z%])"
)
_ESCAPES = {r"\"": '"', r"\t": "\t", r"\n": "\n", r"\\": "\\"}


def parse(text: str) -> list[Item]:
    """The items of an Apache format string, given as in the configuration or unescaped."""
    text = re.sub(r'\\["tn\\]', lambda found: _ESCAPES[found[0]], text)
    items: list[Item] = []
    place = 0
    for found in _DIRECTIVE.finditer(text):
        items.append(Lit(text[place : found.start()]))
        items += _directive(found[1], found[2])
        place = found.end()
    return _joined(tidy([*items, Lit(text[place:])]))


def _directive(argument: str | None, letter: str) -> list[Item]:
    name = f"%{{{argument}}}{letter}" if argument is not None else f"%{letter}"
    if letter == "%":
        return [Lit("%")]
    if letter == "t":
        return _time(name, argument)
    key = f"{{{argument.lower()}}}{letter}" if argument is not None else letter
    known = DIRECTIVES.get(key)
    if letter in "io" and argument is not None:
        known = (REQUEST_FIELDS if letter == "i" else RESPONSE_FIELDS).get(argument.lower())
    if known:
        return [Var(name, *known)]
    return [Var(name, None, "token" if argument is None and letter in _TOKENS else "text")]


def _time(name: str, argument: str | None) -> list[Item]:
    if argument is None:
        return [Lit("["), Var(name, "ts_clf", "time", 26), Lit("]")]
    argument = argument.removeprefix("begin:").removeprefix("end:")
    if argument in _EPOCHS:
        return [Var(name, _EPOCHS[argument], "number")]
    return [Var(name, _STRFTIME + _FRACTIONS.get(argument, argument), "text")]


def _joined(items: list[Item]) -> list[Item]:
    """The items with one time where several directives write its parts.

    `%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t` and `%{sec}t.%{usec_frac}t` are each one time.
    """
    joined: list[Item] = []
    for item in items:
        joined.append(item)
        match joined[-3:]:
            case [Var() as one, Lit(between), Var() as two]:
                made = _time_of(one, between, two)
            case [*_, Var() as one, Var() as two]:
                between, made = "", _time_of(one, "", two)
            case _:
                made = None
        if made:
            joined[-3 if between else -2 :] = [made]
    return joined


def _time_of(one: Var, between: str, two: Var) -> Var | None:
    """The time that two directives write together, if they do."""
    first, second = one.reading or "", (two.reading or "")
    if not second.startswith(_STRFTIME) or set(between) & set('"[]%'):
        return None
    if first == "ts_epoch_s" and between == "." and second[len(_STRFTIME) :] in _FRACTIONS.values():
        return one
    if first.startswith(_STRFTIME):
        return one._replace(reading=first + between + second.removeprefix(_STRFTIME))
    return None
