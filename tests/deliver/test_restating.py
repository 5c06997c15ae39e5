"""A target by state is told again what stands, for as long as it stands, and what it was told of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest

from tests.deliver.mailroom import HOUR, SECOND, Mailroom, app, letter
from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.slack_api import SlackApi
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from tests.store.store_samples import NOON, incident, notice, post
from usage_watch.channels import AlertmanagerSettings
from usage_watch.channels.base import Attempt, ChannelSettings, Verdict
from usage_watch.core.incident import Incident
from usage_watch.core.message import Conversation, Reason, Severity
from usage_watch.core.promise import Notification, Post
from usage_watch.deliver import Delivered, Dispatch
from usage_watch.deliver.restating import Restating

EVERY, MINUTE = timedelta(minutes=5), timedelta(minutes=1)
OPEN = incident(1)


class Cluster(WebhookReceiver):
    """In place of Alertmanager."""

    def alerts(self) -> list[list[dict[str, Any]]]:
        """Of each request."""
        return [request.json for request in self.requests]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as receiver:
        yield receiver


@pytest.fixture
def office(mailroom: Mailroom, cluster: Cluster) -> Mailroom:
    mailroom.channels["cluster"] = AlertmanagerSettings(kind="alertmanager", url=cluster.url())
    return mailroom


def said(number: int, about: Incident, reason: Reason, ordinal: int = 1) -> Post:
    """A message to the cluster about an incident, in that incident's conversation."""
    key = Notification(about.id, "cluster", reason, ordinal, about.rank)
    whole = post(number, about, "cluster", reason)
    message = replace(whole.message, news=(notice(about, reason),))
    return replace(whole, conversation=Conversation(f"cnv_{about.id}", "", None), message=message, keys=(key,))


def commit(office: Mailroom, *posts: Post, about: Incident = OPEN) -> None:
    office.alerts.commit([about], [], [], posts, office.clock.now())


def step(office: Mailroom, dispatch: Dispatch, length: timedelta = EVERY) -> Delivered:
    office.wait(length)
    return dispatch.round()


def ends(cluster: Cluster) -> list[str]:
    """The end of the first alert of each request, as a time of the day."""
    return [alerts[0]["endsAt"][11:19] for alerts in cluster.alerts()]


# ---- what is told again ------------------------------------------------------------------------------------------


def test_what_was_told_is_told_again_for_as_long_as_it_is_open(office: Mailroom, cluster: Cluster) -> None:
    with closing(office.dispatch()) as dispatch:
        assert dispatch.round() == Delivered()
        commit(office, said(1, OPEN, Reason.FIRED))
        assert dispatch.round() == Delivered(sent=1)
        for _ in range(12):
            assert dispatch.next_due(office.clock.now()) == office.clock.now() + EVERY
            assert step(office, dispatch) == Delivered()
        over = replace(OPEN, ended_at=NOON + 30 * MINUTE)
        commit(office, said(2, over, Reason.RESOLVED), about=over)
        assert dispatch.round() == Delivered(sent=1)
        assert step(office, dispatch) == Delivered()
    first, *again, last = cluster.alerts()
    assert len(again) == 12
    assert {len(alerts) for alerts in cluster.alerts()} == {1}
    for alerts in again:
        assert {**alerts[0], "endsAt": None} == {**first[0], "endsAt": None}
    assert ends(cluster) == ["12:20:00", *(f"{12 + n // 60}:{n % 60:02}:00" for n in range(25, 85, 5)), "12:30:00"]
    assert last[0]["labels"] == first[0]["labels"]


def test_a_restart_tells_at_once_what_stands(office: Mailroom, cluster: Cluster) -> None:
    commit(office, said(1, OPEN, Reason.FIRED))
    office.deliver()
    assert office.deliver() == Delivered()
    assert len(cluster.requests) == 2


def test_what_stands_goes_in_one_request_with_what_is_true_now(office: Mailroom, cluster: Cluster) -> None:
    for number in (1, 2, 3):
        about = incident(number)
        commit(office, said(number, replace(about, labels={"Model": f"m{number}"}), Reason.FIRED), about=about)
    office.deliver()
    cluster.requests.clear()
    higher = replace(OPEN, evidence=replace(OPEN.evidence, value=20_000.0))
    commit(office, about=higher)
    office.deliver()
    [alerts] = cluster.alerts()
    assert [alert["annotations"]["value"] for alert in alerts] == ["20,000", "12,345", "12,345"]


