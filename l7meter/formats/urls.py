"""Request lines, targets and hosts."""

from __future__ import annotations

import polars as pl

# RFC 9110 §5.6.2: what a method may be made of
_METHOD = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_VERSIONS = {" HTTP/1.1": "1.1", " HTTP/1.0": "1.0", " HTTP/2.0": "2", " HTTP/3.0": "3"}
_USUAL = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "PROPFIND")


def request_line(raw: pl.Series, _: str) -> dict[str, pl.Series]:
    """Method, target and version of a request line; blanks may stand in the target.

    What is no request line (a TLS hello, one bare word) is the target as seen, method null.
    """
    ending = raw.str.tail(9)
    version = ending.replace_strict(_VERSIONS, default=None, return_dtype=pl.String)
    plain = version.is_not_null()
    head = raw.str.head(-9)
    if not plain.all():
        found = raw.str.extract_groups(r"^(.*) HTTP/([0-9](?:\.[0-9])?)$").struct
        version = version.fill_null(found[1].replace({"2.0": "2", "3.0": "3"}))
        head = head.zip_with(plain.fill_null(value=False), found[0].fill_null(raw))
    parts = head.str.splitn(" ", 2).struct
    method, target = parts[0], parts[1]
    good = method.is_in(_USUAL) & target.is_not_null() & (target != "")
    odd = ~good.fill_null(value=False)
    if odd.any():
        strange = odd & ~(method.str.contains(_METHOD) & (target.str.len_bytes() > 0)).fill_null(value=False)  # fmt: skip
        method = method.set(strange, None)
        target = raw.zip_with(strange, target)
        version = version.set(strange, None)
    return {"request_method": method, "url_original": target, "network_protocol_version": version}


def host(raw: pl.Series, _: str) -> dict[str, pl.Series]:
    """Host and port of a Host field."""
    if not raw.str.contains(":", literal=True).any():
        return {"server_address": raw}
    parts = raw.str.extract_groups(r"^\[?([^\[\]]*?)\]?(?::([0-9]+))?$").struct
    address = parts[0].fill_null(raw)
    return {"server_address": address, "server_port": parts[1].cast(pl.Int32, strict=False)}


def absolute(target: pl.Series) -> dict[str, pl.Series]:
    """Scheme, host and port of absolute targets (RFC 9112 §3.2.2); null for the others."""
    parts = target.str.extract_groups(
        r"^(?i:(https?))://(?:[^/?#@]*@)?(?:\[([^\]]+)\]|([^/?#:]*))(?::([0-9]+))?(?:[/?#]|$)"
    ).struct
    address = parts[1].fill_null(parts[2])
    return {
        "url_scheme": parts[0].str.to_lowercase(),
        "server_address": address.set(address == "", None),
        "server_port": parts[3].cast(pl.Int32, strict=False),
    }
