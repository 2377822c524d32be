"""`sample_pcaps/README.md`: the table of the captures, from the registry and the files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from captures.registry import ALL

SESSIONS = {
    "nginx-pip-npm-session": "plain HTTP/1.1: pip, npm, curl; keep-alive, gzip, range, 304, HEAD,"
    " POST, HTTP/1.0, an abort",
    "nginx-curl-tls-session": "TLS 1.3 with its key log: HTTP/2, then HTTP/1.1; two hosts",
}
Row = tuple[str, str, int, int, str, str]
PCAPNG = b"\x0a\x0d\x0d\x0a"
PACKET_BLOCKS = (3, 6)  # Simple and Enhanced Packet Block
PAGE = """# Sample captures

This page is generated, edit the scripts. Addresses are for documentation where the captures are named by
phenomenon, loopback in the two sessions; times are as captured.

## By phenomenon

Made by `python sample_pcaps/make.py [NAME ...]` (`scripts/captures/`): one phenomenon each, from real software,
client 192.0.2.10 and server 192.0.2.80 in network namespaces of their own, by tcpdump at the client unless the
table says otherwise.

{phenomena}

- `NAME.truth.jsonl`: one line an exchange, as the server logged it at its end. `bytes_sent` and `request_length`
  count octets of messages, `body_bytes_sent` of content as sent; `time` is seconds since 1970, when the line was
  written; `server` and `server_port` say who wrote it; null is what the server did not say.
  It tells what the server did: where packets are missing, the truth has more than the capture.
  nginx's `bytes_sent` includes 100 (Continue), and what a WebSocket sent after 101; its `request_length` is 0
  for a request it refused to parse. `completion` is nginx's `$request_completion`: "OK", or null when aborted.
  Squid says `bytes_sent` 0 for the tunnel it refused, Apache its 101 with the octets of the HTTP/2 that followed.
- `NAME.keylog`: TLS secrets of that one session with a throw-away certificate, for tshark's `tls.keylog_file`.

## Sessions

Made by `make samples` (`scripts/make_samples.py`): tcpdump on the loopback interface, while real clients talk to
a real nginx. The server is the end with port 18400 (TLS), 18401 (Python), 18402 (npm) or 18403 (Debian).

{sessions}

- `NAME.access.log`: nginx combined (`$body_bytes_sent` is content as sent).
- `NAME.l7meter.log`: nginx custom, tab-separated, with `$request_length` and `$bytes_sent` (message) as truth.
- `NAME.keylog`: as above.
"""


def packets(data: bytes) -> int:
    """Packets in a pcap or pcapng file; one that is cut short is not counted."""
    count = 0
    if data.startswith(PCAPNG):
        place = 0
        while place + 12 <= len(data):
            kind, length = struct.unpack_from("<II", data, place)
            count += kind in PACKET_BLOCKS
            place += length
        return count
    place = 24
    while place + 16 <= len(data):
        place += 16 + struct.unpack_from("<I", data, place + 8)[0]
        count += place <= len(data)
    return count


def content(path: Path) -> bytes:
    """The octets of a capture file, unpacked."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def files(folder: Path, name: str) -> list[Path]:
    """The capture files of a phenomenon, in order."""
    return [folder / f"{name}{suffix}" for suffix in ALL[name].suffixes]


def page(folder: Path) -> str:
    """The text of the page, from the files that are there."""
    phenomena: list[Row] = []
    for name, entry in ALL.items():
        lines = _lines(folder / f"{name}.truth.jsonl")
        first, *others = files(folder, name)
        phenomena.append((entry.shows, *_cells(first), entry.software, str(lines)))
        for path in others:
            phenomena.append(("the same, goes on", *_cells(path), entry.software, "as above"))
    sessions: list[Row] = []
    for name, shows in SESSIONS.items():
        path = folder / f"{name}.pcap"
        lines = _lines(path.with_suffix(".access.log"))
        sessions.append((shows, *_cells(path), "its clients, nginx", str(lines)))
    return PAGE.format(
        phenomena=_table("exchanges in truth", phenomena),
        sessions=_table("exchanges in the logs", sessions),
    )


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _cells(path: Path) -> tuple[str, int, int]:
    data = path.read_bytes() if path.exists() else b""
    return f"`{path.name}`", packets(content(path)) if data else 0, len(data)


def _table(last: str, rows: list[Row]) -> str:
    head = f"| phenomenon | file | packets | octets | made by | {last} |"
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([head, "|---|---|---:|---:|---|---:|", *lines])
