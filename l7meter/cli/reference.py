"""`l7meter formats`, `schema` and `doctor`."""

from __future__ import annotations

import platform
import re
import shutil
from typing import Annotated

import typer

from l7meter import __version__
from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, StoreOption, examples
from l7meter.cli.printing import print_cards, print_rows


def formats(
    name: Annotated[str | None, typer.Argument(help="One of them, to be told all of it; all are listed if not given.")] = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """List the formats: what wrote them, what their size counts, which moment they log."""
    import polars as pl

    from l7meter.formats import by_name, shipped
    from l7meter.ingest.capture import CAPTURES

    chosen = [CAPTURES.get(name) or by_name(name)] if name else [*(shipped() | CAPTURES).values()]
    rows = [
        {
            "format": each.name,
            "title": each.title,
            "size": each.size,
            "moment": each.moment,
            "recognised": "by content" if each.detect else "--format",
            "note": each.note or None,
            "specification": each.specification,
            "example": each.samples[0]["line"].strip() if each.samples else None,
        }
        for each in chosen
    ]
    if output is Output.table and name:
        print_cards(pl.DataFrame(rows))
    elif output is Output.table:
        short = [{key: _first_words(row[key]) if key in ("size", "moment") else row[key] for key in ("format", "title", "size", "moment")} for row in rows]  # fmt: skip
        print_rows(pl.DataFrame(short), output, "Formats: l7meter formats NAME says more of each", wrapped=True)  # fmt: skip
    else:
        print_rows(pl.DataFrame(rows, infer_schema_length=None), output)


def _first_words(sentence: str | None) -> str:
    """What stands before the first stop of a sentence, brackets left out."""
    return re.split(r"[:;,]", re.sub(r" \([^)]*\)", "", sentence or ""))[0]


def schema(output: OutputOption = Output.table) -> None:
    """List the record's columns: type, said or concluded, meaning, and the name they come from."""
    import polars as pl

    from l7meter.schema import RECORD

    rows = [(each.name, each.type_name, each.kind, each.meaning, each.origin) for each in RECORD]
    names = ["column", "type", "kind", "meaning", "named after"]
    print_rows(pl.DataFrame(rows, schema=names, orient="row"), output, wrapped=True)


def doctor(store: StoreOption = DEFAULT_STORE, output: OutputOption = Output.table) -> None:
    """Say what is installed, what is not, and how the store is: what a bug report needs."""
    from importlib.metadata import version

    import polars as pl

    from l7meter.attribution import reference_data
    from l7meter.errors import L7MeterError
    from l7meter.ingest.source import cores

    rows = [
        ("l7meter", __version__),
        ("python", f"{platform.python_version()} on {platform.platform()}"),
        ("processors", str(cores())),
    ]
    rows += [(name, version(name)) for name in ("polars", "duckdb", "pyarrow", "numpy", "isal")]
    rows.append(("duckdb command line", shutil.which("duckdb") or "none: 'l7meter shell' needs it (pip install duckdb-cli)"))  # fmt: skip
    rows += list(reference_data().items())
    try:
        from l7meter.store import Store

        info = Store.open(store).info()
        rows.append(("store", f"{info['path']}: {info['records_rows']:,} records of {info['sources']:,} sources"))  # fmt: skip
    except L7MeterError as error:
        rows.append(("store", str(error)))
    print_rows(pl.DataFrame(rows, schema=["what", "found"], orient="row"), output, wrapped=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=examples("l7meter formats", "l7meter formats haproxy", "l7meter formats -o markdown")
    )(formats)
    app.command(epilog=examples("l7meter schema", "l7meter schema -o csv"))(schema)
    app.command(epilog=examples("l7meter doctor"))(doctor)
