"""A DAG for Airflow 2.6 or later and 3: one task that runs the command."""

from __future__ import annotations

import shlex

from l7meter.job.scheduling.plan import BUSY, Plan, Unit


def units(plan: Plan) -> list[Unit]:
    """The file of the DAG."""
    return [Unit(f"dags/{plan.name.replace('-', '_')}.py", _text(plan))]


def _text(plan: Plan) -> str:
    return f'''\
"""l7meter: the batch job, run where the worker sees the logs and the store."""

from datetime import datetime, timedelta, timezone

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id={plan.name!r},
    schedule={plan.times.cron!r},  # UTC
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,  # one run takes all that was left
    max_active_runs=1,
    tags=["l7meter"],
) as dag:
    BashOperator(
        task_id="run",
        bash_command={_raw(shlex.join(plan.command))!r},
        append_env=True,
        skip_on_exit_code={BUSY},  # another run is at work: no failure
        retries=2,
        retry_delay=timedelta(minutes=10),
        retry_exponential_backoff=True,
    )
'''


def _raw(command: str) -> str:
    """A command that Jinja leaves alone, and that is not taken for the name of a template (.sh)."""
    if "{" not in command and not command.endswith((".sh", ".bash")):
        return command
    # A command that ends the block itself is cut in two.
    return "{% raw %}" + command.replace("{%", "{{% endraw %}{% raw %}%") + "{% endraw %}"
