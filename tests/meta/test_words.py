"""What people and machines read of a trouble with the source."""

from __future__ import annotations

import pytest

from tests.meta.making import ANA, ANA_DAYS, DAYS, HOURS, LETTERS, SKILLS, facts, found, minute, polls, seen
from usage_watch.core.feedstate import FeedState, Gap
from usage_watch.core.message import Evidence
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed
from usage_watch.meta import Sight

EVERY_DATASET = [Feed(name, HOUR) for name in ("artifacts", "connectors", "skills", "spaces", "task_durations", "x")]


def evidence(outcomes: str, now: float, feed: Feed = HOURS, *, every: float = 10) -> Evidence:
    [happening] = found(seen(polls(outcomes, feed, every=every), feeds=[feed, SKILLS]), now)
    return happening.evidence


@pytest.mark.parametrize(
    ("outcomes", "now", "summary", "after"),
    [
        (
            "uuus.",
            40,
            "Usage could not be read since 09:00 (4 attempts): the analytics API reports a fault of its own",
            "The analytics API answers again: nothing was read for 40 min; it was all read since.",
        ),
        (
            "uuuu.",
            40,
            "Usage could not be read since 09:00 (4 attempts): the analytics API cannot be reached",
            "The analytics API answers again: nothing was read for 40 min; it was all read since.",
        ),
        (
            "uuub.",
            40,
            "Usage could not be read since 09:00 (4 attempts): the analytics API gives unusable answers",
            "The analytics API answers again: nothing was read for 40 min; it was all read since.",
        ),
        (
            "ttttttt.",
            70,
            "Usage could not be read since 09:00 (7 attempts): the analytics API asks for fewer requests",
            "The analytics API answers again: nothing was read for 1 h 10 min; it was all read since.",
        ),
        (
            "kk.",
            20,
            "The analytics key does not work since 09:00 (2 attempts): nothing is read until it is replaced",
            "The analytics key works again: nothing was read for 20 min; it was all read since.",
        ),
        (
            "ff.",
            20,
            "The analytics API is switched off for the organization since 09:00 (2 attempts): nothing is read",
            "The analytics API is switched on again: nothing was read for 20 min; it was all read since.",
        ),
        (
            "dd.",
            20,
            "answers are not what is documented since 09:00 (2 attempts): the feed is frozen",
            "The answers are as documented again: nothing was read for 20 min; it was all read since.",
        ),
        (
            "rq.",
            20,
            "the analytics API has no answer to this question since 09:00 (2 attempts): the feed stops alone",
            "The question is answered now: nothing was read for 20 min; it was all read since.",
        ),
        (
            "m.",
            20,
            "no member of the organization any more, as of 09:00: only what is asked of them stops",
            "They are a member again: nothing was read for 10 min; it was all read since.",
        ),
    ],
)
def test_each_cause_says_what_is_wrong_and_at_the_end_what_was_missed(
    outcomes: str, now: float, summary: str, after: str
) -> None:
    over, going_on = evidence(outcomes, now), evidence(outcomes.rstrip("."), now)
    assert (over.summary, over.after) == (summary, after)
    assert (going_on.summary, going_on.after) == (summary, None)


@pytest.mark.parametrize(
    ("outcomes", "now", "unit", "value", "limit"),
    [
        ("uuuu", 35, "attempts", 4, 3),
        ("ttttttt", 150, "hours", 2, 1),
        ("ttttttt.", 150, "hours", 1, 1),
        ("kkk", 21, "attempts", 3, 2),
        ("m", 0, "attempts", 1, 1),
    ],
)
def test_a_machine_reads_how_much_and_what_was_allowed(
    outcomes: str, now: float, unit: str, value: float, limit: float
) -> None:
    read = evidence(outcomes, now)
    assert (read.unit, read.value, read.limit, read.score) == (unit, value, limit, None)


