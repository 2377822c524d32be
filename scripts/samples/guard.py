"""What no sample may contain: a host that is not a documentation host, a path of the machine."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from pathlib import Path

import zstandard

LOGS_LIMIT = 3_000_000  # octets on disk
PCAPS_LIMIT = 1_000_000
HOST = re.compile(rb"(?:https?://|[ \"\[{@])((?:[a-z0-9-]+\.)+(?:org|com|net|io|dev|rs))\b", re.I)
# The others are the pages that crawlers name in their agents
ALLOWED = re.compile(
    rb"(?:^|\.)example\.(?:org|com|net)$"
    rb"|^(?:www\.google|www\.bing|openai|github|developers\.facebook|anthropic|bytedance)\.com$"
)
# "./usr/" is in every Debian package
MACHINE_PATH = re.compile(rb"(?<![.\w])/(?:tmp|root|home|work|usr)/")


def unpacked(path: Path) -> bytes:
    """The content of a sample file, decompressed by its name's ending."""
    data = path.read_bytes()
    match path.suffix:
        case ".gz":
            return gzip.decompress(data)
        case ".bz2":
            return bz2.decompress(data)
        case ".xz":
            return lzma.decompress(data)
        case ".zst":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def forbidden(data: bytes) -> set[bytes]:
    """Hosts and paths in `data` that must not be published."""
    hosts = {host for host in HOST.findall(data) if not ALLOWED.search(host.lower())}
    return hosts | set(MACHINE_PATH.findall(data))


def refuse(folder: Path, limit: int) -> None:
    """End the program when a file in `folder` names what it must not, or the folder is too large."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        if wrong := forbidden(unpacked(path)):
            raise SystemExit(
                f"{path.name}: names {sorted(wrong)[:5]}; look at what its client sent"
            )
    size = sum(path.stat().st_size for path in files)
    if size > limit:
        raise SystemExit(f"{folder.name}: {size:,} octets, more than {limit:,}; lower SESSIONS")
