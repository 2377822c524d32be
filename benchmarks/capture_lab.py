"""Real nginx, real clients, real tcpdump: `python -m benchmarks.capture_lab PLAN.json` (root).

Runs in network, mount and process namespaces of its own, which end with it (`capture_plans`). Between the
clients' namespace and the server's lies a pair of devices without offload, or a wire in
this process that loses and reorders. A capture of which the kernel dropped a packet is thrown away.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.exchanges import SYLLABLES
from scripts.captures.wire import SERVER, Wire, ip, payload_length

SERVER4, SERVER6 = "192.0.2.80", "2001:db8::80"
CLIENT_DEVICE, SERVER_DEVICE = "wire0", "wire1"
PORT, TLS_PORT = 80, 443
MODIFIED = 1_772_323_200  # 2026-03-01, of all files
RING_KIB = 1_500_000  # of tcpdump: larger than a capture, so a busy machine drops nothing
ATTEMPTS = 3
SETTLE = 1.0  # seconds for the last FIN
LOST, OVERTAKEN = 0.01, 0.01  # of the server's segments with payload
LOG = (
    '{"time":$msec,"client":"$remote_addr","port":$remote_port,"connection":$connection,'
    '"number":$connection_requests,"method":"$request_method","target":"$request_uri",'
    '"status":$status,"request_size":$request_length,"response_size":$bytes_sent,'
    '"response_body_size":$body_bytes_sent,"agent":"$http_user_agent"}'
)


class Rough:
    """Loses a share of the server's segments, and lets another share be overtaken by the next."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._held: list[bytes] = []

    def __call__(self, side: int, frame: bytes) -> Iterable[bytes]:
        if side != SERVER or not payload_length(frame):
            return (frame,)
        chance = self._draw.random()
        if chance < LOST:
            return ()
        if chance < LOST + OVERTAKEN:
            self._held.append(frame)
            return ()
        late, self._held = self._held, []
        return (frame, *late)


def network(plan: dict[str, Any]) -> Wire | None:
    """Put the clients into a namespace of their own, and lay the cable."""
    Path("/run/netns").mkdir(exist_ok=True)  # where `ip netns` keeps its names
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"], check=True)
    ip("netns", "add", "client")
    wire = None
    if plan["rough"]:
        wire = Wire(("client", None), (CLIENT_DEVICE, SERVER_DEVICE))
        wire.carry = Rough(plan["seed"])
    else:
        ip("link", "add", SERVER_DEVICE, "type", "veth", "peer", "name", CLIENT_DEVICE, "netns", "client")  # fmt: skip
    for inside, device in (((), SERVER_DEVICE), (_in_client(), CLIENT_DEVICE)):
        run = [*inside, "ip", "link", "set", device, "mtu", "1500", "txqueuelen", "10000", "up"]
        subprocess.run(run, check=True)
        offload = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"]
        subprocess.run(
            [*inside, "ethtool", "-K", device, *offload], check=True, stdout=subprocess.DEVNULL
        )
    ip("link", "set", "lo", "up")
    ip("address", "add", f"{SERVER4}/24", "dev", SERVER_DEVICE)
    ip("address", "add", f"{SERVER6}/64", "dev", SERVER_DEVICE, "nodad")
    for n in range(100, 100 + plan["clients"]):
        ip("address", "add", f"192.0.2.{n}/24", "dev", CLIENT_DEVICE, ns="client")
        ip("address", "add", f"2001:db8::1:{n:x}/64", "dev", CLIENT_DEVICE, "nodad", ns="client")
    return wire


def _in_client() -> tuple[str, ...]:
    return ("ip", "netns", "exec", "client")


