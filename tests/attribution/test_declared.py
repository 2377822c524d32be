"""The foundation's own file: what it says goes before everything, and its faults are told by line."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from l7meter.attribution import Attribution
from l7meter.attribution.declared import Declared, read
from l7meter.errors import UsageError
from l7meter.schema import POLARS

GOOD = """\
# customers
[[organization]]
name = "Example Corp"
networks = ["198.51.101.0/24", "2600:1f18::/33"]
asns = [13335]
credentials = ["ci-example"]
category = "sponsor"
contact = "billing@example.com"
parent = "Example Holding"

[[organization]]
name = "Inner"
networks = ["198.51.101.128/25"]
valid_from = 2026-02-01
valid_to = 2026-02-28

[[organization]]
name = "Mirror Foundation"
agents = ["^bandersnatch/"]
exempt = true
"""


def declared(tmp_path: Path, text: str) -> Declared:
    (path := tmp_path / "organizations.toml").write_text(text)
    return read(path)


def test_good_file(tmp_path: Path) -> None:
    made = declared(tmp_path, GOOD)
    assert [each.name for each in made.organizations] == ["Example Corp", "Inner", "Mirror Foundation"]  # fmt: skip
    assert [each.line for each in made.organizations] == [2, 11, 17]
    (note,) = made.notes
    assert note.endswith("line 11: 198.51.101.128/25 of Inner is inside of 198.51.101.0/24 of Example Corp; the longer one wins")  # fmt: skip
    assert made.days() == [date(2026, 2, 1), date(2026, 3, 1)]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("[[organization]]\nname = 'A'\n", 2, "A declares nothing: give it networks, asns"),
        ("[[organization]]\nasns = [1]\n", 1, "an organisation needs a name"),
        ("[[organization]]\nname = ' '\nasns = [1]\n", 2, "an organisation needs a name"),
        (
            "[[organization]]\nname = 'A'\nasn = [1]\n",
            3,
            "unknown key asn: there are agents, asns,",
        ),
        ("[[organization]]\nname = 'A'\nasns = [0]\n", 3, "asns is not a list of AS numbers"),
        ("[[organization]]\nname = 'A'\nasns = [true]\n", 3, "asns is not a list of AS numbers"),
        ("[[organization]]\nname = 'A'\nasns = 13335\n", 3, "asns is not a list of AS numbers"),
        (
            "[[organization]]\nname = 'A'\nnetworks = [\n  '192.0.2.1/24',\n]\n",
            4,
            "192.0.2.1/24 is no network: 192.0.2.1/24 has host bits set",
        ),
        ("[[organization]]\nname = 'A'\nagents = ['(']\n", 3, "( is no regular expression"),
        ("[[organization]]\nname = 'A'\nasns = [1]\nexempt = 'no'\n", 4, "exempt is not true or"),
        (
            "[[organization]]\nname = 'A'\nasns = [1]\nvalid_from = 2026-01-02T00:00:00\n",
            4,
            "valid_from is not a day",
        ),
        (
            "[[organization]]\nname = 'A'\nasns = [1]\nvalid_from = 2026-01-02\nvalid_to = 2026-01-01\n",
            5,
            "A ends before it begins",
        ),
        (
            "[[organization]]\nname = 'A'\nasns = [7]\n\n[[organization]]\nname = 'B'\nasns = [7]\n",
            7,
            "7 of B is declared by A, too (line 1)",
        ),
        ("[organisation]\nname = 'A'\n", 1, "unknown key organisation"),
        ("organization = 5\n", 1, "write [[organization]], once for each"),
    ],
)
def test_fault_is_told_by_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(UsageError, match=f"organizations.toml: line {line}: {re.escape(problem)}"):
        declared(tmp_path, text)


def test_no_toml_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"organizations.toml: not TOML: Expected"):
        declared(tmp_path, "[[organization]]\nname = 'A\n")
    with pytest.raises(UsageError, match=r"absent\.toml: cannot be read: No such file"):
        read(tmp_path / "absent.toml")
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(UsageError, match="latin: not UTF-8 at octet 0"):
        read(tmp_path / "latin")


def test_one_thing_may_pass_from_one_to_another(tmp_path: Path) -> None:
    made = declared(
        tmp_path,
        "[[organization]]\nname = 'A'\nasns = [7]\nvalid_to = 2026-01-31\n"
        "[[organization]]\nname = 'B'\nasns = [7]\nvalid_from = 2026-02-01\n",
    )
    assert [each.holds(date(2026, 2, 1)) for each in made.organizations] == [False, True]


def concluded(tmp_path: Path, **columns: list[object]) -> pl.DataFrame:
    (path := tmp_path / "organizations.toml").write_text(GOOD)
    said = pl.DataFrame(columns, schema={name: POLARS[name] for name in columns})
    if "ts" not in said.columns:
        said = said.with_columns(ts=pl.lit(date(2026, 10, 1)).cast(POLARS["ts"]))
    return Attribution(organizations=path).conclude(said).cast(POLARS)


@pytest.mark.parametrize(
    ("address", "user", "agent", "organization"),
    [
        ("198.51.101.7", None, None, "Example Corp"),
        ("2600:1f18::1", None, None, "Example Corp"),
        ("1.1.1.1", None, None, "Example Corp"),
        ("8.8.8.8", "ci-example", "bandersnatch/6.5", "Example Corp"),
        ("1.1.1.1", None, "bandersnatch/6.5", "Example Corp"),
        ("8.8.8.8", None, "bandersnatch/6.5", "Mirror Foundation"),
        (None, None, "bandersnatch/6.5", "Mirror Foundation"),
    ],
)
def test_credential_network_system_agent(
    tmp_path: Path, address: str | None, user: str | None, agent: str | None, organization: str
) -> None:
    row = concluded(
        tmp_path, client_address=[address], user_name=[user], user_agent_original=[agent]
    ).row(0, named=True)
    assert (row["organization"], row["organization_method"]) == (organization, "declared")
    assert row["attributable"] is True
    parent = {"Example Corp": "Example Holding"}.get(organization)
    assert row["parent_organization"] == parent


def test_network_of_a_special_purpose_may_be_declared(tmp_path: Path) -> None:
    """A mirror is asked from within, too."""
    (path := tmp_path / "organizations.toml").write_text(
        "[[organization]]\nname = 'Our CI'\nnetworks = ['10.1.0.0/16', 'fd00:1::/32']\n"
    )
    said = pl.DataFrame(
        {"client_address": ["10.1.2.3", "10.2.0.1", "fd00:1::1", "::ffff:10.1.0.1"]}
    )
    made = Attribution(organizations=path).conclude(said).cast(POLARS)
    assert made["organization"].to_list() == ["Our CI", None, "Our CI", "Our CI"]
    assert made["network_kind"].to_list() == ["special"] * 4
    assert made["attributable"].to_list() == [True, False, True, True]
    assert made["client_network"].to_list() == ["10.1.0.0/16", "10.0.0.0/8", "fd00:1::/32", "10.1.0.0/16"]  # fmt: skip


def test_what_is_not_declared_stays_as_it_is(tmp_path: Path) -> None:
    frame = concluded(
        tmp_path,
        client_address=["8.8.8.8", None],
        user_name=["someone", "CI-EXAMPLE"],
        user_agent_original=["pip/26.0", None],
    )
    assert frame["organization_method"].to_list() == ["registry", "none"]
    assert frame["organization"].to_list() == ["Google Cloud", None]


def test_longest_network_holds_on_its_days_alone(tmp_path: Path) -> None:
    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1)]
    frame = concluded(tmp_path, ts=days, client_address=["198.51.101.200"] * 4)
    assert frame["organization"].to_list() == ["Example Corp", "Inner", "Inner", "Example Corp"]
    assert frame["client_network"].to_list() == ["198.51.101.0/24", "198.51.101.128/25", "198.51.101.128/25", "198.51.101.0/24"]  # fmt: skip
    first, second, third, last = frame["attribution_id"].to_list()
    assert second == third != first == last
