"""A process that ingests sources into a store, one after another, and says how far it is.

Arguments: the store, then the names of the sources. With `--wait` first, it waits for a line.
"""

from __future__ import annotations

import sys

from store_samples import frame, rejects, source

from l7meter.store import Store

ROWS, REJECTS = 50, 2


def ingest(store: Store, source_id: str) -> bool:
    """Whether this process was the one that committed the source."""
    files = [store.write("records", frame(source_id, ROWS))]
    print("records", flush=True)
    files.append(store.write("rejects", rejects(source_id, REJECTS)))
    print("rejects", flush=True)
    return not store.append([source(source_id, ROWS, REJECTS)], files).dropped


if __name__ == "__main__":
    path, *names = [a for a in sys.argv[1:] if a != "--wait"]
    with Store.open(path) as store:
        if "--wait" in sys.argv:
            print("ready", flush=True)
            sys.stdin.readline()
        for name in names:
            if not store.known([name]) and ingest(store, name):
                print(f"committed {name}", flush=True)
    print("done", flush=True)
