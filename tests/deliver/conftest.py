from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deliver.mailroom import Mailroom, hook, open_mailroom
from tests.fakes.slack_api import SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver


@pytest.fixture
def pager() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def other() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def slack() -> Iterator[SlackApi]:
    with SlackApi() as fake:
        yield fake


@pytest.fixture
def mailroom(tmp_path: Path, pager: WebhookReceiver, other: WebhookReceiver) -> Iterator[Mailroom]:
    """Its channels are `pager` and `other`."""
    with open_mailroom(tmp_path) as room:
        room.channels |= {"pager": hook(pager), "other": hook(other)}
        yield room
