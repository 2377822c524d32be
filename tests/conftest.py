"""Tests stand on what ships with the package, whatever the machine's user has imported or declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # how fast it is says nothing of right or wrong
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def _nothing_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("refdata")
        patch.setenv("L7METER_REFDATA", str(folder))
        patch.delenv("L7METER_ORGANIZATIONS", raising=False)
        yield folder
