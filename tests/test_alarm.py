"""The alarm alone: whom it tells, how often, and when it is over. Its receivers are real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.alertmanager import eventually
from tests.fakes.scripted_http import Answer, Hang, Reset
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.alarm import CALM, GIVE_UP, Alarm
from usage_watch.config import load
from usage_watch.errors import Hindrance, MachineError
from usage_watch.told import Told

AT = datetime(2026, 11, 20, 22, tzinfo=UTC)
AGAIN = timedelta(seconds=30)
RULES = """\
channels:
  pager: {{kind: {kind}, url: "{pager}"}}
  other: {{kind: webhook, url: "{other}"}}
notify: [other]
meta: {{notify: {{critical: [{told}]}}}}
rules:
  - {{id: hourly, kind: threshold, above: 2_000}}
"""


def error(hindrance: Hindrance = Hindrance.FULL) -> MachineError:
    return MachineError("/var/usage.db cannot grow; make room", hindrance)


@dataclass
class Room:
    folder: Path
    pager: WebhookReceiver
    other: WebhookReceiver
    now: datetime = AT

    def alarm(self, kind: str = "webhook", told: str = "pager") -> Alarm:
        path = self.folder / "rules.yaml"
        hooks = {"pager": self.pager.url("/p"), "other": self.other.url("/o")}
        path.write_text(RULES.format(kind=kind, told=told, **hooks))
        return Alarm(load(path), {}, Told(self.database))

    @property
    def database(self) -> Path:
        return self.folder / "usage.db"

    @property
    def kept(self) -> Path:
        return self.folder / "usage.db.alarm"

    def hinder(self, alarm: Alarm, times: int = 1, hindrance: Hindrance = Hindrance.FULL) -> None:
        for _ in range(times):
            alarm.hindered(error(hindrance), self.now)
            self.now += AGAIN

    def settle(self, alarm: Alarm) -> None:
        """Until what is under way is back."""
        assert eventually(lambda: all(each.returned.qsize() or not each.under_way for each in alarm._hearers.values()))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(each.json["reason"], each.json["summary"].rpartition(": ")[2]) for each in self.pager.requests]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with WebhookReceiver() as pager, WebhookReceiver() as other:
        yield Room(tmp_path, pager, other)


FULL = "the database's disk is full"


def test_it_is_told_once_a_day_to_those_who_hear_what_is_critical_of_the_watcher(room: Room) -> None:
    alarm = room.alarm()
    assert not alarm.heard
    for _ in range(5):
        room.hinder(alarm)
        room.settle(alarm)
    assert room.told == [("fired", FULL)]
    assert alarm.heard
    assert room.other.requests == []
    room.now += timedelta(hours=2)
    room.hinder(alarm)
    room.settle(alarm)
    assert room.told == [("fired", FULL), ("reminder", FULL)]


def test_another_cause_is_told_too(room: Room) -> None:
    alarm = room.alarm()
    for hindrance in (Hindrance.FULL, Hindrance.DAMAGED, Hindrance.FULL, Hindrance.DAMAGED):
        room.hinder(alarm, hindrance=hindrance)
        room.settle(alarm)
    assert room.told == [("fired", FULL), ("fired", "the database is damaged")]


def test_a_lock_pages_nobody_before_it_has_lasted(room: Room) -> None:
    alarm = room.alarm()
    room.hinder(alarm, 4, Hindrance.LOCKED)
    alarm.well(room.now)
    room.hinder(alarm, 4, Hindrance.LOCKED)
    room.settle(alarm)
    assert (room.told, alarm.heard) == ([], False)
    room.hinder(alarm, 1, Hindrance.LOCKED)
    room.settle(alarm)
    assert room.told == [("fired", "another program keeps the database locked")]


def test_it_is_over_once_it_has_gone_well_for_a_while(room: Room) -> None:
    alarm = room.alarm()
    room.hinder(alarm)
    room.settle(alarm)
    alarm.well(room.now)
    room.hinder(alarm)
    alarm.well(room.now)
    well_from, room.now = room.now, room.now + CALM
    alarm.well(room.now)
    room.settle(alarm)
    alarm.well(room.now)
    assert [reason for reason, _ in room.told] == ["fired", "resolved"]
    last = room.pager.requests[-1].json["incident"]
    assert last["ended_at"] == f"{well_from:%Y-%m-%dT%H:%M:%SZ}"
    assert last["sequence"] == 2
    assert not alarm.heard
    room.hinder(alarm)
    room.settle(alarm)
    assert [reason for reason, _ in room.told] == ["fired", "resolved", "fired"], "another outage is another alert"
    assert len({each.headers["webhook-id"] for each in room.pager.requests}) == 3
    assert len({each.json["incident"]["id"] for each in room.pager.requests}) == 2


def test_an_outage_after_a_half_told_end_is_another(room: Room) -> None:
    alarm = room.alarm(told="pager, other")
    room.hinder(alarm)
    room.settle(alarm)
    alarm.well(room.now)
    room.now += CALM
    room.other.script.append(Answer(503))
    alarm.well(room.now)
    room.settle(alarm)
    room.hinder(alarm)
    room.settle(alarm)
    assert [reason for reason, _ in room.told] == ["fired", "resolved", "fired"]


@pytest.mark.parametrize("step", [Answer(503), Answer(404), Answer(429), Reset()])
def test_who_does_not_take_it_is_tried_again_under_the_same_id(room: Room, step: Answer | Reset) -> None:
    alarm = room.alarm()
    room.pager.script.append(step)
    for _ in range(3):
        room.hinder(alarm)
        room.settle(alarm)
    assert room.told == [("fired", FULL)] * 2
    assert len({each.headers["webhook-id"] for each in room.pager.requests}) == 1


def test_who_refuses_it_is_told_less_and_then_left_alone(room: Room) -> None:
    alarm = room.alarm()
    room.pager.script.extend([Answer(400)] * 9)
    for _ in range(4):
        room.hinder(alarm)
        room.settle(alarm)
    assert [bool(each.json["facts"]) for each in room.pager.requests] == [True, False]
    assert not alarm.heard
    alarm.well(room.now)
    alarm.well(room.now + CALM)
    room.settle(alarm)
    assert len(room.pager.requests) == 2, "who heard of nothing hears of no end"


def test_who_hangs_holds_up_nobody(room: Room) -> None:
    alarm = room.alarm(told="pager, other")
    room.pager.script.append(Hang())
    room.hinder(alarm, 3)
    assert eventually(lambda: len(room.other.requests) == 1 and len(room.pager.requests) == 1)
    assert eventually(lambda: alarm.heard)
    alarm.well(room.now)
    alarm.well(room.now + CALM)
    assert eventually(lambda: len(room.other.requests) == 2)
    alarm.well(room.now + CALM + GIVE_UP)
    assert not alarm.heard, "nor for ever"


def test_a_target_by_state_is_told_that_it_stands(room: Room) -> None:
    alarm = room.alarm(kind="alertmanager")
    for _ in range(21):
        room.hinder(alarm)
        room.settle(alarm)
    alerts = [each.json[0] for each in room.pager.requests]
    assert [each["labels"]["alertname"] for each in alerts] == ["meta:store_hindered"] * 3, "every 5 minutes"
    assert len({str(each["labels"]) for each in alerts}) == 1
    assert alerts[-1]["endsAt"] > alerts[0]["endsAt"]


def test_a_restart_gives_it_the_same_id(room: Room) -> None:
    for _ in range(2):
        alarm = room.alarm()
        room.hinder(alarm)
        room.settle(alarm)
    ids = [each.headers["webhook-id"] for each in room.pager.requests]
    assert len(ids) == 2, "that it was taken was not seen"
    assert len(set(ids)) == 1


def test_what_was_taken_just_before_the_end_is_kept(room: Room) -> None:
    alarm = room.alarm()
    room.hinder(alarm)
    room.settle(alarm)
    alarm.close()
    room.hinder(after := room.alarm())
    room.settle(after)
    assert room.told == [("fired", FULL)]


def told_before_a_restart(room: Room, told: str = "pager") -> Alarm:
    alarm = room.alarm(told=told)
    room.hinder(alarm)
    room.settle(alarm)
    assert alarm.heard
    return room.alarm(told=told)


def test_an_outage_that_ended_with_a_restart_is_told_to_be_over(room: Room) -> None:
    after = told_before_a_restart(room)
    for _ in range(2):
        after.well(room.now)
        room.now += CALM
    room.settle(after)
    after.well(room.now)
    assert room.told == [("fired", FULL), ("resolved", FULL)]
    assert len({each.json["incident"]["id"] for each in room.pager.requests}) == 1
    assert room.pager.requests[-1].json["incident"]["started_at"] == "2026-11-20T22:00:00Z"
    again = room.alarm()
    again.well(room.now)
    assert len(room.told) == 2
    room.hinder(again)
    room.settle(again)
    assert len({each.json["incident"]["id"] for each in room.pager.requests}) == 2, "another outage of the same day"


def test_who_was_told_before_a_restart_is_not_told_again_after_it(room: Room) -> None:
    after = told_before_a_restart(room)
    room.hinder(after, 3)
    room.settle(after)
    assert after.heard
    assert room.told == [("fired", FULL)]
    room.hinder(after, hindrance=Hindrance.DAMAGED)
    room.settle(after)
    assert room.told[1:] == [("fired", "the database is damaged")]


def test_who_is_told_after_a_restart_alone_hears_of_it(room: Room) -> None:
    told_before_a_restart(room)
    after = room.alarm(told="pager, other")
    room.hinder(after)
    room.settle(after)
    assert (len(room.pager.requests), len(room.other.requests)) == (1, 1)


def test_a_channel_that_sends_elsewhere_after_a_restart_knows_of_nothing(room: Room) -> None:
    told_before_a_restart(room)
    after = room.alarm(kind="alertmanager")
    after.well(room.now)
    after.well(room.now + CALM)
    assert not after.heard
    assert len(room.pager.requests) == 1


@pytest.mark.parametrize(
    "torn", [b"", b"[1]", b'{"since": 1', b'{"name": "", "number": 1, "since": "x", "over": false}']
)
def test_what_was_torn_is_as_good_as_nothing(room: Room, torn: bytes) -> None:
    room.kept.write_bytes(torn)
    alarm = room.alarm()
    room.hinder(alarm)
    room.settle(alarm)
    assert alarm.heard
    assert room.told == [("fired", FULL)]


def test_where_nothing_can_be_kept_it_is_told_all_the_same(room: Room) -> None:
    room.kept.mkdir()
    after = told_before_a_restart(room)
    after.well(room.now)
    after.well(room.now + CALM)
    assert room.told == [("fired", FULL)]


def test_what_is_kept_takes_no_more_room_than_it_had(room: Room) -> None:
    alarm = room.alarm()
    had = room.kept.stat()
    room.hinder(alarm)
    room.settle(alarm)
    assert alarm.heard
    has = room.kept.stat()
    assert (has.st_ino, has.st_size, has.st_blocks) == (had.st_ino, had.st_size, had.st_blocks)
    assert json.loads(room.kept.read_text())["hindrance"] == "full"


def test_other_channels_are_told_from_the_next_attempt_on(room: Room) -> None:
    alarm = room.alarm()
    room.hinder(alarm)
    room.settle(alarm)
    room.alarm(told="pager, other")
    alarm.heed(load(room.folder / "rules.yaml"))
    room.hinder(alarm)
    room.settle(alarm)
    assert (len(room.pager.requests), len(room.other.requests)) == (1, 1)


def test_it_links_to_the_page_for_no_alert_of_it_is_stored(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    path = room.folder / "rules.yaml"
    watched = "channels: {screen: {kind: log}}\nmeta: {notify: [screen]}\n"
    path.write_text(watched)
    alarm = Alarm(load(path), {}, Told(room.database))
    room.hinder(alarm)
    room.settle(alarm)
    path.write_text(f"web: {{public_url: https://usage.example.com}}\n{watched}")
    alarm.heed(load(path))
    room.hinder(alarm, hindrance=Hindrance.READ_ONLY)
    room.settle(alarm)
    before, _, after = capsys.readouterr().out.partition("read-only")
    assert "Page" not in before
    assert "Page         https://usage.example.com/\n" in after


def test_a_clock_that_is_set_back_makes_it_no_younger(room: Room) -> None:
    alarm = room.alarm()
    room.hinder(alarm)
    room.settle(alarm)
    room.now -= timedelta(days=1)
    room.hinder(alarm)
    room.settle(alarm)
    alarm.well(room.now + timedelta(days=1))
    alarm.well(room.now)
    alarm.well(room.now + CALM)
    room.settle(alarm)
    assert [reason for reason, _ in room.told] == ["fired", "reminder", "resolved"]


def test_where_nobody_is_to_be_told_nobody_is(room: Room) -> None:
    alarm = room.alarm(told="")
    room.hinder(alarm)
    alarm.well(room.now)
    assert not alarm.heard
