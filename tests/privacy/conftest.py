from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from l7meter.privacy import Keys, new_key, rotate

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file of two keys: the second holds from 1 June 2026 on."""
    path = tmp_path / "pseudonyms.key"
    new_key(path, date(2026, 1, 1))
    rotate(path, date(2026, 6, 1))
    return path


@pytest.fixture
def keys(key_file: Path) -> Keys:
    return Keys.read(key_file)
