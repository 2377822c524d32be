"""Where logs, zones and metrics usually are on a machine. To know one more place is one line here."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from l7meter.formats.times import is_zone


class Usual(NamedTuple):
    """A directory of logs and the names that a server's access logs have in it, tried in this order."""

    name: str
    directory: str
    patterns: tuple[str, ...]


# Debian's and Fedora's packages, and the projects' own defaults.
LOGS = (
    Usual("nginx", "/var/log/nginx", ("*access*",)),
    Usual("apache2", "/var/log/apache2", ("*access*",)),
    Usual("httpd", "/var/log/httpd", ("*access_log*",)),
    Usual("caddy", "/var/log/caddy", ("*access*", "*.log*")),
    Usual("haproxy", "/var/log", ("haproxy.log*",)),
    Usual("haproxy", "/var/log/haproxy", ("*.log*",)),
    Usual("squid", "/var/log/squid", ("access.log*",)),
    Usual("varnish", "/var/log/varnish", ("varnishncsa.log*",)),
)
ACCESS = ("*access*",)  # in a directory that is named by hand, before all that it holds

# https://github.com/prometheus/node_exporter#textfile-collector has no default; these are Debian's and common ones.
TEXTFILES = (
    "/var/lib/prometheus/node-exporter",
    "/var/lib/node_exporter/textfile_collector",
    "/var/lib/node_exporter",
)
TEXTFILE = "l7meter.prom"


def textfile_directory(root: Path = Path("/")) -> Path | None:
    """The textfile directory of node_exporter, where one of the usual ones is there."""
    return next((path for text in TEXTFILES if (path := root / text.lstrip("/")).is_dir()), None)


def zone(root: Path = Path("/")) -> str:
    """The machine's time zone: of the environment, of Debian's file, of the link that systemd makes; else UTC."""
    named = [os.environ.get("TZ", "").removeprefix(":")]
    with contextlib.suppress(OSError, UnicodeDecodeError):
        named.append((root / "etc/timezone").read_text("utf-8").strip())
    link = root / "etc/localtime"
    if link.is_symlink():
        named.append(str(link.readlink()).rpartition("zoneinfo/")[2])
    found = next((name for name in named if name and is_zone(name)), "UTC")
    return "UTC" if found in ("Etc/UTC", "Etc/UCT", "UCT", "Zulu", "GMT") else found
