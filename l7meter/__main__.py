"""`python -m l7meter`."""

from l7meter.cli import main

main()
