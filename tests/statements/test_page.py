"""The page and the PDF: all of a document, nothing else, and the text of others is never markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statement_documents import document

from l7meter.statements import page, setup
from l7meter.units import bytes_text

HOSTILE = st.text(min_size=1, max_size=60) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=1>',
        "]]>",
        "#let x = 1",
        "$a$ @b *c* \\",
        "‮evil",
        "{{ d }}",
        "a" * 400,
    ]
)


def example() -> dict[str, Any]:
    """A document that has something of everything."""
    made = document()
    made["use"]["by_package"] = [
        {"ecosystem": "pypi", "package": "a", "bytes": 10**12, "requests": 7},
        {"ecosystem": None, "package": "(others)", "bytes": 10**12, "requests": 8},
    ]
    made["setup"] = setup.steps([{"ecosystem": "pypi", "agent_name": "pip", "bytes": 10**12}])
    return made


class Seen(HTMLParser):
    """Tags, what they refer to, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [str(value) for name, value in attrs if name in ("src", "href", "data", "style", "xlink:href") or name.startswith("on")]  # fmt: skip

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def named(name: str) -> dict[str, Any]:
    made = example()
    made["organization"]["name"] = name
    made["fund"]["wording"] = name
    made["use"]["by_package"][0]["package"] = name
    return made


def test_it_says_what_the_document_says() -> None:
    of = example()
    text = " ".join(Seen(page.render(of)).text.split())
    assert of["organization"]["name"] in text
    for key in ("amount", "low", "high"):
        assert page.money(of["amount"][key]) in text
    for pool in of["amount"]["pools"]:
        assert f"{page.money(pool['pool_amount'])} {pool['explained']} {page.money(pool['amount'])}" in text  # fmt: skip
    for row in of["use"]["by_package"]:
        assert bytes_text(row["bytes"]) in text
    assert of["evidence"]["policy"]["sha256"] in text
    assert of["evidence"]["store"]["digest"] in text


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({"claim": "measured"}, "it is no invoice", "asked to contribute"),
        ({"claim": "asked"}, "is asked to contribute", "no invoice"),
        ({"status": "exempt"}, "it is exempt", "no invoice"),
        ({"status": "nothing"}, "no more than everybody has free", "no invoice"),
        ({"status": "waived"}, "too little to be asked for", "no invoice"),
    ],
)
def test_its_wording_is_the_policys(changes: dict[str, str], said: str, unsaid: str) -> None:
    of = example()
    for name, value in changes.items():
        of["fund" if name == "claim" else "amount"][name] = value
    text = Seen(page.render(of)).text
    assert said in text
    assert unsaid not in text
    assert "owes" not in text


@settings(max_examples=60)
@given(HOSTILE)
def test_a_name_is_never_markup(name: str) -> None:
    plain, other = Seen(page.render(named("Plain"))), Seen(page.render(named(name)))
    assert other.tags == plain.tags
    assert other.references == plain.references
    assert "script" not in other.tags


def test_nothing_comes_from_elsewhere() -> None:
    text = page.render(example())
    links = {each["link"] for each in example()["setup"]}
    outside = [each for each in Seen(text).references if ":" in each and not each.startswith("margin")]  # fmt: skip
    assert set(outside) <= links
    assert not re.search(r"@import|url\(", text)


def test_setups_are_whole() -> None:
    assert len(setup.ecosystems()) >= 12
    for clients in setup.ecosystems().values():
        for client in clients:
            assert set(client) == {"agents", *setup.KEYS}
            assert "cache.example.org" in client["config"]
            assert client["link"].startswith("https://")


def test_steps_are_for_the_clients_of_most_octets() -> None:
    tools = [
        {"ecosystem": "npm", "agent_name": "pnpm", "bytes": 5},
        {"ecosystem": "npm", "agent_name": "npm", "bytes": 6},
        {"ecosystem": "pypi", "agent_name": "uv", "bytes": 10},
        {"ecosystem": "pypi", "agent_name": "curl", "bytes": 3},
        {"ecosystem": "unheard", "agent_name": "x", "bytes": 99},
        {"ecosystem": None, "agent_name": None, "bytes": 99},
        {"ecosystem": "deb", "agent_name": "apt", "bytes": 0},
    ]
    made = setup.steps(tools)
    assert [(each["title"], each["clients"], each["bytes"]) for each in made] == [
        ("npm and pnpm", ["pnpm", "npm"], 11),
        ("uv", ["uv"], 10),
        ("pip", ["curl"], 3),
    ]
    assert [each["title"] for each in setup.steps(tools, 1)] == ["npm and pnpm"]


def test_the_pdf_is_the_same_each_time_and_has_the_amounts() -> None:
    pytest.importorskip("typst", reason="the extra 'pdf' is not installed")
    pypdf = pytest.importorskip("pypdf", reason="pypdf reads the PDF again, and is not installed")
    from l7meter.statements import pdf

    of = example()
    made = pdf.render(of)
    assert pdf.render(of) == made
    read = pypdf.PdfReader(BytesIO(made))
    text = " ".join(" ".join(each.extract_text() for each in read.pages).split())
    assert page.money(of["amount"]["amount"]) in text
    assert of["organization"]["name"] in text
    assert read.metadata.author == of["fund"]["name"]


@settings(max_examples=15)
@given(HOSTILE)
def test_a_name_is_never_typesetting(name: str) -> None:
    pytest.importorskip("typst", reason="the extra 'pdf' is not installed")
    from l7meter.statements import pdf

    assert pdf.render(named(name)).startswith(b"%PDF-")
