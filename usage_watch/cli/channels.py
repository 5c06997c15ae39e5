"""`usage-watch channels`: where messages go, and whether they arrive."""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from usage_watch.cli.session import Session, pass_session, print_json, print_table
from usage_watch.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.core.message import Delivery


@click.group()
def channels() -> None:
    """Channels: list them, or send a test message through one."""


@channels.command("list")
@click.option("--json", "as_data", is_flag=True, help="Print data for programs.")
@pass_session
def list_(session: Session, as_data: bool) -> None:
    """List the channels and the rules that tell them."""
    config = session.config()
    told = {
        name: sorted({rule for rule, by in config.routes.items() if any(name in to for to in by.values())})
        for name in config.channels
    }
    if as_data:
        print_json([{"name": name, "kind": each.kind, "rules": told[name]} for name, each in config.channels.items()])
        return
    rows = [(name, each.kind, ", ".join(told[name]) or "no rule tells it") for name, each in config.channels.items()]
    print_table(("channel", "kind", "rules"), rows, "No channels; add one under `channels:` in the rules file.")


@channels.command()
@click.argument("name")
@pass_session
def test(session: Session, name: str) -> None:
    """Send a real test message through a channel. Ends with 4 where it was not taken."""
    from usage_watch.channels.base import Verdict
    from usage_watch.clock import open_clock

    config = session.config()
    if name not in config.channels:
        known = ", ".join(config.channels) or "none"
        raise UsageError(f"There is no channel {name!r}; the rules file has: {known}.")
    with closing(config.channels[name].connect(os.environ)) as sender:
        attempt = sender.send(_delivery(open_clock().now(), config.timezone.key))
    if attempt.verdict != Verdict.SENT:
        raise DeliveryError(f"{name}: {attempt.detail}")
    click.echo(f"{name}: sent. {attempt.detail}".rstrip())


def _delivery(now: datetime, zone: str) -> Delivery:
    """A message about nothing, in the form of a real one."""
    from usage_watch.core.message import (
        Conversation,
        Delivery,
        Evidence,
        Fact,
        Message,
        Notice,
        Reason,
        RuleName,
        Severity,
    )

    token = secrets.token_hex(6)
    hour = now.replace(minute=0, second=0, microsecond=0)
    evidence = Evidence(
        dataset="credit_usage",
        bucket="1h",
        unit="credits",
        value=0,
        limit=0,
        score=None,
        from_at=hour - timedelta(hours=1),
        until_at=hour,
        summary="this is a test of the channel",
        facts=(Fact("Test", "sent by `usage-watch channels test`"),),
    )
    rule = RuleName("channel-test", "threshold", "channel-test")
    notice = Notice(Reason.FIRED, Severity.INFO, rule, f"inc_test{token}", 1, {}, None, None, hour, None, evidence)
    message = Message((notice,), (notice,), now, zone, None, test=True)
    conversation = Conversation(f"cnv_test{token}", "usage-watch: test of the channel", None)
    return Delivery(f"ntf_test{token}", message, conversation, 1, now)
