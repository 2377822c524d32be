"""Packet captures of a package registry: `python -m benchmarks.captures capture-small` (root).

Real clients and a real nginx (`capture_lab`), so no two runs write the same octets; a capture is made
once and kept. Beside each file stand `<file>.access.jsonl`, nginx's own log of the same exchanges,
and `<file>.truth.json`, what a correct reader finds in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks import capture_clients, capture_lab
from benchmarks.generate import DATA, SEED

TOOLS = ("unshare", "ip", "ethtool", "tcpdump", "nginx", "openssl")
PART = 20_000  # packets of the part that a slow peer reads, at most a tenth of the capture's
MADE_BY = hashlib.blake2b(
    b"".join(Path(str(each.__file__)).read_bytes() for each in (capture_clients, capture_lab))
).hexdigest()[:16]
GLOBAL, RECORD = 24, 16  # octets of the headers of a pcap file and of a packet in it
ETHERNET = 14


@dataclass(frozen=True)
class Plan:
    """What a server has and who comes: sizes in octets, log-normal around a median."""

    exchanges: int
    quick: int  # exchanges of the small size
    files: int
    median: int
    spread: float  # sigma of the logarithm
    largest: int
    clients: int
    per_connection: tuple[int, int]  # requests, least and most
    at_once: int  # connections side by side
    tls: bool = False
    rough: bool = False
    seed: int = SEED


_DOWNLOADS = Plan(
    exchanges=4_400, quick=100, files=150, median=60_000, spread=1.4, largest=20_000_000,
    clients=24, per_connection=(1, 8), at_once=8,
)  # fmt: skip
PLANS = {
    "capture-downloads": _DOWNLOADS,
    "capture-small": Plan(
        exchanges=650_000, quick=10_000, files=400, median=150, spread=1.0, largest=20_000,
        clients=48, per_connection=(20, 100), at_once=32,
    ),
    "capture-tls": replace(_DOWNLOADS, exchanges=2_600, tls=True),
    "capture-loss": replace(_DOWNLOADS, rough=True),
}  # fmt: skip


class Truth(NamedTuple):
    """What is in a capture: by nginx's log, and (packets, wire) by the headers of its packets."""

    exchanges: int
    connections: int
    response_size: int
    response_body_size: int
    request_size: int
    packets: int
    server_wire: int  # octets of the server's IP packets
    file_bytes: int
    tls: bool
    made_by: str


def missing(name: str, exchanges: int) -> str | None:
    """Say why a capture is not there and cannot be made; None if it can be read."""
    if _known(_path(name, exchanges)):
        return None
    if os.getuid():
        return f"its capture is not there; `python -m benchmarks.captures {name}` makes it, as root"
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    return f"to make its capture, {', '.join(absent)} must be installed" if absent else None


def make(name: str, exchanges: int) -> tuple[Path, Truth]:
    """Return a capture and its truth; make it unless it is there."""
    path = _path(name, exchanges)
    if known := _known(path):
        return path, known
    DATA.mkdir(parents=True, exist_ok=True)
    plan = replace(PLANS[name], exchanges=exchanges)
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        work = Path(folder)
        work.chmod(0o755)
        (work / "plan.json").write_text(json.dumps(asdict(plan)))
        flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        lab = [sys.executable, "-m", "benchmarks.capture_lab", str(work / "plan.json")]
        subprocess.run(["unshare", *flags, *lab], check=True, cwd=Path(__file__).parent.parent)
        truth = _truth(work, plan)
        (work / "capture.pcap").replace(path)
        (work / "access.jsonl").replace(f"{path}.access.jsonl")
    _beside(path).write_text(json.dumps(truth._asdict(), indent=1))
    return path, truth


def first_part(path: Path) -> tuple[Path, float]:
    """Write the capture's first packets to a file of their own; return it and its share of all."""
    part = path.with_name(f"{path.stem}-first.pcap")
    data = np.memmap(path, np.uint8, "r")
    starts = offsets(data)
    count = min(PART, len(starts) // 10)
    part.write_bytes(data[: int(starts[count])].tobytes())
    return part, count / len(starts)


def offsets(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Where each packet's record header begins in a pcap file of this machine's byte order."""
    return np.fromiter(_walk(memoryview(data)), np.int64)


def _walk(data: memoryview) -> Iterator[int]:
    captured = struct.Struct("=8xI4x").unpack_from
    at = GLOBAL
    while at + RECORD <= len(data):
        yield at
        at += RECORD + captured(data, at)[0]


def _truth(work: Path, plan: Plan) -> Truth:
    log = pl.read_ndjson(work / "access.jsonl")
    path = work / "capture.pcap"
    data = np.memmap(path, np.uint8, "r")
    starts = offsets(data)
    if log.height != plan.exchanges:
        raise SystemExit(f"nginx logged {log.height:,} exchanges of {plan.exchanges:,}")
    columns = ("response_size", "response_body_size", "request_size")
    return Truth(
        log.height,
        log["connection"].n_unique(),
        *(int(log[column].sum()) for column in columns),
        packets=len(starts),
        server_wire=_server_wire(data, starts, capture_lab.TLS_PORT if plan.tls else capture_lab.PORT),
        file_bytes=path.stat().st_size,
        tls=plan.tls,
        made_by=MADE_BY,
    )  # fmt: skip


def _server_wire(data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], port: int) -> int:
    """Octets of the IP packets from `port`; the lab sends neither IP options nor extensions."""
    at = starts + RECORD + ETHERNET

    def number(offset: int, of: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return data[of + offset].astype(np.int64) << 8 | data[of + offset + 1]

    four, six = at[data[at] >> 4 == 4], at[data[at] >> 4 == 6]
    lengths4 = number(2, four)[number(20, four) == port]
    lengths6 = number(4, six)[number(40, six) == port] + 40
    return int(lengths4.sum() + lengths6.sum())


def _path(name: str, exchanges: int) -> Path:
    return DATA / f"{name}-{exchanges}.pcap"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.truth.json")


def _known(path: Path) -> Truth | None:
    if not (path.exists() and _beside(path).exists()):
        return None
    truth = Truth(**json.loads(_beside(path).read_text()))
    return truth if truth.made_by == MADE_BY else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=PLANS)
    parser.add_argument("--quick", action="store_true", help="a small size")
    options = parser.parse_args()
    plan = PLANS[options.name]
    exchanges = plan.quick if options.quick else plan.exchanges
    if reason := missing(options.name, exchanges):
        raise SystemExit(f"{options.name}: {reason}")
    path, truth = make(options.name, exchanges)
    print(json.dumps({"path": str(path)} | truth._asdict(), indent=1))


if __name__ == "__main__":
    main()
