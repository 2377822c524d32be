"""Run one whole command and say how long it took and how much memory its processes held."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SAMPLE_SECONDS = 0.02
SAMPLES_PER_SEARCH = 10  # new processes are looked for every 0.2 s


@dataclass(frozen=True)
class Run:
    """One run: wall and CPU seconds, peak memory in octets over the tree of processes.

    `peak_rss` counts pages of mapped files too, which the kernel may take back; `peak_anon` does not.
    """

    seconds: float
    cpu_seconds: float
    peak_rss: int
    peak_anon: int
    exit_code: int
    output: str
    errors: str


def run(command: Sequence[str], *, stdin: IO[bytes] | None = None) -> Run:
    """Run `command` to its end in a session of its own, from the repository's root."""
    os.sync()  # the pages the last command left to be written are not this one's
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=stdin or subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
        )
        sampler = _Sampler(process.pid)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        sampler.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        return Run(
            seconds,
            usage.ru_utime + usage.ru_stime,
            sampler.peak_rss,
            sampler.peak_anon,
            process.returncode,
            _text(output),
            _text(errors),
        )


class _Sampler(threading.Thread):
    """Watches the memory of a session's processes.

    Not `ru_maxrss`: exec keeps the parent's peak in it, so every command would seem as large as the
    runner (https://man7.org/linux/man-pages/man2/getrusage.2.html). VmHWM begins anew at exec.
    """

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.session = session
        self.peak_rss = 0
        self.peak_anon = 0
        self._ended = threading.Event()

    def run(self) -> None:
        pids = [self.session]
        samples = 0
        while not self._ended.wait(SAMPLE_SECONDS):
            samples += 1
            if samples % SAMPLES_PER_SEARCH == 0:
                pids = _pids_of(self.session)
            sizes = [_memory(pid) for pid in pids]
            together = sum(size.get("VmRSS", 0) for size in sizes)
            highest = max((size.get("VmHWM", 0) for size in sizes), default=0)
            self.peak_rss = max(self.peak_rss, together, highest)
            self.peak_anon = max(self.peak_anon, sum(size.get("RssAnon", 0) for size in sizes))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _memory(pid: int) -> dict[str, int]:
    """Sizes in octets by name of /proc/PID/status; empty when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) * 1024 for name, size, _ in fields}


def _pids_of(session: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # the command's name, in brackets, may hold blanks; the session is the 4th after it
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(after_name[3]) == session:
                found.append(int(entry.name))
    return found


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
