"""How unevenly a period's octets are spread over organisations, and over client addresses.

A Lorenz curve at a few points: what the largest part of the members makes of all octets of its population. Between
two points, and beyond the first and the last, are never fewer members than the floor; points that would leave fewer are left
out. Octets themselves are not given: beside those of other tables they could be subtracted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import polars as pl

from l7meter.analysis.publishing import significant
from l7meter.fund.period import Period
from l7meter.statements.public_tables import ORGANIZATION, OUTSIDE
from l7meter.store import Connection

TOP = 10  # members that have a point of their own
PARTS = tuple(each / 10 for each in range(1, 10))
Spread = dict[str, Any]


def organizations(named: pl.DataFrame, shown: Collection[str], floor: int, digits: int) -> Spread | str:  # fmt: skip
    """The spread over organisations, or why there is none; `shown` are named elsewhere, with their octets.

    `named` has all of them, as `public_tables.Use` does. Between two points are no or at least `floor` that are not shown.
    """
    members = named.filter(pl.col(ORGANIZATION) != OUTSIDE).sort("bytes", ORGANIZATION, descending=[True, False], nulls_last=True)  # fmt: skip
    hidden = (~members[ORGANIZATION].is_in(list(shown))).to_numpy()
    octets = members["bytes"].fill_null(0).to_numpy().astype(float)
    return _spread("organisations", octets, hidden, floor, digits)


def addresses(con: Connection, period: Period, floor: int, digits: int) -> Spread | str:
    """The spread over client addresses, or why there is none: it takes the records themselves."""
    values = {"since": period.since, "until": period.until}
    within = "ts >= $since AND ts < $until"
    held = con.execute(f"SELECT count(*) FROM records WHERE {within}", values).fetchall()[0][0]
    summed = con.execute("SELECT sum(records) FROM usage_by_hour($since, $until)", values).fetchall()[0][0]  # fmt: skip
    if held != summed:
        return "The spread over addresses is left out: records of this period were removed by retention, and their sums do not tell addresses apart."  # fmt: skip
    # sums per address and weight first, for sums that are the same each time
    octets = con.sql(
        f"""SELECT round(sum(part ORDER BY part)) AS octets FROM (
            SELECT client_address, sum(server_bytes) * coalesce(sample_weight, 1) AS part FROM records
            WHERE {within} AND client_address IS NOT NULL GROUP BY client_address, sample_weight
        ) GROUP BY client_address ORDER BY octets DESC NULLS LAST""",
        params=values,
    ).pl()
    sums = octets["octets"].fill_null(0).to_numpy().astype(float)
    return _spread("addresses", sums, np.ones(len(sums), bool), floor, digits)


def _spread(what: str, octets: np.ndarray[Any, Any], hidden: np.ndarray[Any, Any], floor: int, digits: int) -> Spread | str:  # fmt: skip
    """Of members' octets, the largest first, and which of them are shown nowhere else."""
    members, total = len(octets), octets.sum()
    if not total:
        return f"The spread over {what} is left out: no bytes of theirs were measured."
    if hidden.sum() < 2 * floor:
        return f"The spread over {what} is left out: there are too few of them for groups of at least {floor}."  # fmt: skip
    unseen = np.concatenate([[0], np.cumsum(hidden)])
    received = np.concatenate([[0.0], np.cumsum(octets)])
    places = np.arange(1, members + 1)
    gini = (members + 1 - 2 * np.sum(places * octets) / total) / members
    points = [
        {"top": float(_rounded(count / members, digits)), "members": int(_rounded(count, digits)), "share": float(_rounded(received[count] / total, digits))}
        for count in _points(unseen, members, floor)
    ]  # fmt: skip
    wanted = len(PARTS) + 2
    notes = [f"{wanted - len(points)} of {wanted} points of the curve over {what} are left out: they would stand for fewer than {floor}."] if len(points) < wanted else []  # fmt: skip
    return {"members": int(_rounded(members, digits)), "gini": float(_rounded(gini, digits)), "points": points, "notes": notes}  # fmt: skip


def _points(unseen: Sequence[int] | np.ndarray[Any, Any], members: int, floor: int) -> list[int]:
    """How many of the largest the points are of: the top 1 %, the top 10 and each tenth, as far as they may be."""
    kept = [0, members]
    for count in (-(-members // 100), TOP, *(round(members * part) for part in PARTS)):
        if 0 < count < members and count not in kept:
            near = max(each for each in kept if each < count), min(each for each in kept if each > count)  # fmt: skip
            if all(_enough(abs(int(unseen[count] - unseen[each])), count - each, floor) for each in near):  # fmt: skip
                kept.append(count)
    return sorted(kept)[1:-1]


def _enough(unseen: int, apart: int, floor: int) -> bool:
    return abs(apart) >= floor and (unseen == 0 or unseen >= floor)


def _rounded(number: float, digits: int) -> float:
    return float(significant(pl.Series([float(number)]), digits)[0])
