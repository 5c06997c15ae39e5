"""A target that is slow delays no other, and is heard of in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Timer

import pytest

from tests.deliver.clocks import PatientClock
from tests.deliver.mailroom import FORM, LONG, Mailroom, hook, ids, letter
from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.store.store_samples import NOON
from usage_watch.clock import SystemClock
from usage_watch.deliver import LOOK_AGAIN, PATIENCE, Delivered
from usage_watch.store.outbox import State


class Slow(WebhookReceiver):
    """Has the message, and answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer = Event(), Event()

    @property
    def thinks(self) -> bool:
        return self.asked.is_set() and not self.may_answer.is_set()

    def respond(self, request: Request) -> Step:
        self.asked.set()
        self.may_answer.wait(LONG)
        return Answer(204)


@pytest.fixture
def slow(mailroom: Mailroom, tmp_path: Path) -> Iterator[Slow]:
    """Is the mailroom's `pager`. While it alone is waited for, more time goes by than there is patience."""

    def alone() -> bool:
        return receiver.thinks and {row.target for row in mailroom.outbox.on_their_way()} == {"pager"}

    with Slow() as receiver:
        mailroom.channels["pager"] = hook(receiver)
        mailroom.clock = PatientClock(tmp_path / "clock", PATIENCE, alone)
        yield receiver
        receiver.may_answer.set()


def test_a_round_goes_on_without_who_is_slow_and_a_later_one_hears_of_it(
    mailroom: Mailroom, slow: Slow, other: WebhookReceiver
) -> None:
    mailroom.put(letter(1), letter(2), *(letter(number, "other") for number in range(3, 6)))
    with closing(mailroom.dispatch()) as dispatch:
        assert dispatch.round() == Delivered(sent=3)
        assert mailroom.states(1, 2) == [State.LEASED, State.QUEUED]
        now = mailroom.clock.now()
        assert dispatch.next_due(now) == now + LOOK_AGAIN, "to see whether it is back"
        assert dispatch.round() == Delivered(), "nothing more is given to who is under way"
        mailroom.put(letter(6, "other"), at=now)
        assert dispatch.next_due(now) == now, "others do not wait for it"
        assert dispatch.round() == Delivered(sent=1)
        slow.may_answer.set()
        assert dispatch.round(thorough=True) == Delivered(sent=2)
        assert dispatch.next_due(now) is None
    assert (ids(slow), ids(other)) == (["ntf_1", "ntf_2"], ["ntf_3", "ntf_4", "ntf_5", "ntf_6"])


def test_with_nothing_else_to_do_it_is_soon_seen_whether_who_is_slow_is_back(mailroom: Mailroom, slow: Slow) -> None:
    mailroom.put(letter(1))
    with closing(mailroom.dispatch()) as dispatch:
        assert dispatch.round() == Delivered()
        now = mailroom.clock.now()
        assert dispatch.next_due(now) == now + LOOK_AGAIN
        slow.may_answer.set()
        assert dispatch.round(thorough=True) == Delivered(sent=1)


def test_under_the_machines_clock_too(mailroom: Mailroom, slow: Slow, other: WebhookReceiver) -> None:
    mailroom.put(letter(1), letter(2, "other"))
    clock = SystemClock()
    with closing(mailroom.dispatch(clock)) as dispatch:
        before = clock.now()
        assert dispatch.round() == Delivered(sent=1)
        after = clock.now()
        assert after - before >= PATIENCE, "it had its chance"
        assert mailroom.states(1, 2) == [State.LEASED, State.SENT]
        sent_at = mailroom.row(2).sent_at
        assert sent_at is not None
        assert sent_at - before < PATIENCE, "the other did not wait for it"
        slow.may_answer.set()
        assert dispatch.round(thorough=True) == Delivered(sent=1)


def test_who_has_no_later_round_waits_for_who_is_slow(mailroom: Mailroom, slow: Slow) -> None:
    mailroom.put(letter(1))
    timer = Timer(0.15, slow.may_answer.set)
    timer.start()
    assert mailroom.deliver(thorough=True) == Delivered(sent=1)
    timer.join()


def test_closing_waits_for_who_is_slow(mailroom: Mailroom, slow: Slow) -> None:
    mailroom.put(letter(1))
    dispatch = mailroom.dispatch()
    assert dispatch.round() == Delivered()
    timer = Timer(0.05, slow.may_answer.set)
    timer.start()
    dispatch.close()
    timer.join()
    assert mailroom.row().state is State.SENT


def test_when_all_is_to_stop_who_is_slow_is_waited_for_a_moment(mailroom: Mailroom) -> None:
    mailroom.stop = stop = Event()
    mailroom.put(letter(1), letter(2))

    class Stopping(Slow):
        def respond(self, request: Request) -> Step:
            stop.set()
            mailroom.clock.step(NOON + 9 * PATIENCE)
            return Answer(204)

    with Stopping() as stopping:
        mailroom.channels["pager"] = hook(stopping)
        with closing(mailroom.dispatch()) as dispatch:
            dispatch.round()
    assert mailroom.states(1, 2) == [State.SENT, State.QUEUED]


def test_who_hangs_is_left_when_all_ends_and_found_out_about_at_the_next_start(mailroom: Mailroom, slow: Slow) -> None:
    mailroom.put(letter(1))
    with closing(mailroom.dispatch()) as dispatch:
        assert dispatch.round() == Delivered()
    assert mailroom.row().state is State.LEASED
    slow.may_answer.set()
    with closing(mailroom.dispatch()):
        assert mailroom.row().state is State.QUEUED


# ---- other channels, while somebody is under way --------------------------------------------------------------------


def test_who_is_under_way_to_a_channel_that_was_changed_comes_back_and_the_next_goes_the_new_way(
    mailroom: Mailroom, slow: Slow
) -> None:
    mailroom.put(letter(1), letter(2))
    with WebhookReceiver() as other, closing(mailroom.dispatch()) as dispatch:
        assert dispatch.round() == Delivered()
        channels = {"pager": hook(other)}
        mailroom.targets.keep({name: each.digest for name, each in channels.items()}, NOON)
        dispatch.heed(channels, FORM)
        slow.may_answer.set()
        assert dispatch.round(thorough=True) == Delivered(sent=2)
        assert (ids(slow), ids(other)) == ([letter(1).id], [letter(2).id])


def test_who_is_under_way_to_a_channel_that_is_gone_is_recorded(mailroom: Mailroom, slow: Slow) -> None:
    mailroom.put(letter(1))
    with closing(mailroom.dispatch()) as dispatch:
        assert dispatch.round() == Delivered()
        mailroom.targets.keep({}, NOON)
        dispatch.heed({}, FORM)
        slow.may_answer.set()
        assert dispatch.round(thorough=True) == Delivered(sent=1)
    assert mailroom.row().state is State.SENT
