"""A client and a server in network namespaces of their own, real servers, tcpdump between them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from captures import configs
from captures.wire import Wire, ip

CLIENT, SERVER = "192.0.2.10", "192.0.2.80"
CLIENT6, SERVER6 = "2001:db8::10", "2001:db8::80"
DEVICE = "wire0"
START_LIMIT = 10.0  # seconds
SETTLE = 0.4  # seconds for the last FIN and the server's last line
PRIVATE = "L7METER_CAPTURE_LAB"


def enter() -> None:
    """Start this program again in network, mount and process namespaces that end with it."""
    if os.environ.get(PRIVATE):
        return
    if os.getuid() != 0 or not shutil.which("tcpdump"):
        raise SystemExit("captures need root, tcpdump, nginx, curl and Wireshark's editcap")
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = ["unshare", *flags, sys.executable, *sys.argv]
    raise SystemExit(subprocess.run(command, env={**os.environ, PRIVATE: "1"}).returncode)


class Lab:
    """Servers at `SERVER`, clients at `CLIENT`; captures and their truth go to `out`."""

    def __init__(self, out: Path, work: Path, tools: Path) -> None:
        self.out, self.work, self.tools, self.logs = out, work, tools, work / "logs"
        self._running: list[subprocess.Popen[bytes]] = []
        work.chmod(0o755)
        (work / "client").mkdir()
        self._network()
        self._content()
        self._servers()

    def run(
        self, *command: str, ns: str = "client", data: bytes = b"", keylog: Path | None = None
    ) -> None:
        """Run a client in its namespace, with `data` on its standard input; its exit code is its own."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.work / "client")}
        if keylog:
            env["SSLKEYLOGFILE"] = str(keylog)
        subprocess.run(
            ["ip", "netns", "exec", ns, *command],
            cwd=self.work / "client",
            env=env,
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )

    def curl(self, *words: str, port: int = configs.PLAIN, keylog: Path | None = None) -> None:
        """Run curl; a word that begins with / is a path at http://example.org."""
        command = ["curl", "-s", "-k", "--connect-to", f"::{SERVER}:{port}"]
        for word in words:
            command += ["-o", "body", f"http://example.org{word}"] if word[0] == "/" else [word]
        self.run(*command, keylog=keylog)

    def octets(self, data: bytes, *words: str) -> None:
        """Send `data` to nginx as it is; `words` are options of `client.py`."""
        program = str(Path(__file__).with_name("client.py"))
        self.run(sys.executable, program, SERVER, str(configs.PLAIN), *words, data=data)

    @contextlib.contextmanager
    def record(
        self,
        target: Path,
        *options: str,
        expression: str = "tcp",
        device: str = DEVICE,
        ns: str | None = "client",
    ) -> Iterator[None]:
        """Capture into `target` while the body runs; tcpdump's `options` say how."""
        command = ["tcpdump", "-i", device, "-U", "--immediate-mode", "-Z", "root"]
        command += [*options, "-w", str(target), expression]
        inside = ["ip", "netns", "exec", ns] if ns else []
        dump = subprocess.Popen([*inside, *command], stderr=subprocess.PIPE, text=True)
        assert dump.stderr is not None
        told = []
        while "listening" not in (line := dump.stderr.readline()):
            told.append(line)
            if dump.poll() is not None:
                raise SystemExit(f"tcpdump did not start: {''.join(told)}")
        yield
        time.sleep(SETTLE)
        dump.send_signal(signal.SIGINT)
        dump.communicate(timeout=10)

    @contextlib.contextmanager
    def truth(self, name: str) -> Iterator[None]:
        """Write `NAME.truth.jsonl`: what the servers log while the body runs, in order of time."""
        before = {path: path.stat().st_size for path in self.logs.glob("*.jsonl")}
        yield
        time.sleep(SETTLE)
        lines = []
        for path in sorted(self.logs.glob("*.jsonl")):
            lines += path.read_bytes()[before.get(path, 0) :].splitlines()
        rows = sorted((normal(json.loads(line)) for line in lines), key=lambda row: row["time"])
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        (self.out / f"{name}.truth.jsonl").write_text(text)

    @contextlib.contextmanager
    def capture(
        self,
        name: str,
        *options: str,
        expression: str = "tcp",
        device: str = DEVICE,
        ns: str | None = "client",
    ) -> Iterator[None]:
        """Capture `NAME.pcap` and its truth while the body runs."""
        target = self.out / f"{name}.pcap"
        with (
            self.truth(name),
            self.record(target, *options, expression=expression, device=device, ns=ns),
        ):
            yield

    def start(self, *command: str, port: int, udp: bool = False) -> None:
        """Start a server in its namespace and wait for its port."""
        log = (self.work / "servers.log").open("ab")
        self._running.append(
            subprocess.Popen(
                ["ip", "netns", "exec", "server", *command],
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(self.work)},
            )
        )
        show = ["ip", "netns", "exec", "server", "ss", "-Hln", "-u" if udp else "-t"]
        limit = time.monotonic() + START_LIMIT
        while f":{port} " not in subprocess.run(show, capture_output=True, text=True).stdout:
            if time.monotonic() > limit or self._running[-1].poll() is not None:
                raise SystemExit(f"{command[0]} did not start; see {self.work / 'servers.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the servers that were started here."""
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            process.wait(10)

    def _network(self) -> None:
        Path("/run/netns").mkdir(exist_ok=True)  # where `ip netns` keeps its names
        for folder in ("/run/netns", "/dev/shm"):  # Squid's shared memory has one fixed name
            subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
        ip("link", "set", "lo", "up")
        for ns in ("client", "server"):
            ip("netns", "add", ns)
            ip("link", "set", "lo", "up", ns=ns)
        self.wire = Wire(("client", "server"), (DEVICE, "wire1"))
        ends = (("client", DEVICE, CLIENT, CLIENT6), ("server", "wire1", SERVER, SERVER6))
        for ns, device, four, six in ends:
            ip("address", "add", f"{four}/24", "dev", device, ns=ns)
            ip("address", "add", f"{six}/64", "dev", device, "nodad", ns=ns)
            ip("route", "add", "default", "dev", device, ns=ns)

    def _content(self) -> None:
        for folder in ("pages", "packages"):
            (self.work / "www" / folder).mkdir(parents=True)
        for folder in ("logs", "apache", "squid"):
            (self.work / folder).mkdir()
            (self.work / folder).chmod(0o777)  # Squid does not run as root
        www = self.work / "www"
        rows = "".join(f"<a href='/packages/{n}.bin'>{n}.bin</a>\n" for n in range(40))
        (www / "pages/list.html").write_text(f"<!DOCTYPE html><title>List</title>\n{rows}")
        (www / "pages/short.html").write_text("<!DOCTYPE html><title>Short</title>\n")
        for name, size in (("small.bin", 2_000), ("medium.bin", 9_000), ("large.bin", 32_000)):
            (www / "packages" / name).write_bytes(noise(size))
        (self.work / "client/upload.bin").write_bytes(noise(12_000))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "3650", "-subj", "/CN=example.org", "-addext",
             "subjectAltName=DNS:example.org", "-keyout", "key.pem", "-out", "certificate.pem"],
            cwd=self.work, check=True, capture_output=True,
        )  # fmt: skip

    def _servers(self) -> None:
        upstream = str(Path(__file__).with_name("upstream.py"))
        self.start(sys.executable, upstream, str(configs.UPSTREAM), port=configs.UPSTREAM)
        self.nginx("nginx", configs.nginx(), configs.PLAIN)

    def nginx(self, folder: str, text: str, port: int) -> None:
        """Start nginx in a folder of its own; its log is the truth."""
        (self.work / folder).mkdir()
        (self.work / folder / "nginx.conf").write_text(text)
        self.start("nginx", "-p", str(self.work / folder), "-c", "nginx.conf", port=port)


def noise(size: int) -> bytes:
    """The same octets on every run, without pattern."""
    blocks = (hashlib.sha256(b"%d" % n).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def normal(row: dict[str, Any]) -> dict[str, Any]:
    """A server's line, with null for what it wrote as empty or as "-"."""
    return {key: None if value in ("", "-") else value for key, value in row.items()}
