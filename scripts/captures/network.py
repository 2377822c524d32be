"""Phenomena of the network below HTTP: loss, tunnels, fragments, link types, file formats."""

from __future__ import annotations

import gzip
import platform
import subprocess
import time
from collections.abc import Iterable

from captures.configs import FRAGMENTS, PLAIN, nginx
from captures.exchanges import LIST, MEDIUM, SHORT, SMALL, head
from captures.lab import SERVER, SERVER6, Lab
from captures.registry import phenomenon
from captures.wire import SERVER as FROM_SERVER
from captures.wire import Mirror, Wire, ip, payload_length

VLAN_ID, VXLAN_ID = 42, 4200
TRUNK = ("trunk0", "trunk1")
GRE_ENDS = (bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2]))
REUSED_PORT = "40000"


class Rough:
    """Carries the server's segments badly: some are lost once, some arrive after the next one."""

    def __init__(self, lose: set[int], delay: set[int]) -> None:
        self.lose, self.delay, self.count = lose, delay, 0
        self.held: list[bytes] = []

    def __call__(self, side: int, frame: bytes) -> Iterable[bytes]:
        """Count segments with payload from the server, from 1."""
        if side != FROM_SERVER or not payload_length(frame):
            return (frame,)
        self.count += 1
        if self.count in self.lose:
            return ()
        if self.count in self.delay:
            self.held.append(frame)
            return ()
        late, self.held = self.held, []
        return (frame, *late)


@phenomenon("loss-and-reordering", "curl, nginx; a wire that loses")
def loss_and_reordering(lab: Lab) -> None:
    """Segments lost on the way and sent again, others overtaken; captured where they arrive."""
    lab.wire.carry = Rough(lose={3, 9, 17, 18}, delay={5, 12, 14})
    with lab.capture("loss-and-reordering"):
        lab.curl(MEDIUM, SHORT, MEDIUM, SMALL)


@phenomenon("retransmission-and-zero-window", "raw socket, nginx; a wire that loses")
def retransmission_and_zero_window(lab: Lab) -> None:
    """A reader that stops until its window is zero, and segments sent twice; captured where they
    leave.
    """
    lab.wire.carry = Rough(lose={2, 6}, delay=set())
    with lab.capture("retransmission-and-zero-window", device="wire1", ns="server"):
        lab.octets(
            head("GET", "/packages/large.bin", "Connection: close"),
            "--window", "8000", "--idle", "1.5",
        )  # fmt: skip


@phenomenon("port-reuse", "curl, nginx")
def port_reuse(lab: Lab) -> None:
    """Two connections one after the other from the same client port."""
    with lab.capture("port-reuse"):
        for path in (LIST, SMALL):
            lab.curl("--local-port", REUSED_PORT, "-H", "Connection: close", path)


@phenomenon("interleaved", "curl, nginx")
def interleaved(lab: Lab) -> None:
    """Three connections at the same time, their packets mixed."""
    with lab.capture("interleaved"):
        lab.curl("--parallel", "--parallel-immediate", MEDIUM, LIST, SMALL)


@phenomenon("ipv6", "curl, nginx")
def ipv6(lab: Lab) -> None:
    """HTTP over IPv6."""
    with lab.capture("ipv6"):
        for path in (LIST, SMALL):
            lab.run("curl", "-s", "-o", "body", "-H", "Host: example.org",
                    f"http://[{SERVER6}]:{PLAIN}{path}")  # fmt: skip


def _trunk() -> None:
    """A pair of devices in the middle, that a mirror port feeds."""
    if subprocess.run(["ip", "link", "show", TRUNK[0]], capture_output=True).returncode:
        ip("link", "add", TRUNK[0], "type", "veth", "peer", "name", TRUNK[1])
        for device in TRUNK:
            ip("link", "set", device, "mtu", "9000")
            ip("link", "set", device, "up")


def _tagged(side: int, frame: bytes) -> bytes:
    """The frame with an IEEE 802.1Q tag."""
    return frame[:12] + b"\x81\x00" + VLAN_ID.to_bytes(2, "big") + frame[12:]


def _in_gre(side: int, frame: bytes) -> bytes:
    """The frame's packet in GRE (RFC 2784) in IPv4, between the ends of a tunnel."""
    inner = b"\x00\x00" + frame[12:14] + frame[14:]
    source, target = GRE_ENDS[side], GRE_ENDS[1 - side]
    size = (20 + len(inner)).to_bytes(2, "big")
    header = b"\x45\x00" + size + bytes(4) + b"\x40\x2f\x00\x00" + source + target
    words = sum(int.from_bytes(header[n : n + 2], "big") for n in range(0, 20, 2))
    words = (words & 0xFFFF) + (words >> 16)
    checksum = ((words & 0xFFFF) + (words >> 16)) ^ 0xFFFF
    header = header[:10] + checksum.to_bytes(2, "big") + header[12:]
    return frame[:12] + b"\x08\x00" + header + inner


def _mirrored(lab: Lab, name: str, wrap: Mirror, expression: str) -> None:
    """Capture two downloads as a mirror port gives them, that wraps each frame of a side."""
    _trunk()
    lab.wire.mirror_to(TRUNK[0], wrap)
    with lab.capture(name, device=TRUNK[1], ns=None, expression=expression):
        lab.curl(LIST, SMALL)
        time.sleep(0.2)


@phenomenon("vlan", "curl, nginx; a mirror port")
def vlan(lab: Lab) -> None:
    """Frames with an 802.1Q tag, as a switch's mirror port gives them."""
    _mirrored(lab, "vlan", _tagged, "vlan and tcp")


