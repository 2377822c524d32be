"""A configuration says what it means, or every fault of it with its line."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from configuring import GOOD, Write
from hypothesis import given
from hypothesis import strategies as st

from l7meter.errors import UsageError
from l7meter.job import config as module
from l7meter.job.config import ARRAYS, TABLES, Config, PrivacyConfig, ReportConfig, read
from l7meter.job.keys import DURATION
from l7meter.job.reference import as_dict, table, written
from l7meter.tomlreading import keys

DOCS = Path(__file__).parents[2] / "docs"


def faults(path: Path) -> list[str]:
    with pytest.raises(UsageError) as raised:
        read(path)
    return str(raised.value).replace(f"{path}: ", "").splitlines()


def test_defaults(write: Write, tmp_path: Path) -> None:
    made = read(path := write(GOOD))
    (source,) = made.sources
    assert made.store == tmp_path / "store"
    assert source.paths == (str(tmp_path / "logs/*.log"),)
    assert (source.every, source.settle, source.max_reject_share) == (None, timedelta(), 0.05)
    assert made.privacy == PrivacyConfig()
    assert (made.retention.records, made.retention.rollups) == (timedelta(days=90), None)
    assert made.days.close_after == timedelta(days=3)
    assert (made.path, made.digest) == (path, sha256(path.read_bytes()).hexdigest())


def test_everything(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    (tmp_path / "own.sql").write_text(
        "-- Mine\n--\n-- Parameters:\n-- a = 1 : int : one\nSELECT $a"
    )
    made = read(
        write("""\
        store = "~/store"
        [[source]]
        name = "edge"
        paths = ["~/logs", "a/$HOME/%d.log"]
        map = ["time=ts", "ip=client_address"]
        registry = ["pypi", "npm.example=npm"]
        trusted_hops = 2
        timezone = "Europe/Paris"
        every = "1h"
        settle = "90s"
        max_reject_share = 1
        [attribution]
        refdata = "ref"
        update = ["aws"]
        max_age = "forever"
        [privacy]
        addresses = "pseudonymous"
        key_file = "/etc/keys"
        [retention]
        records = "forever"
        [[report]]
        name = "mine"
        query = "own.sql"
        parameters = {a = 2}
        every = "run"
        format = "markdown"
        [[report]]
        name = "top"
        query = "top_organizations"
        every = "month"
        path = "/srv/{period}/{name}.csv"
        """)
    )
    (source,) = made.sources
    assert made.store == Path("/home/someone/store")
    assert source.paths == ("/home/someone/logs", str(tmp_path / "a/$HOME/%d.log"))
    said = source.said()
    assert (said.map, said.options.trusted_hops, said.options.timezone) == (("time=ts", "ip=client_address"), 2, "Europe/Paris")  # fmt: skip
    assert (source.every, source.settle) == (timedelta(hours=1), timedelta(seconds=90))
    assert made.attribution.max_age is None
    assert made.retention.records is None
    mine, top = made.reports
    assert mine.file("all") == tmp_path / "reports/mine-all.md"
    assert top.file("2026-11") == Path("/srv/2026-11/top.csv")
    json.dumps(as_dict(made))


def test_wildcard_in_the_directory_of_the_file_is_none(tmp_path: Path) -> None:
    (folder := tmp_path / "a[b]*").mkdir()
    (folder / "x.log").write_text("")
    (path := folder / "l7meter.toml").write_text(GOOD.replace("logs/*.log", "*.log"))
    from l7meter.sources import discover

    assert discover(read(path).sources[0].paths) == ([str(folder / "x.log")], [])


def test_all_faults_in_one_go(write: Write) -> None:
    path = write("""\
        stor = "x"
        [[source]]
        name = "cdn"
        pathes = ["a"]
        format = "combind"
        [[source]]
        name = "cdn"
        paths = ["a",
          5]
        [privacy]
        addresses = "trunkated"
        [[report]]
        name = "top"
        query = "top_organization"
        """)
    assert faults(path) == [
        "line 1: unknown key stor; did you mean store?",
        "line 1: the file needs store: Directory of the store; made if it is not there.",
        "line 2: [[source]] needs paths: Files, directories (read in depth) and globs.",
        "line 4: unknown key pathes; did you mean paths?",
        "line 5: no format combind; did you mean combined?",
        "line 7: source cdn is there already; give this one another name",
        'line 9: paths 5 is no file, directory or glob; write it as in "/var/log/cdn/*.gz"',
        "line 11: addresses 'trunkated' is none of full, truncated, pseudonymous, none; did you mean truncated?",
        "line 14: no query 'top_organization'; there is: top_organizations, organization_clients, top_agents; 'l7meter query' lists them",
    ]


SOURCE = '[[source]]\nname = "a"\npaths = ["b"]\n'
REPORT = '[[report]]\nname = "a"\nquery = "top_organizations"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("store = 5\n", "line 1: store 5 is no path; write"),
        ('source = "x"\n', "line 1: write [[source]], in two brackets, once for each source"),
        ("[source]\nname = 'x'\n", "line 1: write [[source]], in two brackets"),
        ("privacy = 1\n", "line 1: privacy is a table; write [privacy]"),
        ("[privacy]\nreferers = 'drop'\n", "line 2: unknown key referers; did you mean referrers?"),
        ("[zzz]\n", "line 1: unknown key zzz; there are store, attribution"),
        ("[rollups]\nenabled = 'yes'\n", "line 2: enabled 'yes' is neither true nor false"),
        ("[compaction]\nfiles = -1\n", "line 2: files -1 is no count"),
        ("[compaction]\nfiles = true\n", "line 2: files true is no count"),
        ("[retention]\nrecords = '90'\n", "line 2: records '90' is no time to keep"),
        ("[retention]\nrecords = '0d'\n", "line 2: records '0d' is no time to keep"),
        ("[retention]\nrecords = '3d'\n", "line 2: records go before their day is closed"),
        ("[days]\nclose_after = 3\n", "line 2: close_after 3 is no duration"),
        ("[days]\nclose_after = '-3d'\n", "line 2: close_after '-3d' is no duration"),
        ("[metrics]\ntextfile = 'a.txt'\n", "line 2: node_exporter reads .prom files only; write a.prom"),
        ("[privacy]\nuser_names = 'pseudonymous'\n", "line 2: pseudonymous user_names need a key_file"),
        ("[attribution]\nrefdata = 'r'\nupdate = ['aws', 'awz']\n", "line 3: no source of reference data awz; did you mean aws?"),
        ("[attribution]\nupdate = ['aws']\n", "line 2: what is fetched needs a place"),
        ("[[source]]\nname = 'a/b'\npaths = ['x']\n", "line 2: name 'a/b' is no name"),
        ("[[source]]\nname = 'a'\npaths = 'x'\n", "line 3: paths 'x' is no list; write it as in paths ="),
        ("[[source]]\nname = 'a'\npaths = []\n", "line 3: source a has no paths"),
        ("[[source]]\nname = 'a'\npaths = ['-']\n", "line 3: paths '-' is no file"),
        ("[[source]]\nname = 'a'\npaths = ['s3://b/k']\n", "line 3: paths 's3://b/k' is no file"),
        (f"{SOURCE}timezone = 'Mars'\n", "line 4: timezone 'Mars' is no time zone"),
        (f"{SOURCE}every = '0s'\n", "line 4: every '0s' is no period"),
        (f"{SOURCE}max_reject_share = 5\n", "line 4: max_reject_share 5 is no share"),
        (f"{SOURCE}registry = ['pip']\n", "line 4: registry pip: no layout has that name"),
        (f"{SOURCE}format = 'combined'\nlog_format = '%h'\n", "line 5: format and log_format contradict each other"),
        (f"{SOURCE}map = ['a']\n", "line 4: map ['a'] maps nothing"),
        (f"{SOURCE}map = ['a=zz']\n", "line 4: map"),
        (f"{SOURCE}map = 'absent.toml'\n", "line 4: map"),
        (f"{SOURCE}log_format = '$remote_adr'\n", "line 4: "),
        (f"{SOURCE}engine = 'fast'\n", "line 4: no engine fast; there are"),
        (f"{SOURCE}tls_keys = 'k'\n", "line 4: "),
        (f"{REPORT}parameters = {{limit = 'many'}}\n", "line 4: parameter 'limit': 'many' is not a int"),
        (f"{REPORT}[report.parameters]\nlimitt = 1\n", "line 5: query top_organizations has no parameter limitt; did you mean limit?"),
        (f"{REPORT}parameters = {{since = 2026-01-01}}\n", "line 4: since is that of the day; leave it out"),
        ("[[report]]\nname = 'a'\nquery = 'data_quality'\n", "line 1: query data_quality has no since"),
        (f"{REPORT}path = 'x/{{day}}.csv'\n", "line 4: {day} is not filled in"),
        (f"{REPORT}path = 'x'\n[[report]]\nname = 'b'\nquery = 'by_day'\npath = 'x'\n", "line 8: report a is written to the same file"),
        (f"{REPORT}[rollups]\nenabled = false\n", "line 1: no day is ever closed with [rollups] enabled = false"),
        (f"{REPORT}every = 'month'\n[rollups]\nenabled = false\n", "line 4: no month is ever closed"),
        (f"{REPORT}[publish]\nmin_clients = 5\n", "line 3: query top_organizations does not say how many clients a row stands for"),
        (f"{REPORT}every = 'month'\n[retention]\nrecords = '30d'\n", "line 4: records go before the month is closed; keep them for 35d"),
    ],
)  # fmt: skip
def test_fault(write: Write, text: str, fault: str) -> None:
    if not text.startswith("store"):  # tables are last
        path = write(f"{text}")
        path.write_text(f'store = "s"\n{text}')
        number = int(fault.split(":")[0].removeprefix("line ")) + 1
        fault = f"line {number}:{fault.partition(':')[2]}"
    else:
        path = write(text)
    (said,) = faults(path)
    assert said.startswith(fault)
    assert "--" not in said  # options are of commands


@pytest.mark.parametrize(
    "text",
    [
        "[[report]]\nname = 'a'\nquery = 'organization_clients'\n[publish]\nmin_clients = 5\n",
        f"{REPORT}[publish]\nmin_clients = 0\n",
        f"{REPORT}every = 'run'\n[rollups]\nenabled = false\n",
    ],
)
def test_no_fault(write: Write, text: str) -> None:
    path = write("")
    path.write_text(f'store = "s"\n{text}')
    assert read(path).reports[0].name == "a"


def test_since_of_a_report_of_everything(write: Write) -> None:
    made = read(write(GOOD + REPORT + 'every = "run"\nparameters = {since = "2026-01-01"}\n'))
    assert made.reports[0].parameters == {"since": "2026-01-01"}


def test_only_a_leading_tilde_is_expanded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    folder = write("").parent
    for text, path in (("~", Path("/h")), ("~/a", Path("/h/a")), ("a/~", folder / "a/~"), ("~root/a", folder / "~root/a")):  # fmt: skip
        assert read(write(f'store = "{text}"\n')).store == path


@given(st.integers(0, 10**9))
def test_duration_as_written_is_read_again(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert DURATION.read(written(duration), Path()) == duration


def test_show_is_what_was_read(write: Write, tmp_path: Path) -> None:
    """All defaults are values that the file may have."""
    shown = as_dict(read(write(GOOD + REPORT)))
    from l7meter.tomlreference import toml

    lines = [f"store = {toml(shown['store'])}"]
    for name in (*ARRAYS, *TABLES):
        for each in shown[name] if name in ARRAYS else [shown[name]]:
            lines.append(f"[[{name}]]" if name in ARRAYS else f"[{name}]")
            lines += [f"{key} = {toml(value)}" for key, value in each.items() if value not in (None, {})]  # fmt: skip
    again = as_dict(read(write("\n".join(lines))))
    assert {**again, "sha256": ""} == {**shown, "sha256": ""}


def test_every_field_is_a_key_with_a_sentence() -> None:
    for type_ in (*TABLES.values(), *ARRAYS.values()):
        assert set(keys(type_)) == {field.name for field in fields(type_)}
        assert type_.__doc__
    for type_ in (Config, *TABLES.values(), *ARRAYS.values()):
        for field in keys(type_).values():
            assert field.metadata["sentence"].endswith((".", ")"))
            assert f"| `{field.name}` |" in table()
    assert {f"{name}s" for name in ARRAYS} | set(TABLES) <= {field.name for field in fields(Config)}


def test_the_reference_in_the_docs_is_fresh() -> None:
    text = (DOCS / "run.md").read_text("utf-8")
    begin, end = "<!-- keys: generated -->\n", "<!-- keys: end -->"
    assert text.partition(begin)[2].partition(end)[0].strip() == table().strip()


def test_dataclasses_are_plain() -> None:
    """Somebody may make one without a file."""
    made = Config(store=Path("s"), reports=(ReportConfig(name="a", query="b"),))
    assert made.reports[0].file("2026-01-01") == Path("reports/a-2026-01-01.csv")
    assert made.sources == ()
    assert hash(made.privacy) == hash(PrivacyConfig())


def test_reading_does_not_touch_what_is_named(write: Write, tmp_path: Path) -> None:
    read(write(GOOD + REPORT))
    assert [path.name for path in tmp_path.iterdir()] == ["l7meter.toml"]
    assert module.FILE == "l7meter.toml"
