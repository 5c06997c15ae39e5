from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.channels.samples import (
    EVIDENCE,
    EXPLAINED,
    HOUR,
    MEMBERS,
    NOON,
    RULE,
    blind,
    days_later,
    frozen,
    member_day,
    message,
    notice,
)
from usage_watch.core.message import Contributor, Message, Notice, Reason, Severity
from usage_watch.core.plain import plain, web_link
from usage_watch.core.wording import news, standing
from usage_watch.core.wordlines import text_lines

MODEL = {"Model": "claude-opus-4-8"}

LINES = {
    "fired": (
        notice(),
        "🔴 12,345 credits in 3 h, over the critical limit of 10,000 (hourly-credits, since 13:00)",
    ),
    "fired, of one series": (
        notice(labels=MODEL),
        "🔴 claude-opus-4-8: 12,345 credits in 3 h, over the critical limit of 10,000 (hourly-credits, since 13:00)",
    ),
    "fired, under a title that names the series": (
        notice(labels=MODEL, rule=replace(RULE, title="Credits of claude-opus-4-8")),
        "🔴 Credits of claude-opus-4-8: 12,345 credits in 3 h, over the critical limit of 10,000 (since 13:00)",
    ),
    "came and went, under a title that names the series": (
        notice(Reason.FIRED_AND_ENDED, labels=MODEL, rule=replace(RULE, title="claude-opus-4-8 by the hour")),
        "✅ claude-opus-4-8 by the hour came and went: 12,345 credits in 3 h, over the critical limit of 10,000"
        " (13:00–20:00, 7 h)",
    ),
    "escalated": (
        notice(Reason.ESCALATED),
        "🔴 now critical: 12,345 credits in 3 h, over the critical limit of 10,000 (hourly-credits, since 13:00)",
    ),
    "escalated, of one series": (
        notice(Reason.ESCALATED, labels=MODEL),
        "🔴 claude-opus-4-8 is now critical: 12,345 credits in 3 h, over the critical limit of 10,000"
        " (hourly-credits, since 13:00)",
    ),
    "resolved": (
        notice(Reason.RESOLVED),
        "✅ ended 20:00: hourly-credits (7 h, peak 12,345 credits in 3 h)",
    ),
    "resolved, of one series": (
        notice(Reason.RESOLVED, labels=MODEL),
        "✅ ended 20:00: claude-opus-4-8 (hourly-credits, 7 h, peak 12,345 credits in 3 h)",
    ),
    "closed": (
        notice(Reason.CLOSED),
        "⚪ closed: its rule was removed or disabled (hourly-credits, after 7 h)",
    ),
    "closed, of one series": (
        notice(Reason.CLOSED, labels=MODEL),
        "⚪ claude-opus-4-8 closed: its rule was removed or disabled (hourly-credits, after 7 h)",
    ),
    "closed without a reason": (
        notice(Reason.CLOSED, note=None),
        "⚪ closed: no longer watched (hourly-credits, after 7 h)",
    ),
    "came and went": (
        notice(Reason.FIRED_AND_ENDED),
        "✅ came and went: 12,345 credits in 3 h, over the critical limit of 10,000 (hourly-credits, 13:00–20:00, 7 h)",
    ),
    "came and went, of one series": (
        notice(Reason.FIRED_AND_ENDED, labels=MODEL),
        "✅ claude-opus-4-8 came and went: 12,345 credits in 3 h, over the critical limit of 10,000"
        " (hourly-credits, 13:00–20:00, 7 h)",
    ),
    "days that came and went": (
        member_day("ana@example.com", 21_400, Reason.FIRED_AND_ENDED),
        "✅ ana@example.com came and went: 21,400 credits in 1 d, over the critical limit of 20,000"
        " (member-day, Sun 22 Nov – Mon 23 Nov, 2 d)",
    ),
    "taken back": (
        notice(Reason.RETRACTED),
        "↩️ taken back, the source revised it: 12,345 credits turned out to be 900 credits"
        " (hourly-credits, of 13:00, learned 21:10)",
    ),
    "taken back, of one series": (
        notice(Reason.RETRACTED, labels=MODEL),
        "↩️ claude-opus-4-8 taken back, the source revised it: 12,345 credits turned out to be 900 credits"
        " (hourly-credits, of 13:00, learned 21:10)",
    ),
    "taken back without a reason": (
        notice(Reason.RETRACTED, note=None),
        "↩️ taken back, the source revised it (hourly-credits, of 13:00, learned 21:10)",
    ),
    "corrected": (
        notice(Reason.UPDATED),
        "🔴 corrected: 12,345 credits in 3 h, over the critical limit of 10,000 (hourly-credits, since 13:00)",
    ),
    "corrected once it was over": (
        notice(Reason.UPDATED, ended_at=NOON + 7 * HOUR, labels=MODEL),
        "⚪ claude-opus-4-8 corrected: 12,345 credits in 3 h, over the critical limit of 10,000"
        " (hourly-credits, 13:00–20:00, 7 h)",
    ),
    "looks over": (
        notice(looks_over=True),
        "🔴 12,345 credits in 3 h, over the critical limit of 10,000"
        " (hourly-credits, since 13:00, looks clear, waiting for data to settle)",
    ),
    "the watcher's own": (
        blind(),
        "🔴 The analytics key does not work since 13:00 (2 attempts): nothing is read until it is replaced"
        " (Analytics key refused)",
    ),
    "the watcher's own, worse": (
        blind(Reason.ESCALATED),
        "🔴 now critical: the analytics key does not work since 13:00 (2 attempts): nothing is read until it is"
        " replaced (Analytics key refused)",
    ),
    "the watcher's own, ended": (blind(Reason.RESOLVED), "✅ ended 20:00: Analytics key refused (7 h)"),
    "the watcher's own, of a dataset, ended": (
        blind(Reason.RESOLVED, labels={"dataset": "credit_usage"}),
        "✅ ended 20:00: credit_usage (Analytics key refused, 7 h)",
    ),
    "the watcher's own, come and gone": (
        blind(Reason.FIRED_AND_ENDED),
        "✅ came and went: the analytics key does not work since 13:00 (2 attempts): nothing is read until it is"
        " replaced (Analytics key refused, 13:00–20:00, 7 h)",
    ),
    "the watcher's own, closed": (
        blind(Reason.CLOSED, note="It is not looked for any more."),
        "⚪ closed: it is not looked for any more (Analytics key refused, after 7 h)",
    ),
    "a day": (
        member_day("ana@example.com", 21_400),
        "🔴 ana@example.com: 21,400 credits in 1 d, over the critical limit of 20,000 (member-day, since Sun 22 Nov)",
    ),
    "days that ended": (
        member_day("ana@example.com", 21_400, Reason.RESOLVED),
        "✅ ended Mon 23 Nov: ana@example.com (member-day, 2 d, peak 21,400 credits in 1 d)",
    ),
    "began on another day": (
        notice(started_at=NOON - 24 * HOUR),
        "🔴 12,345 credits in 3 h, over the critical limit of 10,000 (hourly-credits, since Sat 21 Nov 13:00)",
    ),
}


