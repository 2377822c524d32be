"""Robots' addresses as their operators publish them; a file's name says whose they are.

The form: https://developers.google.com/search/docs/crawling-indexing/verifying-googlebot. Google's
`user-triggered-fetchers` hold addresses from which anyone's scripts can fetch.
"""

from __future__ import annotations

from pathlib import Path

from l7meter.attribution.reference import claiming, prefixes
from l7meter.attribution.reference.importers import Imported, Importer

# fmt: off
LISTS: dict[str, tuple[str, str]] = {
    # file name without ending: operator, robot or list
    "applebot": ("Apple", "Applebot"),  # https://support.apple.com/119829
    "bingbot": ("Microsoft", "bingbot"),  # https://www.bing.com/webmasters/help/verifying-that-bingbot-is-bingbot-3905dc26
    "ccbot": ("Common Crawl", "CCBot"),  # https://commoncrawl.org/ccbot
    "chatgpt-user": ("OpenAI", "ChatGPT-User"),  # https://platform.openai.com/docs/bots
    "gptbot": ("OpenAI", "GPTBot"),
    "searchbot": ("OpenAI", "OAI-SearchBot"),
    "common-crawlers": ("Google", "Googlebot"),  # https://developers.google.com/crawling/docs/crawlers-fetchers/overview-google-crawlers
    "googlebot": ("Google", "Googlebot"),
    "special-crawlers": ("Google", "special-crawlers"),
    "user-triggered-agents": ("Google", "user-triggered-agents"),
    "user-triggered-fetchers": ("Google", "user-triggered-fetchers"),
    "user-triggered-fetchers-google": ("Google", "user-triggered-fetchers-google"),
    "duckassistbot": ("DuckDuckGo", "DuckAssistBot"),  # https://duckduckgo.com/duckduckgo-help-pages/results/duckassistbot
    "duckduckbot": ("DuckDuckGo", "DuckDuckBot"),
    "mistralai-user-ips": ("Mistral AI", "MistralAI-User"),  # https://docs.mistral.ai/robots
    "perplexity-user": ("Perplexity", "Perplexity-User"),  # https://docs.perplexity.ai/guides/bots
    "perplexitybot": ("Perplexity", "PerplexityBot"),
}
# fmt: on


def _claims(name: str, start: bytes) -> bool:
    has = claiming.has_keys
    prefixed = any(has(start, "prefixes", key) for key in prefixes.KEYS)
    cloud = any(has(start, key) for key in ("createDate", "scope"))
    return prefixed and not cloud and (claiming.stem(name) in LISTS or not has(start, "syncToken"))


def _read(path: Path) -> Imported:
    stem = claiming.stem(path.name)
    operator, service = LISTS.get(stem, (None, stem))
    read = prefixes.read(path, operator=operator, service=service)
    return read._replace(part=claiming.part(path.name))


IMPORTER = Importer(
    name="bots",
    title="Robots, googlebot.json, gptbot.json and others: networks they fetch from",
    kind="networks",
    page="https://developers.google.com/search/docs/crawling-indexing/verifying-googlebot",
    licence="none stated",
    claims=_claims,
    read=_read,
)
