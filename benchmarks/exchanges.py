"""Invented exchanges of a package registry, the same ones for every format and for ever.

`Population(seed)` draws who asks (clients: an address and an agent that belong together) and what is
asked (targets). `chunk(population, number)` draws `CHUNK` exchanges as a frame. A chunk depends on
the seed and its number alone, so a short log is the beginning of a longer one.

Addresses are random bits and name nobody; names of packages are syllables put together.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

AGENTS = Path(__file__).with_name("agents.jsonl")
CHUNK = 250_000
CHUNK_SECONDS = 43_200  # so 4 M lines are eight days, and 1 M two
START = datetime(2026, 3, 9)

CLIENTS = 60_000
ADDRESSES = 40_000
IPV6_SHARE = 0.1
VARIANTS = 8  # of each agent: other patch versions
CLIENT_TAIL = 0.9  # Zipf exponents
TARGET_TAIL = 0.8
UGLY_SHARE = 0.001

CLEAN, BINARY, EMPTY, CHOPPED = range(4)

SYLLABLES = ["ba", "co", "dex", "fi", "gra", "hub", "in", "jo", "kit", "lo", "min", "net", "or", "py", "qua", "ron", "sta", "tor", "ux", "ver"]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of target: how many there are, its share of its ecosystem, its size, its path."""

    ecosystem: str
    is_index: bool
    count: int
    share: float
    octets: int  # median size of the content
    spread: float  # sigma of its logarithm
    path: pl.Expr  # over the columns name, version, digest, page


_NAME, _VERSION, _DIGEST = pl.col("name"), pl.col("version"), pl.col("digest")
_BLOB = pl.format(
    "/packages/{}/{}/{}/{}-{}-py3-none-any.whl",
    _DIGEST.str.slice(0, 2),
    _DIGEST.str.slice(2, 2),
    _DIGEST.str.slice(4, 60),
    _NAME.str.replace_all("-", "_", literal=True),
    _VERSION,
)
_POOL = pl.format(
    "/debian/pool/main/{}/{}/{}_{}-1_amd64.deb", _NAME.str.slice(0, 1), _NAME, _NAME, _VERSION
)
_JAR = pl.format("/maven2/org/example/{}/{}/{}-{}.", _NAME, _VERSION, _NAME, _VERSION)

# fmt: off
KINDS = (
    Kind("pypi", True, 12_000, 0.35, 9_000, 1.5, pl.format("/simple/{}/", _NAME)),
    Kind("pypi", False, 90_000, 0.45, 120_000, 2.0, _BLOB),
    Kind("pypi", False, 30_000, 0.20, 3_000, 0.8, pl.format("{}.metadata", _BLOB)),
    Kind("npm", True, 15_000, 0.35, 40_000, 1.6, pl.format("/{}", _NAME)),
    Kind("npm", True, 5_000, 0.10, 30_000, 1.6, pl.format("/@example%2f{}", _NAME)),
    Kind("npm", False, 70_000, 0.55, 60_000, 1.8, pl.format("/{}/-/{}-{}.tgz", _NAME, _NAME, _VERSION)),
    Kind("deb", True, 8, 0.35, 150_000, 0.1, pl.format("/debian/dists/{}/InRelease", _NAME)),
    Kind("deb", True, 600, 0.15, 2_000_000, 1.5, pl.format("/debian/dists/stable/main/binary-amd64/by-hash/SHA256/{}", _DIGEST)),
    Kind("deb", False, 40_000, 0.50, 200_000, 2.0, _POOL),
    Kind("maven", False, 15_000, 0.5, 150_000, 1.8, pl.format("{}jar", _JAR)),
    Kind("maven", False, 15_000, 0.5, 4_000, 0.8, pl.format("{}pom", _JAR)),
    Kind("web", True, 8_000, 0.7, 20_000, 0.7, pl.format("/project/{}/", _NAME)),
    Kind("web", True, 20_000, 0.3, 15_000, 0.3, pl.format("/search/?q={}&page={}", _NAME, pl.col("page"))),
)
# fmt: on

