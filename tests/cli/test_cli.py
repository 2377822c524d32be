from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pytest
import typer

from l7meter.cli.app import app
from l7meter.schema import COLUMNS, POLARS, closed, opened

Run = Callable[..., tuple[int, bytes, str]]
LINE = (
    '192.0.2.7 - - [02/Jan/2024:03:{m:02}:{s:02} +0000] "GET /{n} HTTP/1.1" 200 {n} "-" "{agent}"\n'
)
SESSION = Path(__file__).resolve().parents[2] / "sample_pcaps" / "nginx-pip-npm-session.pcap"
PROMISED = {
    *("sources", "lines", "records", "rejects", "skipped", "bytes_read", "seconds"),
    *("rejects_by_reason", "server_bytes_by_basis"),
}


def log(path: Path, *agents: str, bad: int = 0) -> str:
    """A log of combined lines by these agents, and of garbage."""
    lines = [
        LINE.format(n=n, m=n // 60, s=n % 60, agent=agent) for n, agent in enumerate(agents, 1)
    ]
    path.write_text("".join(lines) + "garbage\n" * bad)
    return str(path)


def commands() -> Iterator[list[str]]:
    """Every command, those of a group as well."""
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        yield [name]
        yield from ([name, each] for each in getattr(command, "commands", {}))


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_has_examples(run: Run, command: list[str]) -> None:
    code, out, error = run(*command, "--help")
    assert (code, error) == (0, "")
    text = out.decode()
    assert "Usage: l7meter" in text
    group = any(other[:-1] == command for other in commands())
    assert group or f"$ l7meter {' '.join(command)}" in text


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_loses_nothing_to_markup(command: list[str]) -> None:
    """What stands in brackets is taken for a style, and not shown."""
    found = typer.main.get_command(app)
    for name in command:
        found = found.commands[name]  # type: ignore[attr-defined]
    for parameter in found.params:
        assert "[" not in (getattr(parameter, "help", "") or "")


def test_examples_of_map_name_columns(run: Run) -> None:
    _, out, _ = run("ingest", "--help")
    pairs = re.findall(r"--map\s+(\w+)=(\w+)", out.decode())
    assert len(pairs) >= 3
    assert {column for _, column in pairs} <= set(COLUMNS)


def test_parse_prints_the_names_of_the_schema(run: Run, tmp_path: Path) -> None:
    code, out, error = run("parse", log(tmp_path / "a.log", "pip/24.0", "-", bad=1))
    assert code == 0
    assert error.startswith(f"l7meter: {tmp_path}/a.log: 1 of 3 lines rejected")
    one, two = map(json.loads, out.splitlines())
    assert list(one) == [name for name in COLUMNS if name in one]
    assert (one["ts"], one["source_line"]) == ("2024-01-02T03:00:01.000000Z", 1)
    assert (one["server_bytes"], one["server_bytes_basis"]) == (1, "content")
    assert (one["agent_name"], one["agent_version"]) == ("pip", "24.0")
    assert None not in [*one.values(), *two.values()]
    assert "user_agent_original" not in two


def test_every_output_reads_back_the_same(run: Run, tmp_path: Path) -> None:
    source = log(tmp_path / "a.log", "a,b", r"\x22q\x22", "é|`<&", "-", r"x\x0Ay")
    outs = {}
    for output in ("parquet", "csv", "json", "jsonl", "markdown"):
        code, out, error = run("parse", source, "-o", output)
        assert (code, error) == (0, "")
        outs[output] = out
    frame = pl.read_parquet(outs["parquet"])
    assert frame.schema == opened(pl.DataFrame(schema=POLARS)).schema
    text = closed(frame).with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    schema = POLARS | {"ts": pl.String()}
    assert pl.read_csv(outs["csv"], schema=schema).equals(text)
    wide = schema | {name: pl.Int64() for name, type_ in schema.items() if type_.is_integer()}
    wide |= frame.select(cs.by_dtype(pl.Struct)).schema
    assert closed(pl.read_json(outs["json"], schema=wide)).cast(schema).equals(text)
    assert closed(pl.read_ndjson(outs["jsonl"], schema=wide)).cast(schema).equals(text)
    head, rule, *rows = outs["markdown"].decode().splitlines()
    assert head == f"| {' | '.join(COLUMNS)} |"
    assert (rule.count("|"), len(rows)) == (len(COLUMNS) + 1, frame.height)


def test_ingest_prints_one_object_with_the_promised_keys(run: Run, tmp_path: Path) -> None:
    source = log(tmp_path / "a.log", *["pip/24.0"] * 30, bad=1)
    Path(source).write_text("\n# a comment\n" + Path(source).read_text())
    code, out, error = run("ingest", source, "-o", "json")
    assert (code, error) == (0, "")
    told = json.loads(out)
    assert told.keys() >= PROMISED
    assert {name: told[name] for name in ("sources", "lines", "records", "rejects", "skipped")} == {
        "sources": 1, "lines": 33, "records": 30, "rejects": 1, "skipped": 2
    }  # fmt: skip
    assert told["rejects_by_reason"] == {"line does not match the format": 1}
    assert told["server_bytes_by_basis"] == {"content": sum(range(31))}
    assert told["bytes_read"] == Path(source).stat().st_size
    (each,) = told["files"]
    assert each["rejects_by_reason"] == told["rejects_by_reason"]
    assert each["skipped_by_reason"] == {"blank": 1, "comment": 1}


def test_exit_codes(run: Run, tmp_path: Path) -> None:
    good = log(tmp_path / "good.log", *["x"] * 30)
    bad = log(tmp_path / "bad.log", "x", "y", bad=1)
    code, out, error = run("ingest", tmp_path / "none.log", good, "-o", "json")
    assert (code, error) == (3, f"l7meter: {tmp_path}/none.log: no such file or directory\n")
    assert json.loads(out)["records"] == 30
    code, _, error = run("ingest", bad)
    assert code == 4
    assert "1 of 3 lines were rejected, more than --max-reject-share 0.05" in error
    assert run("ingest", bad)[0] == 0  # known already
    again = log(tmp_path / "again.log", "x", "y", "z", bad=2)
    assert run("ingest", again, "--max-reject-share", "0.4")[0] == 0
    for command in ("check", "parse"):
        assert run(command, tmp_path)[0] == 3
        assert run(command, tmp_path / "none.log")[0] == 3
    assert run("query", "top_agents", "--store", tmp_path / "no-store")[0] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["ingest"],
        ["nonsense"],
        ["parse", "a.log", "--format", "nonsense"],
        ["parse", "a.log", "--format", "combined", "--log-format", "%h %t"],
        ["parse", "a.log", "--log-format", "no variable"],
        ["parse", "a.log", "--log-format", "x" * 300],
        ["parse", "a.log", "--log-format", "$status"],
        ["parse", "a.log", "--log-format", "$http_a$http_b$msec"],
        ["parse", "a.log", "--map", "a=nonsense"],
        ["parse", "a.log", "--map", "none.toml"],
        ["parse", "a.log", "--timezone", "Mars/Olympus"],
        ["parse", "a.log", "--timezone", "America"],
        ["parse", "a.log", "--timezone", "localtime"],
        ["parse", "a.log", "--timezone", ""],
        ["parse", "a.log", "--trusted-hops", "-1"],
        ["parse", "a.log", "--trusted-hops", "many"],
        ["parse", "a.pcap", "--tls-keys", "no-such-keys.log"],
        ["ingest", "a.pcap", "--engine", "fast"],
        ["parse", "a.log", "-o", "yaml"],
        ["ingest", "a.log", "-o", "csv"],
        ["ingest", "a.log", "--max-reject-share", "2"],
        ["query", "nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_a_sentence(run: Run, arguments: list[str]) -> None:
    code, _, error = run(*arguments)
    assert code == 2
    assert "Traceback" not in error


def test_closed_standard_input_is_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert run("parse", "-") == (3, b"", "l7meter: -: standard input is closed\n")


def test_control_characters_never_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[31m[" / "red]\n.log"
    odd.parent.mkdir()
    source = log(odd, *[r"evil\x1B[2J\x07\x9B", "raw\x1b]0;title\x07", "[/bold][red]"] * 9, bad=1)
    with odd.open("a") as file:
        file.write("\x1b[31mno record\x07\n")
    shown = [
        run("check", source),
        run("ingest", source),
        run("ingest", source + "x"),
        run("parse", source, "-o", "table"),
        run("parse", source, "-o", "markdown"),
        run("query", "top_agents"),
        run("sql", "SELECT name, (SELECT max(line) FROM rejects) FROM sources"),
        run("explain", "agent", "evil\x1b[2J"),
        run("check", odd.with_name("none\x1b[31m")),
    ]
    assert [code for code, _, _ in shown] == [0, 4, 3, 0, 0, 0, 0, 0, 3]
    for _, out, error in shown:
        text = out.decode() + error
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert b"[/red]" in shown[0][1]


def test_octets_that_are_no_utf8_are_explained_as_parsed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"pip/24.0\nCaf\xe9bot/1.0\n")))
    code, out, _ = run("explain", "agent", "-", "-o", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, [row["agent"] for row in rows]) == (0, ["pip/24.0", "Caf\\xe9bot/1.0"])
    code, out, _ = run("explain", "target", os.fsdecode(b"/simple/\xff/"), "-o", "jsonl")
    assert (code, json.loads(out)["target"]) == (0, "/simple/\\xff/")


