"""Options that the commands of `l7meter fund` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PolicyOption = Annotated[
    Path, typer.Option("--policy", "-p", envvar="L7METER_POLICY", metavar="FILE", help="The fund's policy (docs/fund.md); 'l7meter fund policy' writes one to begin with.", show_default=True)
]  # fmt: skip
PeriodOption = Annotated[
    str, typer.Option("--period", metavar="PERIOD", help="UTC days: a month (2026-10), a quarter (2026-Q4), a year, a day, or FIRST..LAST.")
]  # fmt: skip
DEFAULT_POLICY = Path("policy.toml")
