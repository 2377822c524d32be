"""What is printed for a scheduler is what that scheduler reads, whatever the paths are called."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from configuring import Run
from hypothesis import given
from hypothesis import strategies as st

from l7meter.errors import UsageError
from l7meter.job.config import read
from l7meter.job.scheduling import KINDS, Plan, Times, planned
from l7meter.job.scheduling.airflow import _raw
from l7meter.job.scheduling.yamltext import document
from l7meter.tomlreference import toml

ODD = "a b%c\"d\\e'f$g{h}é;i"


def plan(tmp_path: Path, odd: str = ODD, extra: str = "", **words: str) -> Plan:
    """A plan whose every path has an odd name in it."""
    (folder := tmp_path / odd).mkdir(exist_ok=True)
    (folder / "organizations.toml").write_text('[[organization]]\nname = "A"\nasns = [64500]\n')
    path = folder / "l7meter.toml"
    path.write_text(f"""\
store = "store"
[attribution]
organizations = "organizations.toml"
[privacy]
addresses = "pseudonymous"
key_file = "keys"
[[source]]
name = "cdn"
paths = [{toml(f"{folder}/logs/*.gz")}]
{extra}""")
    program = tmp_path / "venv 100%" / "bin" / "l7meter"
    return planned(read(path), Times(), str(program), **words)


def text_of(kind: str, made: Plan) -> str:
    (unit,) = KINDS[kind](made)
    return unit.text


@pytest.mark.parametrize(
    ("at", "every", "cron", "calendar"),
    [
        (None, None, "30 2 * * *", "*-*-* 02:30:00 UTC"),
        ("23:05", None, "5 23 * * *", "*-*-* 23:05:00 UTC"),
        (None, "1d", "30 2 * * *", "*-*-* 02:30:00 UTC"),
        (None, "1h", "5 * * * *", "*-*-* *:05:00 UTC"),
        (None, "6h", "5 */6 * * *", "*-*-* 00/06:05:00 UTC"),
        (None, "15m", "*/15 * * * *", "*-*-* *:00/15:00 UTC"),
    ],
)
def test_times(at: str | None, every: str | None, cron: str, calendar: str) -> None:
    made = Times.parse(at, every)
    assert (made.cron, made.calendar) == (cron, calendar)


@pytest.mark.parametrize(
    ("at", "every", "problem"),
    [
        ("24:00", None, "--at 24:00: no time of a day"),
        ("2:30", None, "--at 2:30: no time"),
        (None, "often", "--every often: no duration"),
        (None, "7h", "--every 7h: give minutes that part an hour evenly"),
        (None, "45m", "--every 45m: give"),
        (None, "90m", "--every 90m: give"),
        (None, "90s", "--every 90s: give"),
        (None, "0s", "--every 0s: give"),
        (None, "2d", "--every 2d: give"),
        (None, "0.5s", "--every 0.5s: give"),
        ("02:30", "1h", "--at and --every contradict"),
    ],
)
def test_times_that_are_none(at: str | None, every: str | None, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Times.parse(at, every)


needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze"
)


@needs_systemd
@pytest.mark.parametrize("every", [None, *(f"{n}m" for n in (1, 5, 15, 30)), *(f"{n}h" for n in (1, 2, 12))])  # fmt: skip
def test_systemd_understands_the_calendar(every: str | None) -> None:
    """It comes round as often as it should."""
    times = Times.parse(None, every)
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=3", times.calendar],
        capture_output=True, text=True, check=True, env=os.environ | {"TZ": "UTC"},
    )  # fmt: skip
    clock = [timedelta(hours=int(h), minutes=int(m)) for h, m in re.findall(r"(?:elapse|Iter\. #\d): .* (\d\d):(\d\d):00 UTC", done.stdout)]  # fmt: skip
    apart = [(later - sooner) % timedelta(days=1) for sooner, later in pairwise(clock)]  # fmt: skip
    assert apart == [timedelta(seconds=times.seconds) % timedelta(days=1)] * 2


@needs_systemd
@pytest.mark.parametrize("odd", ["plain", ODD])
def test_systemd_verifies(odd: str, tmp_path: Path) -> None:
    made = plan(tmp_path, odd, user="root")
    program = Path(made.command[0])
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    for unit in KINDS["systemd"](made):
        (tmp_path / Path(unit.file).name).write_text(unit.text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / "l7meter.timer"), str(tmp_path / "l7meter.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "l7meter" in line]
    assert ours == []
    assert done.returncode == 0


@needs_systemd
def test_systemd_reads_paths_as_they_are(tmp_path: Path) -> None:
    """Made relative, a path is complained of: in the words that were read."""
    text = KINDS["systemd"](plan(tmp_path))[0].text
    relative = re.sub(r'((?:ReadWrite|ReadOnly)Paths="?-?)/', r"\1", text)
    (tmp_path / "l7meter.service").write_text(relative)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "l7meter.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert {Path("/" + name) for name in re.findall("path is not absolute, ignoring: (.*)", done.stderr)} == {tmp_path / ODD / "store", tmp_path / ODD / "logs"}  # fmt: skip


def test_program_that_systemd_would_not_start(tmp_path: Path) -> None:
    made = planned(plan(tmp_path, "plain").config, Times(), "/opt/it's/l7meter")
    with pytest.raises(UsageError, match="systemd starts no program with quotes"):
        KINDS["systemd"](made)


def test_walls_of_systemd(tmp_path: Path) -> None:
    service = KINDS["systemd"](plan(tmp_path, "plain"))[0].text
    for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "SuccessExitStatus=5", "MemoryMax=4G", "Nice=10", "IOSchedulingClass=idle", "PrivateNetwork=yes", f"ReadWritePaths={tmp_path}/plain/store", f"ReadOnlyPaths=-{tmp_path}/plain/logs"):  # fmt: skip
        assert f"\n{line}\n" in service
    fetching = plan(tmp_path, "plain", '[[source]]\nname = "x"\npaths = ["/srv"]\n')
    text = Path(fetching.config.path).read_text().replace("[privacy]", 'refdata = "r"\nupdate = ["aws"]\n[privacy]')  # fmt: skip
    Path(fetching.config.path).write_text(text)
    service = KINDS["systemd"](planned(read(fetching.config.path), Times(), "/bin/l7meter"))[0].text
    assert "PrivateNetwork=no" in service
    assert f"ReadWritePaths={tmp_path}/plain/r\n" in service


def test_homes_are_hidden_unless_needed(tmp_path: Path) -> None:
    (path := tmp_path / "l7meter.toml").write_text('store = "/home/x/store"\n')
    service = KINDS["systemd"](planned(read(path), Times(), "/usr/bin/l7meter"))[0].text
    assert "ProtectHome=read-only" in service
    path.write_text('store = "/srv/store"\n')
    service = KINDS["systemd"](planned(read(path), Times(), "/usr/bin/l7meter"))[0].text
    assert "ProtectHome=yes" in service


FAKE = "#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done\nexit {code}\n"


@pytest.mark.parametrize(("code", "exit_", "said"), [(0, 0, False), (5, 0, False), (3, 3, True)])
def test_cron_says_something_of_failures_only(tmp_path: Path, code: int, exit_: int, said: bool) -> None:  # fmt: skip
    made = plan(tmp_path)
    program = Path(made.command[0])
    program.parent.mkdir(parents=True)
    program.write_text(FAKE.format(code=code))
    program.chmod(0o755)
    *_, line = text_of("cron", made).splitlines()
    *when, user, command = line.split(" ", 6)
    assert (when, user) == (["30", "2", "*", "*", "*"], "l7meter")
    assert not re.search(r"(?<!\\)%", command)  # cron would cut there
    done = subprocess.run(["/bin/sh", "-c", command.replace("\\%", "%")], capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == exit_
    assert done.stdout == (f"<run><--config><{made.config.path}>\n" if said else "")


def test_kubernetes(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    made = plan(tmp_path)
    config, claim, job = yaml.safe_load_all(text_of("kubernetes", made))
    assert [each["kind"] for each in (config, claim, job)] == ["ConfigMap", "PersistentVolumeClaim", "CronJob"]  # fmt: skip
    assert config["data"]["0-l7meter.toml"] == made.config.path.read_text()
    assert set(config["data"]) == {"0-l7meter.toml", "1-organizations.toml"}
    spec = job["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("30 2 * * *", "Etc/UTC", "Forbid")  # fmt: skip
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["run", "--config", str(made.config.path)]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["resources"]["limits"]["memory"] == "4Gi"
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    folder = tmp_path / ODD
    assert set(mounts) == {"/tmp", *(str(folder / name) for name in ("store", "logs", "l7meter.toml", "organizations.toml", "keys"))}  # fmt: skip
    assert mounts[str(folder / "logs")]["readOnly"] is True
    volumes = {each["name"] for each in pod["volumes"]}
    assert {each["name"] for each in (*container["volumeMounts"], *pod["initContainers"][0]["volumeMounts"])} == volumes  # fmt: skip
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]+", each.get("subPath", "x")) for each in mounts.values())  # fmt: skip
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_shell(container["command"], container["args"], 3, tmp_path)
    assert failed.value.returncode == 3
    assert run_shell(container["command"], container["args"], 5, tmp_path) == f"<run><--config><{made.config.path}>"  # fmt: skip


def run_shell(command: list[str], args: list[str], code: int, folder: Path) -> str:
    """The container's command with an l7meter that exits so."""
    (program := folder / "l7meter").write_text(FAKE.format(code=code))
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run([*command, *args], capture_output=True, text=True, check=True, env={"PATH": path}).stdout  # fmt: skip