@pytest.mark.parametrize(("one", "line"), LINES.values(), ids=LINES.keys())
def test_a_phone_shows_number_limit_and_time_first(one: Notice, line: str) -> None:
    assert news(message(one)).line == line


@pytest.mark.parametrize(
    ("severity", "mark"), [(Severity.INFO, "🔵"), (Severity.WARNING, "🟠"), (Severity.CRITICAL, "🔴")]
)
def test_the_mark_tells_how_grave_it_is(severity: Severity, mark: str) -> None:
    assert news(message(notice(severity=severity))).line.startswith(f"{mark} ")


NOTES = {
    "a sentence": ("A new period began.", "a new period began"),
    "an abbreviation": ("API keys were changed", "API keys were changed"),
    "one letter": ("X", "X"),
    "nothing to see": ("\u200b", "no longer watched"),
    "a full stop": (".", "no longer watched"),
}


@pytest.mark.parametrize(("note", "said"), NOTES.values(), ids=NOTES.keys())
def test_a_note_becomes_part_of_the_sentence(note: str, said: str) -> None:
    assert news(message(notice(Reason.CLOSED, note=note))).title == f"⚪ closed: {said} (hourly-credits)"


def test_where_nothing_was_used_no_height_is_named() -> None:
    none = replace(EVIDENCE, value=0.0, limit=1.0, summary="no credits for 2 d, since Fri 20 Nov 15:00")
    assert news(message(notice(Reason.RESOLVED, evidence=none))).line == "✅ ended 20:00: hourly-credits (7 h)"
    still = facts(reminded(notice(evidence=none, latest="no credits for 4 d")))
    assert "At its worst" not in still
    assert still["Now"] == "no credits for 4 d"


