"""The version of this package, in the one place that is read by code."""

__version__ = "0.1.0"