def test_what_was_not_told_is_not_told_again(office: Mailroom, cluster: Cluster) -> None:
    commit(office, letter(1, "pager"))
    commit(office, said(2, incident(2), Reason.FIRED_AND_ENDED), about=incident(2, ended_at=NOON))
    office.deliver()
    cluster.requests.clear()
    office.deliver()
    assert cluster.requests == []


def test_it_stands_at_the_severity_that_was_told(office: Mailroom, cluster: Cluster) -> None:
    low = replace(OPEN, severity=Severity.WARNING)
    commit(office, said(1, low, Reason.FIRED))
    office.deliver()
    commit(office, about=OPEN)  # critical by now, and a silence holds that back
    office.deliver()
    commit(office, said(2, OPEN, Reason.ESCALATED))
    office.deliver()
    office.deliver()
    said_of = [[alert["labels"]["severity"] for alert in alerts] for alerts in cluster.alerts()]
    # Each process tells first what stands.
    assert said_of == [["warning"], ["warning"], ["warning"], ["warning", "critical"], ["critical"]]
    ended, begun = cluster.alerts()[3]
    assert (ended["endsAt"][11:16], begun["endsAt"][11:16]) == ("12:00", "12:20")


def test_what_was_reopened_stands_again(office: Mailroom, cluster: Cluster) -> None:
    over = replace(OPEN, ended_at=NOON)
    commit(office, said(1, OPEN, Reason.FIRED))
    commit(office, said(2, over, Reason.RESOLVED), about=over)
    office.deliver()
    commit(office, about=OPEN)
    cluster.requests.clear()
    office.deliver()
    assert cluster.requests == [], "it was told that it is over"
    commit(office, said(3, OPEN, Reason.FIRED, 2))
    office.deliver()
    office.deliver()
    assert len(cluster.requests) == 2


def test_what_was_told_while_the_channel_was_of_another_kind_stands_too(
    office: Mailroom, cluster: Cluster, slack: SlackApi
) -> None:
    kept = office.channels["cluster"]
    office.channels["cluster"] = app(slack, office)
    commit(office, said(1, OPEN, Reason.FIRED))
    office.deliver()
    office.channels["cluster"] = kept
    office.deliver()
    assert [alerts[0]["labels"]["severity"] for alerts in cluster.alerts()] == ["critical"]


# ---- when it fails ---------------------------------------------------------------------------------------------------


def test_where_it_fails_it_is_tried_each_minute_and_the_channel_is_late(office: Mailroom, cluster: Cluster) -> None:
    commit(office, said(1, OPEN, Reason.FIRED))
    with closing(office.dispatch()) as dispatch:
        dispatch.round()
        dispatch.round()
        cluster.script.extend([Answer(503)] * 16)
        for minutes in (5, *[1] * 15):
            assert step(office, dispatch, minutes * MINUTE).failures == (
                "cluster: Alertmanager answered 503: a fault on its side.",
            )
            assert dispatch.next_due(office.clock.now()) == office.clock.now() + MINUTE
        late = office.target("cluster")
        assert (late.failing_from, late.unstated_from, late.waiting) == (NOON + EVERY, NOON + EVERY, 0)
        assert late.last_error == "Alertmanager answered 503: a fault on its side."
        assert late.lags(office.clock.now())
        assert not late.lags(office.clock.now() - SECOND)
        assert step(office, dispatch, MINUTE) == Delivered()
        well = office.target("cluster")
        assert (well.failing_from, well.unstated_from, well.last_error) == (None, None, None)
        assert dispatch.next_due(office.clock.now()) == office.clock.now() + EVERY


def test_one_that_refuses_all_is_blocked_until_it_takes_it(office: Mailroom, cluster: Cluster) -> None:
    commit(office, said(1, OPEN, Reason.FIRED))
    with closing(office.dispatch()) as dispatch:
        dispatch.round()
        cluster.script.append(Answer(404))
        assert len(step(office, dispatch).failures) == 1
        assert office.target("cluster").blocked_from == NOON + EVERY
        step(office, dispatch, MINUTE)
        assert office.target("cluster").blocked_from is None


