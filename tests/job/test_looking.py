"""`config check` says what a run would meet, and exits as a run would."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from configuring import GOOD, LINE, Run, Write

from l7meter.job.config import read
from l7meter.job.looking import anchor, look, writes


def test_what_a_source_matches(run: Run, write: Write, logs: Path) -> None:
    code, out = run("config", "check", "--config", write(GOOD), "-o", "json")
    (source,) = json.loads(out)["sources"]
    assert code == 0
    assert (source["files"], source["octets"]) == (1, 3 * len(LINE))
    assert (source["format"], source["problems"]) == ("combined", [])
    code, out = run("config", "check", "--config", write(GOOD))
    assert code == 0
    assert "cdn: 1 file, 264 B, combined, the newest of" in out
    assert "the store is not there yet; the first run makes it" in out


def test_wrong_is_2(run: Run, write: Write, tmp_path: Path) -> None:
    code, out = run("config", "check", "--config", write(GOOD + "x = 1\n"))
    assert (code, out) == (2, f"{tmp_path}/l7meter.toml: line 7: unknown key x; there are name, paths, format, log_format, map, registry, trusted_hops, timezone, engine, tls_keys, every, settle, max_reject_share")  # fmt: skip
    code, out = run("config", "check", "--config", tmp_path / "absent.toml")
    assert (code, out) == (2, f"{tmp_path}/absent.toml: cannot be read: No such file or directory")
    code, out = run("config", "check", "--config", write(GOOD), "-o", "yaml")
    assert (code, out) == (2, "--output yaml: config check gives table or json")


def test_faulty_file_of_organisations_is_2(run: Run, write: Write, logs: Path) -> None:
    path = write(GOOD + '[attribution]\norganizations = "o.toml"\n')
    (path.parent / "o.toml").write_text("[[organization]]\nname = 'A'\nasn = 1\n")
    code, out = run("config", "check", "--config", path)
    assert code == 2
    assert "o.toml: line 3: unknown key asn" in out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("logs/", "nowhere/"), "/nowhere: no such file or directory"),
        (GOOD.replace("logs/*.log", "logs/absent.log"), "no such file or directory"),
        (GOOD + "[attribution]\norganizations = 'o.toml'\n", "the file of organisations: no such file or directory; write it"),
        (GOOD + "[privacy]\naddresses = 'pseudonymous'\nkey_file = 'k'\n", "the file of keys of pseudonyms: no such file or directory; 'l7meter privacy new-key' makes it"),
        (GOOD + "[attribution]\nrefdata = 'r'\n", "the directory of reference data: no such file or directory"),
        (GOOD.replace('"store"', '"logs/access.log/store"'), "access.log: is no directory; name another"),
    ],
)  # fmt: skip
def test_what_is_missing_is_3(run: Run, write: Write, logs: Path, text: str, problem: str) -> None:
    code, out = run("config", "check", "--config", write(text))
    assert code == 3
    assert problem in out
    assert "is right, but a run would meet 1 problem" in out


def test_nothing_there_yet_is_a_note(write: Write, logs: Path) -> None:
    found = look(read(write(GOOD.replace("*.log", "*.gz"))))
    assert found.sources[0].problems == []
    assert found.sources[0].notes[0].endswith("logs/*.gz: no file matches")


def test_newest_file_that_holds_something_is_told(write: Write, logs: Path) -> None:
    (logs / "new.log").write_text("")
    (logs / "garbage.log").write_text("neither\nnor\n" * 10)
    os.utime(logs / "garbage.log", (1, 1))
    made = read(write(GOOD.replace('format = "combined"\n', "")))
    assert look(made).sources[0].format == "combined"
    os.utime(logs / "access.log", (0, 0))
    (source,) = look(made).sources
    assert (source.files, source.format) == (3, None)
    assert "garbage.log: no format claims it" in source.problems[0]


def test_rejects_of_the_format_that_was_named(write: Write, logs: Path) -> None:
    (logs / "access.log").write_text(LINE * 8 + "no record\n" * 2)
    assert "2 of its first 10 lines are no records of combined" in look(read(write(GOOD))).sources[0].notes[0]  # fmt: skip
    more = look(read(write(GOOD + "max_reject_share = 0.2\n")))
    assert more.sources[0].notes == []


def test_files_that_are_still_written_to_wait(write: Write, logs: Path) -> None:
    (logs / "old.log").write_text(LINE)
    os.utime(logs / "old.log", (1, 1))
    time = (logs / "access.log").stat().st_mtime
    now = datetime.fromtimestamp(time + 60, UTC)
    made = read(write(GOOD + 'settle = "5m"\n'))
    assert look(made, now).sources[0].waiting == 1
    assert look(made, now + timedelta(minutes=5)).sources[0].waiting == 0


def test_files_of_two_sources(write: Write, logs: Path) -> None:
    second = '[[source]]\nname = "again"\npaths = ["logs"]\n'
    first, again = look(read(write(GOOD + second))).sources
    assert first.notes == []
    assert again.notes == ["it has files in common with cdn: the first one reads them"]


def test_old_reference_data(write: Write, logs: Path) -> None:
    now = datetime(2036, 1, 1, tzinfo=UTC)
    (note,) = [note for note in look(read(write(GOOD)), now).notes if "max_age" in note]
    assert "days old, more than max_age: 'l7meter refdata update' fetches newer" in note
    kept = GOOD + "[attribution]\nmax_age = 'forever'\n"
    assert not [note for note in look(read(write(kept)), now).notes if "max_age" in note]


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], None]]:
    """Become another user until the test ends."""
    yield lambda: os.setresuid(65_534, 65_534, 0)
    if os.getuid():
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user: needs root")
def test_what_another_user_may_not_do(write: Write, logs: Path, as_nobody: Callable[[], None]) -> None:  # fmt: skip
    (logs / "deep").mkdir(mode=0o700)
    (logs / "deep" / "x.log").write_text(LINE)
    (logs / "secret.log").write_text(LINE)
    (logs / "secret.log").chmod(0o600)
    (logs.parent / "o.toml").touch(mode=0o600)
    made = read(write(GOOD.replace("logs/*.log", "logs")))
    closed = read(write(GOOD.replace("logs/*.log", "logs/deep/*.log") + "[attribution]\norganizations = 'o.toml'\n"))  # fmt: skip
    assert look(made).sources[0].files == 3  # and what is imported late is imported
    for folder in logs.parents:
        if "pytest" in str(folder):
            folder.chmod(0o755)
    as_nobody()
    found = look(made)
    assert [each.replace(f"{logs}/", "").partition(":")[0] for each in found.sources[0].problems] == ["deep", "secret.log"]  # fmt: skip
    assert any("refdata0: the reference data there: nobody may not" in note for note in found.notes)
    assert "store: cannot be written: nobody may not write into" in found.problems[0]
    found = look(closed)
    assert found.sources[0].problems == [f"{logs}/deep: nobody may not read it"]  # fmt: skip
    assert (
        f"{logs.parent}/o.toml: the file of organisations: nobody may not read it"
        in found.problems[0]
    )


@pytest.mark.parametrize(
    ("pattern", "fixed"),
    [
        ("/a/b/*.gz", "/a/b"),
        ("/a/**/c", "/a"),
        ("/a/b.log", "/a/b.log"),
        ("/a/[[]b[*]/x?", "/a/[b*"),
        ("/a/[bc]/x", "/a"),
    ],
)
def test_anchor(pattern: str, fixed: str) -> None:
    assert anchor(pattern) == Path(fixed)


def test_what_a_run_writes(write: Write) -> None:
    text = """\
        store = "/s/store"
        [attribution]
        refdata = "/s/store/../ref"
        update = ["aws"]
        [[report]]
        name = "a"
        query = "by_day"
        path = "/s/store/reports/{name}-{period}.csv"
        [[report]]
        name = "b"
        query = "by_day"
        path = "/r/{period}/x.csv"
        [metrics]
        textfile = "/m/a.prom"
        """
    assert writes(read(write(text))) == [Path("/m"), Path("/r"), Path("/s/ref"), Path("/s/store")]


def test_show(run: Run, write: Write) -> None:
    code, out = run("config", "show", "--config", path := write(GOOD))
    shown = json.loads(out)
    assert code == 0
    assert shown["path"] == str(path)
    assert shown["retention"] == {"records": "90d", "rejects": "30d", "rollups": "forever", "snapshots": "7d"}  # fmt: skip
    assert shown["source"][0]["every"] is None
