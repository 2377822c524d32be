"""What caches say of an exchange: which words mean that the cache had the response.

A response that was revalidated or stale counts as had. A word of no list, such as Squid's TCP_DENIED
or an error, says neither. One entry for each kind of cache; its page, its hits, its misses.
"""

from __future__ import annotations

from typing import NamedTuple


class Cache(NamedTuple):
    """One kind of cache: its documentation, the words of its hits and those of its misses."""

    page: str
    hits: str
    misses: str


# capitals; Squid's suffixes _ABORTED and _TIMEDOUT are taken off before
CACHES = (
    Cache(
        "https://nginx.org/en/docs/http/ngx_http_upstream_module.html#var_upstream_cache_status",
        "HIT STALE UPDATING REVALIDATED",
        "MISS EXPIRED BYPASS",
    ),
    Cache(
        "https://varnish-cache.org/docs/trunk/reference/varnishncsa.html",
        "HIT STREAMING-HIT",
        "MISS HITMISS HITPASS PASS PIPE",
    ),
    Cache(
        "https://wiki.squid-cache.org/SquidFaq/SquidLogs#squid-result-codes",
        "TCP_HIT TCP_MEM_HIT TCP_IMS_HIT TCP_INM_HIT TCP_NEGATIVE_HIT TCP_OFFLINE_HIT "
        "TCP_ASYNC_HIT TCP_STALE_HIT TCP_REFRESH_HIT TCP_REFRESH_UNMODIFIED TCP_REFRESH_FAIL_OLD "
        "TCP_REFRESH_FAIL_HIT",
        "TCP_MISS TCP_REFRESH_MISS TCP_REFRESH_MODIFIED TCP_REFRESH_FAIL_ERR TCP_CLIENT_REFRESH "
        "TCP_CLIENT_REFRESH_MISS TCP_SWAPFAIL TCP_SWAPFAIL_MISS TCP_TUNNEL",
    ),
    Cache(
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/"
        "standard-logs-reference.html",
        "HIT REFRESHHIT ORIGINSHIELDHIT",
        "MISS",
    ),
    Cache(
        "https://developers.cloudflare.com/cache/concepts/cache-responses/",
        "HIT STALE UPDATING REVALIDATED",
        "MISS EXPIRED BYPASS DYNAMIC",
    ),
    Cache(
        "https://www.fastly.com/documentation/reference/vcl/variables/miscellaneous/"
        "fastly-info-state/",
        "HIT HIT-CLUSTER HIT-CLUSTER-WAIT HIT-REMOTE HIT-STALE HIT-STALE-CLUSTER HIT-STALE-WAIT "
        "HIT-SYNTH HIT-WAIT",
        "MISS MISS-CLUSTER MISS-CLUSTER-WAIT MISS-REMOTE MISS-STALE MISS-WAIT HITPASS "
        "HITPASS-CLUSTER HITPASS-WAIT PASS PASS-CLUSTER PASS-REMOTE PASS-WAIT",
    ),
    Cache(
        "https://learn.microsoft.com/en-us/azure/frontdoor/monitor-front-door",
        "HIT REMOTE_HIT",
        "MISS CONFIG_NOCACHE PRIVATE_NOSTORE",
    ),
)

HITS = sorted({word for cache in CACHES for word in cache.hits.split()})
MISSES = sorted({word for cache in CACHES for word in cache.misses.split()})
