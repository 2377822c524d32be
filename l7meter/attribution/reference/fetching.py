"""Files of reference data on their way to the shelf: at hand, or fetched from who publishes them."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from l7meter import __version__
from l7meter.attribution.reference.importers import START, Importer, load, tell
from l7meter.attribution.reference.shelf import Shelf, Snapshot
from l7meter.errors import SourceError, UsageError
from l7meter.sources import open_stream

SECONDS = 60  # that a server may be silent
LARGEST = 2 << 30  # octets


def named(name: str) -> Importer:
    """The importer of this name. Raises `UsageError` where there is none."""
    if name not in load():
        raise UsageError(f"{name}: not among the sources of reference data: {', '.join(load())}")
    return load()[name]


def fetchable() -> list[Importer]:
    """The importers whose makers publish without registration."""
    return [importer for importer in load().values() if importer.urls]


def take(
    shelf: Shelf,
    file: Path,
    importer: Importer | None = None,
    *,
    as_of: date | None = None,
    sha256: str | None = None,
) -> Snapshot:
    """Make a snapshot of a file; its importer is told by name and content if not given.

    Raises `UsageError` as `Shelf.add` and `importers.tell` do, `SourceError` where it cannot be read.
    """
    if importer is None:
        start = b""
        with open_stream(str(file)) as stream:
            for piece in stream:
                start += piece
                if len(start) >= START:
                    break
        importer = tell(str(file), start[:START])
    elif not file.is_file():
        raise SourceError(f"{file}: no such file")
    return shelf.add(file, importer, as_of=as_of, sha256_hex=sha256)


def fetch(shelf: Shelf, importer: Importer, url: str) -> Snapshot | str:
    """Fetch a file and make a snapshot of it; what hindered it, in words.

    The day is what the file says, else that of its Last-Modified field, else today.
    """
    request = Request(url, headers={"User-Agent": f"l7meter/{__version__}"})
    try:
        with (
            urlopen(request, timeout=SECONDS) as response,
            tempfile.TemporaryDirectory(prefix="l7meter-") as folder,
        ):
            content = response.read(LARGEST + 1)
            if len(content) > LARGEST:
                return f"{url}: more than {LARGEST:,} bytes"
            path = Path(folder) / (Path(urlsplit(url).path).name or importer.name)
            path.write_bytes(content)
            modified = response.headers.get("Last-Modified")
            day = parsedate_to_datetime(modified) if modified else datetime.now(UTC)
            return shelf.add(path, importer, origin=url, otherwise=day.astimezone(UTC).date())
    except UsageError as error:
        return f"{url}: {error}"
    except (URLError, OSError, ValueError) as error:
        return f"{url}: {getattr(error, 'reason', None) or error}"
