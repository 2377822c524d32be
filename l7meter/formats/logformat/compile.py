"""A format string compiled to a reader."""

from __future__ import annotations

import re
from itertools import pairwise

from l7meter.errors import UsageError
from l7meter.formats.logformat import apache, nginx
from l7meter.formats.logformat.reader import LogFormatReader
from l7meter.formats.logformat.template import Item, Var


def compile_format(text: str) -> LogFormatReader:
    """A reader for an nginx `log_format` or an Apache `LogFormat` string.

    Raises `UsageError` where the string has no variable, no time, or two variables with nothing
    between them.
    """
    text = text.strip()
    items = _items(text)
    variables = [item for item in items if isinstance(item, Var)]
    if not variables:
        raise UsageError(
            f"--log-format {text!r}: no variable in it; give nginx's ($remote_addr ...) or "
            "Apache's (%h ...) string, or a configuration file"
        )
    if not any(item.reading and item.reading.startswith("ts_") for item in variables):
        raise UsageError(
            f"--log-format {text!r}: it logs no time; add $msec, $time_iso8601 or %t to the format"
        )
    for one, two in pairwise(items):
        if isinstance(one, Var) and isinstance(two, Var) and not _can_adjoin(one, two):
            raise UsageError(
                f"--log-format: nothing separates {one.name} from {two.name}, "
                "so their values cannot be told apart"
            )
    return LogFormatReader(items)


def _items(text: str) -> list[Item]:
    if re.search(r"\$\{?[a-z]", text):
        return nginx.parse(text)
    return apache.parse(text)


def _can_adjoin(one: Var, two: Var) -> bool:
    # $host$request_uri and %U%q: a path starts with "/", a query with "?"
    pairs = {
        ("server_host", "url_original"),
        ("url_stem", "url_query"),
        ("server_name", "url_stem"),
    }
    return (one.reading, two.reading) in pairs or bool(one.width or two.width)
