"""Items made in a thread of their own, ahead of who asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from threading import Thread
from typing import TypeVar

AHEAD = 1  # items made before they are asked for
Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, made in a thread of their own a few ahead: decompression overlaps parsing."""
    queue: Queue[tuple[str, Item | BaseException | None]] = Queue(AHEAD)
    stopped = False

    def work() -> None:
        try:
            for item in items:
                queue.put(("item", item))
                if stopped:
                    return
            queue.put(("end", None))
        except BaseException as error:  # handed to the consumer, which raises it
            queue.put(("error", error))

    thread = Thread(target=work, daemon=True, name="l7meter-read")
    thread.start()
    try:
        while True:
            kind, value = queue.get()
            if kind == "end":
                return
            if isinstance(value, BaseException):
                raise value
            yield value  # type: ignore[misc]
    finally:
        stopped = True
        while not queue.empty():
            queue.get_nowait()
