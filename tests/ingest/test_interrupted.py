from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import ingest_worker
from ingest_ledger import lines, totals, write

from l7meter.store import Store, repair, verify


def sources(folder: Path) -> list[str]:
    """Long and short ones, packed, and one that is no log."""
    names = [write(folder / "long.log", 0, 900)]
    packed = folder / "packed.log.gz"
    packed.write_bytes(gzip.compress("\n".join(lines(2000, 500)).encode()))
    (folder / "empty.log").touch()
    names += [str(packed), str(folder / "empty.log")]
    return [*names, write(folder / "short.log", 4000, 60)]


def runs(folder: Path, *arguments: str) -> list[Path]:
    """The stores that the worker made, the clean one first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "POLARS_MAX_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, ingest_worker.__file__, *arguments, *sources(folder)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [Path(line) for line in done.stdout.splitlines()]


def test_runs_killed_anywhere_lose_and_double_nothing(tmp_path: Path) -> None:
    clean, *killed = runs(tmp_path, "kill", str(tmp_path), "20")
    wanted = totals(clean)
    assert wanted["lines"] == 900 + 500 + 60
    for store in killed:
        assert totals(store) == wanted
        with Store.open(store) as opened:
            repair(opened)
            assert verify(opened, deep=store is killed[-1]) == []


def test_two_runs_at_once_count_each_source_once(tmp_path: Path) -> None:
    clean, raced = runs(tmp_path, "race", str(tmp_path), "0")
    wanted = totals(clean)
    assert totals(raced) == wanted
    told = [json.loads((tmp_path / f"{each}.json").read_text()) for each in "ab"]
    for count in ("sources", "lines", "records", "rejects", "skipped"):
        assert (
            sum(each[count] for each in told)
            == json.loads((tmp_path / "clean.json").read_text())[count]
        )
    octets = [each["server_bytes_by_basis"].get("content", 0) for each in told]
    assert sum(octets) == wanted["server_bytes_by_basis"]["content"]
    with Store.open(raced) as opened:
        repair(opened)
        assert verify(opened) == []