def test_capture_is_checked_parsed_and_ingested(run: Run) -> None:
    code, out, error = run("check", SESSION)
    assert (code, error) == (0, "")
    assert re.search(
        r"pcap — packet capture.*links    Ethernet\n.*153 packets = ", out.decode(), re.S
    )
    assert f"Next: l7meter ingest {SESSION}" in " ".join(out.decode().split())
    made = [run("parse", SESSION, "--engine", engine) for engine in ("columnar", "exact")]
    assert [code for code, _, _ in made] == [0, 0]
    assert sorted(made[0][1].splitlines()) == sorted(made[1][1].splitlines())
    kinds = [json.loads(line)["exchange_kind"] for line in made[0][1].splitlines()]
    assert kinds.count("http") == 21
    code, out, error = run("ingest", SESSION)
    assert (code, error) == (0, "")
    text = " ".join(out.decode().split())
    assert re.search(r"153 packets = [\d,]+ of \d+ connections \+ \d+ skipped", text)
    assert re.search(r"captured = .* of messages \+ .* of tunnels \+ .* of neither; .* lost", text)
    assert "0 lines" not in text
    code, out, error = run("store", "verify")
    assert (code, error) == (0, "")


def test_ingest_of_a_capture_prints_its_sums_as_an_object(run: Run, tmp_path: Path) -> None:
    code, out, error = run("ingest", SESSION, log(tmp_path / "a.log", "x"), "-o", "json")
    assert (code, error) == (0, "")
    told = json.loads(out)["captures"]
    assert set(told) >= {"packets", "connections", "exact_connections", "payload_bytes", "message_bytes", "tunnel_bytes", "remainder_bytes", "wire_bytes", "missing_bytes", "skipped_by_reason"}  # fmt: skip
    assert told["packets"] == 153
    _, out, _ = run("ingest", log(tmp_path / "b.log", "y"), "-o", "json")
    assert "captures" not in json.loads(out)


