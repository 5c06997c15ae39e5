from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.listening import listening
from tests.store.store_samples import incident
from usage_watch import logs
from usage_watch.core.message import Reason
from usage_watch.core.promise import Decision
from usage_watch.logs.alerts import decided

LOGGER = logging.getLogger("usage_watch")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    with listening():
        yield


def test_an_event_is_a_line_of_time_level_name_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start(verbose=False)
    before = datetime.now(UTC).replace(microsecond=0)
    logs.event("cycle.done", polled=2, next_at=datetime(2026, 11, 22, 12, tzinfo=UTC), error=None)
    time, _, rest = capsys.readouterr().err.partition(" ")
    assert rest == "info cycle.done polled=2 next_at=2026-11-22T12:00:00Z\n"
    assert before <= datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= datetime.now(UTC)


def test_programs_get_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start(False, "json")
    logs.warning("feed.failed", failures=2)
    logs.event("daemon.stopped")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("time") <= second.pop("time")
    assert first == {"level": "warning", "event": "feed.failed", "failures": 2}
    assert second == {"level": "info", "event": "daemon.stopped"}


@pytest.mark.parametrize(
    ("verbose", "level", "names"),
    [
        (False, "debug", ["one", "two", "three"]),
        (False, "info", ["two", "three"]),
        (False, "warning", ["three"]),
        (True, "warning", ["one", "two", "three"]),
    ],
)
def test_who_wants_less_gets_less(
    capsys: pytest.CaptureFixture[str], verbose: bool, level: str, names: list[str]
) -> None:
    logs.start(verbose, level=level)
    logs.debug("one")
    logs.event("two")
    logs.warning("three")
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == names


def test_started_twice_each_event_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start(verbose=False)
    logs.start(verbose=False)
    logs.event("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not LOGGER.propagate, "nobody else's handler writes it again"


def test_a_fault_is_told_by_its_kind_and_the_last_place_of_ours() -> None:
    with listening() as heard:
        try:
            logs.Streaks().failed([], "no")  # type: ignore[arg-type]
        except TypeError as error:
            logs.fault("web", error, page="/x")
        logs.fault("web", ValueError("never raised"))
    first, second = heard.fields
    assert first["at"].startswith("logs/__init__.py:")
    assert {**first, "at": ""} == {"where": "web", "error": "TypeError", "at": "", "page": "/x"}
    assert second == {"where": "web", "error": "ValueError", "at": None}


# ---- what fails again and again --------------------------------------------------------------------------------------


def test_a_streak_is_said_when_it_begins_when_it_changes_and_when_it_is_over() -> None:
    streaks = logs.Streaks()
    whys = ["no", "no", "never", "no", "never"]
    quiet, loud = logging.DEBUG, logging.WARNING
    assert [streaks.failed("ops", why) for why in whys] == [loud, quiet, loud, quiet, quiet]
    assert streaks.failed("pager", "no") == loud, "another's is another's"
    assert (streaks.over("ops"), streaks.over("ops")) == (5, 0)
    assert streaks.failed("ops", "no") == loud


def test_who_words_each_failure_otherwise_fills_no_disk() -> None:
    streaks = logs.Streaks()
    levels = [streaks.failed("ops", f"try again in {number} s") for number in range(1000)]
    assert levels.count(logging.WARNING) == 8
    assert streaks.over("ops") == 1000


def test_what_is_known_is_no_warning() -> None:
    assert logs.level_of(known=True) < logging.INFO < logs.level_of(known=False)


# ---- alerts ----------------------------------------------------------------------------------------------------------


WHY = "It is open at warning."


def test_a_decision_is_one_event_for_all_channels_that_it_concerns_alike() -> None:
    one = replace(incident(1), labels={"Model": "claude\n<0>", "member": "ana@x"})
    history = replace(incident(2), history=True, labels={})
    found = [
        Decision(one.id, "ops", Reason.FIRED, True, WHY),
        Decision(one.id, "pager", Reason.FIRED, False, "It is silenced."),
        Decision(one.id, "finance", Reason.FIRED, True, WHY),
        Decision(one.id, "ops", Reason.UPDATED, True, "It is not so."),
        Decision(history.id, None, Reason.FIRED, False, "It is history."),
        Decision("inc_unknown", None, Reason.FIRED, False, "Nobody knows it."),
    ]
    with listening(logging.DEBUG) as heard:
        decided(found, {one.id: one, history.id: history})
    said = [
        (name, fields["incident"], str(fields["reason"]), fields["targets"], fields["why"])
        for name, fields in zip(heard.names, heard.fields, strict=True)
    ]
    assert sorted(said) == [
        ("alert.held", one.id, "fired", "pager", "It is silenced."),
        ("alert.noted", one.id, "updated", "ops", "It is not so."),
        ("alert.noted", history.id, "fired", None, "It is history."),
        ("alert.told", one.id, "fired", "ops,finance", WHY),
    ]
    assert heard.fields[0]["series"] == "Model=claude\n<0>, member=ana@x", "cleaned where it is written"
    assert {heard.fields[0]["rule"], heard.fields[0]["severity"]} == {one.rule.id, one.severity}
    assert heard.fields[-1]["series"] is None
