"""Lines to records: one file a format."""
