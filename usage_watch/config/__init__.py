"""The rules file: what stands in it, whether it is right, and what follows from it as a whole."""

from __future__ import annotations

from usage_watch.config.advice import warnings
from usage_watch.config.reading import load, read
from usage_watch.config.schemas import schema
from usage_watch.config.settings import Config

__all__ = ["Config", "load", "read", "schema", "warnings"]