def test_kubernetes_needs_what_is_named(tmp_path: Path) -> None:
    made = plan(tmp_path, "plain")
    (tmp_path / "plain/organizations.toml").unlink()
    with pytest.raises(
        UsageError, match=r"organizations\.toml: cannot be put into the ConfigMap: No"
    ):
        KINDS["kubernetes"](made)
    made = plan(tmp_path, "plain", '[[source]]\nname = "x"\npaths = ["/*.log"]\n')
    with pytest.raises(UsageError, match="/: cannot be a volume"):
        KINDS["kubernetes"](made)


scalars = st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"))
tables = st.dictionaries(st.text(st.characters(codec="utf-8")), st.recursive(scalars, lambda inner: st.lists(scalars, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3), max_leaves=8), min_size=1, max_size=4)  # fmt: skip


@given(tables)
def test_yaml_is_read_again(value: dict[str, Any]) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(document(value)) == value


@given(
    st.lists(st.sampled_from(["a", "  b", "", "c: d", "- e", "#", "\t", "é", "..."]), max_size=6)
)
def test_yaml_blocks(lines: list[str]) -> None:
    yaml = pytest.importorskip("yaml")
    value = {"data": {"x": "\n".join(lines), "y": "\n".join(lines) + "\n"}}
    assert yaml.safe_load(document(value)) == value


