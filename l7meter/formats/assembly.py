"""From readings, still text, to the record's columns and the rejects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import polars as pl

from l7meter.columns import map_distinct, recode
from l7meter.formats.contract import REJECTS, Format, Options, Parsed, Raw, Segment
from l7meter.formats.lines import Lines
from l7meter.formats.readings import Reading, rank, reading
from l7meter.formats.text import MISSING, UNESCAPE
from l7meter.formats.times import iso
from l7meter.formats.urls import absolute
from l7meter.formats.values import address_maybe_port
from l7meter.schema import COLUMNS, EXCHANGE_KINDS, POLARS

Types = Callable[[str], pl.Categorical]


def any_categories(_: str) -> pl.Categorical:
    """Categories of its own for each column and block."""
    return pl.Categorical(pl.Categories.random())


NO_TIME = "line has no time that can be read"
# `-` and nothing are values here: no octets (%b), closed (%X), not completed ($request_completion).
_DASH_IS_SAID = ("response_body_size_clf", "complete_apache", "complete_ok")
_SIZES = tuple(
    name
    for name, column in COLUMNS.items()
    if column.kind == "said" and (name.endswith(("_size", "_length")) or name == "duration")
)


def parse(
    format_: Format, segment: Segment, options: Options, types: Types = any_categories
) -> Parsed:
    """Records and rejects of one segment: every line is one of them or a named skip.

    Text that recurs comes as Categorical of `types`.
    """
    lines = Lines(segment.block)
    long = segment.block.long_lines
    if lines.count:
        raw = format_.reader.read(segment, lines)
        records, unread = assemble(raw, format_, options, types)
    else:
        records, unread = pl.DataFrame({"source_line": pl.Series([], dtype=pl.Int64)}), None
        raw = Raw(records, records, {})
    rejects = _rejects(unread, lines) if unread is not None else REJECTS.to_frame()
    if long:
        rejects = rejects.vstack(_long(segment))
    return Parsed(records, rejects, raw.skipped, lines.count + len(long))


def assemble(
    raw: Raw, format_: Format, options: Options, types: Types = any_categories
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The said columns of the readings that hold, and `source_line`, `reason` of those that don't."""
    columns: dict[str, pl.Series] = {}
    wrong: dict[str, pl.Series] = {}
    names = sorted(raw.frame.columns[1:], key=lambda name: rank(name.partition("\t")[0]))
    for name in names:
        word = name.partition("\t")[0]
        how = reading(word)
        text = raw.frame[name]
        numeric = how.fills[0] in _NUMERIC  # neither escaped, nor mistaken for a missing value
        unescape = UNESCAPE[format_.escapes]
        if word in _FEW_VALUES:
            coded = text.cast(types(how.fills[0]))
            made = {how.fills[0]: recode(coded, partial(_plain, how, unescape, options.timezone))}
        else:
            if not numeric:
                text = unescape(text if word in _DASH_IS_SAID else _present(text))
            made = how.convert(text, options.timezone)
        for column, values in made.items():
            before = columns.get(column)
            columns[column] = values if before is None else _filled(before, values)
        first = made[how.fills[0]]
        if how.must and word not in _FEW_VALUES and first.null_count() > text.null_count():
            unread = first.is_null() & text.is_not_null()
            if numeric:
                unread &= ~text.is_in(MISSING)
            if unread.any():
                wrong[f"{how.fills[0]} cannot be read"] = unread
    return _checked(raw, _completed(columns, options), wrong)


def _filled(first: pl.Series, then: pl.Series) -> pl.Series:
    """Of two readings of one column the first that has a value counts."""
    if first.dtype != then.dtype:
        first, then = first.cast(pl.String), then.cast(pl.String)
    return first.fill_null(then)


def _plain(
    how: Reading, unescape: Callable[[pl.Series], pl.Series], zone: str, text: pl.Series
) -> pl.Series:
    return how.convert(unescape(_present(text)), zone)[how.fills[0]]


def _present(text: pl.Series) -> pl.Series:
    """The text, null where it is a word for a missing value."""
    short = (text.str.len_bytes() <= _LONGEST).arg_true()
    missing = short.filter(text[short].is_in(MISSING))
    return text.scatter(missing, None) if missing.len() else text


# Long text that recurs: looked at once a value, not once a row.
_FEW_VALUES = ("client_address", "user_agent_original", "referrer", "user_name", "forwarded_for", "content_type")  # fmt: skip
_NUMERIC = {name for name, column in COLUMNS.items() if column.type not in ("string", "bool")}
_LONGEST = max(map(len, MISSING))


