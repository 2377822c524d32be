"""Runs real clients, each session from its own loopback address, with clean settings.

A session is one client doing one thing. The server logs its address, and so its lines are found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from samples.configs import HOSTS
from samples.forward import Forwarder

LIMIT = 60.0  # seconds for one run


class Session(NamedTuple):
    """What ran, from where, and whether it succeeded (an abort is meant to fail)."""

    kind: str  # what the workday plan draws: "pip", "pip-ci", "npm-ci", "crawler", ...
    source: str
    exit_code: int
    command: str


class Clients:
    """Knows where the tools are and keeps the list of sessions that ran."""

    def __init__(self, work: Path, tools: Path) -> None:
        self.work, self.tools = work, tools
        self.sessions: list[Session] = []
        self.skipped: set[str] = set()
        self._path = f"{tools}/py/bin:{tools}/npm/node_modules/.bin:{os.environ['PATH']}"

    def find(self, tool: str) -> bool:
        """Whether `tool` can run here; if not, it is named in `skipped`."""
        if shutil.which(tool, path=self._path):
            return True
        self.skipped.add(tool)
        return False

    def run(
        self,
        kind: str,
        *steps: list[str],
        files: dict[str, str] | None = None,
        env: dict[str, str] | None = None,
        direct: int | None = None,
    ) -> None:
        """Run `steps` one after another as one session of `kind`.

        `files` are laid into the session's empty working folder. `{port}` in steps, files and
        environment becomes the forwarder's port. With `direct`, the forwarder relays plainly to
        that port; else it is an HTTPS proxy for all of the sample hosts.
        """
        if not all(self.find(step[0]) for step in steps):
            return
        number = len(self.sessions)
        source = f"127.{20 + number // 200}.{number % 200}.1"
        folder = self.work / "sessions" / str(number)
        folder.mkdir(parents=True)
        with Forwarder(source, HOSTS if direct is None else direct) as forwarder:

            def fill(text: str) -> str:
                return text.replace("{port}", str(forwarder.port))

            for name, text in (files or {}).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(fill(text))
            environment = self._environment(folder, forwarder.port, direct is None)
            environment |= {name: fill(value) for name, value in (env or {}).items()}
            code, output = 0, b""
            for step in steps:
                done = subprocess.run(
                    [shutil.which(step[0], path=self._path) or step[0], *map(fill, step[1:])],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    stdin=subprocess.DEVNULL,
                    timeout=LIMIT,
                    check=False,
                )
                code, output = done.returncode, output + done.stdout + done.stderr
        (folder / "output").write_bytes(output)
        self.sessions.append(Session(kind, source, code, " ; ".join(" ".join(s) for s in steps)))

    def _environment(self, folder: Path, port: int, proxied: bool) -> dict[str, str]:
        ca = str(self.work / "tls" / "ca.pem")
        home = folder / "home"
        home.mkdir()
        environment = {
            "PATH": self._path,
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for name in (
            "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS",
            "CURL_CA_BUNDLE", "CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO", "npm_config_cafile",
            "BUNDLE_SSL_CA_CERT",
        ):  # fmt: skip
            environment[name] = ca
        if proxied:
            proxy = f"http://127.0.0.1:{port}"
            for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "npm_config_https_proxy"):
                environment[name] = proxy
            environment["CARGO_HTTP_PROXY"] = proxy
        return environment


def install_tools(tools: Path, run: Callable[[list[str]], object]) -> None:
    """Install the clients that no distribution packages, once, into `tools`."""
    if not (tools / "py" / "bin" / "poetry").exists():
        run(["python3", "-m", "venv", str(tools / "py")])
        run([str(tools / "py/bin/pip"), "install", "-q", "-U", "pip", "uv", "poetry"])
    if shutil.which("npm") and not (tools / "npm/node_modules/.bin/pnpm").exists():
        run(
            ["npm", "install", "--silent", "--prefix", str(tools / "npm"), "yarn@1.22.22", "pnpm@9"]
        )
