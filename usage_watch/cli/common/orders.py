"""What people say of alerts, as they write it."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_LONGEST = 1_000
"""Characters of what somebody says."""
TIME = "2026-11-23T18:00, or 2026-11-23T18:00Z"
"""How a time is written."""
_FURTHEST = timedelta(days=100 * 365)
"""From now: what lies beyond was hardly meant."""


def said(option: str, text: str) -> str:
    """What somebody wants kept, without blanks around it; UsageError where there is nothing, or no text."""
    text = text.strip()
    if not text:
        raise UsageError(f"{option} is empty; say it in a few words.")
    if len(text) > _LONGEST:
        raise UsageError(f"{option} is too long; say it in at most {_LONGEST:,} characters.")
    return readable(option, text)


def moment(option: str, text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A time that somebody wrote, in `zone` where it names none; UsageError where it is no time."""
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text!r} is no time; write {TIME}.") from None
    if abs(at - now) > _FURTHEST:
        raise UsageError(f"{option} {text!r} is more than 100 years away; write {TIME}.")
    return at


def readable(what: str, text: str) -> str:
    """The text; UsageError where the shell passed bytes that are no text, since they could not be stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is no text in UTF-8; write it again.") from None
    return text


def author(written: str | None) -> str:
    """Who says so: the login name, where nothing is written; UsageError where there is none."""
    return said("--author", _login() if written is None else written)


def _login() -> str:
    try:
        # Commands run as the daemon's user: who that is says less than who became it.
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = ""
    if not name.strip():
        raise UsageError("it is not known who you are: say it with --author NAME.")
    return name
