"""No rendering of what is composed for a channel that shows no members holds any part of an address."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes
from io import StringIO
from zoneinfo import ZoneInfo

import pytest

from tests.channels.samples import EVIDENCE, NOON, PAGE, RULE, hostile
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack.payload import payload
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.core.compose import Form, compose
from usage_watch.core.incident import Incident
from usage_watch.core.message import Contributor, Delivery, Fact, Reason
from usage_watch.core.privacy import Members
from usage_watch.core.promise import Notification, Target
from usage_watch.core.template import Style
from usage_watch.core.wording import news, standing

HOSTILE = (
    "x" * 70
    + ' <zebediah.quux@example.com> "Zebediah"@example.com,zebediah+a@x.org;'
    + "zebediah" * 40
    + "@example.com"
)
USUAL = "zebediah.quux@example.com"
TEXTS = {"usual": USUAL, "hostile": HOSTILE}


def incident(text: str, reason: Reason, number: int, explained: bool) -> Incident:
    """One with the text wherever something from outside, or of a rule's own words, can stand."""
    [one] = hostile(text, reason).news
    evidence = replace(
        EVIDENCE,
        summary=text,
        facts=(Fact("Counted", f"member is {text}"),),
        why=f"+8,800 credits against the usual (+62 %): 71 % {text} (new member)" if explained else None,
        contributors=(Contributor("member", text, 1.0, 0.5),),
        after=text,
    )
    return Incident(
        id=f"inc_{number}",
        fingerprint="",
        rule=replace(RULE, title=f"Credits of $series and {text}", runbook=f"https://wiki.example.com/{text}"),
        labels={"member": text},
        part=None,
        period_at=None,
        started_at=one.started_at,
        ended_at=one.ended_at,
        rank=1,
        severity=one.severity,
        evidence=evidence,
        sequence=1,
        history=False,
        closed=text,
        committed_at=NOON,
    )


def rendered(delivery: Delivery) -> str:
    """Everything that any kind of channel would send of it, decoded."""
    stream = StringIO()
    LogSender(stream).send(delivery)
    raw, _ = mail(delivery, Mailbox("usage-watch@example.com", ("finance@example.com",)))
    parts = [part.get_payload(decode=True) for part in message_from_bytes(raw).walk()]
    bodies = [part.decode() for part in parts if isinstance(part, bytes)]
    slack = [json.dumps(payload(delivery, words)) for words in (news(delivery.message), standing(delivery.message))]
    whole = [stream.getvalue(), raw.decode(), *bodies, *slack, webhook_body(delivery).decode()]
    return "\n".join([*whole, delivery.conversation.subject])


@pytest.mark.parametrize("minimal", [False, True])
@pytest.mark.parametrize("several", [1, 3])
@pytest.mark.parametrize("people", [True, False])
@pytest.mark.parametrize("explained", [True, False])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("reason", Reason)
def test_no_rendering_names_a_member(
    reason: Reason, text: str, people: bool, explained: bool, several: int, minimal: bool
) -> None:
    found = {each.id: each for each in (incident(text, reason, number, explained) for number in range(several))}
    keys = [Notification(each, "quiet", reason, 1, 1) for each in found]
    for how in (Members.INITIALS, Members.HIDDEN, Members.FULL):
        style = Style(f"$value against $limit. Ask $member or {text}.")
        form = Form({"quiet": Target(people, members=how)}, ZoneInfo("UTC"), {RULE.id: style}, page=f"{PAGE}/{text}")
        for post in compose(keys, found, (), {}, form, NOON):
            said = rendered(Delivery(post.id, post.message, post.conversation, 1, NOON, minimal=minimal)).casefold()
            assert ("zebediah" in said or "quux" in said) == (how is Members.FULL)
            assert minimal or "inc_" in said
