"""A service and a timer for systemd (systemd.exec(5), systemd.timer(5)), shut off from all but what a run needs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from l7meter.errors import UsageError
from l7meter.job.scheduling.plan import BUSY, Plan, Unit

FOLDER = "/etc/systemd/system"
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))


def units(plan: Plan) -> list[Unit]:
    """The service and its timer.

    Raises `UsageError` for a program that systemd would not start by its name.
    """
    if not set(plan.command[0]).isdisjoint("\"'\\$"):
        raise UsageError(f"--program {plan.command[0]}: systemd starts no program with quotes, \\ or $ in its name; link to it")  # fmt: skip
    return [
        Unit(f"{FOLDER}/{plan.name}.service", _service(plan)),
        Unit(f"{FOLDER}/{plan.name}.timer", _timer(plan)),
    ]


def _service(plan: Plan) -> str:
    return f"""\
# Once, the account: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin {plan.user}
# Once, its directories (never at a run: a disk that is not mounted must not look like a new store):
#   {shlex.join(["install", "-d", "-o", plan.user, "-m", "0750", *map(str, _own(plan))])}
# Try it: systemctl start {plan.name}.service; journalctl -u {plan.name}.service
[Unit]
Description=l7meter: who uses the bandwidth
Documentation=man:systemd.exec(5)
After=local-fs.target{" network-online.target" if plan.fetches else ""}
{"Wants=network-online.target" + chr(10) if plan.fetches else ""}\
RequiresMountsFor={_words([*plan.writes, *plan.logs])}

[Service]
Type=oneshot
ExecStart={_words(plan.command, executed=True)}
# Another run is at work: no failure.
SuccessExitStatus={BUSY}
User={plan.user}
{_groups(plan)}UMask=0027
MemoryMax={_size(plan.memory)}
Nice=10
IOSchedulingClass=idle
{_walls(plan)}"""


def _walls(plan: Plan) -> str:
    """The directives that keep a run within its directories."""
    touched = [*plan.logs, *plan.writes, *plan.texts, *plan.secrets, plan.config.path, Path(plan.command[0])]  # fmt: skip
    lines = [
        "ProtectSystem=strict",
        f"ProtectHome={'read-only' if _within(touched, _HOMES) else 'yes'}",
        f"PrivateTmp={'no' if _within(touched, _TEMPORARY) else 'yes'}",
        *(f"ReadWritePaths={_words([path])}" for path in plan.writes),
        *(f"ReadOnlyPaths={_words([path], prefix='-')}" for path in plan.logs),
        f"PrivateNetwork={'no' if plan.fetches else 'yes'}",
        f"RestrictAddressFamilies=AF_UNIX{' AF_INET AF_INET6' if plan.fetches else ''}",
        *_WALLS,
    ]
    return "\n".join(lines) + "\n"


# MemoryDenyWriteExecute is not among them: libffi makes its closures in memory that is both.
_WALLS = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
)


def _timer(plan: Plan) -> str:
    delay = min(600, plan.times.seconds // 10)
    return f"""\
# Switch it on: systemctl enable --now {plan.name}.timer
[Unit]
Description=l7meter: the batch job, by the clock

[Timer]
OnCalendar={plan.times.calendar}
# A run that was missed while the machine was off is made up for, once.
Persistent=true
RandomizedDelaySec={delay}
FixedRandomDelay=true
AccuracySec=1min

[Install]
WantedBy=timers.target
"""


def _own(plan: Plan) -> list[Path]:
    """The directories of the job's own: node_exporter's is there, and another's."""
    textfile = plan.config.metrics.textfile
    return [path for path in plan.writes if not textfile or path != textfile.parent]


def _groups(plan: Plan) -> str:
    """Groups that may read logs which the world may not, as Debian's `adm`."""
    names = sorted({name for path in plan.logs for name in _group(path)})
    return f"SupplementaryGroups={' '.join(names)}\n" if names else ""


def _group(path: Path) -> Iterator[str]:
    import grp

    try:
        state = path.stat()
        if not state.st_mode & 0o004 and state.st_mode & 0o040 and state.st_gid:
            yield grp.getgrgid(state.st_gid).gr_name
    except (OSError, KeyError):
        return


def _within(paths: Iterable[Path], folders: Iterable[Path]) -> bool:
    around = {parent for path in paths for parent in (path, *path.parents)}
    return not around.isdisjoint(folders)


def _words(values: Iterable[object], *, prefix: str = "", executed: bool = False) -> str:
    """Values as systemd reads them again: quotes, backslashes, specifiers; `$` where a command is."""
    made = []
    for value in values:
        text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        text = prefix + (text.replace("$", "$$") if executed else text)
        plain = text.isascii() and not set(text) & set(" '\"\\;")
        made.append(text if plain else f'"{text}"')
    return " ".join(made)


def _size(octets: int) -> str:
    return f"{octets >> 30}G" if octets % (1 << 30) == 0 else f"{octets >> 20}M"