ARTIFACT_STATUS = {200: 0.90, 206: 0.03, 304: 0.03, 404: 0.025, 499: 0.01, 503: 0.005}
INDEX_STATUS = {200: 0.55, 304: 0.40, 404: 0.04, 429: 0.01}
ERROR_OCTETS = 153  # a short error page


class Population:
    """Who asks and what is asked: drawn once from `seed`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = np.random.default_rng([seed])
        agents = [json.loads(line) for line in AGENTS.read_text().splitlines()]
        ecosystems = np.repeat([agent["ecosystem"] for agent in agents], VARIANTS)
        texts = np.array([_variant(a["agent"], rng) for a in agents for _ in range(VARIANTS)])
        shares = np.repeat([agent["share"] for agent in agents], VARIANTS)
        chosen = rng.choice(len(texts), CLIENTS, p=shares / shares.sum())
        addresses = _addresses(rng)
        self.clients = pl.DataFrame(
            {
                "client": addresses[rng.integers(0, ADDRESSES, CLIENTS)],
                "agent": texts[chosen],
                "ecosystem": ecosystems[chosen],
            }
        )
        self.client_chances = zipf(CLIENTS, CLIENT_TAIL)
        self.targets = pl.concat([_targets(rng, kind) for kind in KINDS])
        self.target_chances = {
            ecosystem: np.cumsum(
                np.concatenate(
                    [
                        np.diff(zipf(kind.count, TARGET_TAIL), prepend=0) * kind.share
                        if kind.ecosystem == ecosystem
                        else np.zeros(kind.count)
                        for kind in KINDS
                    ]
                )
            )
            for ecosystem in sorted({kind.ecosystem for kind in KINDS})
        }


def chunk(population: Population, number: int) -> pl.DataFrame:
    """Draw exchanges `number * CHUNK` and on, `CHUNK` of them, in order of time.

    Columns: ts, client, agent, ecosystem, method, target, version, status, octets (content sent),
    referrer, duration (ms), ugly (`CLEAN`, or how the line is spoilt), cut (octets kept of a chopped
    line).
    """
    rng = np.random.default_rng([population.seed, number])
    who = population.clients[draw(rng, population.client_chances, CHUNK)]
    what = np.empty(CHUNK, dtype=np.uint32)
    for ecosystem, chances in population.target_chances.items():
        asks = (who["ecosystem"] == ecosystem).to_numpy()
        what[asks] = draw(rng, chances, int(asks.sum()))
    target = population.targets[what]
    status = np.where(
        target["is_index"].to_numpy(), _pick(rng, INDEX_STATUS), _pick(rng, ARTIFACT_STATUS)
    )
    method = np.array(["GET", "HEAD", "POST"])[
        rng.choice(3, CHUNK, p=[0.965, 0.03, 0.005]).astype(np.intp)
    ]
    ugly = np.where(rng.random(CHUNK) < UGLY_SHARE, rng.integers(1, 4, CHUNK), CLEAN)
    seconds = number * CHUNK_SECONDS + np.sort(rng.random(CHUNK)) * CHUNK_SECONDS
    return pl.DataFrame(
        {
            "ts": np.datetime64(START, "ms") + (seconds * 1000).astype("timedelta64[ms]"),
            "client": who["client"],
            "agent": who["agent"],
            "ecosystem": who["ecosystem"],
            "method": method,
            "target": target["target"],
            "version": np.where(rng.random(CHUNK) < 0.4, "HTTP/2.0", "HTTP/1.1"),
            "status": status.astype(np.int16),
            "octets": _octets(rng, method, status, target["octets"].to_numpy()),
            "duration": rng.lognormal(3.0, 1.5, CHUNK).astype(np.int64),
            "ugly": ugly.astype(np.int8),
            "cut": rng.integers(10, 55, CHUNK),  # before the status of even the shortest line
        }
    ).with_columns(
        referrer=pl.when(pl.col("target").str.starts_with("/project/"))
        .then(pl.format("https://www.example.org/search/?q={}", pl.col("target").str.slice(9, 3)))
        .otherwise(pl.lit("-"))
    )


def _octets(
    rng: np.random.Generator, method: np.ndarray, status: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Content octets sent: all, a part (206, 499), an error page, or none (304, HEAD)."""
    part = (size * rng.random(CHUNK)).astype(np.int64)
    sent = np.select(
        [status == 200, (status == 206) | (status == 499), status == 304],
        [size, part, 0],
        ERROR_OCTETS,
    )
    return np.where(method == "HEAD", 0, sent)


