"""A file for cron (crontab(5)): mail is sent of a run that failed, and of no other."""

from __future__ import annotations

import shlex

from l7meter.job.scheduling.plan import BUSY, Plan, Unit


def units(plan: Plan) -> list[Unit]:
    """The file of /etc/cron.d."""
    return [Unit(f"/etc/cron.d/{plan.name}", _text(plan))]


def _text(plan: Plan) -> str:
    # % ends a command of cron's (crontab(5)): it is escaped, within quotes, too.
    run = (
        f"out=$(nice -n 10 {shlex.join(plan.command)} 2>&1); code=$?; "
        f'[ $code -eq 0 ] || [ $code -eq {BUSY} ] || {{ printf "%s\\n" "$out"; exit $code; }}'
    ).replace("%", "\\%")
    return f"""\
# Times are of the machine's zone. No flock is needed: a run that finds another at work exits with {BUSY}.
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
MAILTO={plan.mail}

{plan.times.cron} {plan.user} {run}
"""
