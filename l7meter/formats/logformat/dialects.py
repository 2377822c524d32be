"""Whose format string a string is: told by its variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from l7meter.formats.logformat import apache, envoy, haproxy_format, nginx
from l7meter.formats.logformat.haproxy import Captures
from l7meter.formats.logformat.template import Item


class Dialect(NamedTuple):
    """How the strings of one server are read, and how it escapes text (`formats.text`)."""

    parse: Callable[[str], list[Item]]
    escapes: str


NGINX = Dialect(nginx.parse, "clf")
APACHE = Dialect(apache.parse, "clf")
ENVOY = Dialect(envoy.parse, "none")


def dialect(text: str, captures: Captures | None = None) -> Dialect:
    """The dialect of a format string; Apache's where none of the others is told.

    `captures` are the fields in the slots that a string of HAProxy may name.
    """
    if re.search(r"\$\{?[a-z]", text):
        return NGINX
    if envoy.speaks(text):
        return ENVOY
    if not haproxy_format.speaks(text):
        return APACHE
    request, response = captures[1:] if captures else ((), ())
    return Dialect(partial(haproxy_format.parse, request=request, response=response), "hash")
