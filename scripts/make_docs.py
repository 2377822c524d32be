"""Write the generated pages of docs/ (`make docs`); a test fails when one of them is stale.

A page is a function that returns Markdown, and an entry in `PAGES`.
"""

from __future__ import annotations

import inspect
import json
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import typer.main

from l7meter import schema
from l7meter.analysis.catalogue import COMMON_COLUMNS, Query, catalogue
from l7meter.analysis.whatif import Answer, Selection, caches, limits, mirrors, peers
from l7meter.attribution import Attribution
from l7meter.attribution.reference.importers import load as load_importers
from l7meter.cli.app import app
from l7meter.formats import shipped
from l7meter.formats.catalog import tables
from l7meter.formats.envelopes import ENVELOPES
from l7meter.formats.readings import READINGS
from l7meter.fund import card_file, cards, comparing
from l7meter.fund import policy as policies
from l7meter.fund.account import account
from l7meter.fund.period import Period
from l7meter.ingest import Said, ingest
from l7meter.ingest.capture import CAPTURES
from l7meter.job.reference import table as configuration
from l7meter.privacy import table as personal
from l7meter.reports.columns import kind_of, shown
from l7meter.sources import discover
from l7meter.store import Store, close, connect
from l7meter.store.usage import USAGE
from l7meter.tomlreference import reference

DOCS = Path(__file__).parents[1] / "docs"
SAMPLES = Path(__file__).parents[1] / "sample_logs"
SCHEMAS = Path(__file__).parents[1] / "l7meter/statements"
# as scripts/demo.sh reads them
DEMO: tuple[tuple[tuple[str, ...], str | None], ...] = (
    (("apache/other_vhosts*",), "debian-vhost-combined"),
    (("apache/access.log.bz2",), "debian-combined"),
    (("nginx", "nginx-json", "nginx-l7meter", "caddy", "haproxy", "squid", "varnish"), None),
)


def queries_page() -> str:
    """The catalogue of questions: a list, the common columns, and each query's parameters."""
    queries = catalogue()
    listed = [f"| [{query.name}](#{query.name}) | {query.title} |" for query in queries]
    common = [f"| `{name}` | {meaning} |" for name, meaning in COMMON_COLUMNS.items()]
    lines = [
        "# Questions",
        "",
        "Each question is one SQL file of `queries/`; a file of your own works the same way.",
        "A parameter's default is `null` where it changes nothing. Timestamps without a zone are",
        "UTC; a period includes its start and excludes its end. Bytes take SI (`10GB`) and binary",
        "(`10GiB`) units, durations `s`, `m`, `h`, `d` and `w`.",
        "",
        *("| question | title |", "|---|---|", *listed),
        "",
        "## Columns that mean the same everywhere",
        "",
        *("| column | meaning |", "|---|---|", *common),
        "",
        "Columns of the [schema](schema.md) keep their names. `(others)` folds what did not fit",
        "`limit`, `(unknown)` is what no rule or reference data knows, and `(not said)` what the",
        "source did not say: no row is left out, so sums are sums of everything.",
    ]
    for query in queries:
        lines += _query(query)
    return "\n".join(lines) + "\n"


def _query(query: Query) -> list[str]:
    rows = [
        f"| `{p.name}` | {p.type} | `{p.default}` | {_cell(p.meaning)} |" for p in query.parameters
    ]
    head = ["| parameter | type | default | meaning |", "|---|---|---|---|"]
    return ["", f"## {query.name}", "", f"{query.title}. {query.description}", "", *head, *rows]


def schema_page() -> str:
    """The columns of the record."""
    rows = [
        f"| `{column.name}` | {column.type_name} | {column.kind} | {_cell(column.meaning)} "
        f"| {f'`{column.origin}`' if column.origin else ''} |"
        for column in schema.RECORD
    ]
    lines = [
        "# The record",
        "",
        "One row is one HTTP exchange (request and final response); from captures also a connection",
        "that cannot be opened, a tunnel, or what is left of a connection. A *said* column holds",
        "what the source wrote; a *concluded* column what l7meter made of it. Null means that the",
        "source did not say; zero means that it was measured, and was zero. The last column names",
        "the OpenTelemetry attribute or ECS field that a column is named after.",
        "",
        "| column | type | said or concluded | meaning | origin |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "# Usage by the hour and by the day",
        "",
        "`usage_hourly` and `usage_daily` sum up the records that agree in all of these columns; where",
        "no rollup covers a record yet, it is a row of its own ([store.md](store.md)). Columns that the",
        "record has mean the same.",
        "",
        "| column | type | hourly | daily | meaning |",
        "|---|---|---|---|---|",
        *_usage(),
    ]
    return "\n".join(lines) + "\n"


