"""Where a store is: its directory, and whether there is a catalog in it."""

from __future__ import annotations

import stat
from pathlib import Path

from l7meter.errors import StoreError

CATALOG = "catalog.sqlite"


def absolute(path: str | Path) -> Path:
    """The absolute path of a store, which the catalog and DuckDB keep as text."""
    found = Path(path).absolute()
    try:
        str(found).encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{found}: its name is not UTF-8; name another place") from error
    return found


def catalog_octets(path: Path) -> int | None:
    """The size of a store's catalog; None where there is no such file.

    Raises `StoreError` where this user may not look.
    """
    try:
        found = (path / CATALOG).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name with NUL
        return None
    except OSError as error:
        raise StoreError(
            f"{path}: the store cannot be opened: {error.strerror}; ask its owner, or name another"
        ) from error
    return found.st_size if stat.S_ISREG(found.st_mode) else None
