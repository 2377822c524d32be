"""Starts and stops the real servers, in the foreground, on loopback, in a folder of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

from samples import configs
from samples.configs import PORTS

START_LIMIT = 20.0  # seconds


def _version(told: str) -> str:
    """The version number a server told; the rest differs from build to build."""
    found = re.search(r"\d+(?:\.\d+)+", told)
    return found[0] if found else "unknown"


class Servers:
    """Every server that is installed, running over `www`, logging into `logs/<server>/`."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.logs = work / "logs"
        self.missing: list[str] = []
        self.versions: dict[str, str] = {}
        self._running: list[tuple[subprocess.Popen[bytes], int]] = []
        self._files: list[IO[bytes]] = []
        self._syslog: socket.socket | None = None

    def start(self) -> None:
        """Write the configurations and start what is installed, upstreams first."""
        for name in ("nginx", "apache", "caddy", "haproxy", "squid", "varnish"):
            (self.logs / name).mkdir(parents=True, exist_ok=True)
            (self.logs / name).chmod(0o777)
            (self.work / name).mkdir(exist_ok=True)
            (self.work / name).chmod(0o777)
        self._start(
            "nginx", ["nginx", "-p", str(self.work / "nginx")], PORTS["nginx-tls"], signal.SIGQUIT
        )
        self._start(
            "apache",
            ["apache2", "-DFOREGROUND"],
            PORTS["apache-tls"],
            signal.SIGWINCH,
            env={"TZ": "Europe/Berlin"},
        )
        self._start(
            "caddy", ["caddy", "run", "--adapter", "caddyfile"], PORTS["caddy-tls"], signal.SIGTERM
        )
        self._listen_syslog()
        self._start("haproxy", ["haproxy", "-db"], PORTS["haproxy-tls"], signal.SIGUSR1)
        self._start("squid", ["squid", "-N"], PORTS["squid"], signal.SIGTERM)
        self._start_varnish()

    def stop(self) -> None:
        """Ask each to finish its exchanges and wait for its end; the last started goes first."""
        for process, how in reversed(self._running):
            process.send_signal(how)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._syslog:
            self._syslog.close()
        for file in self._files:
            file.close()

    def _start(
        self, name: str, command: list[str], port: int, how: int, env: dict[str, str] | None = None
    ) -> None:
        binary = shutil.which(command[0]) or shutil.which(f"/usr/sbin/{command[0]}")
        if binary is None:
            self.missing.append(name)
            return
        config = self.work / name / f"{name}.conf"
        config.write_text(getattr(configs, name)(self.work))
        flag = "--config" if name == "caddy" else "-c" if name == "nginx" else "-f"
        asked = {"nginx": "-v", "caddy": "version"}.get(name, "-v")
        told = subprocess.run([binary, asked], capture_output=True, text=True, check=False)
        self.versions[name] = _version(told.stdout + told.stderr)
        self._spawn([binary, *command[1:], flag, str(config)], name, how, env)
        self._wait(name, port)

    def _spawn(
        self, command: list[str], name: str, how: int, env: dict[str, str] | None = None
    ) -> None:
        output = (self.work / name / "output").open("ab")
        self._files.append(output)
        # varnishncsa and HAProxy take the time zone from the environment
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.work), "TZ": "UTC"} | (
            env or {}
        )
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, cwd=self.work
        )
        self._running.append((process, how))

    def _wait(self, name: str, port: int) -> None:
        """Wait until `port` is taken, without connecting: a probe would leave a log line."""
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    return
            time.sleep(0.05)
        output = (self.work / name / "output").read_text(errors="replace")[-2000:]
        raise SystemExit(f"{name} did not start on port {port}: {output}")

    def _listen_syslog(self) -> None:
        """Receive HAProxy's log datagrams as a syslog daemon does: drop `<pri>`, end the line."""
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind(("127.0.0.1", PORTS["syslog"]))
        self._syslog = receiver
        path = self.logs / "haproxy" / "haproxy.log"

        def receive() -> None:
            with path.open("ab", buffering=0) as out:
                while True:
                    try:
                        data = receiver.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    out.write(data.partition(b">")[2].rstrip(b"\n") + b"\n")

        threading.Thread(target=receive, daemon=True).start()

    def _start_varnish(self) -> None:
        if not (shutil.which("varnishd") or shutil.which("/usr/sbin/varnishd")):
            self.missing.append("varnish")
            return
        folder, logs = self.work / "varnish", self.logs / "varnish"
        told = subprocess.run(["varnishd", "-V"], capture_output=True, text=True, check=False)
        self.versions["varnish"] = _version(told.stdout + told.stderr)
        backend = f"127.0.0.1:{PORTS['debian']}"
        listen = f"127.0.0.1:{PORTS['varnish']}"
        state = str(folder / "state")
        varnishd = ["varnishd", "-F", "-n", state, "-a", listen, "-b", backend, "-s", "malloc,64m"]
        self._spawn(varnishd, "varnish", signal.SIGTERM)
        self._wait("varnish", PORTS["varnish"])
        for name, form in (
            ("varnishncsa", []),
            ("truth", ["-F", "\\t".join(configs.VARNISH_TRUTH)]),
        ):
            output = str(logs / f"{name}.log")
            command = ["varnishncsa", "-n", state, "-t", "30", "-w", output, *form]
            self._spawn(command, "varnish", signal.SIGTERM)
