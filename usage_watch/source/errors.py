"""What can be wrong with an answer of the analytics API, in the words of somebody who can mend it.

The status decides; the error's `type` only tells the two kinds of 400 apart. So a 401 whose body says
`feature_disabled` is a refused key, and a 404 that comes from a proxy in between reads as a feature switched off:
its sentence names both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from usage_watch.core.series import Feed
from usage_watch.errors import SourceError
from usage_watch.source.strictjson import parse_object

LONGEST_WAIT = timedelta(days=1)
QUOTED = 200


class Fault(StrEnum):
    """Why there is no answer, and so what helps."""

    UNAUTHORIZED = "unauthorized"
    """401: the key is missing, wrong or revoked."""
    FEATURE_DISABLED = "feature_disabled"
    """404: the API is switched off for the organization."""
    THROTTLED = "throttled"
    """429: wait, at least as long as it says."""
    REFUSED = "refused"
    """400 `invalid_request`: this question has no answer (a member who left, a filter the dataset does not take)."""
    BAD_REQUEST = "bad_request"
    """Any other 4xx: our fault or the configuration's; asking again is useless."""
    UNREACHABLE = "unreachable"
    """DNS, connect, TLS, time-outs, resets."""
    SERVER = "server"
    """5xx, 408 and 425: their fault, passing."""
    BROKEN = "broken"
    """An answer that cannot be used: a redirect, no JSON, cut off, too big, too slow, endless."""
    DRIFT = "drift"
    """The answer was whole and JSON, but is not what the contract promises: asking again will not mend it."""
    MEMBER_GONE = "member_gone"
    """400 `invalid_request` for one member, and an answer for everyone: who was asked for is no member any more."""


class AnalyticsError(SourceError):
    """The analytics API gave no usable answer; its message is one sentence for an admin and never holds the key."""

    def __init__(self, fault: Fault, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.retry_after = retry_after
        """How long the API asks to be left alone, at most a day; None where it does not say."""
        self.body = b""
        """The answer as it came, where it is not what the contract promises; never with the key in it."""


def clean(text: str, most: int = QUOTED) -> str:
    """Text from outside on one printable line of at most `most` characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def broken(feed: Feed, what: str) -> AnalyticsError:
    """An answer that never came whole: asking again may help."""
    return AnalyticsError(
        Fault.BROKEN,
        f"The analytics API gave no usable answer for {_name(feed)}: {what}; it is asked again by itself, "
        "and if this stays, check `source.base_url` and any proxy in between",
    )


def drifted(feed: Feed, what: str, body: bytes) -> AnalyticsError:
    """An answer that came whole and is not what the contract promises; `body`: that answer."""
    error = AnalyticsError(
        Fault.DRIFT,
        f"The analytics API's answer for {_name(feed)} is not what is documented: {what}; "
        "nothing of it is stored, so look for a newer version of usage-watch",
    )
    error.body = body
    return error


def unreachable(base_url: str, what: str) -> AnalyticsError:
    """No answer at all."""
    return AnalyticsError(
        Fault.UNREACHABLE,
        f"The analytics API at {base_url} could not be reached ({what}): it is asked again by itself, "
        "and if this stays, check this machine's network, DNS and proxy, and `source.base_url`",
    )


def member_gone(feed: Feed) -> AnalyticsError:
    """The one member whom a feed is about is none any more."""
    return AnalyticsError(
        Fault.MEMBER_GONE,
        f"The analytics API answers for everyone, but refuses {_name(feed)}: {clean(str(feed.member))} is no current "
        "member, so correct or remove the rules that name them; what is stored of them stays",
    )


def unusable_key() -> AnalyticsError:
    """What stands for the key cannot be one; nothing was sent."""
    return AnalyticsError(
        Fault.UNAUTHORIZED,
        "The analytics key is empty or holds characters that no key has (a blank, a line break): "
        "put the key, and nothing else, where `source.api_key` points",
    )


def from_answer(feed: Feed, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> AnalyticsError:
    """What an answer that is not a 200 means."""
    kind, said = _api_error(body)
    fault = fault_of(status, kind)
    waiting = retry_after_of(headers, now) if fault is Fault.THROTTLED else None
    text = f"{_sentence(fault, feed, status)}{f' (it said: {said})' if said else ''}"
    return AnalyticsError(fault, text, retry_after=waiting)


def fault_of(status: int, kind: str) -> Fault:
    """The contract's table of errors; `kind` is the error's `type`."""
    if status == 400 and kind == "invalid_request":
        return Fault.REFUSED
    known = {401: Fault.UNAUTHORIZED, 404: Fault.FEATURE_DISABLED, 429: Fault.THROTTLED}
    if status in known:
        return known[status]
    if status >= 500 or status in (408, 425):
        return Fault.SERVER
    return Fault.BAD_REQUEST if status >= 400 else Fault.BROKEN


def retry_after_of(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """`Retry-After` in seconds or as a date (against the answer's own `Date`, else `now`); None for anything else."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return timedelta(seconds=min(float(value), LONGEST_WAIT.total_seconds()))
    until_at = http_date(value)
    if until_at is None:
        return None
    since_at = http_date(headers.get("date", "")) or now
    return min(max(until_at - since_at, timedelta(0)), LONGEST_WAIT)


def http_date(value: str) -> datetime | None:
    """A header's date, aware; None where it is none."""
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _api_error(body: bytes) -> tuple[str, str]:
    """The error's `type` and its message, cleaned; empty where the body is anything else."""
    try:
        error = parse_object(body).get("error")
    except ValueError:
        return "", ""
    if not isinstance(error, dict):
        return "", ""
    kind, message = error.get("type"), error.get("message")
    return kind if isinstance(kind, str) else "", clean(message).rstrip(".") if isinstance(message, str) else ""


def _sentence(fault: Fault, feed: Feed, status: int) -> str:
    match fault:
        case Fault.UNAUTHORIZED:
            return (
                f"The analytics API refused the key (status {status}): it is wrong or was revoked, which making "
                "another key or switching the feature off does, so have an organization admin make one under "
                "Settings → Organization → Computer and put it where `source.api_key` points"
            )
        case Fault.FEATURE_DISABLED:
            return (
                f"The analytics API is switched off for the organization (status {status}): have an organization admin "
                "switch it on under Settings → Organization → Computer, or check `source.base_url` if it is on"
            )
        case Fault.THROTTLED:
            return (
                f"The analytics API asks for fewer requests (status {status}): polling slows down by itself, "
                "and if this stays, raise `source.poll_every` or watch fewer feeds"
            )
        case Fault.REFUSED:
            return (
                f"The analytics API refuses to answer for {_name(feed)} (status {status}): the dataset may not take "
                "this bucket or filter, or the member is no longer one, so correct the rules that need it"
            )
        case Fault.BAD_REQUEST:
            return (
                f"The analytics API cannot make sense of the request for {_name(feed)} (status {status}): "
                "check the rules' `dataset` and `source.base_url`, or look for a newer version of usage-watch"
            )
        case Fault.SERVER:
            return (
                f"The analytics API has a fault of its own (status {status}): it is asked again by itself "
                "and nothing is lost"
            )
        case _:
            return (
                f"The analytics API answered with status {status}, which is no answer (a redirect is never followed, "
                "for the key must not go elsewhere): check `source.base_url` and any proxy in between"
            )


def _name(feed: Feed) -> str:
    return clean(str(feed))
