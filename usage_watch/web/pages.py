"""Which pages there are."""

from __future__ import annotations

from pathlib import Path

from usage_watch.vitals import Vitals
from usage_watch.web.answer import Pages
from usage_watch.web.health import healthz, readyz
from usage_watch.web.metrics import Now, metrics


def pages(vitals: Vitals, database: Path, version: str, now: Now) -> Pages:
    """All of a daemon's pages, by path."""
    return {
        "/healthz": healthz(vitals),
        "/readyz": readyz(vitals, database),
        "/metrics": metrics(vitals, version, now),
    }
