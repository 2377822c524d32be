"""What becomes of each column of the record under each mode: the decisions, as data.

`PERSONAL` says it of columns that hold, or can hold, what is about a person; `OTHERS` says why the rest is
kept. A test walks the schema: a column that nobody decided about fails it.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from l7meter.schema import COLUMNS, RECORD

AS_IT_IS = "as it is"
NOTHING = "nothing"
MODES = ("full", "truncated", "pseudonymous", "none")  # words of settings, as the table's columns
_SAME = {"keep": "full", "origin": "truncated", "drop": "none"}


class Personal(NamedTuple):
    """A column: the setting that governs it, what it is to `applying`, and what is stored by word."""

    setting: str  # of Policy
    kind: str  # how it is changed: a key of applying.CHANGES, or `echo`
    stored: dict[str, str]  # by each word of the setting
    besides: str = ""  # what other settings do to it


_ADDRESS = {
    "full": AS_IT_IS,
    "truncated": "the network: /24 of IPv4, /48 of IPv6, as its first address; nothing of what is no address",
    "pseudonymous": "a pseudonym under the key of the day",
    "none": NOTHING,
}
_ECHO_WORDS = "as it is; the record's own client or peer address in it"
_ECHO = {
    "full": AS_IT_IS,
    "truncated": f"{_ECHO_WORDS} as its network",
    "pseudonymous": f"{_ECHO_WORDS} as `unknown`",
    "none": f"{_ECHO_WORDS} as `unknown`",
}
_WIDENED = "widened to whole /24 or /48 networks at both ends"
_DROPPED = {"keep": AS_IT_IS, "drop": NOTHING}
_INSIDE = "addresses in it as networks (truncated) or `unknown` (pseudonymous, none)"

PERSONAL: dict[str, Personal] = {
    "client_address": Personal("addresses", "address", _ADDRESS),
    "network_peer_address": Personal("addresses", "address", _ADDRESS),
    "forwarded_for": Personal("addresses", "addresses", {
        "full": AS_IT_IS,
        "truncated": "the network of each entry; `unknown` for what is no address",
        "pseudonymous": "a pseudonym of each entry",
        "none": NOTHING,
    }),
    "client_port": Personal("addresses", "port", {
        "full": AS_IT_IS, "truncated": NOTHING, "pseudonymous": NOTHING, "none": NOTHING,
    }),  # RFC 6269 §12: with the time it tells one subscriber behind a shared address
    "client_network": Personal("addresses", "network", {
        "full": AS_IT_IS, "truncated": _WIDENED, "pseudonymous": _WIDENED, "none": _WIDENED,
    }),
    "url_original": Personal("queries", "target", {
        "keep": AS_IT_IS, "drop": "up to the query or fragment",
    }, f"user name and password before the host are dropped under every policy but that which keeps all; {_INSIDE}, in the path only the record's own"),
    "referrer": Personal("referrers", "referrer", {
        "keep": AS_IT_IS, "origin": "scheme, host and port; nothing of what has none", "drop": NOTHING,
    }, f"its query goes with `queries`, user name and password as in `url_original`; {_INSIDE}"),
    "user_name": Personal("user_names", "name", {
        "keep": AS_IT_IS, "pseudonymous": "a pseudonym under the key of the day", "drop": NOTHING,
    }, _INSIDE),
    "user_agent_original": Personal("agents", "text", _DROPPED, "the record's own address in it goes with `addresses`"),
    "tls_fingerprint": Personal("fingerprints", "text", _DROPPED),
    "url_path": Personal("addresses", "echo", _ECHO),
    "package_name": Personal("addresses", "echo", _ECHO),
    "package_version": Personal("addresses", "echo", _ECHO),
    "purl": Personal("addresses", "echo", _ECHO),
    "agent_name": Personal("addresses", "echo", _ECHO),
    "agent_version": Personal("addresses", "echo", _ECHO),
    "agent_details": Personal("addresses", "echo", _ECHO),
}  # fmt: skip

# A column whose text a client writes, and what is concluded from it.
ECHOES: dict[str, tuple[str, ...]] = {
    "url_original": ("url_path", "package_name", "package_version", "purl"),
    "user_agent_original": ("agent_name", "agent_version", "agent_details"),
}

_OF_SERVER = "is the server's, or names it"
_OF_EXCHANGE = "measures or describes the exchange, and names nobody"
_OF_SOURCE = "says where the record comes from"
_OF_NETWORK = "is of a network or an organisation; one person's own network or firm can be one"
_OF_ARTIFACT = "is of the artifact, or of the agent"

OTHERS: dict[str, str] = {
    **dict.fromkeys(("server_address", "server_port", "tls_server_name", "url_scheme"), _OF_SERVER),
    **dict.fromkeys(
        ("request_method", "network_protocol_version", "response_status_code", "request_size", "request_body_size", "response_size", "response_body_size", "response_header_content_length", "server_wire_bytes", "client_wire_bytes", "missing_bytes", "cache_status", "content_type", "content_encoding", "range_requested", "tls_version", "exchange_kind", "complete", "sample_weight", "duration", "server_bytes", "server_bytes_basis"),
        _OF_EXCHANGE,
    ),
    "ts": "is kept whole, in microseconds: with another log of the same exchange it leads back to the client",
    **dict.fromkeys(("source_id", "source_line", "attribution_id"), _OF_SOURCE),
    **dict.fromkeys(
        ("client_asn", "client_as_name", "organization", "parent_organization", "organization_method", "network_kind", "attributable", "shared_egress"),
        _OF_NETWORK,
    ),
    **dict.fromkeys(
        ("agent_kind", "agent_ci", "agent_verification", "package_ecosystem", "artifact_kind", "artifact_type", "is_download"),
        _OF_ARTIFACT,
    ),
}  # fmt: skip

# Concluded from the address, the credential and the agent; from the agent alone.
NETWORK = ("client_network", "client_asn", "client_as_name", "organization", "parent_organization", "organization_method", "network_kind", "attributable", "shared_egress")  # fmt: skip
AGENT = ("agent_name", "agent_version", "agent_kind", "agent_ci", "agent_details")

REJECTED = Personal("rejects", "text", _DROPPED, "dropped whenever any other setting is not `full` or `keep`")  # fmt: skip


def listing() -> pl.DataFrame:
    """The decisions on personal columns: `column`, `setting`, what is stored under each of `MODES`, `besides`.

    `keep`, `origin` and `drop` stand under `full`, `truncated` and `none`; null is a mode that a setting
    does not have.
    """
    rows = [
        _row(name, PERSONAL[name]) for name in (column.name for column in RECORD) if name in PERSONAL
    ]  # fmt: skip
    rows.append(_row("line (of rejects)", REJECTED))
    text = dict.fromkeys(("column", "setting", *MODES, "besides"), pl.String)
    return pl.DataFrame(rows, schema=text)


def table() -> str:
    """The decisions as Markdown: the personal columns, and why the others are kept."""
    head = ("column", "setting", "`full`, `keep`", "`truncated`, `origin`", "`pseudonymous`", "`none`, `drop`", "besides")  # fmt: skip
    lines = [_line(head), _line(["---"] * len(head))]
    for column, setting, *cells in listing().iter_rows():
        lines.append(_line((f"`{column}`", f"`{setting}`", *(cell or "" for cell in cells))))
    lines += ["", "Kept as they are under every policy:", "", _line(("columns", "why")), _line(["---"] * 2)]  # fmt: skip
    for reason in dict.fromkeys(OTHERS.values()):
        names = [f"`{name}`" for name in COLUMNS if OTHERS.get(name) == reason]
        lines.append(_line((", ".join(names), reason)))
    return "\n".join(lines) + "\n"


def _row(name: str, decided: Personal) -> dict[str, str | None]:
    by_mode = {_SAME.get(word, word): what for word, what in decided.stored.items()}
    return {"column": name, "setting": decided.setting, "besides": decided.besides} | {
        mode: by_mode.get(mode) for mode in MODES
    }


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
