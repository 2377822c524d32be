"""The READMEs of the samples, written from what was made."""

from __future__ import annotations

from pathlib import Path

from samples.clients import Session
from samples.configs import NGINX_LOG_FORMAT
from samples.population import HABITS, NETWORKS, addresses
from samples.sessions import IMITATED
from samples.traps import TARGETS, Exchange
from samples.workday import END, MONDAY, SEED, SESSIONS, TAIL

LOGS = """# Sample logs

Made by `make samples` (`scripts/make_samples.py`); this page is generated, edit the script.

Every line here was written by a real server ({versions}) about a request that a real client sent to it
over loopback. The packages are invented. In `traps/` the lines are as the servers wrote them. In the
week (everything else) two fields were rewritten, and nothing else:

- the client's address: from the loopback address of the client to an address of the map below;
- the time: moved by whole seconds, {monday:%d %B %Y} to {end:%d %B %Y, %H:%M} UTC.

The week is {lines:,} lines out of {real:,} real lines of {sessions} client sessions. A seeded plan (`{seed}`)
draws {planned:,} times a network by weight, one of its clients by Zipf's law (exponent {tail}), a session the
network has a habit of, and an instant, and writes the session's lines with that address and instant.
Each request of the week is in exactly one file, so their sum is a sum of requests. The log of Squid is a
different vantage: a company's own proxy, with private client addresses.

Imitated: these agents are names that curl sent, the software did not run: {imitated}.
Ports 18400 to 18499 are the ports the servers really listened on.

## The week

| file | lines | octets, unpacked | format | what it shows |
|---|---:|---:|---|---|
{week}

The format of `nginx-l7meter/`, which says everything l7meter can use (tabs in values are escaped, so a
split at tabs is exact; `$request_completion` is `OK` or empty, `$bytes_sent` is the message):

```nginx
{l7meter}
```

## Traps

Ugly and special requests, one phenomenon at a time, sent octet by octet to each server. Beside each log
stands `exchanges.tsv`, the client's own count: the phenomenon, the line of the server's log it left
(`first_line`, empty for none; `lines`, how many), the time it began and ended by the same clock, octets sent and received, octets of
content received, the status line, and what was sent (as a Python bytes literal without its quotes). `truth.tsv` is the server's own accounting,
line by line with the log; its heading names the server's variables. In Squid's, a line more than in `access.log`:
there the line of `target-too-long` lost its end, and the next one follows it without a line feed.
`nginx/behind-proxies.log` is the origin's log of what HAProxy and Squid forwarded, with X-Forwarded-For.
What the traps taught is in `docs/format-notes.md`.

| server | phenomena | lines | files |
|---|---:|---:|---|
{traps}

Phenomena: {phenomena}.

## Map of addresses

The prefixes are held by the operators named; the hosts in them are invented. None of these organisations
sent any of the requests, and the shares say nothing about them.

| network | prefix | clients | weight | habit | when |
|---|---|---:|---:|---|---|
{map}

Habits are weights over kinds of session:
{habits}.
"""


def _table(rows: list[list[object]]) -> str:
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def logs(
    out: Path,
    rows: list[dict[str, object]],
    trap_rows: list[dict[str, object]],
    versions: dict[str, str],
    sessions: list[Session],
    exchanges: dict[str, list[Exchange]],
    real: int,
) -> None:
    """`sample_logs/README.md`."""
    week = [
        [f"`{r['path']}`", f"{r['lines']:,}", f"{r['octets']:,}", r["format"], r["shows"]]
        for r in rows
    ]
    traps: list[list[object]] = [
        [
            server,
            len(exchanges[server]),
            sum(e.lines for e in exchanges[server]),
            ", ".join(
                f"`{Path(str(r['path'])).name}`"
                for r in trap_rows
                if str(r["path"]).split("/")[1] == server
            ),
        ]
        for server in TARGETS
        if server in exchanges
    ]
    networks: list[list[object]] = [
        [n.label, n.prefix, len(addresses(n)), n.weight, n.habits, n.hours] for n in NETWORKS
    ]
    habits = [
        f"{name} ({', '.join(f'{kind} {weight}' for kind, weight in kinds.items())})"
        for name, kinds in HABITS.items()
    ]
    named = dict.fromkeys(e.phenomenon for found in exchanges.values() for e in found)
    (out / "README.md").write_text(
        LOGS.format(
            versions=", ".join(f"{name} {version}" for name, version in versions.items()),
            monday=MONDAY,
            end=END,
            lines=sum(int(str(r["lines"])) for r in rows),
            real=real,
            sessions=len(sessions),
            seed=SEED,
            planned=SESSIONS,
            tail=TAIL,
            imitated=", ".join(IMITATED),
            week=_table(week),
            l7meter=NGINX_LOG_FORMAT,
            traps=_table(traps),
            phenomena=", ".join(named),
            map=_table(networks),
            habits="; ".join(habits),
        )
    )