@pytest.mark.parametrize(
    ("outcomes", "feed", "dataset"),
    [("kk", HOURS, ""), ("dd", HOURS, "credit_usage"), ("rr", SKILLS, "skills"), ("mm", ANA, "credit_usage")],
)
def test_only_what_is_about_one_dataset_names_it(outcomes: str, feed: Feed, dataset: str) -> None:
    assert evidence(outcomes, 20, feed).dataset == dataset


def test_what_was_judged_reaches_from_the_first_attempt_to_the_last_or_to_the_end() -> None:
    going_on, over = evidence("uuuu", 35), evidence("uuuu.", 50)
    assert (going_on.from_at, going_on.until_at) == (minute(0), minute(30))
    assert (over.from_at, over.until_at) == (minute(0), minute(40))
    assert going_on.bucket == evidence("dd", 20, DAYS).bucket == "1h"


def test_attempts_at_several_feeds_in_one_poll_are_one() -> None:
    sight = seen(polls("uuuu", HOURS), polls("uuuu", DAYS), polls("uuuu", SKILLS), feeds=[HOURS, DAYS, SKILLS])
    [happening] = found(sight, 35)
    assert happening.evidence.value == 4


@pytest.mark.parametrize(
    ("failing", "what", "named"),
    [
        (1, "artifacts 1h", "artifacts 1h"),
        (2, "2 of 6 feeds", "artifacts 1h and connectors 1h"),
        (5, "5 of 6 feeds", "artifacts 1h, connectors 1h, skills 1h, spaces 1h and task_durations 1h"),
        (6, "Usage", None),
    ],
)
def test_failing_feeds_are_named_unless_all_fail(failing: int, what: str, named: str | None) -> None:
    bad = [polls("uuuu", feed) for feed in EVERY_DATASET[:failing]]
    good = [polls("....", feed) for feed in EVERY_DATASET[failing:]]
    [happening] = found(seen(*bad, *good, feeds=EVERY_DATASET), 35)
    assert happening.evidence.summary.startswith(f"{what} could not be read since 09:00 (4 attempts)")
    assert facts(happening).get("Feeds") == named


def test_of_many_feeds_five_are_named_and_the_rest_counted() -> None:
    bad = [polls("uuuu", feed) for feed in EVERY_DATASET]
    [happening] = found(seen(*bad, polls("....", HOURS), feeds=[*EVERY_DATASET, HOURS]), 35)
    assert (
        facts(happening)["Feeds"] == "artifacts 1h, connectors 1h, skills 1h, spaces 1h, task_durations 1h and 1 more"
    )


def test_the_feeds_of_a_member_who_left_are_named() -> None:
    [happening] = found(seen(polls("mm", ANA), polls("mm", ANA_DAYS), feeds=[HOURS, ANA, ANA_DAYS]), 15)
    assert facts(happening)["Feeds"] == "credit_usage 1d ana@example.com and credit_usage 1h ana@example.com"


def test_feeds_that_are_not_due_yet_do_not_hide_that_nothing_is_read() -> None:
    members = Feed("credit_usage", DAY, EACH_MEMBER)
    [happening] = found(seen(polls("uuuu", HOURS), feeds=[HOURS, members]), 35)
    assert happening.evidence.summary.startswith("Usage could not be read")
    assert facts(happening)["Feeds"] == "credit_usage 1h"


def test_all_feeds_fail_though_one_was_read_when_it_began() -> None:
    [happening] = found(seen(polls("uuuuu", HOURS), polls(".uuuu", DAYS), feeds=[HOURS, DAYS]), 45)
    assert happening.evidence.summary.startswith("Usage could not be read")
    assert "Feeds" not in facts(happening)