def test_packets_are_no_lines_of_which_a_share_is_rejected(run: Run, tmp_path: Path) -> None:
    bad = log(tmp_path / "bad.log", *["x"] * 9, bad=1)
    code, _, error = run("ingest", SESSION, bad)
    assert code == 4
    assert "1 of 10 lines were rejected" in error


def test_capture_that_is_cut_short_is_told_and_no_error(run: Run, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(SESSION.read_bytes()[:100_000])
    for command in (["ingest", cut], ["parse", cut]):
        code, _, error = run(*command)
        assert code == 0
        assert error.startswith(f"l7meter: {cut}: the capture is cut short")


def _child(*arguments: str, **given: int) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "l7meter", *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **given)


@pytest.mark.parametrize("arguments", [["parse", "LOG"], ["parse", "LOG", "-o", "csv"], ["schema"]])
def test_closed_pipe_ends_the_program_quietly(arguments: list[str], tmp_path: Path) -> None:
    source = log(tmp_path / "a.log", *["x" * 100] * 3000)
    reading, writing = os.pipe()
    os.close(reading)
    child = _child(*(source if each == "LOG" else each for each in arguments), stdout=writing)
    os.close(writing)
    assert child.communicate()[1] == b""
    assert child.returncode == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("arguments", ["--version", "ingest --store STORE SAMPLE"])
def test_a_job_may_be_started_without_outputs(arguments: str, closed: str, tmp_path: Path) -> None:
    command = arguments.replace("STORE", str(tmp_path / "store")).replace("SAMPLE", str(SESSION))
    shell = f"exec {sys.executable} -m l7meter {command} {closed}"
    ran = subprocess.run(["sh", "-c", shell], capture_output=True, check=False)
    assert ran.returncode == 0
    assert b"Traceback" not in ran.stdout + ran.stderr


def test_standard_input_is_parsed(tmp_path: Path) -> None:
    source = log(tmp_path / "a.log", "x", "y")
    with Path(source).open("rb") as file:
        child = _child("parse", "-", stdin=file.fileno(), stdout=subprocess.PIPE)
        out, error = child.communicate()
    assert (child.returncode, error) == (0, b"")
    assert pl.read_ndjson(io.BytesIO(out))["source_line"].to_list() == [1, 2]


def test_formats_are_listed_briefly_and_told_wholly(run: Run) -> None:
    code, listed, _ = run("formats")
    assert code == 0
    _, rows, _ = run("formats", "-o", "jsonl")
    found = {row["format"]: row for row in map(json.loads, rows.splitlines())}
    assert {"nginx-main", "pcap", "haproxy"} <= found.keys()
    for name in found:
        assert name in listed.decode()
    _, told, _ = run("formats", "aws-elb")
    for key in ("specification", "size", "example"):
        assert found["aws-elb"][key].split()[-1][:20] in told.decode()
    code, _, wrong = run("formats", "nginx-mian")
    assert code == 2
    assert "did you mean nginx-main?" in wrong


def test_format_that_reads_over_the_rest_is_told(run: Run, tmp_path: Path) -> None:
    exact = log(tmp_path / "exact.log", "pip/24.0", "-")
    more = tmp_path / "more.log"
    more.write_text(Path(exact).read_text().replace('"\n', '" 0.003 x\n'))
    for source, told in ((exact, False), (str(more), True)):
        code, out, error = run("ingest", source)
        assert code == 0
        assert ("No format is quite that of" in out.decode() + error) is told
