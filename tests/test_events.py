"""`events` of the rules file: what they say about what is usual."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from usage_watch import yamlfile
from usage_watch.config import Config, warnings
from usage_watch.config.muting import lessons
from usage_watch.config.reading import read
from usage_watch.core.lessons import Lessons
from usage_watch.core.schedule import Days

TOLD = "channels: {ops: {kind: log}}\nnotify: [ops]\n"
LEARNS = "rules: [{id: a, kind: zscore, method: plain}]\n"
BERLIN = ZoneInfo("Europe/Berlin")


def config(text: str) -> Config:
    return read(yamlfile.parse(text.encode(), "rules.yaml"))


def event(fields: str, title: str = "x") -> str:
    return f"- {{title: {title}, from: 2026-12-24, to: 2026-12-26{fields and ', '}{fields}}}\n"


def hints(text: str) -> list[str]:
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in warnings(config(text), {}, {})]


CHRISTMAS = Days(date(2026, 12, 24), date(2026, 12, 26), BERLIN)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", Lessons()),
        ("mute: [zscore]", Lessons()),
        ("learn: yes", Lessons()),
        ("learn: no", Lessons(unlearned=(CHRISTMAS,))),
        ("learn: off, mute: [zscore]", Lessons(unlearned=(CHRISTMAS,))),
        ("as: weekend", Lessons(weekends=(CHRISTMAS,))),
        ("as: weekend, learn: false", Lessons(weekends=(CHRISTMAS,), unlearned=(CHRISTMAS,))),
    ],
)
def test_an_event_says_what_is_usual_on_its_days(fields: str, expected: Lessons) -> None:
    written = config("timezone: Europe/Berlin\nevents:\n" + event(fields))
    assert lessons(written.events, written.timezone) == expected
    again = Config.model_validate(written.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    assert again.events == written.events


def test_all_rules_are_told_of_all_events() -> None:
    written = config("timezone: Europe/Berlin\nevents:\n" + event("as: weekend") + event("") + event("as: weekend"))
    assert written.defaults.lessons == Lessons(weekends=(CHRISTMAS, CHRISTMAS))


def test_what_is_new_may_be_muted() -> None:
    [mute] = config("events:\n" + event("mute: [novelty]")).mutes
    assert mute.takes("new-connector", "novelty", [None])


@pytest.mark.parametrize("fields", ["as: weekend", "learn: no", "learn: no, mute: [zscore]", "mute: [zscore]"])
def test_what_teaches_or_mutes_something_is_not_warned_of(fields: str) -> None:
    assert hints(TOLD + LEARNS + "events:\n" + event(fields)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", ["5:3: this event does nothing; write `mute: [zscore]` (kinds of rules), `as: weekend` or `learn: no`"]),
        (
            "learn: yes",
            ["5:3: this event does nothing; write `mute: [zscore]` (kinds of rules), `as: weekend` or `lea"],
        ),
        ("as: weekend", ["5:3: this event teaches no rule: none of the file's learns what is usual"]),
        (
            "learn: no, mute: [budget]",
            [
                "5:3: this event teaches no rule: none of the file's learns what is usual",
                "5:65: this event mutes no rule: none of the file's is of such a kind",
            ],
        ),
    ],
)
def test_what_does_nothing_is_a_warning(fields: str, expected: list[str]) -> None:
    found = hints(TOLD + "rules: [{id: a, kind: threshold, above: 5}]\nevents:\n" + event(fields))
    assert [each[: len(wanted)] for each, wanted in zip(found, expected, strict=True)] == expected
