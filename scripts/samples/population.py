"""Who the mapped clients are: networks, how busy they are, when, and what they run.

The prefixes are really held by the operators named; the hosts in them are invented. None of these
organisations sent any of the requests.
"""

from __future__ import annotations

import ipaddress
import random
from typing import NamedTuple


class Network(NamedTuple):
    """A population of clients behind one prefix."""

    label: str
    prefix: str
    clients: int
    weight: float  # share of sessions, relative
    hours: str  # a key of HOURS
    habits: str  # a key of HABITS


HABITS: dict[str, dict[str, float]] = {
    "ci": {"pip-ci": 6, "uv-ci": 5, "npm-ci": 6, "pnpm-ci": 3, "cargo-ci": 4, "mvn": 3,
           "bundler-ci": 2, "apt": 3, "apt-varnish": 1, "git": 2, "curl": 1},
    "cloud": {"pip": 5, "uv": 4, "npm": 3, "apt": 4, "apt-varnish": 2, "mvn": 2, "gem": 1, "cargo": 1,
              "wget": 1, "curl": 2, "curl-again": 1, "aborted": 1, "aria2": 0.3, "scanner": 1},
    "developer": {"pip": 5, "uv": 5, "poetry": 2, "npm": 4, "yarn": 2, "cargo": 3, "mvn": 2, "gem": 1,
                  "bundler": 1, "firefox": 3, "curl": 1, "git": 2, "old-http": 0.2, "upload": 0.2},
    "repository-manager": {"artifactory": 8, "pip": 1, "npm": 1, "mvn": 2},
    "nexus": {"nexus": 8, "mvn": 2, "bundler": 1},
    "leaky": {"artifactory": 4, "pip-ci": 6, "npm-ci": 5, "mvn": 3},
    "mirror": {"bandersnatch": 6, "wget": 1},
    "renovate": {"renovate": 1},
    "googlebot": {"googlebot": 1}, "bingbot": {"bingbot": 1}, "gptbot": {"gptbot": 1},
    "claudebot": {"claudebot": 1}, "meta": {"meta-externalagent": 1}, "bytespider": {"bytespider": 1},
    "inside": {"squid": 1},
}  # fmt: skip

# Weight of each hour of the day, UTC; "-week" does not work at weekends
_EUROPE = [0, 0, 0, 0, 0, 1, 4, 9, 12, 12, 11, 9, 10, 11, 11, 10, 7, 4, 2, 2, 1, 1, 0, 0]
HOURS: dict[str, list[int]] = {
    "flat": [1] * 24,
    "cron": [9, 3, 8, 4, 3, 2, 6, 2, 2, 2, 2, 2, 7, 2, 2, 2, 2, 2, 6, 2, 2, 2, 2, 2],
    "europe-week": _EUROPE,
    "america-week": _EUROPE[-7:] + _EUROPE[:-7],
    "asia-week": _EUROPE[7:] + _EUROPE[:7],
    "evening": [4, 2, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 4, 6, 8, 9, 9, 9, 8, 6],
}

NETWORKS = (
    Network("Amazon EC2, us-east-1", "3.80.0.0/12", 90, 16, "cron", "ci"),
    Network("Amazon EC2, eu-west-1", "34.240.0.0/13", 50, 8, "flat", "cloud"),
    Network("Amazon EC2, IPv6", "2600:1f18::/33", 20, 3, "flat", "cloud"),
    Network("Microsoft Azure (hosted CI runners)", "20.40.0.0/13", 120, 18, "cron", "ci"),
    Network("Google Cloud", "35.192.0.0/12", 50, 9, "cron", "ci"),
    Network("Google Cloud, IPv6", "2600:1900:4000::/48", 12, 2, "flat", "cloud"),
    Network("Hetzner", "88.198.0.0/16", 25, 4, "flat", "cloud"),
    Network("Hetzner, IPv6", "2a01:4f8::/32", 10, 2, "flat", "cloud"),
    Network("OVH", "51.68.0.0/16", 15, 2, "flat", "cloud"),
    Network("DigitalOcean", "159.65.0.0/16", 20, 3, "flat", "cloud"),
    Network("Alibaba Cloud", "47.88.0.0/15", 15, 3, "asia-week", "cloud"),
    Network("ETH Zürich", "129.132.0.0/16", 12, 2, "europe-week", "developer"),
    Network("MIT", "18.9.0.0/16", 12, 2, "america-week", "developer"),
    Network("University of Tokyo", "133.11.0.0/16", 8, 1, "asia-week", "developer"),
    Network("CERN", "188.184.0.0/15", 10, 3, "cron", "ci"),
    Network("CERN, IPv6", "2001:1458::/32", 4, 1, "europe-week", "developer"),
    Network("Apple", "17.58.0.0/16", 3, 3, "america-week", "repository-manager"),
    Network("SAP", "155.56.0.0/16", 3, 4, "europe-week", "nexus"),
    Network("Bosch", "139.15.0.0/16", 4, 5, "europe-week", "leaky"),
    Network("Nvidia", "216.228.112.0/20", 4, 4, "america-week", "ci"),
    Network("Comcast", "73.162.0.0/16", 60, 4, "evening", "developer"),
    Network("Deutsche Telekom", "84.128.0.0/12", 50, 4, "evening", "developer"),
    Network("Deutsche Telekom, IPv6", "2003:c0::/27", 20, 2, "evening", "developer"),
    Network("Reliance Jio", "49.36.0.0/14", 40, 3, "evening", "developer"),
    Network("China Telecom", "114.80.0.0/14", 40, 3, "asia-week", "developer"),
    Network("Tsinghua University (mirror)", "101.6.6.0/24", 1, 2, "cron", "mirror"),
    Network("University of Oregon (mirror)", "140.211.166.0/24", 1, 1, "cron", "mirror"),
    Network("dependency bot on EC2", "52.0.0.0/15", 3, 3, "flat", "renovate"),
    Network("Google (search crawler)", "66.249.64.0/20", 6, 1.5, "flat", "googlebot"),
    Network("Microsoft (search crawler)", "157.55.39.0/24", 4, 1, "flat", "bingbot"),
    Network("OpenAI (crawler on Azure)", "52.230.152.0/24", 8, 3, "flat", "gptbot"),
    Network("Anthropic (crawler)", "160.79.104.0/23", 4, 2, "flat", "claudebot"),
    Network("Meta (crawler)", "57.141.0.0/24", 8, 3, "flat", "meta"),
    Network("Bytespider", "110.249.201.0/24", 6, 2, "flat", "bytespider"),
    Network("inside a company (behind Squid)", "10.20.0.0/16", 12, 3, "europe-week", "inside"),
)


def addresses(network: Network) -> list[str]:
    """Its clients' addresses: distinct, invented, the same in every run."""
    prefix = ipaddress.ip_network(network.prefix)
    chosen = random.Random(f"addresses of {network.prefix}")
    # IPv6 clients sit in the lowest /64s of their prefix
    span = min(prefix.num_addresses, 1 << 72) - 2
    offsets: set[int] = set()
    while len(offsets) < network.clients:
        offsets.add(1 + chosen.randrange(span))
    return [str(prefix[offset]) for offset in sorted(offsets)]
