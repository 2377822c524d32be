"""A statement as a PDF, set by typst: the same as the page, for who files paper."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from l7meter.errors import UsageError
from l7meter.reports.cells import visible
from l7meter.statements.page import TEMPLATES, money, period_text
from l7meter.units import bytes_text, count_text, percent_text

_DAYS = 24 * 3600


def render(document: Mapping[str, Any]) -> bytes:
    """The PDF of a statement's document: the same octets for the same document.

    Raises `UsageError` where typst is not installed.
    """
    compiler = _compiler()
    made: bytes = compiler.compile(sys_inputs={"d": json.dumps(_texts(document), ensure_ascii=False)}, format="pdf", timestamp=_at(document))  # fmt: skip
    return made


@cache
def _compiler() -> Any:
    try:
        import typst
    except ImportError as error:
        raise UsageError("PDF needs typst: pip install 'l7meter[pdf]', or leave pdf out of --as") from error  # fmt: skip
    return typst.Compiler(str(Path(TEMPLATES) / "statement.typ"), ignore_system_fonts=True)


def _at(document: Mapping[str, Any]) -> int:
    """What stands as the time it was made: the end of its period."""
    last = datetime.fromisoformat(document["period"]["last_day"])
    return int(datetime.combine(last.date(), time(), UTC).timestamp()) + _DAYS


def _texts(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with figures as people read them."""
    use, amount = document["use"], document["amount"]
    cache_ = document["cache"]
    whole = use["bytes"] or 1
    tables = [
        {"title": title, "names": names, "rows": [[_cell(row[name]) for name in names] + [bytes_text(row["bytes"]), percent_text(row["bytes"] / whole), count_text(row["requests"])] for row in use[key]]}
        for title, key, names in (
            ("By package", "by_package", ["package", "ecosystem"]),
            ("By client", "by_client", ["agent_name", "agent_kind"]),
            ("By ecosystem", "by_ecosystem", ["ecosystem"]),
            ("By network", "by_network", ["asn", "as_name", "network_kind"]),
            ("By day", "by_day", ["day"]),
        )
    ]  # fmt: skip
    texts = {
        "fund": document["fund"], "organization": document["organization"]["name"], "period": period_text(document),
        "amount": money(amount["amount"]), "currency": amount["currency"], "low": money(amount["low"]), "high": money(amount["high"]),
        "total": money(amount["total"]), "status": amount["status"], "rule": amount["rule"],
        "pools": [[each["pool"], money(each["pool_amount"]), each["explained"], money(each["amount"])] for each in amount["pools"]],
        "alternatives": [[each["rule"], money(each["amount"]), money(each["difference"]), each["explained"]] for each in document["alternatives"]],
        "uncertainty": [[each["cause"], each["explained"], money(each["low"]), money(each["high"])] for each in document["uncertainty"]],
        "methods": [[each["method"], each["meaning"], bytes_text(each["bytes"]), percent_text(each["share"])] for each in document["attribution"]["methods"]],
        "unattributed": percent_text(document["attribution"]["unattributed_share_of_all"]),
        "bytes": bytes_text(use["bytes"]), "share": percent_text(use["share_of_all"]), "requests": count_text(use["requests"]),
        "bars": [[each["bytes"], each["avoidable_bytes"] or 0] for each in use["by_day"]],
        "tables": tables,
        "cache": None if cache_ is None else {
            "bytes": bytes_text(cache_["bytes"]), "served": bytes_text(cache_["avoidable_bytes"]), "part": percent_text(cache_["avoidable_share"] or 0),
            "size": bytes_text(cache_["size_for_90"]) if cache_["size_for_90"] else None, "saved": money(cache_["saved"]), "assumptions": cache_["assumptions"],
        },
        "setup": document["setup"],
        "evidence": _evidence(document),
    }  # fmt: skip
    made: dict[str, Any] = _visible(texts)
    return made


def _evidence(document: Mapping[str, Any]) -> list[list[str]]:
    of = document["evidence"]
    rows = [["Store", f"snapshot {of['store']['snapshot']}, {of['store']['files']} files, {of['store']['digest']}"]]  # fmt: skip
    rows.append(["Policy", f"{of['policy']['file']}, SHA-256 {of['policy']['sha256']}"])
    if of["organizations"]:
        rows.append(["Organisations", f"{of['organizations']['file']}, SHA-256 {of['organizations']['sha256']}"])  # fmt: skip
    rows += [["Price card", f"{each['name']} of {each['as_of']}, SHA-256 {each['sha256']}"] for each in of["cards"]]  # fmt: skip
    rows += [["Attribution", f"{each['id']}: {each['of']}"] for each in of["attributions"]]
    rows.append(
        ["This statement", f"SHA-256 {document['digest']}, made by l7meter {of['l7meter']}"]
    )
    return rows


def _cell(value: object) -> str:
    return "(unknown)" if value is None else str(value)


def _visible(value: Any) -> Any:
    """Values of JSON, their texts with what steers or hides written as its escape."""
    if isinstance(value, str):
        return "\n".join(map(visible, value.split("\n")))
    if isinstance(value, Mapping):
        return {name: _visible(each) for name, each in value.items()}
    return [_visible(each) for each in value] if isinstance(value, list) else value
