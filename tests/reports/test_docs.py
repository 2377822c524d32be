"""The generated pages of docs/ are what the generator writes now."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES: dict[str, Callable[[], str]] = runpy.run_path(str(ROOT / "scripts" / "make_docs.py"))[
    "PAGES"
]


@pytest.mark.parametrize("name", PAGES)
def test_generated_page_is_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run 'make docs'"
