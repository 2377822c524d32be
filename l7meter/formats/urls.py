"""Request lines, targets and hosts."""

from __future__ import annotations

import numpy as np
import polars as pl

# RFC 9110 §5.6.2: what a method may be made of
_METHOD = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_VERSIONS = {" HTTP/1.1": "1.1", " HTTP/1.0": "1.0", " HTTP/2.0": "2", " HTTP/3.0": "3"}
_USUAL = ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "PROPFIND")
_NAMES = pl.Series([None, *_VERSIONS.values()], dtype=pl.String)


def request_line(raw: pl.Series, _: str) -> dict[str, pl.Series]:
    """Method, target and version of a request line; blanks may stand in the target.

    What is no request line (a TLS hello, one bare word) is the target as seen, method null.
    """
    ending = raw.str.tail(9)
    version = np.zeros(raw.len(), np.uint32)
    for place, version_text in enumerate(_VERSIONS, 1):
        version[(ending == version_text).fill_null(value=False).to_numpy()] = place
    head = raw.str.head(-9)
    got = head.str.starts_with("GET ")  # most requests, and the cheapest to cut
    target = head.str.slice(4)
    method = pl.Series(["GET"]).new_from_index(0, raw.len())
    known = pl.Series(version > 0)
    others = (~got & known).fill_null(value=False).arg_true()
    if others.len():
        parts = head[others].str.splitn(" ", 2).struct
        method, target = method.scatter(others, parts[0]), target.scatter(others, parts[1])
    usual = known & got
    if others.len():
        usual = usual.scatter(others, method[others].is_in(_USUAL))
    usual &= target != ""
    made = {"request_method": method, "url_original": target, "network_protocol_version": _NAMES[version]}  # fmt: skip
    odd = (~usual.fill_null(value=False)).arg_true()
    if odd.len():
        exact = _request_line(raw[odd])
        made = {name: values.scatter(odd, exact[name]) for name, values in made.items()}
    return made


def _request_line(raw: pl.Series) -> pl.DataFrame:
    """The same, of lines that are anything."""
    found = raw.str.extract_groups(r"(?s)^(.*) HTTP/([0-9](?:\.[0-9])?)$").struct
    version = found[1].replace({"2.0": "2", "3.0": "3"})
    parts = found[0].fill_null(raw).str.splitn(" ", 2).struct
    method, target = parts[0], parts[1]
    good = (method.str.contains(_METHOD) & (target != "")).fill_null(value=False)
    return pl.DataFrame(
        {
            "request_method": method.set(~good, None),
            "url_original": target.zip_with(good, raw),
            "network_protocol_version": version.set(~good, None),
        }
    )


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
