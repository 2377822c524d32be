"""A public report as one page: no scripts, nothing from elsewhere, for the screen, for paper and for who listens."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from l7meter.statements.page import environment, period_text
from l7meter.statements.public_tables import OTHERS, OUTSIDE
from l7meter.units import bytes_text, number_text, percent_text

WIDTH, HEIGHT = 720, 150  # of the chart of days
SIDE, LEFT = 300, 48  # of the curve, and of what stands beside it
_LINES = {"addresses": ("var(--bar)", "0"), "organizations": ("var(--bar3)", "6 4")}
_CALLED = {"addresses": "client addresses", "organizations": "organisations"}
Document = Mapping[str, Any]


@cache
def words() -> dict[str, Any]:
    """What things are called, from `public_words.toml`."""
    return tomllib.loads((files("l7meter.statements") / "public_words.toml").read_text("utf-8"))


def render(document: Document, csv: Iterable[str] = ()) -> str:
    """The page of a report's document (`public.make`), as HTML; `csv` names the tables that have a file beside it."""
    made = environment()
    made.filters |= {"change": lambda ratio: percent_text(ratio, signed=True), "number": number_text}  # fmt: skip
    tables = [each for name in words()["tables"] if (each := _table(document, name))]
    return made.get_template("public.html.j2").render(
        d=document,
        period=period_text(document),
        tables=tables,
        brief=list(_brief(document)),
        days=_days(document["days"] or []),
        curve=_curve(document["concentration"]),
        called=_CALLED,
        bases=words()["bases"],
        methods=words()["methods"],
        csv=sorted(csv),
    )


def _table(document: Document, name: str) -> dict[str, Any] | None:
    """A table as the page has it: `rows` with `key`, `label`, `change` and the figures."""
    rows = document[name]
    if not rows:
        return None
    said = words()["tables"][name]
    key = next(iter(rows[0]))
    growth = document["growth"] or {"rows": []}
    changes = {each["key"]: each["change"] for each in growth["rows"] if each["table"] == name}
    most = max((row["share"] or 0 for row in rows if row[key] != OUTSIDE), default=0) or 1
    shown = [
        {**row, "key": row[key], "label": said["words"].get(row[key], _plain(row[key])), "change": changes.get(row[key]), "bar": _bar((row["share"] or 0) / most) if row[key] != OUTSIDE else ""}
        for row in rows
    ]  # fmt: skip
    return {"name": name, **said, "rows": shown, "changes": bool(changes), "clients": any(row["clients"] for row in rows)}  # fmt: skip


def _plain(key: str) -> str:
    return "All others, put together" if key == OTHERS else key


def _bar(part: float) -> Markup:
    return Markup('<svg class="b" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect width="{:.1f}" height="10"/></svg>').format(100 * part)  # fmt: skip


def _brief(document: Document) -> Iterable[str]:
    """The report in a few sentences, of what it has."""
    tables = words()["tables"]
    if networks := _largest(document["networks"]):
        yield f"{percent_text(networks['share'])} of all bytes went to one kind of network: {_lower(tables['networks']['words'].get(networks['network_kind'], networks['network_kind']))}."  # fmt: skip
    if (share := document["unattributed_share"]) is not None:
        yield f"Of {percent_text(share)} nobody can say which organisation used them."
    rows = {row["agent_kind"]: row["share"] for row in document["agents"] or [] if row["share"] is not None}  # fmt: skip
    if "ci" in rows:
        yield f"At least {percent_text(rows['ci'])} went to continuous integration."
    if robots := [rows[kind] for kind in ("ai-crawler", "ai-agent") if kind in rows]:
        yield f"At least {percent_text(sum(robots))} went to AI crawlers and agents that say so."
    for name, spread in document["concentration"].items():
        if spread and (point := _nearest(spread["points"], 0.1)):
            yield f"The top {percent_text(point['top'])} of {_CALLED[name]} received {percent_text(point['share'])}{' of what went to such' if name == 'organizations' else ''}."  # fmt: skip
    if again := document["redundancy"]:
        yield f"{percent_text(again['share'])} was fetched again by those who had fetched it within {again['window_hours']} hours: a cache would have served it."  # fmt: skip


def _largest(rows: list[dict[str, Any]] | None) -> dict[str, Any] | None:
    named = [row for row in rows or [] if row["clients"] is not None and row["share"] is not None]
    return max(named, key=lambda row: row["share"], default=None)


