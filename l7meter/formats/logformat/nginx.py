"""nginx's `log_format`: https://nginx.org/en/docs/http/ngx_http_log_module.html"""

from __future__ import annotations

import re

from l7meter.formats.logformat.template import Item, Lit, Shape, Var, tidy

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"'
)

# variable → reading, shape. Octets: $bytes_sent is the message, $body_bytes_sent the content as it
# left (after gzip). `$uri` is normalised and `$content_length` declared: neither is used.
VARIABLES: dict[str, tuple[str, Shape]] = {
    "remote_addr": ("client_address", "token"),
    "remote_port": ("client_port", "number"),
    "realip_remote_addr": ("network_peer_address", "token"),
    "remote_user": ("user_name", "text"),
    "time_local": ("ts_clf", "time"),
    "time_iso8601": ("ts_iso", "token"),
    "msec": ("ts_epoch_s", "number"),
    "request": ("request_line", "text"),
    "request_method": ("request_method", "token"),
    "request_uri": ("url_original", "text"),
    "server_protocol": ("network_protocol_version", "token"),
    "scheme": ("url_scheme", "token"),
    "host": ("server_host", "host"),
    "http_host": ("server_host", "host"),
    "server_addr": ("server_address", "token"),
    "server_port": ("server_port", "number"),
    "status": ("response_status_code", "number"),
    "bytes_sent": ("response_size", "number"),
    "body_bytes_sent": ("response_body_size", "number"),
    "request_length": ("request_size", "number"),
    "request_time": ("duration_s", "number"),
    "request_completion": ("complete_ok", "token"),
    "http_referer": ("referrer", "text"),
    "http_user_agent": ("user_agent_original", "text"),
    "http_x_forwarded_for": ("forwarded_for", "text"),
    "http_range": ("range_requested", "text"),
    "sent_http_content_type": ("content_type", "text"),
    "sent_http_content_encoding": ("content_encoding", "text"),
    "sent_http_content_length": ("response_header_content_length", "number"),
    "upstream_cache_status": ("cache_status", "token"),
    "ssl_protocol": ("tls_version", "token"),
    "ssl_server_name": ("tls_server_name", "token"),
    "http_ssl_ja4": ("tls_fingerprint", "token"),
}
WIDTHS = {"time_local": 26, "time_iso8601": 25}
# Values without a blank that mean nothing to us; any other variable may hold anything.
_TOKENS = re.compile(
    r"connection|pid|pipe|gzip_ratio|request_id|req_id|connections_\w+|hostname|nginx_version"
    r"|ssl_cipher|ssl_session_\w+|server_name|document_uri|tcpinfo_\w+|binary_remote_addr"
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def parse(text: str) -> list[Item]:
    """The items of an nginx format string."""
    items: list[Item] = []
    place = 0
    for found in _VARIABLE.finditer(text):
        items += [Lit(text[place : found.start()]), variable(found[1] or found[2])]
        place = found.end()
    return tidy([*items, Lit(text[place:])])


def variable(name: str) -> Var:
    """What a variable means; one that is unknown is read over."""
    if name in VARIABLES:
        return Var(name, *VARIABLES[name], WIDTHS.get(name, 0))
    return Var(name, None, "token" if _TOKENS.fullmatch(name) else "text")