def _variant(agent: str, rng: np.random.Generator) -> str:
    """Draw another last number for each dotted version, `Mozilla/5.0` and `537.36` left alone."""
    return re.sub(
        r"(?<=\d\.)(?<!Mozilla/5\.)(?<!537\.)\d+(?![.\d])",
        lambda _: str(rng.integers(0, 30)),
        agent,
    )


def _addresses(rng: np.random.Generator) -> np.ndarray:
    """Draw distinct clients' addresses as text."""
    six = int(ADDRESSES * IPV6_SHARE)
    v4 = pl.DataFrame(rng.integers(1, [[224, 256, 256, 256]], (ADDRESSES - six, 4)))
    v6 = pl.DataFrame(rng.integers(1, 0x10000, (six, 4)))
    dotted = v4.select(pl.concat_str(pl.all(), separator=".")).to_series()
    hexed = [
        f"2{group[0] & 0xFFF:03x}:{group[1]:x}:{group[2]:x}::{group[3]:x}" for group in v6.rows()
    ]
    return np.concatenate([dotted.to_numpy(), np.array(hexed, dtype=object)])


def _targets(rng: np.random.Generator, kind: Kind) -> pl.DataFrame:
    """Columns target, octets, is_index of one kind."""
    count = kind.count
    syllables = pl.Series(SYLLABLES)
    word = pl.select(
        pl.concat_str(
            [pl.Series(syllables.gather(rng.integers(0, len(SYLLABLES), count))) for _ in range(3)]
            + [
                pl.when(pl.Series(rng.random(count) < 0.3))
                .then(pl.lit("-core"))
                .otherwise(pl.lit(""))
            ]
        )
    ).to_series()
    version = pl.DataFrame(rng.integers(0, [[6, 20, 30]], (count, 3)))
    digests = rng.bytes(32 * count).hex()
    drawn = pl.DataFrame(
        {
            "name": word,
            "version": version.select(pl.concat_str(pl.all(), separator=".")).to_series(),
            "digest": [digests[at : at + 64] for at in range(0, len(digests), 64)],
            "page": rng.integers(1, 40, count),
            "octets": rng.lognormal(np.log(kind.octets), kind.spread, count)
            .clip(20, 5e8)
            .astype(np.int64),
        }
    )
    return drawn.select(kind.path.alias("target"), "octets", is_index=pl.lit(kind.is_index))


def zipf(count: int, tail: float) -> np.ndarray:
    """Cumulative chances of ranks 1 to `count`."""
    chances = np.arange(1, count + 1, dtype=np.float64) ** -tail
    return np.cumsum(chances / chances.sum())


def draw(rng: np.random.Generator, cumulative: np.ndarray, count: int) -> np.ndarray:
    """Draw `count` positions by cumulative chances."""
    return np.searchsorted(cumulative[:-1], rng.random(count), side="right")


def _pick(rng: np.random.Generator, chances: dict[int, float]) -> np.ndarray:
    """Draw `CHUNK` of the keys."""
    return np.array(list(chances))[draw(rng, np.cumsum(list(chances.values())), CHUNK)]
