"""Usage by the hour and by the day: its columns, how records become it, and how it is asked.

A row sums up the records that agree in all of its dimensions; those by the hour leave the package out,
as nearly each request would be a row of its own. Distinct clients are a HyperLogLog
(Flajolet et al. 2007, 2^14 registers, standard error 0.8 %), estimated as in LogLog-Beta (Qin, Kim,
Tung 2016): as text, so that any reader of Parquet has it.
"""

from __future__ import annotations

from typing import Literal

from l7meter.schema import COLUMNS, Column, Type

Unit = Literal["hour", "day"]
UNITS: dict[str, Unit] = {"usage_hourly": "hour", "usage_daily": "day"}
SAME = (
    *("exchange_kind", "organization", "parent_organization", "organization_method"),
    *("attributable", "network_kind", "shared_egress", "client_asn", "client_as_name"),
    *("agent_name", "agent_kind", "agent_ci", "package_ecosystem", "package_name"),
    *("artifact_kind", "is_download", "cache_status", "server_bytes_basis"),
)


def _column(name: str, type_: Type, meaning: str) -> Column:
    return Column(name, type_, "concluded", meaning, "")


_DERIVED = (
    _column("status_class", "string", "`2xx` and so on; null where no status was sent."),
    _column("weight", "double", "How many exchanges each record stands for; 1 if not sampled."),
)
_MEASURES = (
    _column("records", "int64", "Records; times `weight`, the exchanges they stand for."),
    _column(
        "server_bytes", "int64", "Sum of `server_bytes`, in octets; null if nothing was measured."
    ),
    _column("unmeasured_records", "int64", "Records whose `server_bytes` is null."),
    _column(
        "squared_bytes",
        "double",
        "Sum of the squares of `server_bytes`, for standard errors; null if not sampled.",
    ),
    _column(
        "clients",
        "string",
        "Sketch of the distinct client addresses: numbers register x 64 + rank, space between.",
    ),
    _column(
        "avoidable_bytes",
        "int64",
        "Octets fetched again within 24 hours (as in redundant_downloads); null until the day is "
        "closed.",
    ),
    _column("avoidable_records", "int64", "Records of those; null until the day is closed."),
)
_FIRST = {
    "hour": _column("hour", "timestamp", "Beginning of the hour, UTC."),
    "day": _column("day", "date", "Day, UTC."),
}
_DIMENSIONS = (*(COLUMNS[name] for name in SAME), *_DERIVED)
_LEFT_OUT = {"hour": ("package_name",), "day": ()}
USAGE: dict[str, tuple[Column, ...]] = {
    table: (
        _FIRST[unit],
        *(c for c in _DIMENSIONS if c.name not in _LEFT_OUT[unit]),
        *_MEASURES,
    )
    for table, unit in UNITS.items()
}

_SAME = ", ".join(SAME)
_STATUS = (
    "CASE WHEN response_status_code BETWEEN 100 AND 599 "
    "THEN CAST(response_status_code // 100 AS VARCHAR) || 'xx' END AS status_class"
)
_WEIGHT = "coalesce(sample_weight, 1)::DOUBLE AS weight"
_KEYS = {
    unit: ", ".join(c.name for c in _DIMENSIONS if c.name not in left)
    for unit, left in _LEFT_OUT.items()
}
_MICROSECONDS = {"hour": 3_600_000_000, "day": 86_400_000_000}
_WINDOW = "INTERVAL 24 HOUR"


def _down(instant: str, unit: Unit) -> str:
    """The last whole hour or day at or before an instant, in SQL: no session's time zone moves it."""
    us = _MICROSECONDS[unit]
    return f"make_timestamptz(epoch_us({instant}) - ((epoch_us({instant}) % {us}) + {us}) % {us})"


def _up(instant: str, unit: Unit) -> str:
    """The first whole hour or day at or after an instant."""
    us = _MICROSECONDS[unit]
    return f"make_timestamptz(epoch_us({instant}) + (-epoch_us({instant}) % {us} + {us}) % {us})"


def _day(instant: str) -> str:
    return f"CAST(make_timestamp(epoch_us({instant})) AS DATE)"


def start(instant: str, unit: Unit) -> str:
    """The beginning of the hour or the day of an instant, in SQL."""
    return _down(instant, unit) if unit == "hour" else _day(instant)