PEAKS = {
    "a share": ({"unit": "%", "value": 63.4, "limit": 60.0}, "peak 63 % in 3 h"),
    "below a limit": ({"value": 3.0, "limit": 10.0}, "lowest 3 credits in 3 h"),
    "just one": ({"value": 1.0, "limit": 0.0}, "peak 1 credit in 3 h"),
}


@pytest.mark.parametrize(("changes", "height"), PEAKS.values(), ids=PEAKS.keys())
def test_an_end_tells_how_far_it_went(changes: dict[str, object], height: str) -> None:
    ended = notice(Reason.RESOLVED, evidence=replace(EVIDENCE, **changes))  # type: ignore[arg-type]
    assert news(message(ended)).line == f"✅ ended 20:00: hourly-credits (7 h, {height})"


WHOLES = {
    "all of it": ({"whole": 63_100.0}, "hourly-credits, 63,100 credits in 7 h (peak 12,345 credits in 3 h)"),
    "less than the window": ({"whole": 9_000.0}, "hourly-credits (7 h, peak 12,345 credits in 3 h)"),
    "too little of it": ({"whole": 30.0, "value": 3.0, "limit": 10.0}, "hourly-credits (7 h, lowest 3 credits in 3 h)"),
}


@pytest.mark.parametrize(("changes", "said"), WHOLES.values(), ids=WHOLES.keys())
def test_an_end_tells_how_much_it_was_in_all(changes: dict[str, object], said: str) -> None:
    ended = notice(Reason.RESOLVED, evidence=replace(EVIDENCE, **changes))  # type: ignore[arg-type]
    assert news(message(ended)).line == f"✅ ended 20:00: {said}"


def test_a_reminder_says_how_it_stands_now_beside_its_worst() -> None:
    said = {
        fact.name: fact.value
        for fact in news(days_later(reminded(notice(latest="8,100 credits in 3 h")))).entries[0].reasons
    }
    assert said["At its worst"] == "Sun 22 Nov 11:00–14:00"
    assert said["Now"] == "8,100 credits in 3 h"


def test_the_peak_of_a_budget_is_that_of_its_period_so_no_window_is_named() -> None:
    ended = notice(Reason.RESOLVED, period_at=NOON - 200 * HOUR)
    assert news(message(ended)).line.endswith("(7 h, peak 12,345 credits)")


def test_a_title_is_said_in_place_of_the_id_and_the_id_once_at_the_bottom() -> None:
    words = news(message(notice(rule=replace(RULE, title="Credits by the hour"))))
    assert words.line.endswith("(Credits by the hour, since 13:00)")
    assert words.footer[0] == "hourly-credits"


def test_a_test_says_that_nothing_happened_before_all_else() -> None:
    words = news(message(test=True))
    assert words.line.startswith("🧪 test, nothing happened: 🔴 12,345 credits")
    assert words.title.startswith("🧪 test, nothing happened: 🔴 12,345 credits")


ANA, BEN, CLEO = (
    member_day(f"{name}@example.com", used) for name, used in [("ana", 21_400), ("ben", 2_900), ("cleo", 4_100)]
)


def test_several_are_counted_and_the_gravest_is_named() -> None:
    words = news(message(BEN, CLEO, ANA))
    assert words.line == (
        "🔴 3 alerts of member-day: ana@example.com: 21,400 credits in 1 d, over the critical limit of 20,000;"
        " and 2 more"
    )
    assert [entry.headline.partition("@")[0] for entry in words.entries] == ["ana", "cleo", "ben"]


