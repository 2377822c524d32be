"""Reference data of others, as dated and immutable snapshots: imported, kept, and chosen by day."""
