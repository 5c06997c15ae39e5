"""Hear the log's events, whatever other tests have set up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOGGER = logging.getLogger("usage_watch")


class Heard(logging.Handler):
    """Keeps what was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def names(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    @property
    def fields(self) -> list[dict[str, Any]]:
        return [getattr(record, "fields", {}) for record in self.records]


@contextmanager
def listening(level: int = logging.INFO) -> Iterator[Heard]:
    """All events from `level` on, while the block lasts; nothing else hears them."""
    handlers, before, propagate = _LOGGER.handlers, _LOGGER.level, _LOGGER.propagate
    heard = Heard()
    _LOGGER.handlers, _LOGGER.propagate = [heard], False
    _LOGGER.setLevel(level)
    try:
        yield heard
    finally:
        _LOGGER.handlers, _LOGGER.propagate = handlers, propagate
        _LOGGER.setLevel(before)
