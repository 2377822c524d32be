"""A cache that runs (nginx), with a limit or with lifetimes: what its rules change of a prediction, and nothing else does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import real_cache, real_cache_pages, real_cache_rules
from benchmarks.real_cache import Request
from benchmarks.real_cache_pages import Costs, Releases

pytestmark = [
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed: apt install nginx"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nginx's manager is found in /proc"),
]  # fmt: skip


@pytest.fixture
def steady(tmp_path: Path) -> Iterator[Path]:
    """A folder whose files take the same blocks at any time."""
    with tempfile.TemporaryDirectory(dir=real_cache_rules.steady(1 << 25) or tmp_path) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_limited_cache_asks_for_what_its_rules_say_and_nearly_what_was_predicted(
    tmp_path: Path, steady: Path
) -> None:
    tmp_path.chmod(0o755)
    requests = real_cache.traffic(real_cache.files(steady / "files", 60), 300)
    log = real_cache.straight(steady, requests)
    _, everything = real_cache_rules.kept_up(steady, requests, None)
    octets, blocks = real_cache_rules.fetched(steady / "origin.log"), everything.blocks
    limit = sum(blocks.values()) * real_cache_rules.BLOCK // 3
    measured, keeper = real_cache_rules.kept_up(steady, requests, limit)
    assert keeper.late == 0
    rules = real_cache_rules.by_rules(requests, blocks, octets, limit // real_cache_rules.BLOCK, below=True, conditions=True)  # fmt: skip
    assert measured == rules
    # room was made: what is without a limit is asked for less
    assert measured.octets > 1.2 * sum(octets.values())
    predicted = real_cache.predicted(log, tmp_path / "store", [limit])[limit]
    assert predicted.octets == pytest.approx(measured.octets, rel=0.1)
    assert predicted.requests == pytest.approx(measured.requests, rel=0.1)


def test_pages_are_fresh_for_whole_seconds(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    paths = real_cache_pages.pages(real_cache.files(tmp_path / "files", 60))
    requests = real_cache.traffic(paths, 300)
    log, releases = real_cache_pages.replayed(tmp_path, requests, 4, 1, cache=True, every=40)
    measured = real_cache.asked(log)
    # half a millisecond may lie between our clock and nginx's when a second begins
    rules = real_cache_pages.by_rules(releases, Costs.of(log), 1)
    assert measured.requests == pytest.approx(rules.requests, abs=2)
    assert rules.requests > len(set(paths))  # some were validated


@pytest.mark.parametrize(
    ("below", "conditions", "requests", "octets"),
    [
        # room for a and b: c drives a out, which is fetched again
        (False, True, 4, 400),
        # less than the limit: there is never room for two, and b is fetched again, too
        (True, True, 5, 500),
        # a condition is passed on, costs 7, and brings nothing in
        (False, False, 4, 307),
    ],
)
def test_the_rules(below: bool, conditions: bool, requests: int, octets: int) -> None:
    asked = [Request("a"), Request("b"), Request("b"), Request("c"), Request("b"), Request("a", "again")]  # fmt: skip
    each = dict.fromkeys("abc", 100)
    found = real_cache_rules.by_rules(asked, each, each, 200, below=below, conditions=conditions, unchanged=7)  # fmt: skip
    assert found == (requests, octets)


def test_a_response_is_fresh_to_the_end_of_its_last_second(tmp_path: Path) -> None:
    requests = [Request("/simple/a/")] * 5
    moments, lengths = [10.9, 12.99, 13.0, 15.9, 16.0], [1000, 1000, 1000, 1150, 1150]
    releases = Releases(tmp_path, requests, moments=moments, lengths=lengths)
    # 10.9 fetches; 12.99 is fresh; 13.0 finds nothing new; 15.9 is fresh; 16.0 finds a longer one
    found = real_cache_pages.by_rules(releases, Costs(200, 50), 2)
    assert found == (3, 1200 + 50 + 1350)
