"""A format string compiled to a reader."""

from __future__ import annotations

from itertools import pairwise

from l7meter.errors import UsageError
from l7meter.formats.logformat.dialects import dialect
from l7meter.formats.logformat.haproxy import Captures
from l7meter.formats.logformat.haproxy_format import CAPTURED
from l7meter.formats.logformat.reader import LogFormatReader
from l7meter.formats.logformat.template import Var


def compile_format(text: str, captures: Captures | None = None) -> LogFormatReader:
    """A reader for a format string of nginx, Apache, HAProxy (with what it captures) or Envoy.

    Raises `UsageError` where the string has no variable, no time, or two variables with nothing
    between them.
    """
    text = text.strip()
    spoken = dialect(text, captures)
    items = spoken.parse(text)
    variables = [item for item in items if isinstance(item, Var)]
    if not variables:
        raise UsageError(
            f"--log-format {text!r}: no variable in it; give nginx's ($remote_addr ...), "
            "Apache's (%h ...), HAProxy's (%ci ...) or Envoy's (%START_TIME% ...) string, or a configuration file"
        )
    if not any(item.reading and item.reading.startswith("ts_") for item in variables):
        raise UsageError(
            f"--log-format {text!r}: it logs no time; add $msec, $time_iso8601, %t, %trg or %START_TIME% to the format"
        )
    for one, two in pairwise(items):
        if isinstance(one, Var) and isinstance(two, Var) and not _can_adjoin(one, two):
            raise UsageError(
                f"--log-format: nothing separates {one.name} from {two.name}, "
                "so their values cannot be told apart"
            )
    return LogFormatReader(items, escapes=spoken.escapes == "clf", fast=spoken.escapes != "hash")


def _can_adjoin(one: Var, two: Var) -> bool:
    # $host$request_uri and %U%q: a path starts with "/", a query with "?"
    pairs = {
        ("server_host", "url_original"),
        ("url_stem", "url_query"),
        ("server_name", "url_stem"),
    }
    captured = two.name.lstrip("%") in CAPTURED
    return (one.reading, two.reading) in pairs or bool(one.width or two.width) or captured