def _coupon(salt: str, address: str = "client_address") -> str:
    """The register (14 bits) and rank of a client's address, as one number."""
    hashed = f"md5_number_lower('{salt}' || {address})"
    rest = f"(({hashed} >> 14) | {1 << 50})"
    return f"(({hashed} & 16383)::BIGINT * 64 + bit_count(({rest} - 1) & ~{rest}) + 1)"


def cells(rows: str, salt: str) -> str:
    """The SQL of a table `cells`: usage by the hour, one row for each register of its clients.

    `rows` is the SQL of records that have all of their columns.
    """
    return f"""
    SELECT {_down("ts", "hour")} AS hour, {_SAME}, {_STATUS}, {_WEIGHT},
        {_coupon(salt)} >> 6 AS register, max({_coupon(salt)}) AS coupon, count(*) AS records,
        sum(server_bytes) AS server_bytes,
        count(*) - count(server_bytes) AS unmeasured_records,
        sum(server_bytes::DOUBLE * server_bytes) FILTER (sample_weight <> 1) AS squared_bytes
    FROM ({rows}) GROUP BY ALL"""


def summed(unit: Unit) -> str:
    """The SQL of a usage table from the table `cells`; nothing is said of avoidable octets."""
    begin = "hour" if unit == "hour" else _day("hour")
    return f"""
    SELECT {unit}, {_KEYS[unit]}, sum(records)::BIGINT AS records,
        sum(server_bytes)::BIGINT AS server_bytes,
        sum(unmeasured_records)::BIGINT AS unmeasured_records, sum(squared_bytes) AS squared_bytes,
        string_agg(coupon::VARCHAR, ' ') AS clients
    FROM (
        SELECT {begin} AS {unit}, {_KEYS[unit]}, register, max(coupon) AS coupon,
            sum(records) AS records, sum(server_bytes) AS server_bytes,
            sum(unmeasured_records) AS unmeasured_records, sum(squared_bytes) AS squared_bytes
        FROM cells GROUP BY {begin}, {_KEYS[unit]}, register
    ) GROUP BY ALL"""


def settled(rows: str, unit: Unit) -> str:
    """The SQL of the rows of a usage table for a day, each once, with what `again` says of avoidable octets.

    `rows` is the SQL of all rows there are of the day; a coupon of a client may then be there twice.
    """
    begin = "hour" if unit == "hour" else _day("hour")
    return f"""
    SELECT {unit}, {_KEYS[unit]}, sum(records)::BIGINT AS records,
        sum(server_bytes)::BIGINT AS server_bytes,
        sum(unmeasured_records)::BIGINT AS unmeasured_records, sum(squared_bytes) AS squared_bytes,
        string_agg(clients, ' ') AS clients,
        coalesce(sum(avoidable_bytes), 0)::BIGINT AS avoidable_bytes,
        coalesce(sum(avoidable_records), 0)::BIGINT AS avoidable_records
    FROM (
        SELECT * REPLACE (NULL AS avoidable_bytes, NULL AS avoidable_records) FROM ({rows})
        UNION ALL BY NAME SELECT {begin} AS {unit}, {_KEYS[unit]}, 0 AS records,
            0 AS unmeasured_records, avoidable_bytes, avoidable_records FROM again
    ) GROUP BY ALL"""


def again(rows: str, first: str, behind: str) -> str:
    """The SQL of a table `again`: what was fetched again within a day, by the hour.

    `rows` is the SQL of records from a day before `first` (instants, as SQL) to `behind`.
    """
    return f"""
    WITH fetches AS (
        SELECT *, if(attributable, organization, client_address) AS fetcher FROM ({rows})
        WHERE is_download
    ), placed AS (
        SELECT *, lag(ts) OVER (
            PARTITION BY hash(attributable IS TRUE, fetcher, server_address, url_path)
            ORDER BY ts, server_bytes * coalesce(sample_weight, 1)) AS previous
        FROM fetches WHERE fetcher IS NOT NULL
    )
    SELECT {_down("ts", "hour")} AS hour, {_SAME}, {_STATUS}, {_WEIGHT},
        sum(server_bytes) AS avoidable_bytes, count(*) AS avoidable_records
    FROM placed WHERE ts >= {first} AND ts < {behind} AND ts - previous <= {_WINDOW} GROUP BY ALL"""


