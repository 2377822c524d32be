"""Files of reports: whole or not there, each with a sidecar that says what it is, none lost to another.

The sidecar is in place before its file, so that a file without one is nobody's of ours; its SHA-256
tells which of two files it belongs to, should a run end between them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.errors import UsageError

MODE = 0o644  # who takes them up, as node_exporter does, is another user
SIDECAR = ".meta.json"


class Put(NamedTuple):
    """What became of a file; `superseded` is where the one before it is now."""

    changed: bool
    superseded: Path | None = None


def put(path: Path, content: bytes, about: Mapping[str, Any], *, ours: bool) -> Put:
    """Write a file and its sidecar, each at once; directories are made.

    `about` is what the sidecar says, with `report` and `period`; `sha256`, `octets` and `supersedes` are
    added. Where there is a file of the same report and period with other content, that one is kept
    beside as `FILE-superseded-SNAPSHOT`; where it is the same, nothing is done, but for a report of
    everything, whose snapshot moves on. Raises `UsageError` where the path is that of another file, unless
    it is known to be `ours`; `OSError` if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.exists() else None
    said = _sidecar(path)
    if before is not None and not ours and said.get("report") != about["report"]:
        raise UsageError(
            f"{path}: there is a file that is not of report '{about['report']}'; move it, or give "
            "the report another path"
        )
    digest = sha256(content).hexdigest()
    fits = before is not None and said.get("sha256") == sha256(before).hexdigest()
    dated = about["period"]["first_day"] is not None
    if before == content and fits and dated and said.get("period") == about["period"]:
        return Put(changed=False)
    superseded = None
    same = said.get("period", about["period"]) == about["period"]
    if before is not None and before != content and dated and same:
        superseded = _keep(path, before, said if fits else {})
    made = {**about, "octets": len(content), "sha256": digest, "supersedes": None}
    if superseded and before is not None:
        made["supersedes"] = {"file": superseded.name, "sha256": sha256(before).hexdigest()}
    write(path.with_name(path.name + SIDECAR), _json(made))
    write(path, content)
    return Put(changed=True, superseded=superseded)


def _keep(path: Path, content: bytes, said: Mapping[str, Any]) -> Path:
    """Keep an earlier file beside the one that is to come; what was kept before is never written over."""
    stem = f"{path.name}-superseded-"
    for each in path.parent.iterdir():  # a run that was cut short has kept it already
        if each.name.startswith(stem) and each.suffix != ".json" and each.read_bytes() == content:
            return each
    name = f"{stem}{said.get('snapshot', 'unknown')}"
    names = (name if not n else f"{name}-{n}" for n in count())
    kept = next(each for n in names if not (each := path.with_name(n)).exists())
    if said:
        write(kept.with_name(kept.name + SIDECAR), _json(said))
    write(kept, content)
    return kept


def _sidecar(path: Path) -> dict[str, Any]:
    """What the sidecar of a file says; nothing where it is missing or is none of ours."""
    try:
        said = json.loads(path.with_name(path.name + SIDECAR).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _json(said: Mapping[str, Any]) -> bytes:
    return (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()


def write(path: Path, content: bytes) -> None:
    """Write a file at once, for all to read, durable before it is named.

    A run that is killed leaves one hidden file, which the next one takes. The directory has to be there.
    Raises `OSError` if it cannot be written to.
    """
    part = path.with_name(f".{path.name}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, MODE), "wb") as stream:
            os.fchmod(stream.fileno(), MODE)  # whatever the umask
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