COUNTS = {
    "all ended": ([Reason.RESOLVED, Reason.RESOLVED], "✅ 2 alerts of member-day ended"),
    "all closed": ([Reason.CLOSED, Reason.CLOSED], "⚪ 2 alerts of member-day closed"),
    "all worse": ([Reason.ESCALATED, Reason.ESCALATED], "🔴 2 alerts of member-day got worse"),
    "all still open": ([Reason.REMINDER] * 3, "🔴 3 alerts of member-day still open"),
    "all come and gone": ([Reason.FIRED_AND_ENDED] * 2, "✅ 2 alerts of member-day came and went"),
    "all taken back": ([Reason.RETRACTED] * 2, "↩️ 2 alerts of member-day taken back"),
    "all corrected": ([Reason.UPDATED] * 2, "🔴 2 alerts of member-day corrected"),
    "some of each": (
        [*Reason, Reason.RESOLVED],
        "🔴 8 alerts of member-day (1 open, 1 worse, 1 still open, 1 came and went, 2 ended, 1 taken back, 1 closed)",
    ),
}


@pytest.mark.parametrize(("reasons", "title"), COUNTS.values(), ids=COUNTS.keys())
def test_what_happened_to_several_is_counted_by_kind(reasons: list[Reason], title: str) -> None:
    several = [member_day(f"member{n}@example.com", 30_000, reason) for n, reason in enumerate(reasons)]
    assert news(message(*several)).title == title


def test_what_goes_on_is_named_before_what_is_over_however_grave_that_was() -> None:
    words = news(message(replace(ANA, reason=Reason.RESOLVED, ended_at=NOON + 12 * HOUR), BEN))
    assert words.entries[0].headline.startswith("ben@example.com")


def test_twenty_are_named_and_the_rest_counted() -> None:
    words = news(message(*(member_day(f"member{n:02}@example.com", 3_000 + n) for n in range(32))))
    assert len(words.entries) == 20
    assert words.more == 12
    assert words.entries[0].headline.startswith("member31@")
    assert "and 12 more" in text_lines(words)


def test_nobody_is_counted_as_more_when_all_are_named() -> None:
    assert not any(line.startswith("and ") for line in text_lines(news(message(ANA, BEN))))


def test_how_it_stands_is_worded_from_the_standing_notices() -> None:
    over = replace(ANA, reason=Reason.RESOLVED, ended_at=NOON + 12 * HOUR)
    said = message(over, standing=(over, BEN))
    assert standing(said).title == "🟠 2 alerts of member-day (1 open, 1 ended)"


def test_the_lines_of_an_alert_say_since_when_why_what_to_do_and_how_fresh() -> None:
    assert text_lines(news(message(notice(labels=MODEL)))) == (
        "🔴 claude-opus-4-8: 12,345 credits in 3 h, over the critical limit of 10,000 (hourly-credits, since 13:00)",
        "",
        "Model                claude-opus-4-8",
        "Severity             critical",
        "Since                13:00",
        "Usual for this hour  3,100 to 4,900",
        "Limits               warning 5,000, critical 10,000",
        "By Model             claude-opus-4-8 +8,800 (71 %), claude-sonnet-4-5 +1,240 (10 %)",
        "",
        "What to do   https://wiki.example.com/credits?a=1&b=2",
        "Look closer  usage-watch alerts show inc_4f2a9c81d07be6a35c11",
        "",
        "hourly-credits · data until 14:00, 1 h 10 min old · times in Europe/Berlin",
    )


def test_the_lines_of_an_end_say_how_long_and_how_bad_and_leave_out_what_to_do() -> None:
    assert text_lines(news(message(notice(Reason.RESOLVED)))) == (
        "✅ ended 20:00: hourly-credits (7 h, peak 12,345 credits in 3 h)",
        "",
        "Severity      critical",
        "Since         13:00",
        "Ended         20:00",
        "Lasted        7 h",
        "At its worst  12,345 credits in 3 h, over the critical limit of 10,000",
        "By Model      claude-opus-4-8 +8,800 (71 %), claude-sonnet-4-5 +1,240 (10 %)",
        "",
        "Look closer  usage-watch alerts show inc_4f2a9c81d07be6a35c11",
        "",
        "hourly-credits · data until 20:00, 1 h 10 min old · times in Europe/Berlin",
    )