def test_it_says_what_it_failed_of_last_when_it_was_read_last_and_when_it_is_asked_again() -> None:
    state = FeedState(HOURS, read_at=minute(-5), retry_at=minute(45))
    later = FeedState(DAYS, read_at=minute(-2), retry_at=minute(50))
    [happening] = found(seen(polls("uuus"), polls("uuus", DAYS), feeds=[state, later]), 35)
    said = facts(happening)
    assert said["Last error"] == f"It failed ({LETTERS['s']})"
    assert said["Last read"] == "08:55"
    assert said["Asked again"] == "09:45"
    assert list(said)[-2:] == ["What it means", "What to do"]


def test_it_says_only_what_is_known() -> None:
    sight = seen(polls("uuuu"))
    wordless = Sight(
        polls=[type(poll)(poll.feed, poll.at, poll.fault, None) for poll in sight.polls], feeds=sight.feeds
    )
    [happening] = found(wordless, 35)
    said = facts(happening)
    assert said["Last read"] == "never"
    assert not {"Feeds", "Last error", "Asked again"} & said.keys()


def test_a_time_of_another_day_names_the_day() -> None:
    assert "since Fri 20 Nov 09:00 (" in evidence("uuuu", 24 * 60).summary


@pytest.mark.parametrize(
    ("hours", "days", "after"),
    [
        # Read meanwhile: only what failed was missed.
        (
            "uuuu.",
            "......",
            "The analytics API answers again: credit_usage 1h was not read for 40 min; it was all read since.",
        ),
        # The one recovers a little later than the other.
        (
            "uuuu.",
            "uuuuu.",
            "The analytics API answers again: nothing was read for 50 min; it was all read since.",
        ),
        (
            "uuuu.....",
            "   uuuu.",
            "The analytics API answers again: nothing was read for 1 h 10 min; it was all read since.",
        ),
        # One that failed for a moment is not what was missed.
        (
            "uuuu......",
            ".  u.",
            "The analytics API answers again: credit_usage 1h was not read for 40 min; it was all read since.",
        ),
        # No end to it.
        ("uuuut", "uuuu.", "Since 09:40 it fails for another reason: It failed (throttled)"),
    ],
)
def test_the_end_claims_no_more_than_is_true(hours: str, days: str, after: str) -> None:
    [happening] = found(seen(polls(hours, HOURS), polls(days, DAYS), feeds=[HOURS, DAYS]), 95)
    assert happening.evidence.after == after


@pytest.mark.parametrize(
    ("start", "end", "after"),
    [
        (-2, 0, "it was all read since."),
        (-1, 1, "it was all read since, but for holes in credit_usage 1h."),
        (1, 2, "it was all read since, but for holes in credit_usage 1h."),
        (6, 8, "it was all read since, but for holes in credit_usage 1h."),
        (7, 8, "it was all read since."),
    ],
)
def test_what_was_not_read_afterwards_either_is_named(start: int, end: int, after: str) -> None:
    day = 24 * 60
    sight = seen(polls("uuuuuuu.", every=day), feeds=[HOURS, DAYS])
    gaps = [Gap(HOURS, minute(start * day), minute(end * day)), Gap(DAYS, minute(day), minute(2 * day))]
    over = found(Sight(polls=sight.polls, feeds=sight.feeds, gaps=gaps), 8 * day)[0].evidence
    assert over.after == f"The analytics API answers again: nothing was read for 7 d; {after}"


def test_of_several_errors_the_last_is_said() -> None:
    sight = seen(polls("uuuus"), polls("uuuu ", DAYS), feeds=[HOURS, DAYS])
    [happening] = found(sight, 45)
    assert happening.evidence.summary.endswith("reports a fault of its own")
    assert facts(happening)["Last error"] == "It failed (server)"


def test_of_several_reasons_that_follow_the_last_is_said() -> None:
    sight = seen(polls("uuuuuk"), polls("uuuut", DAYS), feeds=[HOURS, DAYS])
    [over] = [each for each in found(sight, 55) if each.ended_at is not None]
    assert over.evidence.after == "Since 09:50 it fails for another reason: It failed (unauthorized)"
