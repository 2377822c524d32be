"""A cache that runs (nginx) asks the origin for what was predicted, to the octet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks import real_cache

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed: apt install nginx")  # fmt: skip


def test_a_cache_without_limit_asks_for_what_was_predicted(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    paths = real_cache.files(tmp_path / "files", 60)
    requests = real_cache.traffic(paths, 400)
    assert {each.kind for each in requests} == {"whole", "part", "again"}
    log = real_cache.straight(tmp_path, requests)
    expected = real_cache.predicted(log, tmp_path / "store", [None])[None]
    measured, _ = real_cache.cached(tmp_path, requests, None)
    assert measured == expected
    assert measured.octets < 0.5 * real_cache.asked(log).octets