def test_nothing_is_late_once_nothing_stands(office: Mailroom, cluster: Cluster) -> None:
    commit(office, said(1, OPEN, Reason.FIRED))
    with closing(office.dispatch()) as dispatch:
        dispatch.round()
        cluster.script.append(Answer(503))
        step(office, dispatch)
        commit(office, about=replace(OPEN, ended_at=NOON))
        step(office, dispatch, MINUTE)
    assert office.target("cluster").unstated_from is None


def test_it_is_logged(office: Mailroom, cluster: Cluster) -> None:
    commit(office, said(1, OPEN, Reason.FIRED))
    office.deliver()
    cluster.script.append(Answer(503))
    with listening(logging.DEBUG) as heard, closing(office.dispatch()) as dispatch:
        dispatch.round()
        step(office, dispatch, MINUTE)
    assert heard.names == ["delivery.failed", "delivery.restated", "delivery.recovered"]
    assert heard.fields[0]["id"] is None


def test_a_message_that_was_put_off_puts_that_off_too(office: Mailroom, cluster: Cluster) -> None:
    commit(office, said(1, OPEN, Reason.FIRED))
    with closing(office.dispatch()) as dispatch:
        dispatch.round()
        office.wait(4 * MINUTE)
        cluster.script.append(Answer(429, headers={"Retry-After": "180"}))
        commit(office, said(2, incident(2), Reason.FIRED), about=incident(2))
        assert len(dispatch.round().failures) == 1
        assert dispatch.next_due(office.clock.now()) == office.clock.now() + 3 * MINUTE
        assert step(office, dispatch, 2 * MINUTE) == Delivered()
        assert step(office, dispatch, MINUTE) == Delivered(sent=1)


def test_it_never_goes_beside_a_message(office: Mailroom) -> None:
    class Busy(Cluster):
        beside = 0
        most = 0

        def respond(self, request: Request) -> Step:
            self.beside += 1
            self.most = max(self.most, self.beside)
            Event().wait(0.02)
            self.beside -= 1
            return super().respond(request)

    with Busy() as busy:
        office.channels["cluster"] = AlertmanagerSettings(kind="alertmanager", url=busy.url())
        commit(office, said(1, OPEN, Reason.FIRED))
        office.deliver()
        for number in range(2, 6):
            commit(office, said(number, incident(number), Reason.FIRED), about=incident(number))
        assert office.deliver() == Delivered(sent=4)
        assert (busy.most, len(busy.requests)) == (1, 6)
        assert len(busy.requests[1].json) == 1, "what stands goes first"


# ---- when it is due --------------------------------------------------------------------------------------------------


CHANNEL: ChannelSettings = AlertmanagerSettings(kind="alertmanager", url="http://127.0.0.1:9093")


def test_a_channel_that_keeps_what_it_was_told_is_never_due(office: Mailroom) -> None:
    restating = Restating({"pager": office.channels["pager"]})
    restating.pause("pager", NOON + HOUR, NOON)
    assert (restating.due(NOON, ()), restating.next_due(NOON, ())) == ([], None)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (NOON + EVERY, True),
        (NOON + EVERY - SECOND, False),
        (NOON, False),
        (NOON - SECOND, True),  # the clock was set back
    ],
)
def test_it_is_due_every_five_minutes_whatever_becomes_of_the_clock(now: datetime, due: bool) -> None:
    restating = Restating({"cluster": CHANNEL})
    restating.done("cluster", NOON)
    assert restating.due(now, ()) == ["cluster"] * due
    assert restating.due(now, {"cluster"}) == []


@pytest.mark.parametrize(
    ("asked", "minutes"), [(None, 1), (timedelta(), 1), (timedelta(minutes=3), 3), (timedelta(hours=3), 5)]
)
def test_who_asks_for_patience_gets_some(asked: timedelta | None, minutes: int) -> None:
    restating = Restating({"cluster": CHANNEL})
    attempt = Attempt(Verdict.THROTTLED, "", asked)
    assert restating.failed("cluster", attempt, NOON) == NOON + minutes * MINUTE
