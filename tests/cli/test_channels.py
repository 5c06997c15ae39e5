from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.fakes.scripted_http import Answer
from tests.fakes.slack_api import SCOPES, TOKEN, SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch import yamlfile
from usage_watch.simulator import SimulatorServer

RULES = """\
channels:
  screen: {{kind: log}}
  pager: {{kind: webhook, url: "{hook}", signing_secret: {{env: HOOK_SECRET}}}}
  spare: {{kind: log}}
notify: {{warning: [screen], critical: [screen, pager]}}
rules:
  - {{id: runaway, kind: threshold, above: {{warning: 2_000, critical: 20_000}}}}
  - {{id: heavy-day, kind: threshold, for_each: member, above: 5_000, notify: [pager]}}
  - {{id: asleep, kind: threshold, above: 5_000, enabled: no}}
"""


@pytest.fixture
def pager() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def told(folder: Path, pager: WebhookReceiver) -> Path:
    path = folder / "rules.yaml"
    path.write_text(RULES.format(hook=pager.url("/hook")))
    return path


def test_the_list_says_who_is_told_of_what(cli: Cli, told: Path) -> None:
    assert cli("channels", "list").out.splitlines() == [
        "channel  kind     is told of",
        "screen   log      runaway, meta (warning, critical)",
        "pager    webhook  runaway (critical), heavy-day, meta (critical)",
        "spare    log      nothing: no enabled rule names it",
    ]


def test_the_list_as_data(cli: Cli, told: Path) -> None:
    assert json.loads(cli("channels", "list", "--json").out) == [
        {
            "name": "screen",
            "kind": "log",
            "rules": [{"id": "runaway", "severities": ["warning", "critical"]}],
            "meta": ["warning", "critical"],
        },
        {
            "name": "pager",
            "kind": "webhook",
            "rules": [
                {"id": "runaway", "severities": ["critical"]},
                {"id": "heavy-day", "severities": ["warning"]},
            ],
            "meta": ["critical"],
        },
        {"name": "spare", "kind": "log", "rules": [], "meta": []},
    ]


def test_no_channels_are_said_in_words(cli: Cli, folder: Path) -> None:
    (folder / "rules.yaml").write_text("rules: []\n")
    assert "There are no channels: write `channels` and `notify`" in cli("channels", "list").out
    ran = cli("channels", "test", "ops")
    assert (ran.code, ran.err) == (2, "usage-watch: There is no channel 'ops': the rules file has no `channels` yet.\n")


def test_listing_reads_no_secret_and_makes_no_file(cli: Cli, told: Path) -> None:
    assert cli("channels", "list").code == 0
    assert list(told.parent.iterdir()) == [told]


def test_a_test_message_is_printed_by_the_log(cli: Cli, told: Path) -> None:
    ran = cli("channels", "test", "screen")
    assert ran.code == 0
    assert "test, nothing happened" in ran.out
    assert ran.out.endswith("screen: the test message was taken.\n")


