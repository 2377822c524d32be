"""Parquet files, a catalog and a ledger: two operations, append and replace."""
