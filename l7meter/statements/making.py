"""From a store and a policy to the documents of a period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from l7meter import __version__
from l7meter.analysis.whatif import Selection
from l7meter.analysis.whatif.caches import cache
from l7meter.errors import UsageError
from l7meter.fund.account import Account, account
from l7meter.fund.period import Period
from l7meter.fund.policy import Policy
from l7meter.fund.usage import OUTSIDE
from l7meter.statements import document, figures
from l7meter.statements.document import Document
from l7meter.store import Connection, connect
from l7meter.store.evidence import evidence

EXACT_ROWS = 20_000_000  # records that are replayed, and whose addresses are counted; of more a sample is replayed
_NO_CLIENTS = pl.DataFrame(schema={"name": pl.String, "standing": pl.String, "clients": pl.Int64})
SAMPLE = 0.01
SIZE = 10**12


class Made(NamedTuple):
    """The documents of a period, made as they are asked for, and what they are of."""

    account: Account
    names: list[str]
    documents: Iterator[Document]


def make(
    store: str | Path,
    policy: Policy,
    period: Period,
    names: Sequence[str] | None = None,
    *,
    snapshot: int | None = None,
    caches: bool = True,
    limit: int | None = None,
) -> Made:
    """Statements of a period: of the organisations named, or of all that have or are exempt from a share.

    With `limit` of so many, those with the largest shares. `caches` says whether the requests are replayed before a
    private cache, which reads all records. Raises `UsageError` for an organisation that used nothing,
    or whose name is that of a provider alone.
    """
    stands = evidence(store, period.first, period.last, snapshot)
    with connect(store, snapshot=stands.snapshot, locked=True) as con:
        made = account(con, policy, period)
        wanted = list(names) if names else _all(made, limit)
        _check(made, wanted)
        frames = figures.read(con, policy, made.usage, wanted)
        where, values = Selection(period.since, period.until).where()
        ((rows,),) = con.execute(f"SELECT count(*) FROM records WHERE {where}", values).fetchall()
        frames["clients"] = figures.clients(con, policy, period) if rows <= EXACT_ROWS else _NO_CLIENTS  # fmt: skip
        saved = _caches(con, policy, period, wanted, rows) if caches else {}
        attributions = con.sql(
            "SELECT manifest FROM attributions WHERE attribution_id IN "
            "(SELECT DISTINCT attribution_id FROM records WHERE ts >= $since AND ts < $until) ORDER BY attribution_id",
            params={"since": period.since, "until": period.until},
        ).pl()
    stated = _evidence(made, stands._asdict(), attributions)
    return Made(made, wanted, document.documents(made, wanted, frames, saved, stated))


def _all(made: Account, limit: int | None) -> list[str]:
    """Who used something and is one that can be named, those with the largest share first."""
    named = [each.party.name for each in made.chosen.shares if each.party.standing in ("organization", "exempt") and each.status != "fund"]  # fmt: skip
    return list(dict.fromkeys(named))[:limit]


def _check(made: Account, names: Sequence[str]) -> None:
    shares = made.chosen.named()
    nobody = {each.name for each in made.usage.parties if each.standing in OUTSIDE}
    for name in names:
        if name in shares and shares[name].party.standing not in OUTSIDE:
            continue
        if name in nobody:
            raise UsageError(f"{name}: is a provider whose tenants are not known; what they used is nobody's, and has no statement")  # fmt: skip
        raise UsageError(f"{name}: no organisation of that name used anything in {made.period}{_near(name, list(shares))}")  # fmt: skip


def _near(name: str, names: list[str]) -> str:
    import difflib

    found = difflib.get_close_matches(name, names, 1, 0.6)
    return f"; did you mean {found[0]}?" if found else "; 'l7meter fund allocate --limit 0' lists all"  # fmt: skip


def _caches(con: Connection, policy: Policy, period: Period, names: Sequence[str], rows: int) -> dict[str, Document]:  # fmt: skip
    """What a private cache would have saved each, without limit and at the size for 90 % of that."""
    if policy.fund.payer == "parent":
        return {}  # a cache is one organisation's
    if not rows:
        return {}
    sample = SAMPLE if rows > EXACT_ROWS else None
    few = tuple(("organization", name) for name in names) if len(names) < 1000 else ()
    answer = cache(con, Selection(period.since, period.until, few), by="organization", sizes=(SIZE, None), limit=None, sample=sample)  # fmt: skip
    found: dict[str, Document] = {}
    for row in answer.rows.filter(pl.col("attribution") == "organization").iter_rows(named=True):
        of = found.setdefault(row["organization"], {})
        if row["cache"] == "unlimited":
            of |= {"bytes": row["bytes"], "avoidable_bytes": row["avoidable_bytes"], "avoidable_share": row["avoidable_bytes"] / row["bytes"] if row["bytes"] else None, "error_bytes": row.get("avoidable_error_bytes")}  # fmt: skip
        elif row["cache"] == "for 90 %":
            of |= {"size_for_90": row["cache_size"], "avoidable_at_size": row["avoidable_bytes"]}
    stated = {"sampled": sample, "assumptions": answer.assumptions}
    return {name: {**of, **stated} for name, of in found.items()}


def _evidence(made: Account, store: dict[str, Any], attributions: pl.DataFrame) -> Document:
    import json

    given = made.policy.fund.organizations
    return {
        "l7meter": __version__,
        "store": {"snapshot": store["snapshot"], "files": store["files"], "digest": f"blake3:{store['digest']}"},
        "policy": {"file": made.policy.path.name, "sha256": made.policy.digest},
        "organizations": {"file": given.name, "sha256": made.organizations} if given else None,
        "cards": [{"pool": pool, "name": card.name, "as_of": str(card.as_of), "sha256": card.digest} for pool, card in made.cards.items()],
        "attributions": [_attribution(json.loads(text)) for text in attributions["manifest"]],
    }  # fmt: skip


def _attribution(manifest: Document) -> Document:
    data = "; ".join(f"{each['name']} of {each['as_of']}" for each in manifest.get("reference_data", []))  # fmt: skip
    return {"id": manifest["attribution_id"], "of": data, "rules_sha256": manifest.get("rules_sha256"), "organizations_sha256": manifest.get("organizations_sha256")}  # fmt: skip
