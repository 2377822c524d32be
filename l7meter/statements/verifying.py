"""Does a statement follow from a store? Everything in it is computed anew, and what differs is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.errors import StoreError, UsageError
from l7meter.fund.period import Period
from l7meter.fund.policy import read as read_policy
from l7meter.statements.document import SCHEMA, digest
from l7meter.statements.making import make
from l7meter.store.evidence import differing

_OWN = ("digest", "l7meter")  # of the document itself, and of the program that made it


class Difference(NamedTuple):
    """What does not agree: `what` is `statement`, `policy`, `organizations`, `card`, `store` or `figure`,
    `where` the key or the file, with what the statement says and what was found.
    """

    what: str
    where: str
    stated: str
    found: str


def verify(document: Mapping[str, Any], store: str | Path, policy: Path) -> list[Difference]:
    """What of a statement does not follow from the store, the policy and the price cards; empty where all does.

    The store is read as of the snapshot that the statement names. Raises `UsageError` for what is no statement
    of this version, `StoreError` where the store cannot be read or no longer has that snapshot.
    """
    try:
        return list(_differences(document, store, policy))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"this is no whole statement: {type(error).__name__} at {error}; ask for the file anew") from error  # fmt: skip


def _differences(
    document: Mapping[str, Any], store: str | Path, policy_file: Path
) -> Iterator[Difference]:
    if document.get("schema") != SCHEMA:
        raise UsageError(f"schema {document.get('schema')}: this l7meter verifies {SCHEMA}")
    if (now := digest(document)) != document["digest"]:
        yield Difference("statement", "digest", document["digest"], f"{now}: the statement was changed since it was made")  # fmt: skip
    stands = document["evidence"]
    period = Period.parse(f"{document['period']['first_day']}..{document['period']['last_day']}")
    snapshot = stands["store"]["snapshot"]
    damaged = differing(store, period.first, period.last, snapshot)
    yield from (Difference("store", each.where, "as it was written", each.message) for each in damaged)  # fmt: skip
    policy = read_policy(policy_file)
    name = document["organization"]["name"]
    try:
        made = make(store, policy, period, [name], snapshot=snapshot, caches=document["cache"] is not None)  # fmt: skip
        (again,) = made.documents
    except StoreError as error:
        if not damaged:
            raise
        yield Difference("store", str(store), "readable", str(error))
        return
    new = again["evidence"]
    if new["policy"]["sha256"] != stands["policy"]["sha256"]:
        yield Difference("policy", policy_file.name, stands["policy"]["sha256"], new["policy"]["sha256"])  # fmt: skip
    if new["organizations"] != stands["organizations"]:
        yield Difference("organizations", str((stands["organizations"] or new["organizations"])["file"]), str(stands["organizations"]), str(new["organizations"]))  # fmt: skip
    cards = {each["pool"]: each for each in new["cards"]}
    for each in stands["cards"]:
        other = cards.get(each["pool"])
        if other is None or other["sha256"] != each["sha256"]:
            yield Difference("card", each["name"], each["sha256"], other["sha256"] if other else "no card")  # fmt: skip
    if new["store"] != stands["store"]:
        yield Difference("store", "digest", stands["store"]["digest"], new["store"]["digest"])
    told = ("policy", "organizations", "cards", "store", *_OWN)
    yield from _values({**document, "evidence": _without(stands, told)}, {**again, "evidence": _without(new, told)}, "")  # fmt: skip


def _without(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _values(stated: Any, found: Any, place: str) -> Iterator[Difference]:
    """The values that differ, each with its place: `use.by_day[3].bytes`."""
    if isinstance(stated, Mapping) and isinstance(found, Mapping):
        for name in [*stated, *(name for name in found if name not in stated)]:
            if place or name not in _OWN:
                yield from _values(stated.get(name), found.get(name), f"{place}.{name}".lstrip("."))
    elif isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        for number, (one, other) in enumerate(zip(stated, found, strict=True)):
            yield from _values(one, other, f"{place}[{number}]")
    elif stated != found:
        yield Difference("figure", place, str(stated), str(found))
