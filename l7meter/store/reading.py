"""SQL of others: which statements only read.

A locked connection keeps the outside away, but DuckDB has no way to allow a file for reading and not
for writing: `COPY ... TO 'a data file' (USE_TMP_FILE false)` would go through.
"""

from __future__ import annotations

import duckdb

from l7meter.errors import UsageError

_MAKES = ("table", "view", "macro", "function")


def statements(sql: str) -> list[str]:
    """The statements of `sql`, each of them one that only reads; `UsageError` for any other.

    SELECT and what DuckDB takes for it (FROM, WITH, VALUES, PIVOT, DESCRIBE, SUMMARIZE, SHOW),
    EXPLAIN of it, and tables, views and macros that are TEMP. A syntax error is `UsageError` too.
    """
    try:
        parsed = duckdb.extract_statements(sql)
    except duckdb.ParserException as error:
        raise UsageError(f"the SQL cannot be parsed: {error}") from error
    result = []
    for statement in parsed:
        if not _reads(statement):
            begin = " ".join(statement.query.split())[:60]
            raise UsageError(
                f"{begin!r} may write: only SELECT, EXPLAIN and CREATE TEMP are run on a store; "
                "to save an answer, use the output options"
            )
        result.append(statement.query)
    return result


def _reads(statement: duckdb.Statement) -> bool:
    kinds = duckdb.StatementType
    words = _words(statement.query)
    match statement.type:
        case kinds.SELECT:
            return True
        case kinds.CREATE:
            return _is_temporary(words)
        case kinds.MULTI:  # a PIVOT, alone or inside of another statement
            return words[0] in ("pivot", "unpivot", "select", "from", "with") or _is_temporary(
                words
            )
        case kinds.EXPLAIN:  # EXPLAIN ANALYZE runs the statement
            return any(_is_select(rest) for rest in _explained(statement.query))
    return False


def _tokens(sql: str) -> list[tuple[int, str]]:
    """Offset and text of each token, comments left out."""
    data = sql.encode()
    found = duckdb.tokenize(sql)
    ends = [offset for offset, _ in found[1:]] + [len(data)]
    return [
        (offset, data[offset:end].decode().strip().lower())
        for (offset, kind), end in zip(found, ends, strict=True)
        if kind != duckdb.token_type.comment
    ]


def _words(sql: str) -> list[str]:
    return [text for _, text in _tokens(sql)]


def _is_temporary(words: list[str]) -> bool:
    rest = words[1:]
    if rest[:2] == ["or", "replace"]:
        rest = rest[2:]
    return words[0] == "create" and rest[0] in ("temp", "temporary") and rest[1] in _MAKES


def _explained(sql: str) -> list[str]:
    """What an EXPLAIN may be about: what follows it, and what follows its options."""
    tokens = _tokens(sql)[1:]
    words = [text for _, text in tokens]
    starts = [1 if words[0] == "analyze" else 0]
    if words[0] == "(" and ")" in words[:-1]:
        starts.append(words.index(")") + 1)
    return [sql.encode()[tokens[start][0] :].decode() for start in starts]


def _is_select(sql: str) -> bool:
    try:
        parsed = duckdb.extract_statements(sql)
    except duckdb.ParserException:
        return False
    return [s.type for s in parsed] == [duckdb.StatementType.SELECT]
