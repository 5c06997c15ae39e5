"""Messages are under way, and nothing can be stored: what is known of them is kept, and stored later."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.deliver.mailroom import SECOND, Mailroom, hook, letter
from tests.fakes.alertmanager import eventually
from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from tests.store.store_samples import incident
from usage_watch.channels import AlertmanagerSettings
from usage_watch.deliver import Delivered
from usage_watch.errors import MachineError
from usage_watch.store.outbox import State

MINUTE = timedelta(minutes=1)


class Full:
    """No file of this process can grow beyond the database's log as it is: what is appended to that fails."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def begin(self) -> None:
        size, (_, hard) = self._log.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    def end(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


class During(WebhookReceiver):
    """Something happens while it takes a message."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def respond(self, request: Request) -> Step:
        self._act()
        return Answer(204)


@contextmanager
def filling(mailroom: Mailroom) -> Iterator[tuple[Full, During]]:
    """The disk is full when the first message has been taken."""
    full = Full(mailroom.database.path.with_name(mailroom.database.path.name + "-wal"))
    with During(full.begin) as pager:
        mailroom.channels["pager"] = hook(pager)
        try:
            yield full, pager
        finally:
            full.end()


def test_what_was_sent_and_not_recorded_is_recorded_later_and_not_sent_again(mailroom: Mailroom) -> None:
    mailroom.put(letter(1), letter(2))
    with filling(mailroom) as (full, pager), closing(mailroom.dispatch()) as dispatch:
        for _ in range(3):
            with pytest.raises(MachineError):
                dispatch.round()
            dispatch.hold()
            mailroom.wait(30 * SECOND)
        full.end()
        pager._act = lambda: None
        assert dispatch.round() == Delivered(sent=2)
        assert mailroom.states(1, 2) == [State.SENT, State.SENT]
        assert [request.headers["webhook-id"] for request in pager.requests] == ["ntf_1", "ntf_2"]


def test_an_end_in_the_middle_of_it_is_one_in_order(mailroom: Mailroom) -> None:
    mailroom.put(letter(1))
    with filling(mailroom) as (full, pager), listening() as heard:
        with closing(mailroom.dispatch()) as dispatch, pytest.raises(MachineError):
            dispatch.round()
        assert heard.names == ["delivery.unrecorded"]
        full.end()
        pager._act = lambda: None
        with closing(mailroom.dispatch()) as dispatch:
            mailroom.wait(MINUTE)
            assert dispatch.round() == Delivered(sent=1)
        ids = [request.headers["webhook-id"] for request in pager.requests]
        assert ids == ["ntf_1", "ntf_1"], "nobody knows any more that it arrived, but its receiver can tell"


def test_who_is_back_while_it_is_waited_out_is_kept(mailroom: Mailroom) -> None:
    mailroom.put(letter(1))
    with filling(mailroom) as (full, pager), closing(mailroom.dispatch()) as dispatch:
        dispatch._hand_out()
        assert eventually(lambda: dispatch._returned.qsize() == 1)
        dispatch.hold()
        full.end()
        assert dispatch.round() == Delivered(sent=1)
        assert len(pager.requests) == 1


def test_targets_by_state_are_told_that_all_stands_as_it_was(mailroom: Mailroom) -> None:
    with WebhookReceiver() as cluster:
        mailroom.channels = {"pager": AlertmanagerSettings(kind="alertmanager", url=cluster.url())}
        mailroom.put(letter(1))
        full = Full(mailroom.database.path.with_name(mailroom.database.path.name + "-wal"))
        with closing(mailroom.dispatch()) as dispatch:
            assert dispatch.round() == Delivered(sent=1)
            full.begin()
            try:
                cluster.script.append(Answer(503))
                for _ in range(13):
                    mailroom.wait(MINUTE)
                    dispatch.hold()
                    assert eventually(lambda: not dispatch._under_way or dispatch._returned.qsize() == 1)
            finally:
                full.end()
        ends = [request.json[0]["endsAt"][11:16] for request in cluster.requests]
        assert ends == ["12:20", "12:25", "12:27", "12:33"], "every 5 minutes, and a minute or two after a failure"
        assert incident(1).open
