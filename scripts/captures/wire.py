"""Two network stacks and the wire between them: TAP devices whose frames this process carries.

A TAP device has no segmentation offload, so a capture shows whole, valid frames of at most 1,500
octets of IP. The wire can drop, delay or mirror frames by their number, thus repeatably.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
CLIENT, SERVER = 0, 1

Carry = Callable[[int, bytes], Iterable[bytes]]
Mirror = Callable[[int, bytes], bytes]


def ip(*words: str, ns: str | None = None) -> None:
    """Run `ip` in network namespace `ns`."""
    subprocess.run(["ip", *(("-n", ns) if ns else ()), *words], check=True)


def as_is(side: int, frame: bytes) -> Iterable[bytes]:
    """Carry every frame at once."""
    return (frame,)


def payload_length(frame: bytes) -> int:
    """Octets of TCP payload in an Ethernet frame with IPv4 and TCP; 0 for any other frame."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return 0
    start = 14 + (frame[14] & 15) * 4
    header = (frame[start + 12] >> 4) * 4
    return int.from_bytes(frame[16:18], "big") - (start - 14) - header


class Wire:
    """A cable between device `names[0]` in the first namespace and `names[1]` in the second."""

    def __init__(self, namespaces: tuple[str | None, str | None], names: tuple[str, str]) -> None:
        self.carry: Carry = as_is
        self.mirror: Mirror | None = None
        self._mirror_port: socket.socket | None = None
        self._taps = []
        for number, (ns, name) in enumerate(zip(namespaces, names, strict=True)):
            tap = os.open("/dev/net/tun", os.O_RDWR)
            flags = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
            fcntl.ioctl(tap, TUNSETIFF, flags)
            address = f"02:00:00:00:{len(name):02x}:{number + 1:02x}"
            ip("link", "set", name, "address", address)
            if ns:
                ip("link", "set", name, "netns", ns)
            ip("link", "set", name, "up", ns=ns)
            self._taps.append(tap)
        threading.Thread(target=self._run, daemon=True).start()

    def mirror_to(self, device: str, mirror: Mirror) -> None:
        """Send a copy of every frame, as `mirror` dresses it, out of `device`."""
        self._mirror_port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._mirror_port.bind((device, 0))
        self.mirror = mirror

    def plain(self) -> None:
        """Carry everything again, mirror nothing."""
        self.carry, self.mirror = as_is, None

    def _run(self) -> None:
        while True:
            for tap in select.select(self._taps, [], [])[0]:
                side = self._taps.index(tap)
                frame = os.read(tap, 65536)
                if self.mirror and self._mirror_port:
                    self._mirror_port.send(self.mirror(side, frame))
                for carried in self.carry(side, frame):
                    os.write(self._taps[1 - side], carried)
