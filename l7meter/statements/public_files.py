"""A public report as a folder: `index.html`, `report.json`, one CSV for each table; there whole or not at all."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from l7meter.errors import StoreError, UsageError
from l7meter.reports import files
from l7meter.statements import public_page
from l7meter.statements.public import SCHEMA, Public

DATA = "report.json"


def octets(report: Public) -> dict[str, bytes]:
    """The files by name."""
    made = {
        "index.html": public_page.render(report.document, report.tables).encode(),
        DATA: (json.dumps(report.document, indent=1, ensure_ascii=False) + "\n").encode(),
    }
    for name, frame in report.tables.items():
        stream = io.BytesIO()
        files.write("csv", stream, frame)
        made[f"{name}.csv"] = stream.getvalue()
    return made


def check(folder: Path, force: bool = False) -> None:
    """Raise `UsageError` where a report would not be written: something else is there, or a report without `force`."""
    if not folder.is_dir() or not any(folder.iterdir()):
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is a file; name a folder")
        return
    if not _is_report(folder):
        raise UsageError(f"{folder}: holds something that is no report; name another folder")
    if not force:
        raise UsageError(f"{folder}: has a report already; name another folder, or give --force")


def write(folder: Path, report: Public, force: bool = False) -> list[str]:
    """Write the files, and give their names. With `force` a former report gives way to it, whole.

    Raises `UsageError` as `check` does, `StoreError` where nothing can be written.
    """
    check(folder, force)
    folder = folder.absolute()
    made = octets(report)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
            _put(Path(beside), folder, made)
    except OSError as error:
        raise StoreError(f"{folder}: the report cannot be written: {error.strerror or error}; make room, or name another folder") from error  # fmt: skip
    return sorted(made)


def _put(beside: Path, folder: Path, made: Mapping[str, bytes]) -> None:
    new, old = beside / "new", beside / "old"
    new.mkdir(mode=0o755)
    for name, content in made.items():
        (new / name).write_bytes(content)
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_report(folder: Path) -> bool:
    try:
        said = json.loads((folder / DATA).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("schema") == SCHEMA
