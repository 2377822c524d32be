"""A statement as one page: no scripts, nothing from elsewhere, for the screen and for paper."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from l7meter.reports.cells import visible
from l7meter.units import bytes_text, count_text, percent_text

TEMPLATES = Path(__file__).parent / "templates"
_WIDTH, _HEIGHT = 720, 120


def render(document: Mapping[str, Any]) -> str:
    """The page of a statement's document (`document.documents`), as HTML."""
    return _template().render(d=document, period=period_text(document), chart=_days(document["use"]["by_day"]))  # fmt: skip


def environment() -> Environment:
    """Templates, every value escaped, what steers a terminal or turns text about made visible; filters of figures."""
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, finalize=_shown)  # fmt: skip
    made.filters |= {"octets": bytes_text, "count": count_text, "percent": percent_text, "money": money, "signed": _signed}  # fmt: skip
    return made


@cache
def _template() -> Template:
    return environment().get_template("statement.html.j2")


def _shown(value: Any) -> Any:
    if value is None:
        return ""
    return "\n".join(map(visible, value.split("\n"))) if type(value) is str else value


def money(text: str) -> str:
    """Money with its thousands grouped."""
    return f"{Decimal(text):,}"


def _signed(text: str) -> str:
    return f"{Decimal(text):+,}"


def period_text(document: Mapping[str, Any]) -> str:
    """The period as a title has it."""
    period = document["period"]
    return f"{period['first_day']} to {period['last_day']}"


def _days(days: list[dict[str, Any]]) -> Markup:
    """A bar for each day, with what was fetched again within it."""
    if not days:
        return Markup("")
    top = max(day["bytes"] for day in days) or 1
    step = _WIDTH / len(days)
    bars = []
    for place, day in enumerate(days):
        for octets, colour in ((day["bytes"], "var(--bar2)"), (day["avoidable_bytes"] or 0, "var(--bar)")):  # fmt: skip
            height = _HEIGHT * octets / top
            bars.append(
                Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>').format(
                    place * step, _HEIGHT - height, max(step - 2, 0.5), height, Markup(colour)
                )
            )  # fmt: skip
    label = (
        f"Sent by day: from {days[0]['day']} to {days[-1]['day']}, at most {bytes_text(top)} a day"
    )
    key = "dark: fetched within the 24 hours before" if any(day["avoidable_bytes"] for day in days) else ""  # fmt: skip
    return Markup(
        '<figure style="margin:0"><svg viewBox="0 0 {w} {h}" role="img" aria-label="{label}">{bars}</svg><figcaption class="soft"><small>{label}{key}</small></figcaption></figure>'
    ).format(w=_WIDTH, h=_HEIGHT, label=label, bars=Markup("").join(bars), key=f" ({key})" if key else "")  # fmt: skip
