from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from usage_watch.channels import AnyChannel
from usage_watch.cli.rendering import RENDERERS, unrenderable
from usage_watch.cli.sampling import samples
from usage_watch.config import Config, read
from usage_watch.core.message import Delivery, Reason, Severity
from usage_watch.yamlfile import parse

NOW = datetime(2026, 11, 23, 5, 20, tzinfo=UTC)
CHANNELS = """
channels:
  ops: {kind: slack, webhook_url: {env: HOOK}}
  finance: {kind: email, host: smtp.example.com, sender: u@example.com, recipients: [f@example.com], members: initials}
  pager: {kind: webhook, url: https://hooks.example.com/x}
  screen: {kind: log, members: hidden}
rules:
"""
RULES = [
    "{id: a, kind: budget, where: {Credit Source: paid}, limit: 400_000, title: 'Paid $value'}",
    "{id: a, kind: budget, limit: 40, period: {every: 30d, from: 2026-01-01}, levels: {critical: [100%, 120%]}}",
    "{id: a, kind: zscore, for_each: Model, method: robust, text: '$value $unit against $limit. Ask $member.'}",
    "{id: a, kind: zscore, method: plain, direction: both, baseline: 5d}",
    "{id: a, kind: threshold, for_each: member, above: {warning: 2000, critical: 20_000}, title: 'Of $series'}",
    "{id: a, kind: threshold, where: {member: ana@example.com}, above: 5}",
    "{id: a, kind: threshold, where: {Model: {not: 'sam*'}}, statistic: share, window: 24h, above: 60%}",
    "{id: a, kind: threshold, dataset: daily_active_users, below: 10}",
    "{id: a, kind: absence, quiet_for: 2d}",
    "{id: a, kind: absence, for_each: Model, quiet_for: 2d, where: {Model: [x, 'claude-*']}}",
    "{id: a, kind: novelty, dataset: connectors, for_each: Connector, text: '$value $unit of $series'}",
    "{id: a, kind: novelty, for_each: member, expected: ['*@example.com', sam], severity: critical}",
]


def config(rule: str) -> Config:
    return read(parse(f"{CHANNELS}  - {rule}\n".encode(), "rules.yaml"))


@pytest.mark.parametrize("rule", RULES)
def test_each_level_of_each_kind_of_rule_has_its_words(rule: str) -> None:
    whole = config(rule)
    [one] = whole.rules
    found = samples(one, whole.defaults, NOW)
    assert [each.severity for each in found] == [level.severity for level in one.levels]
    assert all(each.evidence.summary for each in found)
    assert unrenderable(whole, NOW) == []


def test_a_series_is_named_as_the_rule_would_take_it() -> None:
    whole = config(
        "{id: a, kind: threshold, for_each: Model, where: {Model: 'claude-*'}, above: {info: 1, critical: 9}}"
    )
    found = samples(whole.rules[0], whole.defaults, NOW)
    assert [(each.severity, dict(each.labels)) for each in found] == [
        (severity, {"Model": "claude-sample"}) for severity in (Severity.INFO, Severity.CRITICAL)
    ]


def test_a_rule_that_takes_nothing_has_nothing_to_say() -> None:
    whole = config("{id: a, kind: threshold, for_each: Model, where: {Model: {not: '*'}}, above: 1}")
    assert samples(whole.rules[0], whole.defaults, NOW) == []
    assert unrenderable(whole, NOW) == []


def test_every_kind_of_channel_is_rendered() -> None:
    models = get_args(get_args(AnyChannel)[0])
    assert {get_args(model.model_fields["kind"].annotation)[0] for model in models} == set(RENDERERS)


def test_what_cannot_be_filled_is_one_fault_at_its_rule() -> None:
    whole = config("{id: a, kind: threshold, above: 5}")
    broken = whole.rules[0].model_copy(update={"text": "$nothing"})
    [fault] = unrenderable(_with(whole, broken), NOW)
    assert (fault.line, fault.column) == (8, 5)
    said = "`title` or `text` cannot be filled, KeyError: 'nothing' (slack, fired)"
    assert fault.message == f"the messages of this rule cannot be made: {said}"


def test_what_cannot_be_worded_or_rendered_is_one_fault_at_its_rule() -> None:
    whole = config("{id: a, kind: threshold, above: 5}")
    [unjudged] = unrenderable(_with(whole, whole.rules[0].model_copy(update={"above": "no such"})), NOW)
    assert unjudged.message.startswith("the messages of this rule cannot be made: ")
    [unsent] = unrenderable(_with(whole, whole.rules[0].model_copy(update={"text": 5})), NOW)
    assert unsent.message.endswith("(slack, fired)")


def test_what_is_told_alike_is_worded_once_and_rendered_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    written = CHANNELS.replace(", members: initials", "").replace(", members: hidden", "")
    whole = read(parse(f"{written}  - {{id: a, kind: threshold, above: 5}}\n".encode(), "rules.yaml"))
    rendered: list[str] = []
    for kind in RENDERERS:
        monkeypatch.setitem(RENDERERS, kind, lambda _, kind=kind: rendered.append(kind))  # type: ignore[misc]
    assert unrenderable(whole, NOW) == []
    assert {kind: rendered.count(kind) for kind in rendered} == dict.fromkeys(
        ("slack", "email", "webhook", "log"), len(Reason)
    )
    [fault] = unrenderable(_with(whole, whole.rules[0].model_copy(update={"text": "$nothing"})), NOW)
    assert fault.message.endswith("(slack and email and log, fired)")
    monkeypatch.setitem(RENDERERS, "log", lambda _: 1 / 0)  # type: ignore[misc]
    [fault] = unrenderable(whole, NOW)
    assert fault.message.endswith("ZeroDivisionError: division by zero (log, fired)")


@pytest.mark.parametrize("page", [None, "https://usage.example.com/"])
def test_messages_are_rendered_with_the_links_that_they_will_have(
    monkeypatch: pytest.MonkeyPatch, page: str | None
) -> None:
    web = "" if page is None else f"web: {{public_url: '{page}'}}"
    whole = read(parse(f"{web}{CHANNELS}  - {{id: a, kind: threshold, above: 5}}\n".encode(), "rules.yaml"))
    rendered: list[Delivery] = []
    for kind in RENDERERS:
        monkeypatch.setitem(RENDERERS, kind, rendered.append)
    assert unrenderable(whole, NOW) == []
    assert {each.message.page for each in rendered} == {page}


def _with(whole: Config, rule: object) -> Config:
    changed = whole.model_copy(update={"rules": (rule,)})
    changed._document = whole.document
    return changed