def test_a_test_message_is_signed_and_says_that_it_is_one(
    cli: Cli, told: Path, pager: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQ=")
    ran = cli("channels", "test", "pager")
    assert (ran.code, ran.out) == (0, "pager: the test message was taken. A repeat has the same webhook-id.\n")
    [request] = pager.requests
    assert request.json["test"] is True
    assert request.headers["webhook-id"] == request.json["id"]
    assert "webhook-signature" in request.headers


@pytest.mark.parametrize("status", [401, 404, 413, 503])
def test_what_is_not_taken_ends_with_4(
    cli: Cli, told: Path, pager: WebhookReceiver, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQ=")
    pager.script.append(Answer(status))
    ran = cli("channels", "test", "pager")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("usage-watch: pager: the test message was not taken. ")
    assert str(status) in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("scopes", "says"),
    [
        (SCOPES, "A post whose answer is lost is looked up before it is repeated."),
        (
            SCOPES - {"channels:history"},
            "A post whose answer is lost cannot be looked up (the app lacks the scope channels:history):"
            " its repeat says that it may be one.",
        ),
    ],
)
def test_of_slack_it_is_said_what_becomes_of_a_lost_answer(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, scopes: frozenset[str], says: str
) -> None:
    monkeypatch.setenv("SLACK_TOKEN", TOKEN)
    with SlackApi() as slack:
        slack.scopes = set(scopes)
        told = f'{{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{slack.base_url}"}}'
        (folder / "rules.yaml").write_text(f"channels:\n  ops: {told}\nnotify: [ops]\nrules: []\n")
        ran = cli("channels", "test", "ops")
    assert (ran.code, ran.out) == (0, f"ops: the test message was taken. {says}\n")


def test_slacks_manifest_is_what_slack_takes(cli: Cli, folder: Path) -> None:
    """By docs.slack.dev/reference/app-manifest."""
    ran = cli("channels", "manifest", "slack")
    assert ran.code == 0
    made = json.loads(ran.out)
    assert made.keys() == {"display_information", "features", "oauth_config", "settings"}
    about, bot = made["display_information"], made["features"]["bot_user"]
    assert about.keys() == {"name", "description"}
    assert 0 < len(about["name"]) <= 35
    assert 0 < len(about["description"]) <= 140
    assert re.fullmatch("[a-z0-9_.-]{1,80}", bot["display_name"])
    assert made["oauth_config"].keys() == {"scopes"}
    assert made["oauth_config"]["scopes"].keys() == {"bot"}
    assert made["settings"] == {"token_rotation_enabled": False}
    assert yamlfile.parse(ran.out.encode(), "manifest.yaml").data == made


def _app_of_the_manifest(cli: Cli) -> frozenset[str]:
    return frozenset(json.loads(cli("channels", "manifest", "slack").out)["oauth_config"]["scopes"]["bot"])


@pytest.mark.parametrize("private", [False, True])
def test_the_manifests_app_may_do_all_that_it_is_asked_to(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    monkeypatch.setenv("SLACK_TOKEN", TOKEN)
    scopes = _app_of_the_manifest(cli)
    assert scopes == SCOPES
    needed = set()
    with SlackApi() as slack:
        slack.private = {"C0USAGE"} if private else set()
        told = f'{{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{slack.base_url}"}}'
        (folder / "rules.yaml").write_text(f"channels:\n  ops: {told}\nnotify: [ops]\nrules: []\n")
        for lost in (None, *scopes):
            slack.scopes = set(scopes - {lost})
            ran = cli("channels", "test", "ops")
            if "is looked up before it is repeated." not in ran.out:
                needed.add(lost)
    assert needed == {
        "chat:write",
        *(scope for scope in scopes if scope.startswith("groups:" if private else "channels:")),
    }


def test_beside_the_manifest_it_is_said_what_to_do_with_it(cli: Cli, folder: Path) -> None:
    ran = cli("channels", "manifest", "slack")
    name = json.loads(ran.out)["features"]["bot_user"]["display_name"]
    for word in ("https://api.slack.com/apps", "export SLACK_BOT_TOKEN=", f"/invite @{name}", "channels test ops"):
        assert word in ran.err
    assert max(map(len, ran.said.splitlines()[:-20:-1])) <= 80
    [ops] = (line.strip() for line in ran.err.splitlines() if "kind: slack" in line)
    (folder / "rules.yaml").write_text(f"channels:\n  {ops}\nnotify: [ops]\nrules: []\n")
    assert cli("check").code == 0


def test_there_is_a_manifest_of_slack_alone(cli: Cli) -> None:
    ran = cli("channels", "manifest", "teams")
    assert (ran.code, ran.out) == (2, "")
    assert "slack" in ran.err


def test_a_test_makes_no_database(cli: Cli, told: Path) -> None:
    assert cli("channels", "test", "screen").code == 0
    assert list(told.parent.iterdir()) == [told]


REFUSED = """\
timezone: Europe/Berlin
source: {{base_url: "{source}", backfill: 6d}}
channels:
  pager: {{kind: webhook, url: "{hook}"}}
  screen: {{kind: log}}
notify: [pager]
rules:
  - {{id: runaway, kind: threshold, window: 3h, above: 2_000}}
"""


def test_what_a_channel_refused_gets_another_chance_once_it_takes_a_test(
    cli: Cli, rules: Path, source: SimulatorServer, pager: WebhookReceiver
) -> None:
    rules.write_text(REFUSED.format(source=source.base_url, hook=pager.url("/hook")))
    pager.script.append(Answer(404))
    assert "404" in cli("run", "--once").said
    [refused] = pager.requests
    assert cli("channels", "test", "pager").out.splitlines() == [
        "pager: the test message was taken. A repeat has the same webhook-id.",
        "pager: 1 message that did not arrive gets another chance.",
    ]
    assert cli("channels", "test", "screen").out.splitlines()[-1] == "screen: the test message was taken."
    assert cli("run", "--once").code == 0
    assert pager.requests[-1].json["id"] == refused.json["id"]


def test_what_was_refused_stays_so_while_the_channel_takes_no_test(
    cli: Cli, rules: Path, source: SimulatorServer, pager: WebhookReceiver
) -> None:
    rules.write_text(REFUSED.format(source=source.base_url, hook=pager.url("/hook")))
    pager.script.extend([Answer(404)] * 2)
    cli("run", "--once")
    assert cli("channels", "test", "pager").code == 4
    cli("run", "--once")
    assert len(pager.requests) == 2


def test_a_secret_that_is_not_there_is_named(cli: Cli, told: Path) -> None:
    ran = cli("channels", "test", "pager")
    assert (ran.code, ran.out) == (2, "")
    assert "HOOK_SECRET is not set" in ran.err


def test_an_unknown_channel_is_told_the_known_ones(cli: Cli, told: Path) -> None:
    ran = cli("channels", "test", "paper")
    assert (ran.code, ran.err) == (
        2,
        "usage-watch: There is no channel 'paper'; the rules file has screen, pager, spare.\n",
    )
