"""The providers whose bills can be read: each file here with a `PROVIDER`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from l7meter.analysis.reconcile.bill import Provider


def providers() -> dict[str, Provider]:
    """All of them by name; `generic` is the last, as it takes what no other does."""
    found = [
        import_module(f"{__name__}.{module.name}").PROVIDER for module in iter_modules(__path__)
    ]
    return {each.name: each for each in sorted(found, key=lambda p: (p.name == "generic", p.name))}
