"""Conda channels: packages by platform, and repodata.

https://docs.conda.io/projects/conda-build/en/stable/concepts/package-naming-conv.html and
https://docs.conda.io/projects/conda-build/en/stable/concepts/generating-index.html
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, at_dashes, qualifiers

# https://github.com/conda/conda/blob/main/conda/base/constants.py, KNOWN_SUBDIRS
_PLATFORM = (
    r"/(?:noarch|linux-(?:32|64|aarch64|armv6l|armv7l|ppc64|ppc64le|riscv32|riscv64|s390x)"
    r"|osx-(?:64|arm64)|win-(?:32|64|arm64)|emscripten-(?:wasm32|32)|wasi-(?:wasm32|32)|freebsd-64|zos-z)/"
)
_FILE = rf"{_PLATFORM}[^/]+-[^/-]+-[^/-]+"
_COMPRESSED = r"(?:\.(?:bz2|gz|zst))?"


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Channel, platform, name, version and build; only a name may have dashes."""
    parts, folders = pl.col("parts").list, pl.col("folders").list
    rows = at_dashes(rows, 2).with_columns(folders=pl.col("path").str.split("/"))
    channel = folders.get(-3, null_on_oob=True)
    label = folders.get(-5, null_on_oob=True) + "/label/" + channel
    page = (
        folders.get(-3, null_on_oob=True) == "download"
    )  # CHANNEL/NAME/VERSION/download/SUBDIR/FILE
    channel = pl.when(page).then(folders.get(-6, null_on_oob=True)).otherwise(channel)
    labelled = folders.get(-4, null_on_oob=True) == "label"
    return rows.with_columns(
        name="rest",
        version=parts.get(-2),
        file=parts.get(-1).str.strip_suffix(".conda").str.strip_suffix(".tar.bz2"),
        variant=folders.get(-2),
        namespace=pl.when(labelled).then(label).when(channel != "").then(channel),
    )


LAYOUT = Layout(
    ecosystem="conda",
    labels=("conda", r"repo\.anaconda", "conda-forge", "bioconda"),
    hints=(".conda", ".tar.bz2", "repodata.", "repodata_", "/run_exports.", "/patch_instructions.", "/channeldata.", "/noarch/", "-64/"),
    rules=(
        Rule("conda", "artifact", rf"{_FILE}\.conda$", type="conda", refine=_named),
        Rule("tar.bz2", "artifact", rf"{_FILE}\.tar\.bz2$", type="tar.bz2", refine=_named),
        Rule("repodata", "index", rf"{_PLATFORM}(?:current_)?repodata(?:_from_packages|_shards|_record)?\.(?:json|jlap|msgpack|info\.json|state\.json|lock){_COMPRESSED}$"),
        Rule("run-exports", "index", rf"{_PLATFORM}(?:run_exports|patch_instructions)\.json{_COMPRESSED}$"),
        Rule("shard", "index", rf"{_PLATFORM}(?:shards/)?[0-9a-f]{{64}}\.msgpack\.zst$"),
        Rule("channel", "index", rf"/(?:channeldata|notices)\.json{_COMPRESSED}$", named=True),
        Rule("listing", "index", rf"{_PLATFORM}(?:index\.html|rss\.xml)?$", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
    qualifiers=qualifiers(
        build=pl.col("file"),
        channel=pl.col("namespace"),
        subdir=pl.col("variant"),
        type=pl.col("type"),
    ),
)  # fmt: skip
