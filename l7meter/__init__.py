"""l7meter: who uses a package registry's bandwidth, measured at layer 7."""

__version__ = "0.1.0"
