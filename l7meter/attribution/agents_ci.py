"""How an agent says that it runs in CI, one dialect each."""

from __future__ import annotations

import polars as pl

_AGENT = pl.col("agent")

DIALECTS: dict[str, pl.Expr] = {
    # pip, uv, Hatch: a JSON object with "ci": true, false or null. A quote inside a JSON
    # string is escaped, so `"user_data":"{\"ci\":true}"` does not match. The first word is the
    # answer, so that a search for it ends there even where it is null.
    "json": _AGENT.str.extract(r'[{,]\s*"ci"\s*:\s*(true|false|null)\b').replace_strict(
        {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
    ),
    # npm, pnpm, yarn: " ci/github-actions"; Bundler: " ci/github,ci".
    "word": pl.when(_AGENT.str.contains(r"\sci/\S")).then(True),
    # NuGet: " CI/GitHub Actions", in some builds ", CI: GitHub Actions)".
    "nuget": pl.when(_AGENT.str.contains(r"\sCI(?:/|: ?)\S")).then(True),
    # Composer: the last entry of its comment, "; CI)".
    "comment": pl.when(_AGENT.str.contains(r"; CI\)")).then(True),
    # The program is a part of a build service.
    "always": pl.lit(True),
}