def facts(one: Notice) -> dict[str, str]:
    [entry] = news(message(one)).entries
    return {fact.name: fact.value for fact in (*entry.standing, *entry.reasons)}


def test_what_came_and_went_is_explained_in_full_for_it_was_never_told() -> None:
    assert facts(notice(Reason.FIRED_AND_ENDED)) == {
        "Severity": "critical",
        "Since": "13:00",
        "Ended": "20:00",
        "Lasted": "7 h",
        "Usual for this hour": "3,100 to 4,900",
        "Limits": "warning 5,000, critical 10,000",
        "By Model": "claude-opus-4-8 +8,800 (71 %), claude-sonnet-4-5 +1,240 (10 %)",
    }


def test_of_what_is_taken_back_only_what_had_been_said_is_repeated() -> None:
    assert facts(notice(Reason.RETRACTED)) == {
        "Severity": "critical",
        "Alert of": "13:00",
        "Learned": "21:10",
        "It had said": "12,345 credits in 3 h, over the critical limit of 10,000",
    }


def test_later_news_do_not_move_when_something_was_taken_back() -> None:
    back, other = notice(Reason.RETRACTED), notice(incident_id="inc_other")
    [_, entry] = standing(message(other, standing=(back, other))).entries
    assert entry.aside == ("of 13:00",)
    assert [fact.name for fact in entry.standing] == ["Severity", "Alert of"]


def test_what_looks_over_says_so_where_it_stands() -> None:
    assert facts(notice(looks_over=True))["Now"] == "looks clear, waiting for data to settle"
    assert "Now" not in facts(notice(Reason.RESOLVED, looks_over=True))


def test_what_is_said_afterwards_is_said_only_then() -> None:
    missed = "The analytics key works again: nothing was read for 7 h; it was all read since."
    assert "Afterwards" not in facts(blind())
    assert facts(blind(Reason.RESOLVED))["Afterwards"] == missed
    assert facts(blind(Reason.RESOLVED))["What was wrong"].startswith("The analytics key does not work")
    assert facts(notice(Reason.CLOSED, evidence=replace(EVIDENCE, after=missed)))["Afterwards"] == missed


def test_the_watchers_own_alerts_tell_of_no_data() -> None:
    assert news(message(blind(), data_until=None)).footer == ("meta:auth_revoked", "times in Europe/Berlin")


def test_several_of_the_watchers_own_say_themselves_since_when() -> None:
    assert text_lines(news(message(frozen("credit_usage 1h"), frozen("query_volume 1d"))))[2:4] == (
        "🟠 credit_usage 1h: answers are not what is documented: the feed is frozen",
        "🟠 query_volume 1d: answers are not what is documented: the feed is frozen",
    )


def test_the_watchers_own_alerts_have_hours_whatever_they_were_judged_by() -> None:
    by_days = replace(blind().evidence, bucket="1d")
    assert facts(blind(evidence=by_days))["Since"] == "13:00"


def test_what_is_closed_in_the_midst_of_a_day_ended_at_an_hour() -> None:
    closed = member_day("ana@example.com", 21_400, Reason.CLOSED, ended_at=NOON + 8 * HOUR)
    assert (facts(closed)["Since"], facts(closed)["Ended"]) == ("Sun 22 Nov", "21:00")


def test_a_correction_is_no_news_beside_news() -> None:
    words = news(message(replace(BEN, reason=Reason.UPDATED), ANA))
    assert [entry.headline.partition("@")[0] for entry in words.entries] == ["ana"]


def test_only_what_goes_on_has_something_to_be_done_about_it() -> None:
    with_runbook = {reason for reason in Reason if news(message(notice(reason))).runbook}
    assert with_runbook == {Reason.FIRED, Reason.ESCALATED, Reason.REMINDER, Reason.UPDATED}
    assert news(message(notice(Reason.UPDATED, ended_at=NOON + HOUR))).runbook is None


