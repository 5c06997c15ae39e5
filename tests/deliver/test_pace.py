"""Slack takes a message a second: its messages keep that distance, and nobody else waits for them."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.deliver.clocks import HastyClock
from tests.deliver.mailroom import SECOND, Mailroom, app, ids, letter
from tests.fakes.scripted_http import Answer
from tests.fakes.slack_api import SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.store.store_samples import NOON
from usage_watch.deliver import Delivered
from usage_watch.store.outbox import State

MOMENT = timedelta(microseconds=1)


def _busy(seconds: int) -> Answer:
    return Answer(429, headers={"Retry-After": str(seconds)})


@pytest.fixture
def paced(mailroom: Mailroom, slack: SlackApi) -> Mailroom:
    mailroom.channels["ops"] = app(slack, mailroom)
    return mailroom


def test_two_messages_of_one_target_are_a_second_apart_and_others_do_not_wait(
    paced: Mailroom, pager: WebhookReceiver
) -> None:
    paced.put(letter(1, "ops"), letter(2, "ops"), *(letter(number) for number in range(3, 6)))
    with closing(paced.dispatch()) as dispatch:
        assert dispatch.round() == Delivered(sent=4)
        assert dispatch.next_due(NOON) == NOON + SECOND
        paced.clock.step(NOON + SECOND - MOMENT)
        assert dispatch.round() == Delivered()
        paced.clock.step(NOON + SECOND)
        assert dispatch.round() == Delivered(sent=1)
    assert ids(pager) == ["ntf_3", "ntf_4", "ntf_5"]


def test_a_conversation_keeps_the_pace_too(paced: Mailroom) -> None:
    paced.put(letter(1, "ops", "cnv"), letter(2, "ops", "cnv"))
    assert [paced.deliver().sent, paced.deliver().sent] == [1, 0]
    assert paced.wait_until_due() == SECOND
    assert paced.deliver().sent == 1


def test_the_pace_outlives_the_process(paced: Mailroom) -> None:
    paced.put(letter(1, "ops"), letter(2, "ops"))
    assert paced.deliver().sent == 1
    assert paced.deliver().sent == 0, "it was started anew"


def test_who_has_no_later_round_waits_for_the_pace(paced: Mailroom, slack: SlackApi) -> None:
    paced.put(*(letter(number, "ops") for number in range(4)))
    with closing(paced.dispatch(HastyClock())) as dispatch:
        assert dispatch.round(thorough=True) == Delivered(sent=4)
    assert len(slack.messages) == 4
    sent_at = sorted(row.sent_at for row in map(paced.row, range(4)) if row.sent_at is not None)
    assert all(later - earlier >= SECOND for earlier, later in pairwise(sent_at))


def test_who_has_a_later_round_does_not(paced: Mailroom) -> None:
    paced.put(letter(1, "ops"), letter(2, "ops"))
    with closing(paced.dispatch(HastyClock())) as dispatch:
        assert dispatch.round() == Delivered(sent=1)


def test_who_has_no_later_round_waits_for_nothing_that_is_far_away(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1), letter(2))
    pager.script.append(_busy(60))
    with closing(mailroom.dispatch(HastyClock())) as dispatch:
        assert len(dispatch.round(thorough=True).failures) == 1
    assert mailroom.states(1, 2) == [State.QUEUED, State.QUEUED]


def test_who_has_no_later_round_does_not_wait_for_a_clock_that_stands(paced: Mailroom) -> None:
    paced.put(letter(1, "ops"), letter(2, "ops"))
    assert paced.deliver(thorough=True) == Delivered(sent=1)


def test_who_has_no_later_round_waits_for_a_short_pause(mailroom: Mailroom, pager: WebhookReceiver) -> None:
    mailroom.put(letter(1))
    pager.script.append(_busy(1))
    with closing(mailroom.dispatch(HastyClock())) as dispatch:
        delivered = dispatch.round(thorough=True)
    assert (delivered.sent, len(delivered.failures)) == (1, 1)
