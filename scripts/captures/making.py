"""The program: which captures to make, and then the table of all of them."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from captures import damage, exchanges, lab, network, table, tools, upgrades
from captures.registry import ALL

MODULES = (exchanges, damage, network, upgrades)  # importing them fills the registry


def main(out: Path) -> None:
    """Make the named captures, or all, then the table."""
    parser = argparse.ArgumentParser(description="Make sample captures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(ALL)}")
    parser.add_argument("--keep", action="store_true", help="keep the working folder")
    args = parser.parse_args()
    if unknown := set(args.names) - set(ALL):
        parser.error(f"no such capture: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    folder = tools.install()
    lab.enter()
    work = Path(tempfile.mkdtemp(prefix="l7meter-captures-"))
    running = lab.Lab(out, work, folder)
    try:
        for name in args.names or ALL:
            running.wire.plain()
            ALL[name].make(running)
            print(f"{name}: made", flush=True)
    finally:
        running.stop()
    write_page(out)
    if args.keep:
        print(f"kept: {work}")
    else:
        shutil.rmtree(work)


def write_page(out: Path) -> None:
    """`sample_pcaps/README.md`, from the files that are there."""
    (out / "README.md").write_text(table.page(out))
