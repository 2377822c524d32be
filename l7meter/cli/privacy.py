"""`l7meter privacy`: keys of pseudonyms, the pseudonyms of an address, and what is stored under each mode."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import Output, OutputOption, examples, parse_day
from l7meter.cli.printing import print_cards, print_rows
from l7meter.errors import UsageError

if TYPE_CHECKING:
    from l7meter.privacy import Policy

app = typer.Typer(
    help="What of a person is stored: modes, keys of pseudonyms, and who a pseudonym is.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


class Addresses(StrEnum):
    """What is stored of addresses."""

    full = "full"
    truncated = "truncated"
    pseudonymous = "pseudonymous"
    none = "none"


class Kept(StrEnum):
    """Whether it is stored."""

    keep = "keep"
    drop = "drop"


class Referrers(StrEnum):
    """What is stored of referrers."""

    keep = "keep"
    origin = "origin"
    drop = "drop"


class UserNames(StrEnum):
    """What is stored of user names."""

    keep = "keep"
    pseudonymous = "pseudonymous"
    drop = "drop"


AddressesOption = Annotated[
    Addresses, typer.Option("--privacy-addresses", help="What is stored of addresses: all, their /24 or /48, a pseudonym, nothing ('l7meter privacy show').")
]  # fmt: skip
KeyFileOption = Annotated[
    Path | None, typer.Option("--privacy-key-file", envvar="L7METER_PRIVACY_KEY_FILE", metavar="FILE", help="Keys of pseudonyms ('l7meter privacy new-key').")
]  # fmt: skip
QueriesOption = Annotated[Kept, typer.Option("--privacy-queries", help="Query strings of targets and referrers.")]  # fmt: skip
ReferrersOption = Annotated[Referrers, typer.Option("--privacy-referrers", help="Referer fields.")]
UserNamesOption = Annotated[UserNames, typer.Option("--privacy-user-names", help="Names that requests authenticate by.")]  # fmt: skip
AgentsOption = Annotated[Kept, typer.Option("--privacy-agents", help="User-Agent fields; what was concluded of them is kept.")]  # fmt: skip
FingerprintsOption = Annotated[Kept, typer.Option("--privacy-fingerprints", help="TLS fingerprints (JA4).")]  # fmt: skip
RejectsOption = Annotated[Kept, typer.Option("--privacy-rejects", help="Text of rejected lines; dropped whenever anything else is.")]  # fmt: skip
_KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The key file.")]


def policy_from(
    addresses: str = "full",
    key_file: Path | None = None,
    queries: str = "keep",
    referrers: str = "keep",
    user_names: str = "keep",
    agents: str = "keep",
    fingerprints: str = "keep",
    rejects: str = "keep",
) -> Policy:
    """The checked policy that options say. Raises `UsageError` as `Policy.check` does."""
    from l7meter.privacy import policy_from as made

    words = {"addresses": addresses, "queries": queries, "referrers": referrers, "user_names": user_names, "agents": agents, "fingerprints": fingerprints, "rejects": rejects}  # fmt: skip
    return made({"key_file": key_file} | {name: str(word) for name, word in words.items()})


@app.command("new-key", epilog=examples("l7meter privacy new-key /etc/l7meter/pseudonyms.key"))
def new_key(file: _KeyFile) -> None:
    """Make a key file with one key, readable by its owner alone; an existing file is left as it is."""
    from l7meter.privacy import new_key as run

    key = run(file)
    print(f"{file}: key {key.id}, from {key.first_day} on and for all that is older")


@app.command(
    epilog=examples(
        "l7meter privacy rotate /etc/l7meter/pseudonyms.key",
        "l7meter privacy rotate --from 2027-01-01 /etc/l7meter/pseudonyms.key",
    )
)
def rotate(
    file: _KeyFile,
    from_: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="The first day (UTC) of the records it is for.", show_default="tomorrow")] = None,
) -> None:  # fmt: skip
    """Add a key, for records from a day on; earlier records keep theirs, also when they are read again.

    Do it before the day begins: records of it that are stored already keep the pseudonyms they have.
    """
    from l7meter.privacy import rotate as run

    key = run(file, parse_day(from_, "--from"))
    print(f"{file}: key {key.id}, from {key.first_day} on")
    if key.first_day <= datetime.now(UTC).date():
        typer.echo(f"l7meter: records since {key.first_day} that are stored already keep the pseudonyms they have; their sources, read again, would get others", err=True)  # fmt: skip


@app.command(
    epilog=examples(
        "l7meter privacy pseudonym --key-file pseudonyms.key 192.0.2.17",
        "l7meter privacy pseudonym --key-file pseudonyms.key --user-name alice -o json",
    )
)
def pseudonym(
    key_file: Annotated[Path, typer.Option("--key-file", envvar="L7METER_PRIVACY_KEY_FILE", metavar="FILE", help="The key file.")],
    addresses: Annotated[list[str] | None, typer.Argument(metavar="[ADDRESS...]", help="Addresses, in any way they are written.")] = None,
    user_name: Annotated[list[str] | None, typer.Option("--user-name", metavar="NAME", help="A user name; may be given several times.")] = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Say what addresses and user names are called under every key: to find what is stored of a person.

    `until` is the day after the last.
    """
    import polars as pl

    from l7meter.privacy import Keys
    from l7meter.privacy.addresses import read

    if not (addresses or user_name):
        raise UsageError("nobody is named: give an ADDRESS or --user-name")
    for address in addresses or ():
        if read(address) is None:
            raise UsageError(f"{address}: no address; write it as in 192.0.2.17 or 2001:db8::17, or give a name as --user-name")  # fmt: skip
    keys = Keys.read(key_file)
    rows = [(each, *made) for each in addresses or () for made in keys.pseudonyms(each)]
    rows += [(each, *made) for each in user_name or () for made in keys.pseudonyms_of_name(each)]
    schema = {"of": pl.String, "pseudonym": pl.String, "key": pl.String, "from": pl.Date, "until": pl.Date}  # fmt: skip
    print_rows(pl.DataFrame(rows, schema=schema, orient="row"), output, wrapped=True)


@app.command(epilog=examples("l7meter privacy show", "l7meter privacy show -o markdown"))
def show(output: OutputOption = Output.table) -> None:
    """Say what is stored of each column with personal data under each mode.

    `keep`, `origin` and `drop` stand under full, truncated and none. All other columns are kept.
    """
    from l7meter.privacy import listing

    if output is Output.table:
        print_cards(listing())
    else:
        print_rows(listing(), output)


def register(above: typer.Typer) -> None:
    """Add the commands."""
    above.add_typer(app, name="privacy")
