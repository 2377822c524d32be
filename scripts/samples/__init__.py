"""Builds `sample_logs/` and `sample_pcaps/`: real clients talk to real servers on loopback."""
