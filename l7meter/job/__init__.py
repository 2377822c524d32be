"""The batch job that nobody watches: its configuration, and what is made of it."""

from l7meter.job.config import Config, ReportConfig, SourceConfig, read

__all__ = ["Config", "ReportConfig", "SourceConfig", "read"]
