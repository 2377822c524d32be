"""What tests of the job share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Run = Callable[..., tuple[int, str]]
Write = Callable[[str], Path]

LINE = '192.0.2.1 - - [02/Jan/2024:03:04:05 +0000] "GET /simple/ HTTP/1.1" 200 5 "-" "pip/23.3"\n'
GOOD = """\
store = "store"

[[source]]
name = "cdn"
paths = ["logs/*.log"]
format = "combined"
"""
