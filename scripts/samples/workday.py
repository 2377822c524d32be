"""Makes a week out of a few hundred real sessions.

Each real session's lines are a template. A seeded plan draws (network, client, session, instant) with
heavy-tailed weights and writes the template's lines again with that client's address and that
instant. So every line is a real line of a real server; who and when is the plan's.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from samples.clients import Session
from samples.lines import FORMS, address_of, epoch_of, rewrite
from samples.population import HABITS, HOURS, NETWORKS, addresses

SEED = "l7meter samples 1"
MONDAY = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
DAYS = 7
END = MONDAY + dt.timedelta(days=6, hours=6)  # "now": Sunday morning, so the last file is short
SESSIONS = 6500
WEEKEND = 0.35  # weight of a day of the weekend for those who work at all
TAIL = 1.1  # exponent of Zipf's law over a network's clients


class Source(NamedTuple):
    """A server's log and the form of its lines."""

    path: str
    form: str


# Each request of the week is in exactly one of these, so that their sum is a sum of requests
SOURCES = {
    "pypi": Source("nginx/pypi.combined.log", "clf"),
    "npm": Source("nginx/npm.l7meter.log", "l7meter"),
    "cargo": Source("nginx/cargo.json.log", "json"),
    "maven": Source("apache/maven.vhost_combined.log", "vhost"),
    "debian": Source("apache/debian.combined-O.log", "clf"),
    "gems": Source("caddy/gems.log", "caddy"),
    "git": Source("haproxy/haproxy.log", "haproxy"),
    "squid": Source("squid/access.log", "squid"),
    "varnish": Source("varnish/varnishncsa.log", "clf"),
}


class Line(NamedTuple):
    """A line of the week; sorts by instant, then by order of writing."""

    epoch: float
    order: int
    text: bytes


def templates(logs: Path) -> dict[str, list[tuple[str, bytes, float]]]:
    """Source address of a session -> its lines: (name of the log, line, epoch seconds)."""
    found: dict[str, list[tuple[str, bytes, float]]] = defaultdict(list)
    for name, source in SOURCES.items():
        path, form = logs / source.path, FORMS[source.form]
        if not path.exists():
            continue
        for line in path.read_bytes().splitlines(keepends=True):
            address = address_of(line, form)
            if address is not None:
                found[address].append((name, line, epoch_of(line, form)))
    return dict(found)


def _instant(rng: random.Random, hours: str) -> int:
    weights = HOURS[hours]
    days = [
        1.0 if day < 5 else (0.0 if hours.endswith("-week") else WEEKEND) for day in range(DAYS)
    ]
    day = rng.choices(range(DAYS), days)[0]
    hour = rng.choices(range(24), weights)[0]
    # cron jobs start at the full hour
    second = int(rng.expovariate(1 / 200)) % 3600 if hours == "cron" else rng.randrange(3600)
    return int(MONDAY.timestamp()) + day * 86400 + hour * 3600 + second


def week(logs: Path, sessions: list[Session]) -> dict[str, list[Line]]:
    """The lines of each log of `SOURCES`, in order of time."""
    rng = random.Random(SEED)
    lines = templates(logs)
    by_kind: dict[str, list[str]] = defaultdict(list)
    for session in sessions:
        if session.source in lines:
            by_kind[session.kind].append(session.source)
    clients = {network: addresses(network) for network in NETWORKS}
    order = itertools.count()
    out: dict[str, list[Line]] = defaultdict(list)
    end = END.timestamp()
    for network in rng.choices(NETWORKS, [n.weight for n in NETWORKS], k=SESSIONS):
        habits = {kind: w for kind, w in HABITS[network.habits].items() if by_kind[kind]}
        if not habits:  # the client that would have run is not installed
            continue
        kind = rng.choices(list(habits), list(habits.values()))[0]
        pool = clients[network]
        tail = [(rank + 1) ** -TAIL for rank in range(len(pool))]
        address = rng.choices(pool, tail)[0]
        chosen = by_kind[kind]
        template = lines[rng.choices(chosen, [(i + 1) ** -0.5 for i in range(len(chosen))])[0]]
        start = _instant(rng, network.hours)
        shift = start - int(min(epoch for _, _, epoch in template))
        for name, text, epoch in template:
            if epoch + shift < end:
                form = FORMS[SOURCES[name].form]
                new = rewrite(text, form, address, shift)
                out[name].append(Line(epoch + shift, next(order), new))
    return {name: sorted(found) for name, found in out.items()}
