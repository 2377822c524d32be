"""`l7meter capture`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import (
    DEFAULT_STORE,
    OrganizationsOption,
    RefdataOption,
    RegistryOption,
    StoreOption,
    examples,
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
    policy_from,
)
from l7meter.cli.summary import count_text
from l7meter.errors import SourceError

if TYPE_CHECKING:
    from l7meter.ingest import Ingested
    from l7meter.ingest.capturing import Metered, Metering

EXAMPLES = examples(
    "l7meter capture eth0",
    "l7meter capture eth0 --filter 'tcp port 80' --duration 3600",
    "l7meter capture any --store /srv/meter --delete --files 50",
    "l7meter capture eth0 --directory /var/spool/captures --every 60 --size 200",
)
FILTER = "tcp or udp port 443"  # HTTP on any port, and QUIC
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def capture(
    interface: Annotated[str, typer.Argument(help="The network interface; any for all of Linux's, which counts a packet on each it passes.", metavar="INTERFACE")],
    store: StoreOption = DEFAULT_STORE,
    filter_: Annotated[str, typer.Option("--filter", metavar="EXPRESSION", help="What is captured (pcap-filter). It does not look into VLAN tags or tunnels by itself; '' takes every packet.")] = FILTER,
    snap: Annotated[int, typer.Option("--snap", metavar="OCTETS", min=0, help="Octets kept of a packet, 0 for all. Byte counts stay right, as lengths come from IP headers, but heads beyond are lost: if any, 2048 or more.")] = 0,
    every: Annotated[int, typer.Option("--every", metavar="SECONDS", min=1, help="Begin another file after so long ...")] = 300,
    size: Annotated[int, typer.Option("--size", metavar="MB", min=1, help="... or when the file is so large.")] = 1000,
    files: Annotated[int | None, typer.Option("--files", metavar="N", min=1, help="At most so many finished files on disc: the oldest are deleted, and if reading lags so far behind, unread (and counted).")] = None,
    directory: Annotated[Path | None, typer.Option("--directory", metavar="DIR", help="Where the files are made; 'captures' in the store if not given. For you alone (0700, files 0600): captures hold personal data.")] = None,
    delete: Annotated[bool, typer.Option("--delete/--keep", help="Delete a file once it is in the store.")] = False,
    duration: Annotated[float | None, typer.Option("--duration", metavar="SECONDS", min=0, help="Stop after so long; else on Ctrl-C or SIGTERM.")] = None,
    registry: RegistryOption = None,
    organizations: OrganizationsOption = None,
    refdata: RefdataOption = None,
    privacy_addresses: AddressesOption = Addresses.full,
    privacy_key_file: KeyFileOption = None,
    privacy_queries: QueriesOption = Kept.keep,
    privacy_referrers: ReferrersOption = Referrers.keep,
    privacy_agents: AgentsOption = Kept.keep,
    privacy_fingerprints: FingerprintsOption = Kept.keep,
) -> None:  # fmt: skip
    """Meter a network interface: dumpcap or tcpdump captures into files, each is ingested when it is finished.

    It goes on until Ctrl-C (a second one leaves the last file unread), SIGTERM or --duration, and
    needs the right to capture: root, or a program that has it.
    """
    from l7meter.attribution import Attribution
    from l7meter.ingest.capturer import Wanted, command, found
    from l7meter.ingest.capturing import Metering, private_directory, run_name
    from l7meter.privacy import Privacy
    from l7meter.store import Store

    privacy = Privacy(policy_from(privacy_addresses, privacy_key_file, privacy_queries, privacy_referrers, agents=privacy_agents, fingerprints=privacy_fingerprints))  # fmt: skip
    attribution = Attribution(registry, organizations=organizations, refdata=refdata)
    program, name = found(), run_name()
    wanted = Wanted(interface, filter_, snap, every, size)
    with Store.open_or_create(store) as opened:
        place = private_directory(directory or opened.path / "captures")
        arguments = command(program, wanted, name)
        metering = Metering(arguments, place, name, opened, attribution=attribution, privacy=privacy, files=files, delete=delete, reported=_reported)  # fmt: skip
        _say(f"{program.name} captures {interface} into {place}/{name}*; Ctrl-C ends it")
        with _stopped_by_signals(metering):
            metered = metering.run(interface, duration)
    if metered.files or not metered.problem:
        _answer(metered, store)
    if metered.problem:
        raise SourceError(metered.problem)
    if metered.failed:
        raise typer.Exit(SourceError.exit_code)


@contextmanager
def _stopped_by_signals(metering: Metering) -> Iterator[None]:
    """The first signal ends the capture; what was ignored (nohup) stays ignored."""

    def stop(number: int, frame: object) -> None:
        metering.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {each: signal.getsignal(each) for each in SIGNALS}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _reported(done: Ingested) -> None:
    """A line for each round, and one for each file that could not be read."""
    for source in done.sources:
        if source.problem:
            _say(f"{source.name}: {source.problem}")
    _say(f"{count_text(len(done.sources), 'file')}, {count_text(done.total('lines'), 'packet')}, {count_text(done.total('records'), 'record')}")  # fmt: skip


def _answer(metered: Metered, store: Path) -> None:
    """What was metered."""
    from l7meter.cli.printing import console, literal
    from l7meter.cli.summary import captured, sent

    out = console()
    failed = f", [bold red]{metered.failed:,} not read[/]" if metered.failed else ""
    out.print(f"{count_text(metered.files, 'file')}{failed} in {metered.seconds:.1f} s, {count_text(metered.records, 'record')}", highlight=False)  # fmt: skip
    for line in captured(metered.sums):
        out.print(line, highlight=False)
    out.print(sent(metered.server_bytes_by_basis), highlight=False)
    if metered.dropped is None:
        out.print("The capturer did not say how many packets it dropped", highlight=False)
    elif metered.dropped:
        out.print(f"[bold red]{count_text(metered.dropped, 'packet')} dropped[/] before the capturer got them: a closer --filter, or a --snap, helps", highlight=False)  # fmt: skip
    if metered.missed:
        out.print(f"[bold red]{count_text(metered.missed, 'file')} deleted unread[/], because of --files: reading is slower than the traffic", highlight=False)  # fmt: skip
    out.print(f"\nMore: l7meter query --store {literal(str(store))}", highlight=False)


def _say(text: str) -> None:
    from l7meter.reports.cells import visible

    print("l7meter:", visible(text), file=sys.stderr, flush=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(capture)
