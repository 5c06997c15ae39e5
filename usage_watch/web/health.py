"""/healthz and /readyz: whether the daemon lives, and whether it is of use yet."""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path

from usage_watch.vitals import Vitals
from usage_watch.web.answer import Answer, Asked, Page, line

ROOM = 1 << 20
"""Bytes that a cycle may need on the disk."""


def healthz(vitals: Vitals) -> Page:
    """200 while the main loop turns in time; else whoever supervises it had better start it anew."""

    def page(_: Asked) -> Answer:
        silent_for = vitals.silent_for
        if silent_for > vitals.late_after:
            late = f"late: the main loop gave no sign for {silent_for:.0f} s, {vitals.late_after:.0f} s are in time"
            return line(late, HTTPStatus.SERVICE_UNAVAILABLE)
        return line(f"ok: the main loop gave a sign {silent_for:.0f} s ago")

    return page


def readyz(vitals: Vitals, database: Path) -> Page:
    """200 once a cycle is done, while what it finds can be stored."""

    def page(_: Asked) -> Answer:
        hindered = vitals.hindered
        if hindered is not None:
            since = f"{hindered.since:%Y-%m-%dT%H:%M:%SZ}"
            return line(f"not ready: since {since}, {hindered.why}", HTTPStatus.SERVICE_UNAVAILABLE)
        if vitals.snapshot is None:
            return line("not yet: the first cycle is under way", HTTPStatus.SERVICE_UNAVAILABLE)
        trouble = unwritable(database)
        if trouble is not None:
            return line(f"not ready: {trouble}", HTTPStatus.SERVICE_UNAVAILABLE)
        return line("ready")

    return page


def unwritable(database: Path) -> str | None:
    """Why nothing can be stored, as far as the file system tells without a write; None where it can."""
    try:
        free = os.statvfs(database.parent)
    except OSError:
        return "the database's directory is gone"
    if not (os.access(database, os.W_OK) and os.access(database.parent, os.W_OK | os.X_OK)):
        return "the database, or its directory, may not be written"
    if free.f_bavail * free.f_frsize < ROOM:
        return "the database's disk is full"
    return None
