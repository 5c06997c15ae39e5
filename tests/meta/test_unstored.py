"""What is said where nothing can be stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from usage_watch.core.message import Message, Reason
from usage_watch.core.wording import news
from usage_watch.errors import Hindrance
from usage_watch.meta import RULES
from usage_watch.meta.telling import Reader
from usage_watch.meta.unstored import RULE, message, reason_of

SINCE = datetime(2026, 11, 20, 8, 20, tzinfo=UTC)
READER = Reader(ZoneInfo("Europe/Berlin"), SINCE + timedelta(hours=2))


def said(
    hindrance: Hindrance = Hindrance.FULL,
    reason: Reason = Reason.FIRED,
    error: str = "/var/usage.db cannot grow: the disk is full; make room, nothing that was stored is lost",
    ended_at: datetime | None = None,
) -> Message:
    return message("inc_1", reason, 1, hindrance, error, SINCE, ended_at, READER)


def test_people_read_since_when_and_why_and_what_to_do() -> None:
    words = news(said())
    assert words.line == "🔴 nothing can be stored since 09:20: the database's disk is full (Database not usable)"
    assert [(fact.name, fact.value.partition(" until")[0]) for fact in words.entries[0].reasons] == [
        ("Last error", "/var/usage.db cannot grow: the disk is full"),
        ("What it means", "Nothing new is judged or told"),
        ("What to do", "Make room, nothing that was stored is lost"),
        ("And then", "Nothing: it is tried every 30 s, goes on by itself, and says so"),
    ]
    assert words.command == "usage-watch status", "no command finds what no database knows"
    assert words.footer == ("meta:store_hindered", "times in Europe/Berlin")


def test_they_read_when_it_is_over() -> None:
    words = news(said(reason=Reason.RESOLVED, ended_at=SINCE + timedelta(hours=1)))
    assert words.line == "✅ ended 10:20: Database not usable (1 h)"
    assert [fact.name for fact in words.entries[0].reasons] == ["Afterwards", "What was wrong"]


def test_another_day_of_it_says_for_how_long() -> None:
    line = news(said(reason=Reason.REMINDER)).line
    assert line.startswith("🔴 still open after 2 h: nothing can be stored since 09:20: the database's disk is full")


def test_what_is_damaged_does_not_mend_itself() -> None:
    facts = news(said(Hindrance.DAMAGED, error="it is damaged")).entries[0].reasons
    assert [fact.name for fact in facts] == ["Last error", "What it means", "And then"]
    assert facts[-1].value.startswith("Start usage-watch again")


@pytest.mark.parametrize("hindrance", list(Hindrance))
def test_every_cause_has_its_words(hindrance: Hindrance) -> None:
    assert said(hindrance).news[0].evidence.summary == f"nothing can be stored since 09:20: {reason_of(hindrance)}"


def test_it_is_no_alert_of_the_database() -> None:
    assert RULE.id not in RULES
