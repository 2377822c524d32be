"""The batch job in the words of a scheduler: a file is one scheduler, `KINDS` has them by name."""

from collections.abc import Callable, Sequence

from l7meter.job.scheduling import airflow, cron, kubernetes, systemd
from l7meter.job.scheduling.plan import Plan, Times, Unit, planned

KINDS: dict[str, Callable[[Plan], Sequence[Unit]]] = {
    "systemd": systemd.units,
    "cron": cron.units,
    "kubernetes": kubernetes.units,
    "airflow": airflow.units,
}

__all__ = ["KINDS", "Plan", "Times", "Unit", "planned"]
