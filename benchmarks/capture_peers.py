"""The Python readers of captures that people reach for: `python -m benchmarks.capture_peers NAME FILE`.

`dpkt` decodes Ethernet, IP and TCP of every packet and does nothing more. `pyshark` loops over the
HTTP messages that tshark finds, and takes the fields that a meter needs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dpkt
import pyshark


def with_dpkt(path: str) -> dict[str, int]:
    segments = payload = 0
    with Path(path).open("rb") as file:
        for _, octets in dpkt.pcap.Reader(file):
            segment = dpkt.ethernet.Ethernet(octets).data.data
            if isinstance(segment, dpkt.tcp.TCP):
                segments += 1
                payload += len(segment.data)
    return {"segments": segments, "payload": payload}


def with_pyshark(path: str) -> dict[str, int]:
    requests = responses = octets = 0
    capture = pyshark.FileCapture(path, display_filter="http", keep_packets=False)
    for packet in capture:
        fields = packet.http
        if hasattr(fields, "response_code"):
            responses += 1
            octets += int(getattr(fields, "content_length_header", 0))
        elif hasattr(fields, "request_method"):
            requests += 1
    capture.close()
    return {"requests": requests, "responses": responses, "octets": octets}


READERS = {"dpkt": with_dpkt, "pyshark": with_pyshark}

if __name__ == "__main__":
    print(json.dumps(READERS[sys.argv[1]](sys.argv[2])))
