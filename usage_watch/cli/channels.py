"""`usage-watch channels`: where messages go, and whether they arrive."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.printing import print_json, print_table
from usage_watch.cli.common.session import Noun, Session, json_option, pass_session
from usage_watch.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.config import Config
    from usage_watch.core.message import Delivery, Severity

Told = Mapping[str, Sequence["Severity"]]
"""By rule id, the severities of its levels that a channel is told of."""


@click.group(cls=Noun)
def channels() -> None:
    """Where messages go: list the channels, test one, or make a Slack app."""


@channels.command("list")
@json_option
@pass_session
def list_(session: Session, as_data: bool) -> None:
    """List the channels, and what each is told of."""
    config = session.config()
    told = {name: _told(config, name) for name in config.channels}
    if as_data:
        print_json(
            [
                {
                    "name": name,
                    "kind": channel.kind,
                    "rules": [{"id": rule, "severities": found} for rule, found in told[name].items()],
                    "meta": _of_itself(config, name),
                }
                for name, channel in config.channels.items()
            ]
        )
        return
    rows = [
        (name, channel.kind, _said(config, told[name], _of_itself(config, name)))
        for name, channel in config.channels.items()
    ]
    nothing = "There are no channels: write `channels` and `notify` into the rules file."
    print_table(("channel", "kind", "is told of"), rows, nothing)


def _told(config: Config, channel: str) -> Told:
    found = {rule.id: _severities(config, rule.id, channel) for rule in config.enabled}
    return {rule: severities for rule, severities in found.items() if severities}


def _severities(config: Config, rule_id: str, channel: str) -> list[Severity]:
    """Those that the rule has, lowest first."""
    routes = config.routes[rule_id]
    levels = [level.severity for rule in config.rules if rule.id == rule_id for level in rule.levels]
    return [each for each in dict.fromkeys(levels) if channel in routes.get(each, ())]


def _of_itself(config: Config, channel: str) -> list[Severity]:
    """The severities of the watcher's own alerts that a channel is told of, lowest first."""
    from usage_watch.core.message import Severity

    return [each for each in Severity if channel in config.meta_routes.get(each, ())]


def _said(config: Config, told: Told, own: Sequence[Severity]) -> str:
    """The rules; with severities in brackets where it does not hear all that a rule has."""
    from usage_watch.core.message import Severity

    levels = {rule.id: {level.severity for level in rule.levels} for rule in config.rules}
    parts = [
        rule if set(severities) == levels[rule] else f"{rule} ({', '.join(severities)})"
        for rule, severities in told.items()
    ]
    if own:
        parts.append("meta" if len(own) == len(Severity) else f"meta ({', '.join(own)})")
    return ", ".join(parts) or "nothing: no enabled rule names it"


@channels.command()
@click.argument("name")
@pass_session
def test(session: Session, name: str) -> None:
    """Send a real test message. Ends with 4 where it was not taken.

    Where it was, what did not arrive before gets another chance.
    """
    from usage_watch.channels.base import Verdict
    from usage_watch.clock import open_clock

    config = session.config()
    if name not in config.channels:
        raise UsageError(_unknown(config, name))
    now = open_clock().now()
    with closing(config.channels[name].connect(os.environ)) as sender:
        attempt = sender.send(_delivery(now, config.timezone.key, config.page))
        if attempt.verdict != Verdict.SENT:
            raise DeliveryError(f"{name}: the test message was not taken. {attempt.detail}")
        said = (f"{name}: the test message was taken.", attempt.detail, sender.about_repeats(attempt))
    click.echo(" ".join(part for part in said if part))
    if pardoned := _pardoned(session, config, name):
        some = "1 message that did not arrive gets" if pardoned == 1 else f"{pardoned:,} that did not arrive get"
        click.echo(f"{name}: {some} another chance.")


@channels.command()
@click.argument("kind", type=click.Choice(["slack"]), expose_value=False)
def manifest() -> None:
    """Print the manifest that Slack makes an app from, with its scopes.

    What to do with it is said on standard error.
    """
    import json

    from usage_watch.channels.slack.manifest import manifest as of_slack

    click.echo(json.dumps(of_slack(), indent=2))
    click.echo(_MAKE_THE_APP, err=True)


_MAKE_THE_APP = """
1. https://api.slack.com/apps: Create New App, From a manifest; pick your
   workspace, and paste what is printed above in place of what is there.
2. Install App: install it to the workspace. Then copy the Bot User OAuth Token
   (xoxb-...) to where usage-watch is started:

     export SLACK_BOT_TOKEN=xoxb-...

3. In Slack, in the channel that it shall post to: /invite @usage_watch
4. In the rules file, under `channels`; then try it:

     ops: {kind: slack, token: {env: SLACK_BOT_TOKEN}, channel: "#your-channel"}

     usage-watch channels test ops"""


def _pardoned(session: Session, config: Config, name: str) -> int:
    """Let what the channel did not take be tried again; answers how many messages."""
    from pathlib import Path

    if not Path(config.store.path).exists():
        return 0
    from usage_watch.store.targets import TargetStore

    with session.writing(config) as database:
        return TargetStore(database).pardon(name)


def _unknown(config: Config, name: str) -> str:
    if not config.channels:
        return f"There is no channel {name!r}: the rules file has no `channels` yet."
    return f"There is no channel {name!r}; the rules file has {', '.join(config.channels)}."


def _delivery(now: datetime, zone: str, page: str | None) -> Delivery:
    """A message about nothing, in the form of a real one."""
    import secrets
    from datetime import timedelta

    from usage_watch.core import message as words

    token = secrets.token_hex(6)
    hour = now.replace(minute=0, second=0, microsecond=0)
    evidence = words.Evidence(
        dataset="credit_usage",
        bucket="1h",
        unit="credits",
        value=0,
        limit=0,
        score=None,
        from_at=hour - timedelta(hours=1),
        until_at=hour,
        summary="this is a test of the channel",
        facts=(words.Fact("Test", "sent by `usage-watch channels test`"),),
    )
    notice = words.Notice(
        reason=words.Reason.FIRED,
        severity=words.Severity.INFO,
        rule=words.RuleName("channel-test", "threshold", "channel-test"),
        incident_id=f"inc_test{token}",
        sequence=1,
        labels={},
        part=None,
        period_at=None,
        started_at=hour,
        ended_at=None,
        evidence=evidence,
    )
    message = words.Message((notice,), (notice,), now, zone, None, test=True, page=page)
    conversation = words.Conversation(f"cnv_test{token}", "usage-watch: test of the channel", None)
    return words.Delivery(f"ntf_test{token}", message, conversation, 1, now)
