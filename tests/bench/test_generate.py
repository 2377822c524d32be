"""The benchmark's logs are the same for everyone, and hold what their truth says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
LINES = 50_000
Made = dict[str, tuple[list[str], dict[str, Any]]]


def generate(directory: Path, format_name: str, **options: int) -> tuple[bytes, dict[str, Any]]:
    """Run the generator as a command; return the file and its truth."""
    flags = [f"--{name}={value}" for name, value in ({"lines": LINES} | options).items()]
    command = [sys.executable, "-m", "benchmarks.generate", format_name, *flags]
    command += ["--directory", str(directory)]
    said = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return Path(said["path"]).read_bytes(), said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    directory = tmp_path_factory.mktemp("made")
    files = {name: generate(directory, name) for name in ("nginx", "apache", "fastly")}
    return {name: (data.decode().splitlines(), truth) for name, (data, truth) in files.items()}


def test_another_process_writes_the_same_and_another_seed_something_else(
    tmp_path: Path, made: Made
) -> None:
    again, _ = generate(tmp_path, "nginx")
    other, _ = generate(tmp_path, "nginx", seed=1)
    assert again.decode().splitlines() == made["nginx"][0]
    assert other.decode().splitlines()[0] != made["nginx"][0][0]


def test_a_short_log_is_the_beginning_of_a_longer_one(tmp_path: Path, made: Made) -> None:
    short, _ = generate(tmp_path, "nginx", lines=1_000)
    assert short.decode().splitlines() == made["nginx"][0][:1_000]


def test_truth_of_the_combined_formats_is_what_a_plain_reader_finds(made: Made) -> None:
    for name in ("nginx", "apache"):
        lines, truth = made[name]
        text = r'"(?:[^"\\]|\\.)*"'
        whole = re.compile(rf"\S+ - - \[[^]]+\] {text} \d{{3}} (\d+|-) {text} {text}")
        sizes = [match[1] for line in lines if (match := whole.fullmatch(line))]
        assert len(lines) == LINES == truth["lines"]
        assert len(sizes) == LINES - truth["chopped"]
        assert sum(int(size) for size in sizes if size != "-") == truth["octets"]
        assert sum(r' "\x16' in line for line in lines) == truth["binary"]
        assert min(truth["chopped"], truth["binary"], truth["empty"]) > 0


def test_json_lines_hold_the_same_exchanges(made: Made) -> None:
    lines, truth = made["fastly"]
    objects = [json.loads(line) for line in lines]
    assert sum(exchange["response_bytes"] for exchange in objects) == truth["octets"]
    for exchange, line in zip(objects, made["nginx"][0], strict=True):
        if line.count('"') == 6 and exchange["request"]:
            agent = exchange["user_agent"].replace('"', r"\x22")
            assert line.startswith(f"{exchange['client_ip']} - - [")
            assert f'"{exchange["request"]} {exchange["request_path"]}' in line
            assert line.endswith(f'"{agent}"')
