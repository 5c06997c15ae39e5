"""What an HTTP answer means for a message: one table for every channel that speaks HTTP. (Mail's is email/answers.)"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from usage_watch.channels.base import Attempt, Verdict

_GIVEN_UP = frozenset({401, 403, 404, 410})
_PASSING = frozenset({408, 425})
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]*)?", re.ASCII)

_ADVICE = {
    Verdict.SENT: "",
    Verdict.THROTTLED: "it asks for fewer messages",
    Verdict.SERVER: "a fault on its side",
    Verdict.REJECTED: "it refuses this message",
}


def http_verdict(status: int) -> Verdict:
    """The class of an HTTP status; redirects are never followed, so they are a matter of configuration."""
    if 200 <= status < 300:
        return Verdict.SENT
    if status < 400 or status in _GIVEN_UP:
        return Verdict.CONFIGURATION
    if status == 429:
        return Verdict.THROTTLED
    if status in _PASSING or status >= 500:
        return Verdict.SERVER
    return Verdict.REJECTED


def http_attempt(who: str, status: int, *, retry_after: str | None, now: datetime) -> Attempt:
    """The outcome of an answer that is all in its status; `who` answered, for the sentence."""
    verdict = http_verdict(status)
    advice = _ADVICE.get(verdict) or _configuration_advice(status)
    detail = "" if verdict is Verdict.SENT else f"{who} answered {status}: {advice}."
    wait = parse_retry_after(retry_after, now) if verdict in (Verdict.THROTTLED, Verdict.SERVER) else None
    return Attempt(verdict, detail, wait)


def _configuration_advice(status: int) -> str:
    if status in (401, 403):
        return "access is refused; check the URL and the secret"
    if status in (404, 410):
        return "nobody listens there (any more); check the URL"
    if status < 200:
        return "that is no answer to a message; check the URL"
    return "redirects are never followed; write the final URL"


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """A Retry-After header: seconds, fractions of them, or an HTTP date seen from `now`; None for anything else."""
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=float(value))
    return _until(value, now)


def _until(date: str, now: datetime) -> timedelta | None:
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(timedelta(0), aware - now)