class Anything:
    """Stands for what Airflow has."""

    made: ClassVar[dict[str, Any]] = {}

    def __init__(self, **words: Any) -> None:
        Anything.made |= words

    def __enter__(self) -> Anything:
        return self

    def __exit__(self, *_: object) -> None:
        pass


AIRFLOW = {2: ("airflow", "airflow.operators.bash"), 3: ("airflow.sdk", "airflow.providers.standard.operators.bash")}  # fmt: skip


@pytest.mark.parametrize("version", [2, 3])
def test_airflow(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag, bash = AIRFLOW[version]
    for name in (dag, bash):
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            inner = ".".join(parts[:end])
            if inner not in sys.modules:
                monkeypatch.setitem(sys.modules, inner, ModuleType(inner))
    monkeypatch.setattr(sys.modules[dag], "DAG", Anything, raising=False)
    monkeypatch.setattr(sys.modules[bash], "BashOperator", Anything, raising=False)
    made = plan(tmp_path)
    exec(compile(text_of("airflow", made), "dag.py", "exec"), {})
    words = Anything.made
    assert (words["schedule"], words["max_active_runs"], words["catchup"], words["skip_on_exit_code"]) == ("30 2 * * *", 1, False, 5)  # fmt: skip
    command = words["bash_command"].removeprefix("{% raw %}").removesuffix("{% endraw %}")
    assert shlex.split(command) == list(made.command)


@given(st.lists(st.sampled_from(["{%", "%}", "{{", "}}", "{#", " endraw ", "raw", "a", "{", ".sh"])))  # fmt: skip
def test_jinja_leaves_the_command_alone(parts: list[str]) -> None:
    jinja = pytest.importorskip("jinja2")
    command = "x" + "".join(parts)
    assert jinja.Template(_raw(command)).render() == command
    assert not _raw(command).endswith((".sh", ".bash"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"name": "Nightly Job"}, "--name Nightly Job: write small letters"),
        ({"user": "a b"}, "--user 'a b': write it without blanks"),
        ({"user": "root\nExecStart=/bin/sh"}, "--user 'root"),
        ({"mail": "a%b"}, "--mail 'a%b'"),
        ({"memory": "much"}, "--memory much: no size"),
        ({"memory": "1MB"}, "--memory 1MB: a run needs 512MiB"),
    ],
)
def test_words_that_are_none(tmp_path: Path, words: dict[str, str], problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        plan(tmp_path, **words)


def test_line_end_in_a_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no scheduler takes such a path; rename it"):
        plan(tmp_path, "a\nExecStart=b")


def test_command(run: Run, tmp_path: Path) -> None:
    path = plan(tmp_path, "plain").config.path
    code, out = run("schedule", "systemd", "--config", path, "--every", "1h", "--program", "/opt/l7meter")  # fmt: skip
    assert code == 0
    assert out.startswith("# /etc/systemd/system/l7meter.service\n")
    assert "\n\n# /etc/systemd/system/l7meter.timer\n" in out
    (folder := tmp_path / "units").mkdir()
    for _ in range(2):  # the same again is no fault
        code, out = run("schedule", "systemd", "--config", path, "--directory", folder, "--name", "meter")  # fmt: skip
        assert (code, out) == (0, f"{folder}/meter.service\n{folder}/meter.timer\n")
    (folder / "meter.timer").write_text("mine")
    assert run("schedule", "systemd", "--config", path, "--directory", folder, "--name", "meter") == (2, f"{folder}/meter.timer: is there already and says something else; remove it first")  # fmt: skip
    assert run("schedule", "at", "--config", path) == (2, "at: no scheduler of these: systemd, cron, kubernetes, airflow")  # fmt: skip
    assert run("schedule", "cron", "--config", path, "--program", "l7meter")[0] == 2


def test_the_image_runs_as_the_user_of_the_manifest() -> None:
    from l7meter.job.scheduling.kubernetes import USER

    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text("utf-8")
    assert f"\nUSER {USER}:{USER}\n" in dockerfile
    assert re.findall(r"(?m)^FROM (\S+)", dockerfile) == ["python:3.13-slim"] * 2
