"""Captures that lack something the network carried: the truth has more than they show."""

from __future__ import annotations

import subprocess
from pathlib import Path

from captures import pcapfile
from captures.exchanges import LIST, MEDIUM, SHORT, SMALL
from captures.lab import SERVER, Lab
from captures.registry import phenomenon
from captures.wire import payload_length

LOST_EVERY = 5  # every fifth segment with payload from the server
LOST_REQUEST = 2  # and the second request
MIDSTREAM = 8  # packets before the capture began: handshake, request, half of a response
ROTATE = 12  # packets a file


def _whole(lab: Lab, name: str) -> Path:
    """A whole capture in the working folder, and its truth in the folder of samples."""
    whole = lab.work / f"{name}.pcap"
    with lab.truth(name), lab.record(whole):
        lab.curl(MEDIUM, SHORT, SMALL, LIST, MEDIUM, SHORT)
    return whole


def _editcap(*words: str) -> None:
    subprocess.run(["editcap", "-F", "pcap", *words], check=True, stderr=subprocess.DEVNULL)


@phenomenon("lost-in-capture", "curl, nginx; an edit")
def lost_in_capture(lab: Lab) -> None:
    """Packets the capture missed though the client got them: every fifth segment with payload
    from the server, and the second request.
    """
    header, packets = pcapfile.read(_whole(lab, "lost-in-capture"))
    kept, answers, requests = [], 0, 0
    for packet in packets:
        if payload_length(pcapfile.frame(packet)):
            if pcapfile.from_server(packet):
                answers += 1
                if answers % LOST_EVERY == 0:
                    continue
            else:
                requests += 1
                if requests == LOST_REQUEST:
                    continue
        kept.append(packet)
    pcapfile.write(lab.out / "lost-in-capture.pcap", header, kept)


@phenomenon("midstream", "curl, nginx; editcap")
def midstream(lab: Lab) -> None:
    """A capture that begins in the middle of a connection's first response."""
    whole = _whole(lab, "midstream")
    _editcap(str(whole), str(lab.out / "midstream.pcap"), f"1-{MIDSTREAM}")


@phenomenon("one-sided", "curl, nginx; tcpdump's filter")
def one_sided(lab: Lab) -> None:
    """Only the server's packets, as where routes are asymmetric."""
    with lab.capture("one-sided", expression=f"tcp and src host {SERVER}"):
        lab.curl(MEDIUM, SHORT)
        lab.curl("-I", LIST, SMALL)


@phenomenon("one-sided-requests", "curl, nginx; tcpdump's filter")
def one_sided_requests(lab: Lab) -> None:
    """Only the client's packets."""
    with lab.capture("one-sided-requests", expression=f"tcp and dst host {SERVER}"):
        lab.curl(MEDIUM, SHORT, "/empty")
        lab.curl("-d", "a=b", "/upstream/form")


@phenomenon("snapped", "curl, nginx; tcpdump -s 96")
def snapped(lab: Lab) -> None:
    """Packets cut to their first 96 octets, in the middle of the heads."""
    with lab.capture("snapped", "-s", "96"):
        lab.curl(MEDIUM, SHORT, LIST)


@phenomenon("snapped-512", "curl, nginx; tcpdump -s 512")
def snapped_512(lab: Lab) -> None:
    """Packets cut to their first 512 octets: heads are whole, content is not."""
    with lab.capture("snapped-512", "-s", "512"):
        lab.curl(MEDIUM, SHORT, LIST)


@phenomenon("truncated-file", "curl, nginx; an edit")
def truncated_file(lab: Lab) -> None:
    """A file that ends in the middle of a packet, as after a full disk."""
    header, packets = pcapfile.read(_whole(lab, "truncated-file"))
    large = [n for n, packet in enumerate(packets) if pcapfile.length(packet) > 1000]
    last = large[-1]
    cut = packets[last][: pcapfile.RECORD + 700]
    pcapfile.write(lab.out / "truncated-file.pcap", header, [*packets[:last], cut])


@phenomenon("rotation", "curl, nginx; editcap", ".pcap0", ".pcap1", ".pcap2")
def rotation(lab: Lab) -> None:
    """One connection over the files of a rotating capture."""
    whole = _whole(lab, "rotation")
    count = len(pcapfile.read(whole)[1])
    for number, first in enumerate((1, ROTATE + 1, 2 * ROTATE + 1)):
        last = count if number == 2 else first + ROTATE - 1
        _editcap("-r", str(whole), str(lab.out / f"rotation.pcap{number}"), f"{first}-{last}")