def test_several_are_looked_at_in_the_list() -> None:
    assert "Look closer  usage-watch alerts" in text_lines(news(message(ANA, BEN)))


# ---- reminders -------------------------------------------------------------------------------------------------------

REMINDERS = {
    "of a total": (
        notice(Reason.REMINDER),
        "🔴 still open after 2 days: 12,345 credits in 3 h, over the critical limit of 10,000"
        " (hourly-credits, since Sun 22 Nov 13:00)",
    ),
    "of one series": (
        notice(Reason.REMINDER, labels=MODEL),
        "🔴 claude-opus-4-8 still open after 2 days: 12,345 credits in 3 h, over the critical limit of 10,000"
        " (hourly-credits, since Sun 22 Nov 13:00)",
    ),
    "of days": (
        member_day("ana@example.com", 21_400, Reason.REMINDER),
        "🔴 ana@example.com still open after 2 days: 21,400 credits in 1 d, over the critical limit of 20,000"
        " (member-day, since Sun 22 Nov)",
    ),
    "of the watcher's own": (
        blind(Reason.REMINDER),
        "🔴 still open after 2 days: the analytics key does not work since 13:00 (2 attempts): nothing is read until it"
        " is replaced (Analytics key refused)",
    ),
}


def reminded(one: Notice) -> Notice:
    return replace(one, reason=Reason.REMINDER)


@pytest.mark.parametrize(("one", "line"), REMINDERS.values(), ids=REMINDERS.keys())
def test_a_reminder_says_for_how_long_it_has_been_open(one: Notice, line: str) -> None:
    assert news(days_later(one)).line == line


STOOD = [
    (timedelta(hours=-1), "0 s"),  # the clock was set back
    (timedelta(minutes=59, seconds=59), "59 min"),
    (timedelta(hours=1, minutes=59), "1 h"),
    (timedelta(hours=23, minutes=59), "23 h"),
    (timedelta(days=1), "1 day"),
    (timedelta(days=6, hours=23), "6 days"),
    (timedelta(days=7), "7 days"),
]


@pytest.mark.parametrize(("stood", "said"), STOOD)
def test_how_long_is_said_in_one_unit(stood: timedelta, said: str) -> None:
    words = news(message(notice(Reason.REMINDER), decided_at=NOON + stood))
    assert words.line.startswith(f"🔴 still open after {said}: ")


def test_the_lines_of_a_reminder_say_of_when_its_numbers_are_and_how_to_stop_it() -> None:
    assert text_lines(news(days_later(notice(Reason.REMINDER, labels=MODEL))))[2:-2] == (
        "Model                claude-opus-4-8",
        "Severity             critical",
        "Since                Sun 22 Nov 13:00",
        "At its worst         Sun 22 Nov 11:00–14:00",
        "Usual for this hour  3,100 to 4,900",
        "Limits               warning 5,000, critical 10,000",
        "By Model             claude-opus-4-8 +8,800 (71 %), claude-sonnet-4-5 +1,240 (10 %)",
        "Stop reminders       usage-watch alerts ack inc_4f2a9c81d07be6a35c11",
        "",
        "What to do   https://wiki.example.com/credits?a=1&b=2",
        "Look closer  usage-watch alerts show inc_4f2a9c81d07be6a35c11",
    )


NUMBERS_OF = {
    "hours": (notice(Reason.REMINDER), "11:00–14:00"),
    "a day": (member_day("ana@example.com", 21_400, Reason.REMINDER), "Sun 22 Nov"),
    "a period, which is as of now": (notice(Reason.REMINDER, period_at=NOON - 200 * HOUR), None),
    "a cause, which says so itself": (blind(Reason.REMINDER), None),
}


@pytest.mark.parametrize(("one", "said"), NUMBERS_OF.values(), ids=NUMBERS_OF.keys())
def test_of_when_the_numbers_of_a_reminder_are(one: Notice, said: str | None) -> None:
    assert facts(one).get("At its worst") == said


