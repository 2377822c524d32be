"""A CronJob for Kubernetes 1.27 or later, with the configuration it reads and the volume it writes.

The paths in the container are those of the configuration. Logs come from claims that are there already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from l7meter.errors import UsageError
from l7meter.job.scheduling.plan import BUSY, Plan, Unit
from l7meter.job.scheduling.yamltext import document, scalar

USER = 65_532  # "nonroot" of the Dockerfile
_COPY = "/run/l7meter-keys"
# A shell, since a Job knows no exit code but 0 that is good.
_SHELL = f'l7meter "$@" || {{ code=$?; [ $code -eq {BUSY} ] || exit $code; }}'


def units(plan: Plan) -> list[Unit]:
    """The manifest: ConfigMap, PersistentVolumeClaim, CronJob.

    Raises `UsageError` for a file that the configuration names and that is not there, or too large.
    """
    for path in (*plan.writes, *_mounted(plan)):
        if path in (Path("/"), Path("/tmp")):
            raise UsageError(f"{path}: cannot be a volume of the container; put logs, store and reports into directories of their own")  # fmt: skip
    documents = [_config(plan), _claim(plan), _job(plan)]
    return [Unit(f"{plan.name}.yaml", _head(plan) + "---\n".join(map(document, documents)))]


def _head(plan: Plan) -> str:
    lines = [f"# kubectl apply -f {plan.name}.yaml"]
    if _mounted(plan):
        lines.append("# Logs are read from claims that have to be there, in this order:")
        lines += [f"#   {_logs(plan, n)}: {scalar(str(path))}" for n, path in enumerate(_mounted(plan))]  # fmt: skip
    if plan.secrets:
        files = " ".join(f"--from-file={_key(plan, path)}=FILE" for path in plan.secrets)
        lines.append(f"# Keys: kubectl create secret generic {plan.name}-keys {files}")
    lines.append("# The store's catalog is SQLite: take block storage, no NFS. Its size is a guess; set it.")  # fmt: skip
    return "\n".join(lines) + "\n"


def _config(plan: Plan) -> dict[str, Any]:
    files = {_key(plan, path): _content(path) for path in (plan.config.path, *plan.texts)}
    if sum(map(len, files.values())) > 900_000:  # a ConfigMap holds 1 MiB
        raise UsageError(f"{plan.config.path}: with the files it names too large for a ConfigMap; put them into the image")  # fmt: skip
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": plan.name}, "data": files}


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be put into the ConfigMap: {reason}") from error


def _claim(plan: Plan) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": plan.name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "100Gi"}},
        },
    }


def _job(plan: Plan) -> dict[str, Any]:
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"initContainers": [_keys(plan)]} if plan.secrets else {}),
        "containers": [_container(plan)],
        "volumes": _volumes(plan),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": plan.name},
        "spec": {
            "schedule": plan.times.cron,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            # Without a deadline, a CronJob that missed 100 starts begins no more.
            "startingDeadlineSeconds": max(60, plan.times.seconds // 2),
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 2,
                    # What is wrong with the configuration, or the lines, is so at once again.
                    "podFailurePolicy": {
                        "rules": [
                            {
                                "action": "FailJob",
                                "onExitCodes": {
                                    "containerName": "l7meter",
                                    "operator": "In",
                                    "values": [1, 2, 4],
                                },
                            }
                        ]
                    },
                    "template": {"spec": pod},
                }
            },
        },
    }


def _container(plan: Plan) -> dict[str, Any]:
    return {
        "name": "l7meter",
        "image": plan.image,
        "command": ["/bin/sh", "-c", _SHELL, "l7meter"],
        "args": list(plan.command[1:]),
        "env": [{"name": "HOME", "value": "/tmp"}],
        "securityContext": _locked(),
        "resources": {
            "requests": {"cpu": "1", "memory": _size(plan.memory)},
            "limits": {"memory": _size(plan.memory)},
        },
        "volumeMounts": _mounts(plan),
    }


def _keys(plan: Plan) -> dict[str, Any]:
    """Copies the keys: a Secret's files are readable by a group, which l7meter refuses of keys."""
    return {
        "name": "keys",
        "image": plan.image,
        "command": ["/bin/sh", "-c", f"umask 077 && cp -L {_COPY}/* /keys/"],
        "securityContext": _locked(),
        "volumeMounts": [
            {"name": "secret", "mountPath": _COPY, "readOnly": True},
            {"name": "keys", "mountPath": "/keys"},
        ],
    }


def _locked() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _mounts(plan: Plan) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [{"name": "tmp", "mountPath": "/tmp"}]
    mounts += [{"name": "data", "mountPath": str(path), "subPath": f"{n}-{_slug(path)}"} for n, path in enumerate(plan.writes)]  # fmt: skip
    mounts += [{"name": f"logs-{n}", "mountPath": str(path), "readOnly": True} for n, path in enumerate(_mounted(plan))]  # fmt: skip
    mounts += [{"name": "config", "mountPath": str(path), "subPath": _key(plan, path), "readOnly": True} for path in (plan.config.path, *plan.texts)]  # fmt: skip
    mounts += [{"name": "keys", "mountPath": str(path), "subPath": _key(plan, path), "readOnly": True} for path in plan.secrets]  # fmt: skip
    return mounts


def _volumes(plan: Plan) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "config", "configMap": {"name": plan.name}},
        {"name": "data", "persistentVolumeClaim": {"claimName": plan.name}},
    ]
    volumes += [{"name": f"logs-{n}", "persistentVolumeClaim": {"claimName": _logs(plan, n), "readOnly": True}} for n, _ in enumerate(_mounted(plan))]  # fmt: skip
    if plan.secrets:
        volumes += [
            {"name": "secret", "secret": {"secretName": f"{plan.name}-keys", "defaultMode": 0o440}},
            {"name": "keys", "emptyDir": {"medium": "Memory"}},
        ]
    return volumes


def _mounted(plan: Plan) -> list[Path]:
    """The directories of the logs; of a file, the one it is in."""
    found = {path if path.is_dir() or not path.suffix else path.parent for path in plan.logs}
    return sorted(path for path in found if not found.intersection(path.parents))


def _logs(plan: Plan, number: int) -> str:
    return f"{plan.name}-logs-{number}"


def _key(plan: Plan, path: Path) -> str:
    """A file's name in ConfigMap or Secret, where two may have the same one."""
    every = (plan.config.path, *plan.texts, *plan.secrets)
    return f"{every.index(path)}-{_slug(path)}"


def _slug(path: Path) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in path.name)  # fmt: skip


def _size(octets: int) -> str:
    return f"{octets >> 30}Gi" if octets % (1 << 30) == 0 else f"{octets >> 20}Mi"
