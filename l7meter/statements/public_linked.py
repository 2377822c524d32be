"""What tables beside each other tell: whether the difference of their sums is of few clients.

Two tables part the same records by other keys. Draw a node for each row of either, and an edge between two that have
records in common. A sum over some of these cells follows from the rows' sums, without a minus sign among them,
exactly if the cells are all those that go out of a set of nodes, from rows of the one table to rows of the other,
and none comes in: the rows inside subtract to it (a directed cut; that a single cell follows only where its edge is a bridge
is Gusfield, A Graph Theoretic Approach to Statistical Data Security, SIAM J. Comput. 17(3), 1988,
https://doi.org/10.1137/0217034). Such a sum must be of no fewer clients than the floor.

It is assumed that the reader knows which cells are empty. That is more than most know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from itertools import combinations

import polars as pl

from l7meter.statements.public_tables import KEYS, ORGANIZATION
from l7meter.store import Connection

_Node = tuple[int, str]  # of which table, and which row
MOST = 12  # groups of rows whose every set is looked at; more count as telling


def expression(table: str) -> str:
    """The column of `public_clients` that a table parts by."""
    return "named" if table == ORGANIZATION else KEYS[table][0]


class Beside:
    """Tables of `public_clients` that are to be shown beside each other."""

    def __init__(self, con: Connection, floor: int) -> None:
        self.con, self.floor = con, floor
        self.kept: dict[str, pl.DataFrame] = {}
        self._known: dict[tuple[str, str], pl.DataFrame] = {}

    def tells(self, name: str, frame: pl.DataFrame) -> bool:
        """Whether a folded table beside one that is kept gives the sums of 1 to `floor` - 1 clients."""
        return any(self._both(other, kept, name, frame) for other, kept in self.kept.items())

    def _both(self, one: str, first: pl.DataFrame, other: str, second: pl.DataFrame) -> bool:
        if (one, other) not in self._known:
            self._known[one, other] = _cells(self.con, expression(one), expression(other), self.floor)  # fmt: skip
        names = _rows(first), _rows(second)
        rows: dict[tuple[str, str], frozenset[int] | None] = {}
        for left, right, few in self._known[one, other].iter_rows():  # cells of two small tables
            place = names[0].get(left, ""), names[1].get(right, "")
            before = rows.get(place, frozenset())
            met = None if few is None or before is None else before | frozenset(few)
            rows[place] = None if met is None or len(met) >= self.floor else met
        return _few(rows, self.floor)


def _rows(frame: pl.DataFrame) -> dict[str, str]:
    """The rows that stand by themselves; all other keys are of the folded row, here `""`."""
    alone = frame.filter(pl.col("clients").is_not_null())
    return {name: name for name in alone.to_series(0)}


def _cells(con: Connection, one: str, other: str, floor: int) -> pl.DataFrame:
    """Each cell that has records: its clients' registers, null where they are as many as the floor.

    Records without an address are of nobody knows how few.
    """
    sql = f"""
    WITH met AS (
        SELECT DISTINCT {one} AS one, {other} AS other, register FROM public_clients
    ), counted AS (
        SELECT one, other, if(count(*) >= {floor}, NULL, list(register)) AS few FROM met GROUP BY ALL
    )
    SELECT one, other, few FROM counted
    UNION ALL
    (SELECT DISTINCT {one}, {other}, CAST([] AS BIGINT[]) FROM public_usage
        WHERE ({one}, {other}) NOT IN (SELECT (one, other) FROM counted))"""
    found: pl.DataFrame = con.sql(sql).pl()
    return found


def _few(cells: Mapping[tuple[str, str], Set[int] | None], floor: int) -> bool:
    """Whether a directed cut is of few clients; `cells` has the clients of each, None for enough."""
    above: dict[_Node, _Node] = {}

    def top(node: _Node) -> _Node:
        while (up := above.get(node, node)) != node:
            node = up
        return node

    for (one, other), few in cells.items():
        if few is None:  # no cut with this cell is of few
            above[top((0, one))] = top((1, other))
    edges: dict[tuple[_Node, _Node], set[int]] = {}
    for (one, other), few in cells.items():
        ends = top((0, one)), top((1, other))
        if few is not None and ends[0] != ends[1]:
            edges.setdefault(ends, set()).update(few)
    nodes = sorted({end for ends in edges for end in ends})
    if len(nodes) > MOST:
        return True
    return any(len(out) < floor for out in _cuts(nodes, edges))


def _cuts(nodes: list[_Node], edges: Mapping[tuple[_Node, _Node], Set[int]]) -> Iterator[set[int]]:  # fmt: skip
    """The clients of each directed cut."""
    for size in range(1, len(nodes)):
        for chosen in combinations(nodes, size):
            inside = set(chosen)
            if any(end in inside and begin not in inside for begin, end in edges):
                continue
            if out := [few for (begin, end), few in edges.items() if begin in inside and end not in inside]:  # fmt: skip
                yield set().union(*out)
