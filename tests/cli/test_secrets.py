"""A journey with secrets that cannot be mistaken: none of them is ever printed or stored."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, scenario
from tests.fakes.scripted_http import Answer
from tests.fakes.slack_api import HOOK, SlackApi
from tests.fakes.smtp_server import SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.clock import SteppedClock
from usage_watch.simulator import SimulatorServer

SIGNING = b"kestrel-signing-5571-kestrel"
SECRETS = {
    "PERPLEXITY_ANALYTICS_API_KEY": "pplx-kestrel-key-8812",
    "HOOK_SECRET": "whsec_" + base64.b64encode(SIGNING).decode(),
    "SLACK_TOKEN": "xoxb-kestrel-token-4410",
    "SLACK_HOOK": "",
    "SMTP_PASSWORD": "kestrel-password-9903",
}
RULES = """\
source: {{base_url: "{source}", backfill: 6d}}
channels:
  app: {{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{slack}"}}
  hook: {{kind: slack, webhook_url: {{env: SLACK_HOOK}}}}
  mail: {{kind: email, host: 127.0.0.1, port: {smtp}, security: none, sender: usage-watch@example.com,
         recipients: [finance@example.com], username: kestrel, password: {{env: SMTP_PASSWORD}}}}
  pager: {{kind: webhook, url: "{pager}", signing_secret: {{env: HOOK_SECRET}}}}
notify: [app, hook, mail, pager]
rules:
  - {{id: runaway, kind: threshold, window: 3h, above: 2_000}}
"""


@dataclass(frozen=True)
class Office:
    source: SimulatorServer
    slack: SlackApi
    mail: SmtpServer
    pager: WebhookReceiver
    rules: Path

    @property
    def secrets(self) -> list[bytes]:
        """Whatever must not be seen anywhere, and what it looks like on its way."""
        texts = [value.encode() for value in SECRETS.values() if value]
        login = base64.b64encode(b"\0kestrel\0" + SECRETS["SMTP_PASSWORD"].encode())
        return [*texts, SIGNING, base64.b64encode(SIGNING), HOOK.encode(), b"secretsecret", login]


@pytest.fixture
def office(folder: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    key = SECRETS["PERPLEXITY_ANALYTICS_API_KEY"]
    with SimulatorServer(scenario(), now=clock.now, key=key) as source, SlackApi() as slack, WebhookReceiver() as pager:
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value or slack.hook_url)
        with SmtpServer() as mail:
            rules = folder / "rules.yaml"
            rules.write_text(
                RULES.format(
                    source=source.base_url, slack=slack.base_url, smtp=mail.port, pager=pager.url("/services/x")
                )
            )
            yield Office(source, slack, mail, pager, rules)


def test_no_secret_is_printed_or_stored(cli: Cli, office: Office, clock: SteppedClock) -> None:
    seen: list[str] = []
    codes: dict[str, set[int]] = {}

    def walk(*arguments: str) -> None:
        for verbose in ((), ("-v",)):
            ran = cli(*verbose, *arguments)
            seen.append(ran.said)
            codes.setdefault(" ".join(arguments), set()).add(ran.code)

    def walk_all() -> None:
        walk("run", "--once")
        walk("run", "--once", "--log-format", "json")
        walk("check", "--online")
        walk("check", "--json")
        walk("status")
        walk("status", "--json")
        walk("alerts", "list")
        walk("channels", "list")
        walk("history", "backfill")
        for channel in ("app", "hook", "mail", "pager"):
            walk("channels", "test", channel)

    walk_all()
    assert codes["channels test pager"] == codes["check --online"] == {0}, "at first all is well"
    walk("alerts", "show", "inc_")

    # Then nothing is: the source and every receiver refuse, and say the secret back.
    clock.step(NOW + timedelta(hours=2))
    office.source.api = replace(office.source.api, key="another")
    for fake in (office.slack, office.pager):
        fake.script += [Answer(401, " ".join(SECRETS.values())) for _ in range(50)]
    office.mail.replies |= {"MAIL": f"535 no {SECRETS['SMTP_PASSWORD']}", "AUTH": f"535 no {SECRETS['SMTP_PASSWORD']}"}
    rule = "  - {id: again, kind: threshold, window: 5h, above: 2_000}\n"
    office.rules.write_text(office.rules.read_text() + rule)
    walk_all()
    assert codes["channels test pager"] == {0, 4}
    assert 3 in codes["run --once"]

    # Nor where nobody is at home.
    office.rules.write_text(office.rules.read_text().replace("127.0.0.1", "127.0.0.2"))
    clock.step(NOW + timedelta(hours=4))
    walk_all()

    text = "\n".join(seen).encode()
    assert len(text) > 10_000
    stored = b"".join(path.read_bytes() for path in office.rules.parent.glob("usage-watch.db*"))
    assert len(stored) > 10_000
    for secret in office.secrets:
        assert secret not in text
        assert secret not in stored


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_cannot_be_one_is_not_shown(
    cli: Cli, office: Office, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "kestrel\nInjected: kestrel")
    for arguments in (("-v", "run", "--once"), ("check", "--online"), ("status",)):
        assert "kestrel\n" not in cli(*arguments).said
        assert "Injected" not in cli(*arguments).said


def test_a_literal_secret_is_refused_and_not_repeated(cli: Cli, office: Office) -> None:
    text = office.rules.read_text().replace("{env: SLACK_TOKEN}", SECRETS["SLACK_TOKEN"])
    office.rules.write_text(text.replace("{env: HOOK_SECRET}", f'"{SECRETS["HOOK_SECRET"]}"'))
    for arguments in (("check",), ("-v", "check", "--json"), ("run",)):
        ran = cli(*arguments)
        assert ran.code == 2
        assert "write {env: NAME}" in ran.err
        assert not any(secret.decode() in ran.said for secret in office.secrets)
