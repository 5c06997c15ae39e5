"""Every message that the rules of a file could send, rendered and not sent: what cannot be is found by day."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from usage_watch.channels.alertmanager.body import alerts_body
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack.payload import payload
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.cli.sampling import samples
from usage_watch.core.compose import Form, compose
from usage_watch.core.message import Delivery, Reason
from usage_watch.core.promise import Notification, Target
from usage_watch.core.wording import news, standing

if TYPE_CHECKING:
    from usage_watch.channels import AnyChannel
    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.errors import Fault
    from usage_watch.rules import Rule

_MAILBOX = Mailbox("usage-watch@example.com", ("somebody@example.com",))


def _slack(delivery: Delivery) -> None:
    for words in (news(delivery.message), standing(delivery.message)):
        json.dumps(payload(delivery, words))


def _email(delivery: Delivery) -> None:
    mail(delivery, _MAILBOX)


def _log(delivery: Delivery) -> None:
    LogSender(io.StringIO()).send(delivery)


RENDERERS: Mapping[str, Callable[[Delivery], object]] = {
    "slack": _slack,
    "email": _email,
    "webhook": webhook_body,
    "alertmanager": alerts_body,
    "log": _log,
}
"""By the kind of a channel; a new kind has its line here."""


def unrenderable(config: Config, now: datetime) -> list[Fault]:
    """One fault for each rule that has a message which cannot be made: of every reason, level and kind of channel."""
    faults = []
    for index, rule in enumerate(config.rules):
        if why := next(_failures(rule, config, now), None):
            faults.append(_fault(config, index, f"the messages of this rule cannot be made: {why}"))
    return faults


def _fault(config: Config, index: int, message: str) -> Fault:
    from usage_watch.config.complaint import Complaint

    return Complaint(("rules", index), message).fault(config.document)


def _failures(rule: Rule, config: Config, now: datetime) -> Iterator[str]:
    alike = _alike(config.channels.values())
    try:
        incidents = samples(rule, config.defaults, now)
    except Exception as error:  # whatever it is, it would come at night
        yield _said(error)
        return
    # All levels together, as people get several, and one alone: to make each of them alone takes long.
    alone = [(Reason.FIRED, incidents[-1:])] if len(incidents) > 1 else []
    batches = [*alone, *((reason, incidents) for reason in Reason)]
    for target, kinds in alike.items():
        for reason, batch in batches:
            yield from _failure(rule, target, kinds, batch, reason, config, now)


def _alike(channels: Iterable[AnyChannel]) -> Mapping[Target, Iterable[str]]:
    """The kinds of channels that are told the same: they differ in how it looks, and in where it goes."""
    kinds: dict[Target, dict[str, None]] = {}
    for channel in channels:
        target = Target(channel.people, members=channel.members)
        kinds.setdefault(target, {})[channel.kind] = None
    return kinds


def _failure(
    rule: Rule,
    target: Target,
    kinds: Iterable[str],
    batch: Sequence[Incident],
    reason: Reason,
    config: Config,
    now: datetime,
) -> Iterator[str]:
    where = words = f"{' and '.join(kinds)}, {reason}"
    unfilled: list[Exception] = []
    form = Form(
        {"": target},
        config.timezone,
        {rule.id: rule.style},
        lambda _, error: unfilled.append(error),
        config.list_price,
        config.page,
    )
    try:
        told = {each.id: _as_of(each, reason, now) for each in batch}
        keys = [Notification(each.id, "", reason, 1, each.rank) for each in batch]
        for post in compose(keys, told, (), {rule.id: now}, form, now):
            delivery = Delivery(post.id, post.message, post.conversation, 1, now)
            for kind in kinds:
                where = f"{kind}, {reason}"
                RENDERERS[kind](delivery)
    except Exception as error:
        yield f"{_said(error)} ({where})"
    yield from (f"`title` or `text` cannot be filled, {_said(error)} ({words})" for error in unfilled)


def _as_of(incident: Incident, reason: Reason, now: datetime) -> Incident:
    """How an incident stands when it is told of for this reason."""
    over = now + timedelta(hours=1) if reason.ending else None
    retracted = reason is Reason.RETRACTED
    why = "Its rule was changed." if retracted or reason is Reason.CLOSED else None
    return replace(incident, ended_at=over, closed=why, retracted=retracted)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
