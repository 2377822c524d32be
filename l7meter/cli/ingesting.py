"""`l7meter ingest`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import (
    DEFAULT_STORE,
    EngineOption,
    FormatOption,
    HopsOption,
    KeysOption,
    LogFormatOption,
    MapOption,
    OrganizationsOption,
    RefdataOption,
    RegistryOption,
    StoreOption,
    ZoneOption,
    examples,
    said,
)
from l7meter.cli.privacy import (
    Addresses,
    AddressesOption,
    AgentsOption,
    FingerprintsOption,
    Kept,
    KeyFileOption,
    QueriesOption,
    Referrers,
    ReferrersOption,
    RejectsOption,
    UserNames,
    UserNamesOption,
    policy_from,
)
from l7meter.errors import REJECTED, UNREADABLE, UsageError

if TYPE_CHECKING:
    from l7meter.ingest import Ingested

EXAMPLES = examples(
    "l7meter ingest /var/log/nginx",
    "l7meter ingest 'logs/2026-10-*.gz' --format debian-combined --store /srv/meter",
    "l7meter ingest --log-format /etc/nginx/nginx.conf:main access.log",
    "l7meter ingest --map time=ts --map client_ip=client_address --map bytes=response_size events.jsonl",
    "l7meter ingest --store /srv/meter captures/*.pcap.zst",
    "l7meter ingest --tls-keys keys.log session.pcapng",
    "zcat old.gz | l7meter ingest - --output json",
)


def ingest(
    sources: Annotated[list[str], typer.Argument(help="Files, directories, globs, or - for standard input.", metavar="SOURCE...")],
    store: StoreOption = DEFAULT_STORE,
    format_: FormatOption = None,
    log_format: LogFormatOption = None,
    map_: MapOption = None,
    trusted_hops: HopsOption = 0,
    timezone: ZoneOption = "UTC",
    registry: RegistryOption = None,
    organizations: OrganizationsOption = None,
    refdata: RefdataOption = None,
    engine: EngineOption = None,
    tls_keys: KeysOption = None,
    privacy_addresses: AddressesOption = Addresses.full,
    privacy_key_file: KeyFileOption = None,
    privacy_queries: QueriesOption = Kept.keep,
    privacy_referrers: ReferrersOption = Referrers.keep,
    privacy_user_names: UserNamesOption = UserNames.keep,
    privacy_agents: AgentsOption = Kept.keep,
    privacy_fingerprints: FingerprintsOption = Kept.keep,
    privacy_rejects: RejectsOption = Kept.keep,
    reread: Annotated[bool, typer.Option("--reread", help="Open files, too, that have the size and the time that they had when they were read.")] = False,
    max_reject_share: Annotated[float, typer.Option("--max-reject-share", min=0, max=1, help="Exit with 4 if a larger share of the lines is rejected.")] = 0.05,
    output: Annotated[str, typer.Option("--output", "-o", help="table, or json for one object on standard output.")] = "table",
) -> None:  # fmt: skip
    """Read access logs and packet captures into a store, each once; print what was read and who used the bandwidth.

    A source that the store has is left alone, under whatever name it comes; of a log that has grown,
    what is new is read. Lines that are no records are kept with their reason in the table `rejects`.
    """
    from l7meter.attribution import Attribution
    from l7meter.cli.progress import progress
    from l7meter.ingest import ingest as run
    from l7meter.privacy import Privacy
    from l7meter.reports.cells import visible
    from l7meter.sources import discover
    from l7meter.store import Store

    if output not in ("table", "json"):
        raise UsageError(f"--output {output}: ingest gives table or json")
    what = said(format_, log_format, map_, trusted_hops, timezone, engine, tls_keys)
    attribution = Attribution(registry, organizations=organizations, refdata=refdata)
    policy = policy_from(privacy_addresses, privacy_key_file, privacy_queries, privacy_referrers, privacy_user_names, privacy_agents, privacy_fingerprints, privacy_rejects)  # fmt: skip
    names, missing = discover(sources)
    with Store.open_or_create(store) as opened, progress(len(names)) as report:
        done = run(names, opened, what, attribution=attribution, privacy=Privacy(policy), reread=reread, progress=report)  # fmt: skip
    for name, problem in missing:
        done.sources.append(_missing(name, problem))
    doubts = attribution.doubts(done.last_ts.date()) if done.last_ts else []
    if output == "json":
        print(json.dumps(done.as_dict() | {"reference_data_doubts": doubts}, ensure_ascii=False))
    else:
        hint = "'l7meter refdata update' fetches newer"
        notes = [f"Reference data: {doubt}; {hint}" for doubt in doubts]
        _answer(done, store, [*notes, *attribution.declared.notes])
    for source in done.sources:
        if source.problem:
            print(visible(f"l7meter: {source.name}: {source.problem}"), file=sys.stderr)
    lines = sum(source.lines for source in done.logs)
    if done.failed:
        raise typer.Exit(UNREADABLE)
    if lines and done.total("rejects") > max_reject_share * lines:
        print(f"l7meter: {done.total('rejects'):,} of {lines:,} lines were rejected, more than --max-reject-share {max_reject_share:g}: 'l7meter check SOURCE' says why", file=sys.stderr)  # fmt: skip
        raise typer.Exit(REJECTED)


def _missing(name: str, problem: str):  # type: ignore[no-untyped-def]
    from l7meter.ingest.outcome import Source

    return Source(name, status="failed", problem=problem)


def _answer(done: Ingested, store: Path, notes: Sequence[str]) -> None:
    """What was read, the one-screen answer, and what is to be known of it."""
    from l7meter.analysis import load, run
    from l7meter.cli.printing import console, literal, print_table
    from l7meter.cli.summary import summary
    from l7meter.store import connect

    out = console()
    for line in summary(done):
        out.print(line, highlight=False)
    if not done.total("records") and not any(s.status == "known" for s in done.sources):
        return
    with connect(store) as connection:
        for name in ("top_organizations", "top_asns", "top_agents"):
            query = load(name)
            out.print()
            print_table(run(connection, query, {"limit": 5}), query.title)
    for note in notes:
        out.print(f"\n{literal(note)}", highlight=False)
    out.print(f"\nMore: l7meter query --store {literal(str(store))}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(ingest)
