"""`l7meter formats`, `schema` and `doctor`."""

from __future__ import annotations

import platform
import shutil

import typer

from l7meter import __version__
from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, StoreOption, examples
from l7meter.cli.printing import print_rows


def formats(output: OutputOption = Output.table) -> None:
    """List the formats: what wrote them, what their size counts, which moment they log."""
    import polars as pl

    from l7meter.formats import shipped
    from l7meter.ingest.capture import CAPTURES

    rows = [
        (each.name, each.title, each.size, each.moment, "by content" if each.detect else "--format")
        for each in (shipped() | CAPTURES).values()
    ]
    names = ["format", "title", "size", "moment", "recognised"]
    print_rows(pl.DataFrame(rows, schema=names, orient="row"), output, wrapped=True)


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
    app.command(epilog=examples("l7meter formats", "l7meter formats -o markdown"))(formats)
    app.command(epilog=examples("l7meter schema", "l7meter schema -o csv"))(schema)
    app.command(epilog=examples("l7meter doctor"))(doctor)
