"""The program that captures: dumpcap or tcpdump, with a list of arguments and never a shell.

dumpcap: https://www.wireshark.org/docs/man-pages/dumpcap.html, tcpdump:
https://www.tcpdump.org/manpages/tcpdump.1.html
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from l7meter.errors import SourceError, UsageError

PROGRAMS = ("dumpcap", "tcpdump")
BUFFER = (
    32  # MiB in the kernel; with the usual 2, 135 of 722 packets of a download over lo were lost
)
GRACE = 10.0  # seconds to write what is buffered; then the program is killed
LAST_WORDS = 1 << 16  # octets at the end of what the program has said: its error or its counts
LONGEST_SAID = 1000  # characters of its words in an error
_CHATTER = ("Capturing on ", "File: ", "Packets ", "tcpdump: listening on ")
_DROPPED = re.compile(
    r"^(\d+) packets? dropped by (?:kernel|interface)$|"  # tcpdump
    r"^Packets received/dropped on interface .*: \d+/(\d+) \(",  # dumpcap
    re.MULTILINE,
)


@dataclass(frozen=True)
class Wanted:
    """What is captured, and how it is cut into files.

    `snap`: octets kept of a packet, 0 for all. A file ends after `every` seconds or `size` MB
    (1,000,000 octets), whichever comes first.
    """

    interface: str
    filter: str
    snap: int
    every: int
    size: int


def found() -> Path:
    """The capturing program; `UsageError` where none is installed."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return Path(path).absolute()
    raise UsageError("neither dumpcap nor tcpdump can be run: apt-get install tcpdump, or wireshark-common for dumpcap")  # fmt: skip


def command(program: Path, wanted: Wanted, name: str) -> list[str]:
    """The program's arguments; its files begin with `name` and are made where it is started."""
    if program.name == "dumpcap":
        return [
            *(str(program), "-q", "-i", wanted.interface, "-f", wanted.filter),
            *("-s", str(wanted.snap), "-B", str(BUFFER)),
            *("-b", f"duration:{wanted.every}", "-b", f"filesize:{wanted.size * 1000}"),
            *("-w", f"{name}.pcapng"),
        ]
    # -Z: as root it would else be another user, whom a directory of ours does not let in
    return [
        *(str(program), "-n", "-i", wanted.interface, "-s", str(wanted.snap)),
        *("-B", str(BUFFER << 10), *(("-Z", "root") if os.geteuid() == 0 else ())),
        *("-G", str(wanted.every), "-C", str(wanted.size)),
        *("-w", f"{name}-%Y%m%dT%H%M%SZ.pcap", "--", wanted.filter),
    ]


class Capturer:
    """A capturing program at work in a directory; it ends with the `with` block.

    Raises `SourceError` where it cannot be started.
    """

    def __init__(self, arguments: Sequence[str], directory: Path) -> None:
        self.name = Path(arguments[0]).name
        self._asked = False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__
        try:
            self._process = subprocess.Popen(
                arguments,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
                umask=0o077,  # captures hold personal data
                process_group=0,  # Ctrl-C is for us, who end it
            )
        except OSError as error:
            self._said.close()
            raise SourceError(f"{arguments[0]} does not start: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()
        self._said.close()

    @property
    def running(self) -> bool:
        """Whether it captures."""
        return self._process.poll() is None

    def pause(self, seconds: float) -> None:
        """Wait so long, or until it ends."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def ask(self) -> None:
        """Tell it to finish its file and end; may be called in a signal handler."""
        if self.running:
            self._asked = True
            self._process.terminate()

    def end(self) -> None:
        """End it, by its own process id; one that does not finish in time is killed."""
        self.ask()
        self.pause(GRACE)
        if self.running:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """Its last words."""
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - LAST_WORDS))
        return self._said.read().decode("utf-8", "replace")

    def problem(self, interface: str) -> str | None:
        """Why it has ended, where nobody had asked it to; the thing, its words, the next step."""
        status = self._process.returncode
        if self._asked and status == 0:
            return None
        if self._asked and status < 0:
            return f"{interface}: {self.name} was killed (signal {-status}): its last file may lack packets"  # fmt: skip
        said = [line.strip() for line in self.said().splitlines() if not line.startswith(_CHATTER)]
        words = " ".join(filter(None, said))[:LONGEST_SAID] or "it did not say why"
        path = self._process.args[0]  # type: ignore[index]
        return f"{interface}: {self.name} ended (status {status}): {words}{_next_step(words, str(path))}"


def dropped(said: str) -> int | None:
    """Packets lost before the program got them, by its own count; None where it has not said."""
    counts = [int(kernel or ours) for kernel, ours in _DROPPED.findall(said)]
    return sum(counts) if counts else None


def _next_step(words: str, path: str) -> str:
    lower = words.lower()
    if "permi" in lower:  # permission, permitted
        return (
            f"\nRun as root, or give the program the right: setcap cap_net_raw,cap_net_admin=eip {path}"
            "\n(Debian's dumpcap: dpkg-reconfigure wireshark-common, and be in the group wireshark)"
        )
    if "filter" in lower:
        return "\nman pcap-filter has the words of --filter"
    if "device" in lower or "interface" in lower:
        return f"\n{path} -D lists the interfaces"
    return ""
