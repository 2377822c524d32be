"""The curated table against the snapshot, and what is read off AS names."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution import snapshot
from l7meter.attribution.organizations import Organization, holders, plain_name, table

ORGANIZATIONS = table().organizations
TODAY = [hunk for _, hunk in table().valid()]


@pytest.fixture(scope="module")
def names() -> dict[int, str]:
    return dict(snapshot.load().systems.iter_rows())


@pytest.mark.parametrize("organization", ORGANIZATIONS, ids=lambda o: o.name)
def test_every_pinned_system_is_named_as_the_table_says(organization: Organization, names):
    used = set()
    for asn in organization.asns:
        starts = [
            p for p in organization.known_as if names[asn].casefold().startswith(p.casefold())
        ]
        assert starts, f"AS{asn} is {names[asn]!r}, none of {organization.known_as}"
        used |= set(starts)
    assert used == set(organization.known_as)
    assert organization.why.endswith(".")
    assert organization.parent != organization.name


def test_each_system_and_each_organisation_is_listed_once_today():
    assert Counter(asn for o in TODAY for asn in o.asns).most_common(1)[0][1] == 1
    assert Counter(o.name for o in TODAY).most_common(1)[0][1] == 1


def concluded(*systems: tuple[int, str | None]) -> list[dict[str, object]]:
    schema = {"asn": pl.UInt32, "name": pl.String}
    return holders(pl.DataFrame(systems, schema=schema, orient="row")).to_dicts()


def test_a_provider_of_an_attributable_kind_is_not_attributable():
    kinds = table().attributable_kinds
    assert {o.kind for o in ORGANIZATIONS if o.provider} <= kinds
    listed = [o for o in TODAY if o.asns]
    rows = concluded(*((o.asns[0], "any name") for o in listed))
    columns = ("organization", "organization_method", "network_kind", "attributable", "parent_organization")  # fmt: skip
    assert [tuple(row[name] for name in columns) for row in rows] == [
        (o.name, "registry", o.kind, o.kind in kinds and not o.provider, o.parent) for o in listed
    ]


@pytest.mark.parametrize(
    ("name", "kind", "attributable"),
    [
        ("University of Delaware", "education", True),
        ("Universitaet Ulm", "education", True),
        ("Uniwersytet Warszawski", "education", True),
        ("Hinds Community College", "education", True),
        ("Parkway School District", "education", True),
        ("Universities Network L.L.C.", "education", False),
        ("Egyptian Universities Network (EUN)", "education", False),
        ("CERNET2 IX at Tsinghua University", "education", False),
        ("Kansas Research and Education Network", "research", False),
        ("Ministry of Foreign Affairs", "government", True),
        ("State of Idaho", "government", True),
        ("Ministry of Communications and Information Technology", "unknown", False),
        ("Desert Schools Federal Credit Union", "unknown", False),
        ("City of Longmont", "unknown", False),
        ("Kyiv National Taras Shevchenko University", "education", True),
        ("Korea Aerospace Research Institute", "research", True),
        ("State of NC - State Telecommunications Services", "unknown", False),
        ("BANCO DEL ESTADO DE CHILE", "enterprise", True),
        ("Central Bank of Ireland", "unknown", False),
        ("Beeks Financial Cloud Ltd", "unknown", False),
        ("AMAZON TELECOM LTDA", "access", False),
        ("Statewide Networks", "unknown", False),
        ("Example Hosting GmbH", "hosting", False),
        ("NSIX-Route-Servers Example", "unknown", False),
        ("Example Cloud Ltd", "unknown", False),
    ],
)
def test_a_kind_is_read_off_a_name_only_where_it_is_sure(name, kind, attributable):
    [row] = concluded((4_199_999_999, name))
    assert (row["network_kind"], row["attributable"]) == (kind, attributable)
    assert row["organization_method"] == "as_name"


def test_a_system_without_a_name_has_a_number_and_no_organisation():
    [row] = concluded((4_199_999_999, None))
    assert row == {
        "client_asn": 4_199_999_999,
        "client_as_name": None,
        "organization": None,
        "organization_method": "none",
        "network_kind": "unknown",
        "attributable": False,
        "parent_organization": None,
        "address_rule": "AS4199999999 has no registered name",
    }


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Example, Inc.", "Example"),
        ("Example LLC.", "Example"),
        ("EXAMPLE CO., LTD.", "EXAMPLE"),
        ("Example Co.,Ltd.", "Example"),
        ("Example GmbH & Co. KG", "Example"),
        ("Example Pvt. Ltd.,", "Example"),
        ("Example (Pty) Ltd", "Example"),
        ("Example Pte.Ltd", "Example"),
        ("Example S.A. de C.V.", "Example"),
        ("Example S.p.A.", "Example"),
        ("Example Sp. z o.o.", "Example"),
        ("Example d.o.o.", "Example"),
        ("Example LTDA - ME", "Example"),
        ("Example A/S", "Example"),
        ("Example Oyj", "Example"),
        ("Example K.K.", "Example"),
        ("Example and Co., Inc.", "Example"),
        ("PT Example Indonesia", "Example Indonesia"),
        ('JSC "EXAMPLE"', "EXAMPLE"),
        ('"Example" PJSC', "Example"),
        ("EXAMPLE-AS-AP - Example Networks Limited", "Example Networks"),
        ("AS64500 - Example S.A.S", "Example"),
        ("Example Ltd - Example Ltd", "Example"),
        ("Example Bank P.J.S.C", "Example Bank"),
        ("Example & Sample, L.L.P.", "Example & Sample"),
        ("EXAMPLE INFORMATICA - ME", "EXAMPLE INFORMATICA"),
        ("EXAMPLE INFORMATICA LTDA. -EPP", "EXAMPLE INFORMATICA"),
        ("Example.Tic.Ltd.Sti.", "Example.Tic"),
        # what only looks like a legal form
        ("Example Motor Sales, U.S.A., Inc.", "Example Motor Sales, U.S.A"),
        ("Example U.S.A.", "Example U.S.A."),
        ("EX.CC Limited", "EX.CC"),
        ("Example N.A.", "Example N.A."),
        ("Example-AG", "Example-AG"),
        ("Ford Motor Company", "Ford Motor Company"),
        ("Example Holdings", "Example Holdings"),
        ("Inc", "Inc"),
        ("LLC", "LLC"),
        ("Costco", "Costco"),
        ("Texas", "Texas"),
        ("Bank for Us and Me", "Bank for Us and Me"),
        (
            "University of California - Office of the President",
            "University of California - Office of the President",
        ),
        ("Universität Beispiel e.V.", "Universität Beispiel"),
        ("例示株式会社", "例示株式会社"),
        ("SA", "SA"),
        ("PT", "PT"),
    ],
)
def test_only_the_legal_form_is_cut_from_a_name(name, plain):
    assert pl.select(plain_name(pl.lit(name))).item() == plain


PIECES = st.sampled_from(
    [
        "Inc.",
        "LLC",
        "PT",
        "S.A.",
        "- ME",
        "&",
        ",",
        ".",
        '"',
        "Co",
        "例",
        "Ö",
        "A1",
        "",
        " ",
        "AS1 -",
    ]
)


@settings(deadline=None)
@given(st.lists(st.lists(PIECES, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=30))
def test_a_name_never_becomes_empty(names):
    plain = pl.DataFrame({"name": names}).select(plain_name(pl.col("name"))).to_series().to_list()
    for before, after in zip(names, plain, strict=True):
        assert bool(after) == bool(before)
        assert after in before.replace('"', "") or after == before
