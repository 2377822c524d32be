"""Who and what: the concluded columns."""
