"""What the store holds is what `parse` gives, however the source was cut into blocks and batches."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from l7meter.ingest import coding, ingest, parse, run, source
from l7meter.sources import open_stream, stream
from l7meter.store import Store, connect

SAMPLES = Path(__file__).parents[2] / "sample_logs"
TRAPS = Path(__file__).parents[1] / "data" / "traps"
LOGS = ["nginx/access.log", "nginx-json/crates.json.log.gz", "squid/access.log.gz", "caddy/gems.log.xz"]  # fmt: skip


@pytest.mark.parametrize("values", [10, 1_000_000], ids=["codes-rotated", "codes-kept"])
@pytest.mark.parametrize("log", LOGS)
def test_ingest_in_many_batches_equals_parse(
    log: str, values: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BLOCK", 16 << 10)
    monkeypatch.setattr(run, "BLOCK", 16 << 10)
    monkeypatch.setattr(run, "BATCH", 64 << 10)
    monkeypatch.setattr(coding, "VALUES", values)
    monkeypatch.setattr("l7meter.sources.identity.PREFIX_BYTES", 32 << 10)
    monkeypatch.setattr(stream, "CHUNK", 8 << 10)
    plain = tmp_path / "plain.log"
    with open_stream(str(SAMPLES / log)) as opened:
        plain.write_bytes(b"".join(opened))
    with Store.create(tmp_path / "store") as store:
        done = ingest([str(plain)], store)
        assert len(store.files("records")) > 1
    with connect(tmp_path / "store") as connection:
        stored = connection.sql("FROM records ORDER BY source_line").pl()
    assert done.total("records") == stored.height
    parsed = pl.concat(parse(str(plain)))
    assert_frame_equal(
        stored.drop("source_id"), parsed.drop("source_id"), check_row_order=True, check_dtypes=False
    )


def test_a_long_source_of_rejects_alone_is_written_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BLOCK", 8 << 10)
    monkeypatch.setattr(run, "BLOCK", 8 << 10)
    monkeypatch.setattr(run, "BATCH", 32 << 10)
    monkeypatch.setattr("l7meter.sources.identity.PREFIX_BYTES", 16 << 10)
    monkeypatch.setattr(stream, "CHUNK", 8 << 10)
    log = tmp_path / "noise.log"
    log.write_text("no line of any log\n" * 10_000)
    with Store.create(tmp_path / "store") as store:
        done = ingest([str(log)], store, source.Said(format="combined"))
        assert len(store.files("rejects")) > 1
    assert (done.total("lines"), done.total("rejects")) == (10_000, 10_000)


def test_a_part_of_a_source_without_records_is_parsed_as_the_others(tmp_path: Path) -> None:
    whole = (TRAPS / "cloudfront-double-encoding.log").read_text()
    log = tmp_path / "cut.log"
    header = whole.splitlines()[1].replace("cs(Cookie)", "x-new")  # other columns are another part
    log.write_text(f"{header}\nwhat is left of a line\n{whole}")
    columns = [pl.concat(parse(str(each))).drop("source_id", "source_line") for each in (log, TRAPS / "cloudfront-double-encoding.log")]  # fmt: skip
    assert columns[0].height
    assert_frame_equal(*columns)