def _each(rows: str, unit: Unit, clients: str) -> str:
    """The SQL of records, each as a row of a usage table; `clients` is the SQL of its sketch."""
    same = ", ".join(name for name in SAME if name not in _LEFT_OUT[unit])
    return f"""
    SELECT {start("ts", unit)} AS {unit}, {same}, {_STATUS}, {_WEIGHT}, 1::BIGINT AS records,
        server_bytes, (server_bytes IS NULL)::BIGINT AS unmeasured_records,
        CASE WHEN sample_weight <> 1 THEN server_bytes::DOUBLE * server_bytes END AS squared_bytes,
        {clients} AS clients,
        NULL::BIGINT AS avoidable_bytes, NULL::BIGINT AS avoidable_records,
        cache_hit(cache_status) AS cache_hit
    FROM ({rows})"""


_BEGIN, _END = "TIMESTAMPTZ '0001-01-01'", "TIMESTAMPTZ '9999-01-01'"


def _around(name: str, whole: tuple[str, str], inner: tuple[str, str]) -> list[str]:
    """Two conditions: what of a period is before and what is behind an inner one, which may be empty."""
    edge = f"least({inner[0]}, {whole[1]})"
    return [
        f"{name} >= {whole[0]} AND {name} < {edge}",
        f"{name} >= greatest({inner[1]}, {edge}) AND {name} < {whole[1]}",
    ]


def definitions(salt: str) -> list[str]:
    """The statements that make the ways to ask, over what is and what is not summed up yet.

    That is `rolled_usage_hourly` and `rolled_usage_daily`, `rolled_records` (those in them) and
    `other_records`. `usage(since, until)` has a `day`, `usage_by_hour(since, until)` an `hour`: whole days
    and hours come from the rollups, the rest of the period from the records. Of a record, what `clients`
    says there is the address itself (`@192.0.2.1`), as few are asked for; `coupons` reads both.
    """
    period = f"coalesce(since, {_BEGIN})", f"coalesce(until, {_END})"
    asked = "(since IS NULL OR ts >= since) AND (until IS NULL OR ts < until)"
    address = "'@' || client_address"
    made = []
    for table, unit in UNITS.items():
        rolled = f"SELECT *, cache_hit(cache_status) AS cache_hit FROM rolled_{table}"
        sketched = _each("FROM other_records", unit, f"{_coupon(salt)}::VARCHAR")
        made.append(f"CREATE VIEW {table} AS {rolled} UNION ALL BY NAME {sketched}")
        inner = _up(period[0], unit), _down(period[1], unit)
        low, high = (_day(each) for each in inner) if unit == "day" else inner
        parts = [
            f"{rolled} WHERE ({unit} >= {low} AND {unit} < {high}) "
            f"OR ({unit} IS NULL AND since IS NULL AND until IS NULL)",
            _each(f"FROM other_records WHERE {asked}", unit, address),
        ]
        for edge in _around("ts", period, inner):
            parts.append(_each(f"FROM rolled_records WHERE {edge}", unit, address))
        name = "usage" if unit == "day" else "usage_by_hour"
        union = " UNION ALL BY NAME ".join(parts)
        made.append(f"CREATE MACRO {name}(since, until) AS TABLE {union}")
    made.append(
        "CREATE MACRO coupons(clients) AS CASE WHEN starts_with(clients, '@') "
        f"THEN [{_coupon(salt, 'substr(clients, 2)')}::INTEGER] "
        "ELSE string_split(clients, ' ')::INTEGER[] END"
    )
    # of the registers that were met: their number, and the sum of 2^-rank
    made.append(
        "CREATE MACRO estimated_clients(met, harmonic) AS CASE WHEN met = 0 THEN 0 ELSE "
        f"{_ALPHA!r}e0 * 16384 * met / ({_BETA} + 16384 - met + harmonic) END"
    )
    return made


_ALPHA = 0.7213 / (1 + 1.079 / 16384)
_LOG = "ln(16385 - met)"
_POLYNOMIAL = (0.070471823, 0.17393686, 0.16339839, -0.09237745, 0.03738027, -0.005384159, 0.00042419)  # fmt: skip
_BETA = " + ".join(
    [
        "-0.370393911e0 * (16384 - met)",
        *(f"{c!r}e0 * pow({_LOG}, {n})" for n, c in enumerate(_POLYNOMIAL, 1)),
    ]
)