def _completed(columns: dict[str, pl.Series], options: Options) -> dict[str, pl.Series]:
    """Columns that are made of several readings."""
    date, time = columns.pop("ts_date", None), columns.pop("ts_time", None)
    if date is not None and time is not None:
        both = map_distinct(
            date + " " + time, lambda each: iso(each, "UTC")
        )  # as W3C logs have it, whatever zone is stated
        columns["ts"] = both if "ts" not in columns else columns["ts"].fill_null(both)
    stem, query = columns.pop("url_stem", None), columns.pop("url_query", None)
    if stem is not None:
        made, whole = stem if query is None else _joined(stem, query), columns.get("url_original")
        columns["url_original"] = made if whole is None else whole.fill_null(made)
    content = columns.pop("content_either_way", None)
    if content is not None:
        sent = columns["request_method"].is_in(["PUT", "POST"]).fill_null(value=False)
        columns["request_body_size"] = content.set(~sent, None)
        columns["response_body_size"] = content.set(sent, None)
    name = columns.pop("server_name", None)
    if name is not None:  # the name in the configuration counts where the request named no host
        host = columns.get("server_address")
        columns["server_address"] = name if host is None else host.fill_null(name)
    target = columns.get("url_original")
    if target is not None:
        odd = (~target.str.starts_with("/")).fill_null(value=False).arg_true()
        if odd.len() and target[odd].str.contains(r"^(?i:https?)://").any():
            for column, values in absolute(target).items():
                before = columns.get(column)
                columns[column] = values if before is None else before.fill_null(values)
    for size in _SIZES:  # -1 is how several loggers write "not known"
        if size in columns:
            unknown = columns[size] < 0
            if unknown.any():
                columns[size] = columns[size].set(unknown, None)
    if "response_status_code" in columns:  # 000: the client left before a response
        code = columns["response_status_code"]
        columns["response_status_code"] = code.set(code <= 0, None)
    if "network_peer_address" in columns:
        columns |= _peer(columns)
    if options.trusted_hops and "forwarded_for" in columns:
        columns |= _behind_hops(columns, options.trusted_hops)
    return columns


def _joined(stem: pl.Series, query: pl.Series) -> pl.Series:
    query = query.str.strip_prefix("?")
    both = stem + "?" + query
    return both.zip_with((query.is_not_null() & (query != "")).fill_null(value=False), stem)


def _peer(columns: dict[str, pl.Series]) -> dict[str, pl.Series]:
    """The client is the peer where no other is named; then no peer is told apart."""
    peer = columns["network_peer_address"]
    client = columns["client_address"].fill_null(peer) if "client_address" in columns else peer
    return {"client_address": client, "network_peer_address": peer.set(peer == client, None)}


def behind_hops(records: pl.DataFrame, hops: int) -> pl.DataFrame:
    """The records of a capture, their client the one that trusted hops vouch for, if there are any."""
    if not hops:
        return records
    made = _behind_hops(dict(zip(records.columns, records.get_columns(), strict=True)), hops)
    return records.with_columns(
        series.cast(POLARS[name]).alias(name) for name, series in made.items()
    )


def _behind_hops(columns: dict[str, pl.Series], hops: int) -> dict[str, pl.Series]:
    """The client that the trusted hops vouch for: so many entries from the end of the list."""
    entries = columns["forwarded_for"].cast(pl.String).str.split(",")
    place = entries.list.len().cast(pl.Int64) - hops
    place = place.set(place < 0, 0)
    entry = entries.list.get(place, null_on_oob=True).str.strip_chars(" \t+")  # IIS: + for a blank
    pair = address_maybe_port(entry.str.strip_chars('"'), "")
    entry = pair["client_address"]
    vouched = (entry.is_not_null() & (entry != "")).fill_null(value=False)
    peer = columns.get("client_address", pl.Series([None], dtype=pl.String).new_from_index(0, entry.len()))  # fmt: skip
    said = columns.get("network_peer_address")
    hidden = peer.set(~vouched | (entry == peer).fill_null(value=False), None)
    made = {
        "client_address": entry.zip_with(vouched, peer),
        "network_peer_address": hidden if said is None else said.fill_null(hidden),
    }
    if "client_port" in columns:  # the port that was logged is the peer's
        made["client_port"] = pair["client_port"].zip_with(vouched, columns["client_port"])
    return made


def _checked(
    raw: Raw, columns: dict[str, pl.Series], wrong: dict[str, pl.Series]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Good rows, and the others with their first reason."""
    number = raw.frame["source_line"]
    named = [number, *(values.alias(name) for name, values in columns.items() if name in COLUMNS)]
    records = pl.DataFrame(named).with_columns(exchange_kind=pl.lit("http", EXCHANGE_KINDS))
    if "ts" not in columns:
        wrong[NO_TIME] = pl.Series([True]).new_from_index(0, number.len())
    elif columns["ts"].null_count():
        wrong[NO_TIME] = columns["ts"].is_null()
    if not wrong:
        return records, raw.unread
    reason = pl.coalesce(
        *(pl.when(rows).then(pl.lit(text)) for text, rows in wrong.items()), pl.lit(None, pl.String)
    )
    reasons = records.select("source_line", reason=reason)
    bad = reasons["reason"].is_not_null()
    return records.filter(~bad), raw.unread.vstack(reasons.filter(bad))


def _rejects(unread: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    unread = unread.sort("source_line")
    rows = unread["source_line"].to_numpy() - lines.first_line
    return unread.with_columns(
        lines.kept(unread["source_line"]), pl.Series("line_bytes", lines.lengths[rows])
    )


def _long(segment: Segment) -> pl.DataFrame:
    from l7meter.formats.lines import TOO_LONG

    return pl.DataFrame(
        [
            (line.number, TOO_LONG, line.start.decode("utf-8", "backslashreplace"), line.length)
            for line in segment.block.long_lines
        ],
        schema=REJECTS,
        orient="row",
    )
