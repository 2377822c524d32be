"""TLS and QUIC connections opened with their secrets by tshark, which pyshark finds.

tshark decrypts and puts TCP in order; what is inside of the records goes through the same parsers
as HTTP in the clear, so that sizes mean the same. pyshark's
packet objects are not used: 2,520 packets took 59 s as XML and 6.5 s as JSON, these fields 2.9 s; and
its event loop needs what Python 3.14 no longer has (asyncio.SafeChildWatcher).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from configparser import Error as ConfigError
from contextlib import closing
from pathlib import Path

from l7meter.captures.opened import Opened, connections
from l7meter.captures.tshark_fields import FIELDS, FieldsError, Packet, parse
from l7meter.errors import UsageError

OLDEST = (4, 0)
INSTALL = "apt-get install tshark"
EXTRA = "pip install 'l7meter[tshark]'"
# turned off, so that what they would read comes as `data`, as it stands in the TLS record
READ_HERE = ("http", "http2", "http3")
WANTED = "tls or quic or tcp.flags.syn == 1 or tcp.flags.fin == 1 or tcp.flags.reset == 1"
PREFERENCES = ("tcp.try_heuristic_first:TRUE", "tcp.reassemble_out_of_order:TRUE", "tcp.desegment_tcp_streams:TRUE", "ip.defragment:TRUE", "tls.desegment_ssl_records:TRUE")  # fmt: skip
ROOT = "Running as user"  # a warning, of no use here
LONGEST_SAID = 1000  # characters of tshark's own words


def available() -> str:
    """tshark's version; UsageError says what is missing, and what to do about it."""
    return _found()[1]


def opened(path: str, keys: Path | None) -> Iterator[Opened]:
    """The TLS and QUIC connections of a capture file as they end; closed ones are among them.

    `keys` is a key log (https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile-02.html);
    secrets in a pcapng file are used, too. See `Reading` for what went wrong.
    """
    return Reading(path, keys).connections()


class Reading:
    """tshark over one capture file, once. After `connections` `problem` says what went wrong."""

    def __init__(self, path: str | Path, keys: Path | None) -> None:
        self.problem: str | None = None
        self._program = _found()[0]
        self._path = Path(path).absolute()  # never an option, nor "-"
        self._keys = keys.absolute() if keys else None
        if keys and not keys.is_file():  # of which tshark would say nothing
            raise UsageError(f"{keys}: there is no such file of TLS keys; name a key log")

    def connections(self) -> Generator[Opened]:
        """Connections as they end; what tshark could not give is not among them."""
        with closing(self._packets()) as packets:
            yield from connections(packets)

    def _packets(self) -> Generator[Packet]:
        with (
            tempfile.TemporaryDirectory(prefix="l7meter-") as own,
            tempfile.TemporaryFile() as said,
        ):
            settings = {**os.environ, "WIRESHARK_CONFIG_DIR": own, "LC_ALL": "C"}  # no one's own
            try:
                process = subprocess.Popen(
                    self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=settings
                )  # fmt: skip
            except OSError as error:
                self.problem = f"tshark does not start: {error.strerror}"
                return
            assert process.stdout is not None
            try:
                with process.stdout as lines:
                    for line in lines:
                        yield parse(line)
                status = process.wait()
            except FieldsError as error:
                self.problem = f"tshark's output is not understood: {error}"
                return
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if status:
                said.seek(0)
                self.problem = _problem(status, said.read(1 << 16).decode("utf-8", "replace"))

    def command(self) -> list[str]:
        """How tshark is called."""
        preferences = list(PREFERENCES)
        if self._keys:
            preferences.append(f"tls.keylog_file:{self._keys}")
        return [
            self._program, "-n", "-Q", "-r", str(self._path), "-Y", WANTED,
            *(word for name in READ_HERE for word in ("--disable-protocol", name)),
            *(word for each in preferences for word in ("-o", each)),
            "-T", "fields", "-E", "separator=/t", "-E", "aggregator=,", "-E", "occurrence=a",
            *(word for name in FIELDS for word in ("-e", name)),
        ]  # fmt: skip


def _found() -> tuple[str, str]:
    """Where tshark is, and its version."""
    try:
        import pylsqpack  # noqa: F401  # HTTP/3's fields
        from pyshark.tshark import tshark
    except ImportError as error:
        what = f"TLS keys need the package {error.name}"
        raise UsageError(f"{what}, which is not installed; try: {EXTRA}") from None
    try:
        path = str(tshark.get_process_path(shutil.which("tshark")))
        version = tshark.get_tshark_version(path)
    except (tshark.TSharkNotFoundException, ConfigError):  # a config.ini in the folder is not ours
        raise UsageError(f"TLS keys need tshark, which is not found; try: {INSTALL}") from None
    except (tshark.TSharkVersionException, OSError, ValueError, subprocess.SubprocessError):
        raise UsageError(f"{path} does not say its version; try: {INSTALL}") from None
    if version.release[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(f"tshark {version} is older than {oldest}; try: {INSTALL}")
    return path, str(version)


def _problem(status: int, said: str) -> str:
    lines = [
        line.removeprefix("tshark: ") for line in said.splitlines() if not line.startswith(ROOT)
    ]
    words = " ".join(" ".join(lines).split())[:LONGEST_SAID]
    ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"tshark {ended}, so connections may have stayed closed" + (
        f": {words}" if words else ""
    )
