"""The files that importers are tried on, and an importer run on what a test writes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from l7meter.attribution.reference.importers import Imported, Importer, load

FILES = Path(__file__).parent / "reference"
EXPECTED = ".expected.csv"
IMPORTERS = load()
SAMPLES = sorted(path for path in FILES.glob("*/*") if not path.name.endswith(EXPECTED))


def sample_id(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def importer_of(path: Path) -> Importer:
    return IMPORTERS[path.parent.name]


def attempt(name: str, content: str | bytes, file: str = "data") -> Imported | str:
    """What is read, or why nothing is."""
    try:
        return read(name, content, file)
    except ValueError as error:
        return str(error)


def read(name: str, content: str | bytes, file: str = "data") -> Imported:
    with TemporaryDirectory() as folder:
        path = Path(folder) / file
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return IMPORTERS[name].read(path)
