"""`l7meter fund`: who would pay how much, and the statements that say why."""

from __future__ import annotations

import importlib
import pkgutil

import typer

group = typer.Typer(
    name="fund",
    help="From usage to a fair share: allocations by a policy, statements that can be checked, a report for the public.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group with the command of each module here that has a `register`."""
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        module = importlib.import_module(f"{__name__}.{found.name}")
        if hasattr(module, "register"):
            module.register(group)
    app.add_typer(group)