@phenomenon("gre", "curl, nginx; a mirror port")
def gre(lab: Lab) -> None:
    """IPv4 in GRE in IPv4, as a mirror port with a tunnel gives it."""
    _mirrored(lab, "gre", _in_gre, "ip proto 47")


@phenomenon("vxlan", "curl, nginx, Linux's vxlan device")
def vxlan(lab: Lab) -> None:
    """Ethernet in VXLAN in UDP; the inner addresses are 198.51.100.10 and 198.51.100.80."""
    ends = (("client", "wire0", 10, SERVER), ("server", "wire1", 80, "192.0.2.10"))
    for ns, device, host, remote in ends:
        ip("link", "add", "vx0", "address", f"02:00:00:00:76:{host:02x}", "type", "vxlan",
           "id", str(VXLAN_ID), "remote", remote, "dstport", "4789", "dev", device, ns=ns)  # fmt: skip
        ip("address", "add", f"198.51.100.{host}/24", "dev", "vx0", ns=ns)
        ip("link", "set", "vx0", "up", ns=ns)
    with lab.capture("vxlan", expression="udp port 4789 and udp[28:2] = 0x0800"):
        for path in (LIST, SMALL):
            lab.run("curl", "-s", "-o", "body", "-H", "Host: example.org",
                    f"http://198.51.100.80:{PLAIN}{path}")  # fmt: skip
    for ns in ("client", "server"):
        ip("link", "del", "vx0", ns=ns)


@phenomenon("fragments", "curl, nginx, Linux as router")
def fragments(lab: Lab) -> None:
    """IPv4 fragments: a router with a hop of 600 octets, and segments without DF; the client is
    203.0.113.10.
    """
    Wire(("server", None), ("frag0", "frag1"))
    Wire((None, "client"), ("frag2", "frag3"))
    addresses = (("server", "frag0", "198.51.100.80"), (None, "frag1", "198.51.100.1"),
                 (None, "frag2", "203.0.113.1"), ("client", "frag3", "203.0.113.10"))  # fmt: skip
    for ns, device, address in addresses:
        ip("address", "add", f"{address}/24", "dev", device, ns=ns)
    ip("link", "set", "frag2", "mtu", "600")
    ip("route", "add", "203.0.113.0/24", "via", "198.51.100.1", ns="server")
    ip("route", "add", "198.51.100.0/24", "via", "203.0.113.1", ns="client")
    subprocess.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
    lab.run("sysctl", "-qw", "net.ipv4.ip_no_pmtu_disc=1", ns="server")
    lab.nginx("nginx-fragments", nginx(FRAGMENTS, FRAGMENTS + 1, FRAGMENTS + 2), FRAGMENTS)
    with lab.capture("fragments", device="frag3", expression="ip host 203.0.113.10"):
        lab.run("curl", "-s", "-o", "body", "-H", "Host: example.org",
                f"http://198.51.100.80:{FRAGMENTS}{MEDIUM}")  # fmt: skip
    lab.run("sysctl", "-qw", "net.ipv4.ip_no_pmtu_disc=0", ns="server")
    for ns, device, _ in addresses:
        ip("link", "set", device, "down", ns=ns)


@phenomenon("big-segments", "curl, nginx, on loopback")
def big_segments(lab: Lab) -> None:
    """Segments far above 1,500 octets with unfinished checksums, as hosts with offload show them."""
    with lab.capture("big-segments", device="lo", ns="server", expression=f"tcp port {PLAIN}"):
        lab.run("curl", "-s", "-o", "body", "-H", "Host: example.org",
                f"http://127.0.0.1:{PLAIN}/packages/large.bin", ns="server")  # fmt: skip


@phenomenon("sll2", "curl, nginx; tcpdump -i any")
def sll2(lab: Lab) -> None:
    """Linux cooked capture version 2, of all interfaces."""
    with lab.capture("sll2", "-y", "LINUX_SLL2", device="any"):
        lab.curl(LIST, SMALL)


@phenomenon("nanoseconds", "curl, nginx; tcpdump --nano, gzip", ".pcap.gz")
def nanoseconds(lab: Lab) -> None:
    """A pcap file with times in nanoseconds, compressed by gzip."""
    plain = lab.work / "nanoseconds.pcap"
    with lab.truth("nanoseconds"), lab.record(plain, "--nano"):
        lab.curl(LIST, SMALL)
    packed = gzip.compress(plain.read_bytes(), mtime=0)
    (lab.out / "nanoseconds.pcap.gz").write_bytes(packed)


@phenomenon("pcapng-two-interfaces", "curl, nginx; mergecap", ".pcapng")
def two_interfaces(lab: Lab) -> None:
    """One pcapng file with two interfaces of different link types: Ethernet, then Linux cooked."""
    parts = ["ethernet.pcap", "cooked.pcap"]
    with lab.truth("pcapng-two-interfaces"):
        with lab.record(lab.work / parts[0]):
            lab.curl(LIST)
        with lab.record(lab.work / parts[1], "-y", "LINUX_SLL", device="any"):
            lab.curl(SMALL)
    subprocess.run(["mergecap", "-F", "pcapng", "-w", "merged.pcapng", *parts],
                   cwd=lab.work, check=True, stderr=subprocess.DEVNULL)  # fmt: skip
    system = f"{platform.system()} {platform.release()}".encode()
    data = (lab.work / "merged.pcapng").read_bytes().replace(system, b"Linux".ljust(len(system)))
    (lab.out / "pcapng-two-interfaces.pcapng").write_bytes(data)
