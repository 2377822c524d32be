"""`l7meter fund verify` and `l7meter fund key`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from l7meter.cli.fund.options import DEFAULT_POLICY, PolicyOption
from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, StoreOption, examples
from l7meter.errors import UsageError

FOUND = 3
EXAMPLES = examples(
    "l7meter fund verify statements/2026-10/example-corp.json",
    "l7meter fund verify example-corp.json --store copy-of-the-store --policy policy.toml",
    "l7meter fund verify statements/2026-10 --public-key fund.pem.pub",
)
KEY_EXAMPLES = examples("l7meter fund key fund.pem")


def verify(
    statement: Annotated[Path, typer.Argument(metavar="STATEMENT.json|DIR", help="A statement, computed anew from the store; or a folder, held against its manifest.")],
    policy: PolicyOption = DEFAULT_POLICY,
    store: StoreOption = DEFAULT_STORE,
    public_key: Annotated[Path | None, typer.Option("--public-key", metavar="FILE", help="Of a folder: whose signature its manifest has to have.")] = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Compute a statement anew and say whether it is the same to the cent, or where not. Exits with 3 if not."""
    import polars as pl

    from l7meter.cli.printing import console, literal, print_list, print_rows
    from l7meter.statements import verifying, writing
    from l7meter.statements.manifest import check

    if statement.is_dir():
        found: list[tuple[str, ...]] = [(each.kind, each.where, "", each.message) for each in check(statement, public_key)]  # fmt: skip
        good = "all files are as the manifest says" + (", which is signed" if public_key else "; whose it is was not asked (--public-key)")  # fmt: skip
    elif public_key is not None:
        raise UsageError(f"{statement}: --public-key is for a folder of statements and its manifest")  # fmt: skip
    else:
        document = writing.read(statement)
        found = [tuple(map(str, each)) for each in verifying.verify(document, store, policy)]
        good = f"equal: {document['organization']['name']}, {document['amount']['amount']} {document['amount']['currency']}, every figure" if not found else ""  # fmt: skip
    frame = pl.DataFrame(found, schema=dict.fromkeys(("what", "where", "stated", "found"), pl.String), orient="row")  # fmt: skip
    if output is not Output.table:
        print_rows(frame, output)
    elif frame.is_empty():
        console().print(literal(good), highlight=False)
    else:
        print_list(frame, "Not the same")
    if found:
        raise typer.Exit(FOUND)


def key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes; the public one beside it with .pub.")],
) -> None:  # fmt: skip
    """Make an ed25519 key for signing manifests. Nothing is overwritten."""
    from l7meter.statements.manifest import new_key

    new_key(path)
    print(f"{path}: the private key, for whoever signs; {path}.pub: for everybody who verifies")


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.command(epilog=EXAMPLES)(verify)
    group.command(epilog=KEY_EXAMPLES)(key)