def test_only_a_reminder_says_how_to_stop_it() -> None:
    assert {reason for reason in Reason if "Stop reminders" in facts(notice(reason))} == {Reason.REMINDER}
    [stands] = standing(days_later(notice(Reason.REMINDER))).entries
    assert "Stop reminders" not in {fact.name for fact in stands.reasons}


def test_of_several_it_is_said_once_how_to_stop_reminders() -> None:
    said = text_lines(news(days_later(reminded(ANA), reminded(BEN))))
    assert said[-1].endswith(" · times in Europe/Berlin · stop reminders: usage-watch alerts ack ID")
    assert "Look closer  usage-watch alerts" in said
    assert sum("alerts ack" in line for line in said) == 1


def test_without_a_reminder_nothing_is_said_of_stopping_it() -> None:
    assert not any("alerts ack" in line for line in text_lines(news(message(ANA, BEN))))


def test_what_is_new_stands_before_what_one_is_reminded_of_however_grave_that_is() -> None:
    words = news(days_later(reminded(ANA), BEN, reminded(CLEO)))
    assert words.title == "🟠 3 alerts of member-day (1 open, 2 still open)"
    assert [entry.headline.partition("@")[0] for entry in words.entries] == ["ben", "ana", "cleo"]


def test_one_is_reminded_of_what_goes_on_before_what_is_over() -> None:
    words = news(days_later(replace(ANA, reason=Reason.RESOLVED, ended_at=NOON + 12 * HOUR), reminded(BEN)))
    assert [entry.headline.partition("@")[0] for entry in words.entries] == ["ben", "ended Sun 22 Nov: ana"]


# ---- how fresh, and when ---------------------------------------------------------------------------------------------

FRESH = {
    "never": (None, "no data yet"),
    "a moment ahead": (NOON + 3 * HOUR, "data until 16:00, 0 s old"),
    "yesterday": (NOON - 24 * HOUR, "data until Sat 21 Nov 13:00, 1 d 2 h old"),
}


@pytest.mark.parametrize(("data_until", "said"), FRESH.values(), ids=FRESH.keys())
def test_how_fresh_the_data_was(data_until: object, said: str) -> None:
    assert news(message(data_until=data_until)).footer[1] == said


def test_times_are_those_of_the_zone_which_is_named() -> None:
    words = news(message(zone="America/New_York"))
    assert words.line.endswith("since 07:00)")
    assert words.footer[-1] == "times in America/New_York"


def test_contributors_are_grouped_by_axis_and_three_of_each_are_named() -> None:
    parts = [Contributor("Model", f"m{n}", 10.0 - n, 0.1) for n in range(5)] + [Contributor("Project", "p", -4.0, 0.02)]
    [entry] = news(message(notice(evidence=replace(EVIDENCE, facts=(), contributors=tuple(parts))))).entries
    assert [(fact.name, fact.value) for fact in entry.reasons] == [
        ("By Model", "m0 +10 (10 %), m1 +9 (10 %), m2 +8 (10 %)"),
        ("By Project", "p -4 (2 %)"),
    ]


def test_why_stands_first_and_in_place_of_rows_of_contributors() -> None:
    [entry] = news(message(notice(evidence=EXPLAINED))).entries
    assert [(fact.name, fact.value) for fact in entry.reasons] == [
        ("Why", "+8,800 credits against the usual (+248 %): 71 % claude-opus-4-8 (new model)"),
        *((fact.name, fact.value) for fact in EVIDENCE.facts),
    ]


@pytest.mark.parametrize("reason", Reason)
def test_why_is_said_of_all_but_what_did_not_happen(reason: Reason) -> None:
    assert facts(notice(reason, evidence=EXPLAINED)).get("Why", None) == (
        None if reason is Reason.RETRACTED else EXPLAINED.why
    )


def test_a_flood_of_facts_is_cut() -> None:
    flood = replace(EVIDENCE, facts=EVIDENCE.facts * 50)
    assert len(news(message(notice(evidence=flood))).entries[0].reasons) == 12


