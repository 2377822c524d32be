"""A store of three requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from security_store import made

from l7meter.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return made(tmp_path / "store")
