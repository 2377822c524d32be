"""The fund of docs/examples/fund, small enough to be made for a test, with a price card and all that a statement can say."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

from l7meter.attribution import Attribution
from l7meter.ingest import Said, ingest
from l7meter.sources import discover
from l7meter.store import Store, close

FOLDER = Path(__file__).parents[2] / "docs/examples/fund"


def made(folder: Path) -> tuple[Path, Path]:
    """A store of the example's log, and its policy with a pool by a price card of its own."""
    own = shutil.copy(FOLDER / "organizations.toml", folder)
    with Store.open_or_create(folder / "store") as store:
        attribution = Attribution(["pypi"], organizations=Path(own), refdata=folder / "refdata")
        ingest(discover([str(FOLDER / "access.log.gz")])[0], store, Said("combined"), attribution=attribution)  # fmt: skip
        close(store, date(2026, 11, 1))
    card = Path(__file__).parents[2] / "l7meter/fund/cards/generic.toml"
    shutil.copy(card, folder / "card.toml")
    text = (FOLDER / "policy.toml").read_text().replace("budget = 1_000_000\n", "")
    text = re.sub(r"^share = 0\.(\d\d)", r"amount = \g<1>0_000", text, flags=re.MULTILINE)
    text += '\n[[pool]]\nname = "transfer"\ndriver = "bytes"\ncard = "card.toml"\n'
    (folder / "policy.toml").write_text(text)
    return folder / "store", folder / "policy.toml"
