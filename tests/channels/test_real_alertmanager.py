"""Debian's real Alertmanager, told what stands by the real channel over an hour: it tells its receiver once.

Its clock cannot be moved, so the watcher's goes ahead: by then an alert still stands, and has ended when it says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.channels.samples import HOUR
from tests.deliver.mailroom import FORM, SECOND, Mailroom, open_mailroom
from tests.fakes.alertmanager import Alertmanager, eventually, running_alertmanager
from tests.store.store_samples import incident
from usage_watch.channels import AlertmanagerSettings
from usage_watch.core.compose import compose
from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason, Severity
from usage_watch.core.promise import Notification
from usage_watch.deliver import Dispatch

MINUTE = timedelta(minutes=1)


class Watcher:
    """One of them, with a database of its own."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        folder.mkdir()
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.room: Mailroom = stack.enter_context(open_mailroom(folder))
        self.room.channels["cluster"] = AlertmanagerSettings(kind="alertmanager", url=url)
        self.room.clock.step(self.now)
        self.dispatch: Dispatch = stack.enter_context(closing(self.room.dispatch()))
        self._ordinal = 0

    def opened(self, severity: Severity = Severity.CRITICAL) -> Incident:
        """What has gone on for two hours."""
        return replace(incident(1), started_at=self.now - 2 * HOUR, period_at=None, severity=severity)

    def tells(self, about: Incident, reason: Reason) -> None:
        """As a cycle does."""
        self._ordinal += 1
        key = Notification(about.id, "cluster", reason, self._ordinal, about.rank)
        told = self.room.alerts.told([about.id])
        posts = compose([key], {about.id: about}, told, {}, FORM, self.room.clock.now())
        self.room.alerts.commit([about], [], [], posts, self.room.clock.now())
        assert self.dispatch.round().sent == 1

    def ends(self, about: Incident, ago: timedelta = SECOND) -> None:
        self.tells(replace(about, ended_at=datetime.now(UTC) - ago), Reason.RESOLVED)

    def watches(self, length: timedelta) -> None:
        """Round after round."""
        end = self.room.clock.now() + length
        while (due_at := self.dispatch.next_due(self.room.clock.now())) is not None and due_at <= end:
            self.room.clock.step(due_at)
            assert self.dispatch.round().failures == ()
        self.room.clock.step(end)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Alertmanager]:
    with running_alertmanager(tmp_path) as running:
        yield running


@pytest.fixture
def watcher(manager: Alertmanager, tmp_path: Path, stack: ExitStack) -> Watcher:
    return Watcher(tmp_path / "watcher", manager.url, stack)


def test_an_hour_of_telling_it_again_is_heard_once(manager: Alertmanager, watcher: Watcher) -> None:
    about = watcher.opened()
    watcher.tells(about, Reason.FIRED)
    assert manager.told("firing critical")
    watcher.watches(HOUR)
    assert manager.told("firing critical")
    [held] = manager.alerts()
    assert held["endsAt"][:16] == f"{watcher.now + HOUR + 20 * MINUTE:%Y-%m-%dT%H:%M}"
    watcher.ends(about)
    assert manager.told("firing critical", "resolved critical")


def test_an_end_that_was_long_ago_is_heard_too(manager: Alertmanager, watcher: Watcher) -> None:
    about = watcher.opened()
    watcher.tells(about, Reason.FIRED)
    assert manager.told("firing critical")
    watcher.ends(about, ago=timedelta(minutes=90))
    assert manager.told("firing critical", "resolved critical")


@pytest.mark.parametrize("ago", [timedelta(hours=2), timedelta(hours=9)], ids=["of no length", "before its start"])
def test_an_end_without_length_is_taken(manager: Alertmanager, watcher: Watcher, ago: timedelta) -> None:
    about = watcher.opened()
    watcher.tells(about, Reason.FIRED)
    assert manager.told("firing critical")
    watcher.tells(replace(about, ended_at=watcher.now - ago), Reason.CLOSED)
    assert manager.told("firing critical", "resolved critical")


def test_its_silences_hold_whatever_is_told_again(manager: Alertmanager, watcher: Watcher) -> None:
    now = watcher.now
    id = manager.silence(
        f"{now - MINUTE:%FT%TZ}", f"{now + HOUR:%FT%TZ}", source="usage_watch", model="claude-opus-4-8"
    )
    watcher.tells(watcher.opened(), Reason.FIRED)
    assert eventually(lambda: len(manager.alerts()) == 1)
    watcher.watches(HOUR)
    assert manager.quiet()
    manager.unsilence(id)
    assert manager.told("firing critical")


def test_two_watchers_of_the_same_are_heard_as_one(
    manager: Alertmanager, watcher: Watcher, tmp_path: Path, stack: ExitStack
) -> None:
    other = Watcher(tmp_path / "other", manager.url, stack)
    other.now = watcher.now
    about = watcher.opened()
    watcher.tells(about, Reason.FIRED)
    other.tells(replace(about, id="inc_of_the_other", started_at=about.started_at + HOUR), Reason.FIRED)
    for each in (watcher, other) * 3:
        each.watches(20 * MINUTE)
    assert manager.told("firing critical")
    watcher.ends(about)
    other.ends(replace(about, id="inc_of_the_other"))
    assert manager.told("firing critical", "resolved critical")


def test_a_higher_level_ends_the_lower_one(manager: Alertmanager, watcher: Watcher) -> None:
    watcher.tells(watcher.opened(Severity.WARNING), Reason.FIRED)
    assert manager.told("firing warning")
    about = watcher.opened()
    watcher.tells(about, Reason.ESCALATED)
    assert eventually(lambda: len(manager.heard()) == 3)
    assert sorted(manager.heard()[1:]) == ["firing critical", "resolved warning"]
    watcher.watches(HOUR)
    watcher.ends(about)
    assert eventually(lambda: len(manager.heard()) == 4)
    assert manager.heard()[3] == "resolved critical"


def test_what_came_and_went_is_heard(manager: Alertmanager, watcher: Watcher) -> None:
    over = replace(watcher.opened(), ended_at=watcher.now - HOUR)
    watcher.tells(over, Reason.FIRED_AND_ENDED)
    watcher.watches(HOUR)
    assert manager.told("firing critical")
    [said] = manager.receiver.requests
    assert "came and went" in said.json["alerts"][0]["annotations"]["summary"]


def test_where_the_watcher_is_gone_it_ends_by_itself(manager: Alertmanager, watcher: Watcher) -> None:
    # Told 20 minutes ago, all but three seconds.
    watcher.room.clock.step(datetime.now(UTC) - 20 * MINUTE + 3 * SECOND)
    watcher.tells(watcher.opened(), Reason.FIRED)
    assert manager.told("firing critical")
    assert manager.told("firing critical", "resolved critical")
