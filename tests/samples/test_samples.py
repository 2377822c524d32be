"""The committed samples are coherent: with their manifest, with their truth, and with the house's rules."""

import csv
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOGS, PCAPS = ROOT / "sample_logs", ROOT / "sample_pcaps"
sys.path.insert(0, str(ROOT / "scripts"))

from samples import guard  # noqa: E402

MANIFEST = json.loads((LOGS / "manifest.json").read_text())
WEEK = {row["path"]: row for row in MANIFEST["week"]}


def exchanges(server):
    path = LOGS / "traps" / server / "exchanges.tsv"
    rows = csv.DictReader(path.open(newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["phenomenon"]: row for row in rows}


def truth(server, row):
    """The server's own accounting of one exchange: a dict for each line it logged."""
    if not row["first_line"]:
        return []
    path = LOGS / "traps" / server / "truth.tsv"
    lines = list(csv.DictReader(path.open(newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    first = int(row["first_line"]) - 1
    return lines[first : first + int(row["lines"])]


@pytest.mark.parametrize("path", sorted(WEEK))
def test_file_of_the_week_is_as_the_manifest_says(path):
    data = guard.unpacked(LOGS / path)
    assert data.endswith(b"\n")
    assert (data.count(b"\n"), len(data)) == (WEEK[path]["lines"], WEEK[path]["octets"])
    assert b" 127.20." not in data  # every client was mapped


def test_manifest_names_every_file():
    named = {LOGS / row["path"] for row in MANIFEST["week"] + MANIFEST["traps"]}
    found = {path for path in LOGS.rglob("*") if path.is_file()}
    assert found - named == {LOGS / "README.md", LOGS / "manifest.json"}
    assert named <= found


def test_readme_shows_the_counts_of_the_manifest():
    readme = (LOGS / "README.md").read_text()
    for row in WEEK.values():
        assert f"| `{row['path']}` | {row['lines']:,} | {row['octets']:,} |" in readme


@pytest.mark.parametrize(
    ("folder", "limit"),
    [(LOGS, guard.LOGS_LIMIT), (PCAPS, guard.PCAPS_LIMIT)],
    ids=["logs", "pcaps"],
)
def test_samples_are_small_and_name_only_documentation_hosts(folder, limit):
    guard.refuse(folder, limit)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b'"GET https://registry.invented.io/x HTTP/1.1"', {b"registry.invented.io"}),
        (b"open /tmp/x/y failed", {b"/tmp/"}),
        (b'"GET https://pypi.example.org/simple/ HTTP/1.1"', set()),
    ],
)
def test_guard_tells_documentation_hosts_from_others(data, wrong):
    assert guard.forbidden(data) == wrong


@pytest.mark.parametrize(
    ("server", "sent", "received"),
    [
        ("nginx", "$bytes_sent", "$request_length"),
        ("apache", "%O", "%I"),
    ],
)
def test_message_octets_of_the_server_are_the_octets_the_client_received(server, sent, received):
    aborted = {
        "abort-while-downloading",
        "head-cut-off",
    }  # counts what the kernel took, or would have
    compared = 0
    for name, row in exchanges(server).items():
        lines = truth(server, row)
        if lines and name not in aborted:
            assert sum(int(line[sent]) for line in lines) == int(row["octets_received"]), name
            compared += 1
    assert compared > 40
    plain = truth(server, exchanges(server)["plain"])[0]
    assert plain[received] == exchanges(server)["plain"]["octets_sent"]


def test_squid_logs_the_octets_that_the_client_received():
    lines = (LOGS / "traps/squid/access.log").read_bytes().splitlines()
    # a failed CONNECT counts 0; the overlong line swallowed the next one's beginning
    other = {"abort-while-downloading", "target-authority", "agent-quote-backslash"}
    for name, row in exchanges("squid").items():
        if row["first_line"] and name not in other:
            first = int(row["first_line"]) - 1
            sizes = [int(line.split()[4]) for line in lines[first : first + int(row["lines"])]]
            assert sum(sizes) == int(row["octets_received"]), name


@pytest.mark.parametrize("server", sorted({row["path"].split("/")[1] for row in MANIFEST["traps"]}))
def test_every_trap_line_belongs_to_one_exchange(server):
    logged = [row for row in MANIFEST["traps"] if row["path"].startswith(f"traps/{server}/")]
    lines = max(
        row["lines"]
        for row in logged
        if row["path"].endswith(".log") and "behind" not in row["path"]
    )
    next_line = 1
    for name, row in exchanges(server).items():
        if row["first_line"]:
            assert int(row["first_line"]) == next_line, name
            next_line += int(row["lines"])
    assert next_line == lines + 1


def test_capture_logs_agree_with_each_other():
    captures = sorted(PCAPS.glob("nginx-*.pcap"))
    assert len(captures) == 2
    for capture in captures:
        access = capture.with_suffix(".access.log").read_text().splitlines()
        custom = capture.with_suffix(".l7meter.log").read_text().splitlines()
        assert [line.split()[0] for line in access] == [line.split("\t")[2] for line in custom]
        assert access
