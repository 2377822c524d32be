"""Frames to tables and files."""
