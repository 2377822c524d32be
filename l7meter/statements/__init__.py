"""Statements: what an organisation used, what its share is, and how it can check both."""
