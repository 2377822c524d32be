"""A format string that writes JSON: its keys, mapped by the variables in their values."""

from __future__ import annotations

import json
import re

from l7meter.formats.logformat.dialects import dialect
from l7meter.formats.logformat.haproxy import Captures
from l7meter.formats.logformat.template import Var

_MARK = "\x00{}\x00"
_MARKED = re.compile("\x00(\\d+)\x00")


def json_fields(text: str, captures: Captures | None = None) -> dict[str, str] | None:
    """Field → reading for a string such as `{"t":"$time_iso8601","s":$status}`; None if it is none.

    Values that join a variable with other text are read over.
    """
    text = text.strip()
    if not text.startswith("{"):
        return None
    items = dialect(text, captures).parse(text)
    variables = [item for item in items if isinstance(item, Var)]
    marked = "".join(
        _MARK.format(variables.index(item)) if isinstance(item, Var) else item.text
        for item in items
    )
    # a value without quotation marks ("status":$status) is given some
    marked = re.sub("([:,\\[]\\s*)(\x00\\d+\x00)(?=\\s*[,}\\]])", r'\1"\2"', marked)
    try:
        made = json.loads(marked, strict=False)
    except ValueError:
        return None
    fields: dict[str, str] = {}
    _walk(made, "", variables, fields)
    return fields


def _walk(made: object, path: str, variables: list[Var], fields: dict[str, str]) -> None:
    if isinstance(made, dict):
        for key, value in made.items():
            _walk(value, f"{path}.{key}" if path else key, variables, fields)
    elif isinstance(made, str) and (found := _MARKED.fullmatch(made.strip("[]"))):
        reading = variables[int(found[1])].reading
        if reading:
            fields[path] = reading
