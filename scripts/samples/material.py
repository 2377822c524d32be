"""The folder the servers run in: content, certificates, one password."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

from samples import content, content_native
from samples.configs import HOSTS
from samples.content import octets, put

TEXT = "".join(f"{n:05d} the quick brown fox jumps over the lazy dog\n" for n in range(100))


def prepare(work: Path) -> None:
    """Fill `work/www`, `work/tls` and `work/htpasswd`; readable by the servers' own users."""
    www, scratch = work / "www", work / "scratch"
    content.pypi(www / "pypi")
    content.npm(www / "npm", "https://registry.npm.example.net")
    content.maven(www / "maven")
    content_native.cargo(www / "crates-index", www / "crates", "https://static.crates.example.org")
    for tool, build, name in (
        ("gem", content_native.gems, "gems"),
        ("dpkg-deb", content_native.debian, "debian"),
        ("git", content_native.git, "git"),
    ):
        if shutil.which(tool):
            build(www / name, scratch / name)
    for folder in ("traps", "debian"):  # Varnish stands in front of the second
        put(www / folder / "small.txt", TEXT)
        # compresses to three quarters: the coded content is sent in chunks
        put(www / folder / "long.txt", base64.encodebytes(octets("long", 200_000)))
        put(www / folder / "empty.txt", "")
        put(www / folder / "big.bin", octets("big", 4_000_000))
        # larger than the socket buffers of loopback, so that a paused client holds the server up
        put(www / folder / "huge.bin", octets("huge", 12_000_000))
    # SHA-1 scheme: the one that both nginx and Apache read everywhere; user "j doe"
    put(work / "htpasswd", "j doe:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
    certificate(work / "tls")
    for folder, _, names in os.walk(work):
        Path(folder).chmod(0o755)
        for name in names:
            (Path(folder) / name).chmod(0o644)


def certificate(folder: Path) -> None:
    """A certificate authority and one certificate for all of the hosts."""
    folder.mkdir(parents=True)
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    put(folder / "ext", f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")

    def openssl(*arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
            "-subj", "/CN=samples")  # fmt: skip
    openssl("req", *new, "-keyout", "key.pem", "-out", "req", "-subj", "/CN=pypi.example.org")
    openssl("x509", "-req", "-in", "req", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30",
            "-extfile", "ext", "-out", "cert.pem")  # fmt: skip
    put(folder / "both.pem", (folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