def content(plan: dict[str, Any], www: Path) -> list[str]:
    """Write the server's files; return their targets."""
    draw = random.Random(plan["seed"])
    octets = np.random.default_rng(plan["seed"])
    targets = []
    for n in range(plan["files"]):
        name = "-".join("".join(draw.choices(SYLLABLES, k=2)) for _ in range(2))
        size = int(plan["median"] * draw.lognormvariate(0, plan["spread"]))
        targets.append(f"/packages/{n:x}/{name}/{name}-{n % 7}.{n % 11}.tar.gz")
        path = www / targets[-1][1:]
        path.parent.mkdir(parents=True)
        path.write_bytes(octets.bytes(min(size, plan["largest"])))
        os.utime(path, (MODIFIED, MODIFIED))
    return targets


@contextlib.contextmanager
def nginx(plan: dict[str, Any], work: Path) -> Iterator[None]:
    """A server of `work/www`; its log is `work/access.jsonl`."""
    listen = [f"listen {address}:{plan['port']} backlog=1024" for address in (SERVER4, f"[{SERVER6}]")]  # fmt: skip
    secret = ""
    if plan["tls"]:
        listen = [f"{each} ssl" for each in listen]
        secret = "ssl_certificate certificate.pem; ssl_certificate_key key.pem;"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "3650", "-subj", "/CN=example.org",
             "-keyout", "key.pem", "-out", "certificate.pem"],
            cwd=work, check=True, capture_output=True,
        )  # fmt: skip
    (work / "nginx.conf").write_text(
        f"""daemon off; master_process off; pid nginx.pid; error_log error.log;
        events {{ worker_connections 1024; }}
        http {{
          sendfile on; tcp_nopush on; keepalive_requests 1000; open_file_cache max=1000;
          default_type application/octet-stream;
          log_format truth escape=json '{LOG}';
          server {{ {"; ".join(listen)}; {secret}
            root www; access_log access.jsonl truth buffer=1m; }}
        }}"""
    )
    server = subprocess.Popen(["nginx", "-p", work, "-c", "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        time.sleep(SETTLE)
        yield
    finally:
        server.send_signal(signal.SIGQUIT)  # ends gracefully, with the whole log written
        server.wait(30)


def capture(plan: dict[str, Any], work: Path) -> int:
    """Let all clients come while tcpdump writes `work/capture.pcap`; return the packets dropped.

    Where the wire is rough, the capture is made at its end, where losses are seen.
    """
    inside, device = (_in_client(), CLIENT_DEVICE) if plan["rough"] else ((), SERVER_DEVICE)
    command = ["nice", "-n", "-20", "tcpdump", "-Z", "root", "-n", "-i", device, "-s", "65535"]
    command += ["-B", str(RING_KIB), "-w", str(work / "capture.pcap"), "tcp"]
    dump = subprocess.Popen([*inside, *command], stderr=subprocess.PIPE, text=True)
    assert dump.stderr is not None
    while "listening" not in (line := dump.stderr.readline()):
        if not line:
            raise SystemExit("tcpdump did not start")
    clients = [*_in_client(), sys.executable, "-m", "benchmarks.capture_clients"]
    subprocess.run([*clients, work / "plan.json"], check=True)
    time.sleep(SETTLE)
    dump.send_signal(signal.SIGINT)
    said = dump.communicate(timeout=600)[1]
    print(" ".join(said.split()), file=sys.stderr)
    dropped = re.search(r"(\d+) packets? dropped by kernel", said)
    return int(dropped[1]) if dropped else 0


def main(plan_path: Path) -> None:
    plan = json.loads(plan_path.read_text())
    work = plan_path.parent
    wire = network(plan)
    plan |= {"server4": SERVER4, "server6": SERVER6, "port": TLS_PORT if plan["tls"] else PORT}
    plan["targets"] = content(plan, work / "www")
    plan_path.write_text(json.dumps(plan))
    for _ in range(ATTEMPTS):
        (work / "access.jsonl").unlink(missing_ok=True)
        with nginx(plan, work):
            dropped = capture(plan, work)
        if not dropped:
            break
        print(f"{dropped} packets dropped by the kernel: once more", file=sys.stderr)
    else:
        raise SystemExit("the kernel dropped packets each time; is the machine busy?")
    del wire  # its thread carried the frames until here


if __name__ == "__main__":
    main(Path(sys.argv[1]))
