"""Watches an organization's usage of Perplexity Computer and tells people once, in time, with the reason."""

__version__ = "0.1.0"
