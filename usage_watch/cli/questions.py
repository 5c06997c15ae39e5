"""What a first rules file is made from: the questions, in their order, and what they take for an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import available_timezones

from pydantic import BaseModel, TypeAdapter, ValidationError

from usage_watch.channels.email import EmailSettings
from usage_watch.channels.slack import SlackSettings
from usage_watch.cli.draft import Draft, Written
from usage_watch.rules.fields import Zone
from usage_watch.secret import complaints

T = TypeVar("T")

_TOKEN, _HOOK, _PASSWORD = {"env": "SLACK_BOT_TOKEN"}, {"env": "SLACK_WEBHOOK_URL"}, {"env": "SMTP_PASSWORD"}
_MAIL = {"kind": "email", "host": "localhost", "sender": "a@localhost", "recipients": ["a@localhost"]}
"""Mail settings that are right, to try one field after the other in."""
_NONE = "none"


class Ask(Protocol):
    """Answers one question.

    `take` makes a value of an answer, and raises ValueError with one sentence where it is none. Without a default there
    must be an answer.
    """

    def __call__(self, option: str, question: str, default: str | None, take: Callable[[str], T]) -> T: ...


def drafted(ask: Ask, environ: Mapping[str, str]) -> Draft:
    """Ask everything."""
    return Draft(
        zone=ask("zone", "Time zone of messages and of billing cycles", machine_zone(environ), zone),
        billing_day=ask("billing-day", "Day of the month on which a billing cycle starts", "1", billing_day),
        limit=ask("limit", "Credits to spend in a cycle at most, or none", _NONE, limit),
        channel=_CHANNELS[
            ask("tell", "Tell people by slack, slack-webhook, email or log (standard output)", "log", _way)
        ](ask),
    )


def _log(_: Ask) -> dict[str, Written]:
    return {"kind": "log"}


def _slack(ask: Ask) -> dict[str, Written]:
    name = ask("slack-channel", "Slack channel, its name or ID", "#perplexity-usage", slack_channel)
    return {"kind": "slack", "token": _TOKEN, "channel": name}


def _slack_webhook(_: Ask) -> dict[str, Written]:
    return {"kind": "slack", "webhook_url": _HOOK}


def _email(ask: Ask) -> dict[str, Written]:
    to = ask("email-to", "Mail goes to (addresses, with commas between them)", None, recipients)
    host = ask("email-host", "Mail server (asked on port 587, with STARTTLS)", None, mail_host)
    user = ask("email-user", "Log in there as, or none", _NONE, mail_user)
    domain = to[0].rpartition("@")[2]
    sender = ask("email-from", "Mail comes from", f"usage-watch@{domain}", sender_address)
    login: dict[str, Written] = {} if user is None else {"username": user, "password": _PASSWORD}
    return {"kind": "email", "host": host, **login, "sender": sender, "recipients": to}


_CHANNELS: Mapping[str, Callable[[Ask], dict[str, Written]]] = {
    "slack": _slack,
    "slack-webhook": _slack_webhook,
    "email": _email,
    "log": _log,
}


def zone(text: str) -> str:
    """An IANA name."""
    try:
        return TypeAdapter(Zone).validate_python(text).key
    except ValidationError as error:
        raise ValueError(_sentence(f"this {_first(error)}")) from None


def billing_day(text: str) -> int:
    """1 to 31."""
    if re.fullmatch("0?[1-9]|[12][0-9]|3[01]", text):
        return int(text)
    raise ValueError("Write a day of the month: a whole number from 1 to 31.")


def limit(text: str) -> int | None:
    """Whole credits, or none."""
    if text.lower() == _NONE:
        return None
    if re.fullmatch("[0-9]{1,15}|[0-9]{1,3}([_, ][0-9]{3}){1,4}", text) and (number := int(re.sub("[_, ]", "", text))):
        return number
    raise ValueError("Write a whole number of credits, such as 400_000, or none.")


def slack_channel(text: str) -> str:
    """`#name`, where a shell took the # for a comment too; or an ID."""
    for name in (text, f"#{text}"):
        try:
            _accepted(SlackSettings, {"kind": "slack", "token": _TOKEN, "channel": name})
        except ValueError:
            continue
        return name
    raise ValueError("Write the channel's name, such as #perplexity-usage, or its ID, such as C0123456789.")


def recipients(text: str) -> list[str]:
    """Mail addresses."""
    written = re.split(r"[\s,;]+", text)
    _accepted(EmailSettings, _MAIL | {"recipients": written})
    return written


def mail_host(text: str) -> str:
    """A host without a port."""
    _accepted(EmailSettings, _MAIL | {"host": text})
    return text


def mail_user(text: str) -> str | None:
    """Whatever a server may know, or none."""
    if text.lower() == _NONE:
        return None
    _accepted(EmailSettings, _MAIL | {"username": text, "password": _PASSWORD})
    return text


def sender_address(text: str) -> str:
    """A mail address."""
    _accepted(EmailSettings, _MAIL | {"sender": text})
    return text


def _way(text: str) -> str:
    if text.lower() in _CHANNELS:
        return text.lower()
    raise ValueError(f"Write one of {', '.join(_CHANNELS)}.")


def _accepted(model: type[BaseModel], written: Mapping[str, Any]) -> None:
    """Raises ValueError with the sentence that `check` would have for it."""
    try:
        model.model_validate(written)
    except ValidationError as error:
        raise ValueError(_sentence(_first(error))) from None


def _first(error: ValidationError) -> str:
    return next(words for _, words in complaints(error))


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + ("" if words.endswith("?") else ".")


def machine_zone(environ: Mapping[str, str], etc: Path = Path("/etc")) -> str:
    """The machine's zone by its IANA name; UTC where it goes by another or by none."""
    found = next(_told_zones(environ, etc), "")
    name = found.strip().removeprefix(":").rpartition("zoneinfo/")[2]
    return name if name in available_timezones() - {"Etc/UTC"} else "UTC"


def _told_zones(environ: Mapping[str, str], etc: Path) -> Iterator[str]:
    if told := environ.get("TZ"):
        yield told
    with suppress(OSError):
        yield str((etc / "localtime").readlink())
    with suppress(OSError):
        yield (etc / "timezone").read_text("utf-8", "replace")