def _lower(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _nearest(points: list[dict[str, Any]], part: float) -> dict[str, Any] | None:
    return min(points, key=lambda point: abs(point["top"] - part), default=None)


# Charts


def _days(days: list[dict[str, Any]]) -> Markup:
    """A bar for each day that stands by itself; the axis says what the tallest is."""
    days = [day for day in days if day["clients"] is not None and day["bytes"] is not None]
    if not days:
        return Markup("")
    top = max(day["bytes"] for day in days) or 1
    step = WIDTH / len(days)
    bars = [
        Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {}</title></rect>').format(
            place * step + step * 0.1, 18 + HEIGHT * (1 - day["bytes"] / top), step * 0.8, HEIGHT * day["bytes"] / top, day["day"], bytes_text(day["bytes"])
        )
        for place, day in enumerate(days)
    ]  # fmt: skip
    every = -(-len(days) // 8)
    names = [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format((place + 0.5) * step, HEIGHT + 36, day["day"][5:])
        for place, day in enumerate(days)
        if place % every == 0
    ]  # fmt: skip
    return Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-label="Bytes by day, at most {top} a day; the figures are in the table below">'
        '<line class="grid" x1="0" x2="{w}" y1="18" y2="18"/><text x="0" y="12">{top}</text>'
        '<g class="bars">{bars}</g><line class="axis" x1="0" x2="{w}" y1="{base}" y2="{base}"/>{names}</svg>'
    ).format(w=WIDTH, h=HEIGHT + 44, base=HEIGHT + 18, top=bytes_text(top), bars=Markup("").join(bars), names=Markup("").join(names))  # fmt: skip


def _curve(spreads: Document) -> Markup:
    """Which part of the bytes the largest part of the members received, beside a line of equal parts."""
    drawn = [(name, spread) for name, spread in spreads.items() if spread and spread["points"]]
    if not drawn:
        return Markup("")
    lines = []
    for name, spread in drawn:
        colour, dashes = _LINES[name]
        points = [(0.0, 0.0), *((each["top"], each["share"]) for each in spread["points"]), (1.0, 1.0)]  # fmt: skip
        path = " ".join(f"{LEFT + SIDE * x:.1f},{10 + SIDE * (1 - y):.1f}" for x, y in points)
        dots = Markup("").join(
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"><title>{} of {}: {} of the bytes</title></circle>').format(
                LEFT + SIDE * x, 10 + SIDE * (1 - y), Markup(colour), percent_text(x), _CALLED[name], percent_text(y)
            )
            for x, y in points[1:-1]
        )  # fmt: skip
        lines.append(Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>{}').format(path, Markup(colour), dashes, dots))  # fmt: skip
    ticks = [
        Markup('<text x="{:.0f}" y="{}" text-anchor="middle">{} %</text><text x="42" y="{:.0f}" text-anchor="end">{} %</text>').format(
            LEFT + SIDE * part / 100, SIDE + 28, part, 14 + SIDE * (1 - part / 100), part
        )
        for part in (0, 50, 100)
    ]  # fmt: skip
    keys = [
        Markup('<line x1="{x}" x2="{y}" y1="{z}" y2="{z}" stroke="{c}" stroke-width="2" stroke-dasharray="{d}"/><text x="{t}" y="{u}">{n}</text>').format(
            x=150, y=180, z=230 + 20 * place, c=Markup(_LINES[name][0]), d=_LINES[name][1], t=188, u=234 + 20 * place, n=_CALLED[name]
        )
        for place, (name, _) in enumerate(drawn)
    ]  # fmt: skip
    return Markup(
        '<svg class="curve" viewBox="0 0 {w} {h}" role="img" aria-label="Lorenz curve: which part of the bytes the largest part of the members received; the figures are in the table beside">'
        '<rect class="frame" x="{l}" y="10" width="{s}" height="{s}"/><line class="even" x1="{l}" y1="{b}" x2="{r}" y2="10"/>{lines}{ticks}{keys}</svg>'
    ).format(w=SIDE + 68, h=SIDE + 36, s=SIDE, l=LEFT, b=SIDE + 10, r=SIDE + LEFT, lines=Markup("").join(lines), ticks=Markup("").join(ticks), keys=Markup("").join(keys))  # fmt: skip
