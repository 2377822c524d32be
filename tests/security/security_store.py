"""A store of three requests, made as an operator makes it."""

from __future__ import annotations

from pathlib import Path

from l7meter.ingest import ingest
from l7meter.store import Store

LOG = """\
192.0.2.1 - alice [02/Jan/2024:02:04:05 +0000] "GET /a HTTP/1.1" 200 12 "-" "pip/24.0"
192.0.2.2 - - [02/Jan/2024:02:04:06 +0000] "GET /b HTTP/1.1" 200 30 "-" "=1+1"
192.0.2.3 - - [02/Jan/2024:02:04:07 +0000] "GET /c|d HTTP/1.1" 404 0 "-" "curl/8.0"
"""


def made(path: Path, log: str = LOG, name: str = "access.log") -> Store:
    """A store at `path` of one log beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / name).write_text(log)
    with Store.create(path) as store:
        done = ingest([str(path.parent / name)], store)
    assert [source.problem for source in done.sources] == [None]
    return store
