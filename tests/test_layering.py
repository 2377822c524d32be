"""The rooms of the house: imports point one way, and each library has one door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "l7meter"
# A room may import from those behind it.
ROOMS = ("cli", "job", "statements", "reports", "fund", "analysis", "ingest", "store", "attribution", "captures", "formats", "sources", "privacy", "base")  # fmt: skip
SIDE_BY_SIDE = ({"reports", "fund", "analysis"}, {"formats", "captures"})
DOORS = {"duckdb": "store", "dpkt": "captures", "pyshark": "captures", "typer": "cli", "sqlite3": "store"}  # fmt: skip


def room_of(module: str) -> str:
    part = module.split(".")[1] if module.count(".") else ""
    return part if part in ROOMS else "base"


def imports() -> Iterator[tuple[Path, str, str]]:
    """Each file with its room and a module it imports."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        room = parts[0] if parts[0] in ROOMS else "base"
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, room, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from ((path, room, name) for name in names)


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    importers = {room for _, room, module in imports() if module.split(".")[0] == library}
    assert importers <= {DOORS[library]}


def test_imports_point_one_way() -> None:
    backwards = []
    for path, room, module in imports():
        if not module.startswith("l7meter."):
            continue
        other = room_of(module)
        if room == "base" and path.name in ("__init__.py", "__main__.py"):
            continue  # the package's own face
        beside = any({room, other} <= rooms for rooms in SIDE_BY_SIDE) and room != other
        if ROOMS.index(other) < ROOMS.index(room) or beside:
            backwards.append(f"{path.relative_to(ROOT)} ({room}) imports {module} ({other})")
    assert not backwards


def test_no_module_has_become_two_things() -> None:
    long = {str(path.relative_to(ROOT)): count for path in ROOT.rglob("*.py") if (count := len(path.read_text().splitlines())) > 300}  # fmt: skip
    assert not long
