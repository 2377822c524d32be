"""The documents of a period as files: JSON and HTML, PDF, CSV, FOCUS, and the manifest over them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from l7meter.errors import StoreError, UsageError
from l7meter.statements.document import Document

FORMATS = ("json", "html", "pdf", "csv", "focus")


def write(
    folder: Path,
    documents: Iterable[Document],
    formats: Sequence[str],
    *,
    key: Path | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Write the files of each document into a folder, then the manifest; gives the files' names.

    A file is there whole or not at all; those of an earlier time are replaced. `key` signs the manifest. `told` is called with
    the name of each organisation that is done. Raises `UsageError` for formats that are none, `StoreError` where
    the folder cannot be written.
    """
    if unknown := [each for each in formats if each not in FORMATS]:
        raise UsageError(f"no format {unknown[0]}; there are {', '.join(FORMATS)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _written(folder, documents, formats, key, told)
    except OSError as error:
        raise StoreError(f"{folder}: statements cannot be written: {error.strerror or error}; make room, or name another folder") from error  # fmt: skip


def _written(folder: Path, documents: Iterable[Document], formats: Sequence[str], key: Path | None, told: Callable[[str], None]) -> list[str]:  # fmt: skip
    from l7meter.statements import focus, manifest
    from l7meter.statements.signing import private_key

    if key is not None:
        private_key(key)  # before anything is written
    files: list[str] = []
    kept: list[Document] = []
    for document in documents:
        stem = file_name(document["organization"]["name"])
        for name, octets in _files(document, stem, formats):
            put(folder / name, octets)
            files.append(name)
        kept.append({**document, "use": {name: document["use"][name] for name in ("bytes", "requests")}, "setup": []})  # fmt: skip
        told(document["organization"]["name"])
    if "focus" in formats and kept:
        focus.write(folder / "focus.csv", kept)
        files.append("focus.csv")
    if kept:
        manifest.write(folder, kept[0], files, key)
    return files


def _files(document: Document, stem: str, formats: Sequence[str]) -> Iterable[tuple[str, bytes]]:
    from l7meter.statements import page, tables

    if "json" in formats:
        yield f"{stem}.json", json_octets(document)
    if "html" in formats:
        yield f"{stem}.html", page.render(document).encode()
    if "pdf" in formats:
        from l7meter.statements import pdf

        yield f"{stem}.pdf", pdf.render(document)
    if "csv" in formats:
        for name, octets in tables.csv(document).items():
            yield f"{stem}/{name}", octets


def json_octets(document: Document) -> bytes:
    """A document as the file has it: for people, in the order of its keys."""
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def read(path: Path) -> dict[str, Any]:
    """A statement's JSON. Raises `UsageError` for a file that is none."""
    try:
        made = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: no JSON: {error}") from error
    if not isinstance(made, dict):
        raise UsageError(f"{path}: no statement; give the JSON that 'l7meter fund statement' wrote")
    return made


def file_name(name: str) -> str:
    """A name for files that any system takes: two organisations never have the same."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    short = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60]
    return short if short and short == name else f"{short or 'organisation'}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"  # fmt: skip


def put(path: Path, octets: bytes) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.tmp")
    partial.write_bytes(octets)
    partial.replace(path)
