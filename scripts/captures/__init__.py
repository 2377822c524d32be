"""Makes `sample_pcaps/`: small captures named by phenomenon, from real software, each with the server's log."""
