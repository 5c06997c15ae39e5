"""What a rules file means for a cycle: what it asks of whom, and on which terms people are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from usage_watch import logs
from usage_watch.assess import Desk
from usage_watch.config import Config
from usage_watch.core.compose import Form
from usage_watch.core.promise import Target
from usage_watch.core.series import Feed
from usage_watch.fetch import Asking
from usage_watch.rules import Rule
from usage_watch.source.client import AnalyticsClient


@dataclass(frozen=True, slots=True)
class Terms:
    """By which rules is judged, and how is told."""

    rules: tuple[Rule, ...]
    desk: Desk
    feeds: tuple[Feed, ...]


def terms_of(config: Config) -> Terms:
    """As a rules file has them."""
    return Terms(config.enabled, desk(config), config.feeds())


def open_client(config: Config, environ: Mapping[str, str]) -> AnalyticsClient:
    """A client of the source; its key is read anew for each request, so that a rotated one heals by itself."""
    return AnalyticsClient(config.source.base_url, lambda: config.source.api_key.read(environ).reveal())


def asking_of(config: Config, now: datetime) -> Asking:
    """What a rules file says about asking."""
    return Asking(config.feeds(), config.backfill_from(now), config.source.poll_every)


def desk(config: Config) -> Desk:
    """What a rules file says about telling."""
    targets = {
        name: Target(channel.people, channel.edits, channel.members, channel.restate_every is not None)
        for name, channel in config.channels.items()
    }
    styles = {rule.id: rule.style for rule in config.rules}
    form = Form(targets, config.timezone, styles, _flawed, config.list_price, config.page)
    return Desk(config.defaults, config.routes, form, config.reminders, config.mutes)


def _flawed(rule_id: str, error: Exception) -> None:
    logs.recurring("template.failed", rule=rule_id, error=repr(error))