def _usage() -> list[str]:
    hourly, daily = ({c.name: c for c in USAGE[table]} for table in ("usage_hourly", "usage_daily"))
    return [
        f"| `{name}` | {column.type_name} | {'yes' if name in hourly else ''} "
        f"| {'yes' if name in daily else ''} "
        f"| {'' if name in schema.COLUMNS else _cell(column.meaning)} |"
        for name, column in (hourly | daily).items()
    ]


def _between(page: str, begin: str, end: str, made: str) -> str:
    """A page that a person writes, with what is made between two marks."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{made}{end}{after}"


def run_page() -> str:
    """The batch job: the keys of its configuration are made."""
    page = (DOCS / "run.md").read_text(encoding="utf-8")
    return _between(page, "<!-- keys: generated -->\n", "<!-- keys: end -->", configuration())


def privacy_page() -> str:
    """What is stored of a person: the table of columns is made."""
    page = (DOCS / "privacy.md").read_text(encoding="utf-8")
    return _between(
        page, "<!-- privacy table: begin -->\n", "<!-- privacy table: end -->", personal()
    )


def formats_page() -> str:
    """The shipped formats, and the readings that a mapping may name."""
    rows = [
        f"| `{each.name}` | [{_cell(each.title)}]({each.specification}) | {_cell(each.size)} "
        f"| {_cell(each.moment)} | {'by content' if each.detect else '`--format`'} |"
        for each in (shipped() | CAPTURES).values()
    ]
    notes = [
        f"- `{name}`: {' '.join(filter(None, (_also(table), table.get('note'))))}"
        for name, table in tables().items()
        if {"also", "note"} & set(table)
    ]
    readings = [
        f"| `{name}` | {', '.join(f'`{c}`' for c in each.fills)} |"
        for name, each in READINGS.items()
    ]
    lines = [
        "# Formats",
        "",
        "A format of logs is one file of `l7meter/formats/shipped/`. *Size* says what its octets count:",
        "message (start line, fields and content), content (fields left out), declared (the",
        "Content-Length announced) or wire (whole IP packets). *Moment* says when in the exchange it",
        "takes the time.",
        "",
        "| format | written by | size | moment | recognised |",
        "|---|---|---|---|---|",
        *rows,
        "",
        *notes,
        "",
        "## Around the lines",
        "",
        "What a logging system wrote around the lines is told from content, too, and taken off:",
        *textwrap.wrap(f"{', '.join(envelope.name for envelope in ENVELOPES)}.", 110),
        "",
        "An object in such a field is read as if it stood alone; a syslog head may stand in the field.",
        "`l7meter check` says so. Lines of other programs beside the server's are rejects.",
        "",
        'JSON that is an array, is indented, stands in `{"records": [...]}` or the like (subscriptions of',
        "CloudWatch), or one object behind the other is read as well, some three times slower: the number of",
        "an object is its `source_line`. Such a file that has grown is read again as a whole.",
        "",
        "## Readings",
        "",
        "What a field of a mapping (`--map`, or `[fields]` of a format's file) can be. A column of",
        "the [schema](schema.md) is read by its type; the other readings say how a value is written.",
        "Where two fields fill one column, the reading that stands higher in this list wins.",
        "",
        "| reading | fills |",
        "|---|---|",
        *readings,
        "| `ts_strftime:FORMAT` | `ts` |",
    ]
    return "\n".join(lines) + "\n"


def _also(table: dict[str, Any]) -> str:
    return f"Also written by {'; '.join(table['also'])}." if "also" in table else ""


def refdata_sources_page() -> str:
    """Where reference data can come from, and on which terms."""
    rows = [
        f"| `{each.name}` | [{_cell(each.title)}]({each.page}) | {each.kind} | {each.licence} "
        f"| {_cell(each.attribution)} | {'kept' if each.retain else 'newest only'} |"
        for each in load_importers().values()
    ]
    lines = [
        "# Sources of reference data",
        "",
        "What can be imported beside the snapshot that ships. None of it ships with l7meter: it is your",
        "own download, under the terms of who makes it. *Routes* say which system announces a network,",
        "*systems* what a system is called and who holds it, *networks* what an operator says of its own,",
        "*holders* who holds a network that another announces. Where the terms demand that old versions",
        "be destroyed, only the newest snapshot is kept.",
        "",
        "| name | source | kind | licence | attribution to show | snapshots |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    """Every command with its options and examples."""
    lines = [
        "# The command line",
        "",
        "Exit codes: 0 done; 1 a bug; 2 wrong usage; 3 a source or the store cannot be read (the other",
        "sources were ingested); 4 more rejected lines than `--max-reject-share`.",
    ]
    lines += _command(typer.main.get_command(app), "l7meter")
    return "\n".join(lines) + "\n"


def _command(command: Any, name: str) -> list[str]:
    inner = getattr(command, "commands", None)
    if inner is not None:
        return [line for each in inner.values() for line in _command(each, f"{name} {each.name}")]
    names = [p.metavar or p.name.upper() for p in command.params if p.param_type_name == "argument"]
    rows = [
        f"| {', '.join(f'`{o}`' for o in (*p.opts, *p.secondary_opts))} | {_cell(p.help or '')} | {_default(p)} |"
        for p in command.params
        if p.param_type_name == "option" and p.name != "help"
    ]
    examples = [x.replace("[dim]$[/dim] ", "") for x in (command.epilog or "").split("\n\n")[1:]]
    text = " ".join(inspect.cleandoc(command.callback.__doc__ or "").split())
    return [
        "", f"## {name}", "", f"`{' '.join([name, '[OPTIONS]', *names])}`", "", text, "",
        *(["| option | meaning | default |", "|---|---|---|", *rows, ""] if rows else []),
        "```sh", *examples, "```",
    ]  # fmt: skip


def _default(option: Any) -> str:
    if option.default is None or option.default is False or callable(option.default):
        return ""
    return f"`{getattr(option.default, 'value', option.default)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def whatif_page() -> str:
    """What-ifs: the figures of the demo are made."""
    page = (DOCS / "whatif.md").read_text(encoding="utf-8")
    return _between(page, "<!-- demo: begin -->\n", "<!-- demo: end -->", _demo())


def _demo() -> str:
    """What-ifs of the store that `make demo` makes, as Markdown."""
    selection = Selection(only=(("ecosystem", "pypi"),))
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        for names, format_ in DEMO:
            paths = [str(each) for name in names for each in sorted(SAMPLES.glob(name))]
            with Store.open_or_create(store) as opened:
                ingest(
                    discover(paths)[0],
                    opened,
                    Said(format_),
                    attribution=Attribution(None, refdata=Path(folder) / "refdata"),
                )
        with connect(store, locked=True) as con:
            answers = [
                (caches.cache(con, by="all", sizes=[10**7, 3 * 10**7, 10**8, None]), "cache", "cache_size", "bytes", "avoidable_bytes", "avoidable_share", "origin_requests", "validations"),
                (caches.cache(con, sizes=[None], limit=6), "organization", "attribution", "bytes", "avoidable_bytes", "avoidable_share"),
                (caches.cache(con, selection, by="agent-kind", sizes=[None]), "agent_kind", "bytes", "avoidable_bytes", "avoidable_share"),
                (mirrors.mirrors(con, count=4), "place", "bytes", "fill_bytes", "saved_bytes", "cumulative_share"),
                (peers.peers(con, limit=4), "organization", "bytes", "own_bytes", "peer_bytes", "peer_share"),
                (limits.policy(con, [limits.Tier.parse("free: 3/s"), limits.Tier.parse("paid: 15/s")]), "tier", "limits", "users", "touched_users", "excess_requests", "excess_bytes"),
            ]  # fmt: skip
    return "\n".join(_answer(answer, columns) for answer, *columns in answers)


def fund_page() -> str:
    """Shares of a fund: the keys of a policy, and the figures of the example."""
    page = (DOCS / "fund.md").read_text(encoding="utf-8")
    page = _between(page, "<!-- example: begin -->\n", "<!-- example: end -->", _example())
    keys = reference(policies.Policy, policies.TABLES, policies.ARRAYS)
    return _between(page, "<!-- keys: begin -->\n", "<!-- keys: end -->", keys)


def _example() -> str:
    """The fund of docs/examples/fund, from its log, as Markdown."""
    folder = DOCS / "examples/fund"
    own = folder / "organizations.toml"
    with tempfile.TemporaryDirectory() as temporary:
        store = Path(temporary) / "store"
        attribution = Attribution(["pypi"], organizations=own, refdata=Path(temporary) / "refdata")
        with Store.open_or_create(store) as opened:
            ingest(
                discover([str(folder / "access.log.gz")])[0],
                opened,
                Said("combined"),
                attribution=attribution,
            )
            close(opened, date(2026, 11, 1))
        with connect(store, locked=True) as con:
            made = account(con, policies.read(folder / "policy.toml"), Period.parse("2026-10"))
    shares = comparing.side_by_side(made).drop("requests", "share", "lowest", "highest")
    moved = comparing.disagreement(made)
    title = (
        f"{made.policy.fund.name}, {made.period}: {made.chosen.total:,} {made.policy.fund.currency}"
    )
    return "\n".join(
        [
            _answer(Answer(title, shares.rename({"amount": made.chosen.rule})), shares.rename({"amount": made.chosen.rule}).columns),
            _answer(Answer("What each assumption moves", moved), moved.columns),
        ]
    )  # fmt: skip


def statements_page() -> str:
    """Statements: the keys of their JSON, from its schema."""
    schema_ = json.loads((SCHEMAS / "statement.schema.json").read_text(encoding="utf-8"))
    rows = ["| key | type | meaning |", "|---|---|---|", *_keys(schema_, "")]
    page = (DOCS / "statements.md").read_text(encoding="utf-8")
    return _between(page, "<!-- keys: begin -->\n", "<!-- keys: end -->", "\n".join(rows) + "\n")


def _keys(of: dict[str, Any], place: str) -> Iterator[str]:
    for name, each in of.get("properties", {}).items():
        where = f"{place}.{name}".lstrip(".")
        types = each.get("type", "string")
        listed = [types] if isinstance(types, str) else types
        word = " or ".join(listed)
        yield f"| `{where}` | {word} | {_cell(each['description'])} |"
        yield from _keys(each.get("items", {}), f"{where}[]")
        yield from _keys(each, where)


def _answer(answer: Answer, columns: Sequence[str]) -> str:
    rows = answer.rows.select(columns)
    kinds = [kind_of(name, type_) for name, type_ in rows.schema.items()]
    right = ["---" if kind == "text" else "---:" for kind in kinds]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(right)}|"]
    for row in rows.iter_rows():
        cells = (shown(value, kind) for value, kind in zip(row, kinds, strict=True))
        lines.append(f"| {' | '.join(_cell(each) for each in cells)} |")
    notes = [f"- {note}" for note in answer.notes]
    return "\n".join([f"**{answer.title}**", "", *lines, "", *notes, *([""] if notes else [])])


def cost_page() -> str:
    """Price cards: those that ship, and the keys of a file."""
    page = (DOCS / "cost.md").read_text(encoding="utf-8")
    return _between(page, "<!-- cards: generated -->\n", "<!-- cards: end -->", _cards())


def _cards() -> str:
    """The cards with their regions, and what the file of one may hold, as Markdown."""
    rows = []
    for card in map(cards.read, cards.names()):
        link = (
            f"[{_cell(card.title)}]({card.origin})" if "://" in card.origin else _cell(card.title)
        )
        regions = "; ".join(f"`{each.name}` {_prices(each, card)}" for each in card.regions)
        if card.percentile.price is not None:
            regions = f"{card.percentile.price:f} a Mbit/s"
        also = [f"{card.free_bytes} free"] if card.free_bytes else []
        also += [f"{card.free_requests:,} requests free"] if card.free_requests else []
        also += [f"at least {card.minimum:f} a month"] if card.minimum else []
        rows.append(f"| `{card.name}` | {link} | {card.as_of} | {card.currency}/{card.unit} | {regions} | {', '.join(also)} |")  # fmt: skip
    head = ["| card | price list | as of | money | a unit of bytes, from the first to the last tier | also |", "|---|---|---|---|---|---|"]  # fmt: skip
    keys = reference(card_file.CardKeys, card_file.TABLES, card_file.ARRAYS)
    return "\n".join([*head, *rows, "", "## The file of a card", "", keys])


def _prices(region: card_file.Region, card: cards.Card) -> str:
    first, last = region.tiers[0].price, region.tiers[-1].price
    bytes_ = f"{first:f}" if first == last else f"{first:f} to {last:f}"
    return bytes_ if region.requests is None else f"{bytes_}, {card.requests_per:,} requests {region.requests:f}"  # fmt: skip


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "cost.md": cost_page,
    "formats.md": formats_page,
    "privacy.md": privacy_page,
    "queries.md": queries_page,
    "refdata-sources.md": refdata_sources_page,
    "run.md": run_page,
    "schema.md": schema_page,
    "whatif.md": whatif_page,
    "fund.md": fund_page,
    "statements.md": statements_page,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