def test_what_waited_for_a_day_says_its_times_as_they_are_read() -> None:
    fresh = message(notice(), data_until=NOON + 2 * HOUR)
    late = replace(fresh, said_at=fresh.decided_at + timedelta(days=1, seconds=20))
    assert "since 13:00" in news(fresh).line
    assert "since Sun 22 Nov 13:00" in news(late).line
    footer = news(late).footer[1]
    assert footer == "data until Sun 22 Nov 15:00, 1 d old"


def test_when_it_was_learned_does_not_depend_on_when_it_is_said() -> None:
    fresh = message(notice(Reason.RETRACTED))
    late = replace(fresh, said_at=fresh.decided_at + timedelta(days=1))
    assert "learned 17:10" not in news(late).line
    assert "learned Sun 22 Nov" in news(late).line


def test_a_series_without_a_name_can_still_be_told() -> None:
    assert news(message(notice(labels={"Model": "\u200b"}))).line.startswith("🔴 (blank): 12,345")


def test_an_alert_of_one_rule_never_shows_ids_to_a_phone() -> None:
    assert "inc_" not in news(message()).line


# plain()


CLEANED = {
    "an escape sequence": ("a\x1b[31mred\x1b]0;title\x07b", "a[31mred]0;titleb"),
    "C1 controls": ("a\x9b31mb", "a31mb"),
    "lines of all kinds": ("a\r\nb\x85c\u2028d\u2029e\x0bf\x0cg", "a b c d e f g"),
    "direction": ("a\u202eb\u2066c\u200fd", "abcd"),
    "nothing to see": ("a\u200bb\u2060c\ufeffd\xade", "abcde"),
    "half a pair": ("a\ud800b", "ab"),
    "white space": ("  a \t\xa0 b  ", "a b"),
    "letters, marks and signs": ("é e\u0301 中 👍 ½", "é e\u0301 中 👍 ½"),
    "a tag": ("a\U000e0041b", "ab"),
}


@pytest.mark.parametrize(("text", "cleaned"), CLEANED.values(), ids=CLEANED.keys())
def test_plain_text_shows_all_that_it_holds(text: str, cleaned: str) -> None:
    assert plain(text, 100) == cleaned


@settings(deadline=None)
@given(st.text(max_size=60), st.integers(1, 30))
def test_plain_text_is_one_short_printable_line_and_stays_what_it_is(text: str, limit: int) -> None:
    cleaned = plain(text, limit)
    assert len(cleaned) <= limit
    assert cleaned.splitlines() in ([], [cleaned])
    assert plain(cleaned, limit) == cleaned


def test_what_is_cut_says_so() -> None:
    assert plain("abcdef", 4) == "abc…"
    assert plain("ab cdef", 4) == "ab…"
    assert plain("abcd", 4) == "abcd"


LINKS = {
    "https": ("https://wiki.example.com/a?b=1&c=2#d", "https://wiki.example.com/a?b=1&c=2#d"),
    "http inside": ("http://10.0.0.5/run", "http://10.0.0.5/run"),
    "what Slack or HTML would read": ("https://x.example/<b>|'\"\n", "https://x.example/%3Cb%3E%7C%27%22%0A"),
    "a script": ("javascript:alert(1)", None),
    "no scheme": ("wiki.example.com", None),
    "no host": ("https:///a", None),
    "no URL at all": ("https://[::1", None),
    "endless": ("https://x.example/" + "a" * 2000, None),
    "none": (None, None),
}


@pytest.mark.parametrize(("written", "link"), LINKS.values(), ids=LINKS.keys())
def test_only_web_addresses_become_links(written: str | None, link: str | None) -> None:
    assert web_link(written) == link


@settings(deadline=None)
@given(st.text(max_size=80), st.sampled_from(Reason), st.sampled_from(["threshold", "meta"]))
def test_every_string_of_a_message_is_clean(text: str, reason: Reason, kind: str) -> None:
    said: Message = message(
        notice(
            reason,
            rule=replace(MEMBERS, title=text, id=text, kind=kind),
            labels={text: text},
            evidence=replace(EVIDENCE, summary=text, unit=text, after=text),
            note=text,
        )
    )
    words = news(said)
    for line in (words.line, words.title, *words.footer, *text_lines(words)):
        assert {unicodedata.category(c) for c in line}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
