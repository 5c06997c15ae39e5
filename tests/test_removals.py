"""What falls because all of a member was removed is not said to have been revised by the source."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.core.builders import MEMBER_DAYS, START, feed_history
from tests.rules.making import UTC_FILE, made
from tests.telling import Telling, desk_of
from usage_watch.assess import Outcome
from usage_watch.core.message import Reason
from usage_watch.core.series import FeedHistory
from usage_watch.rules.common import Seats

REMOVED = "A member's data was removed."
BO = [900, 150, 200]
"""With a seat of 100: 800, 950 and 1,150 credits of the pool."""


def telling(**fields: object) -> Telling:
    """A pool of 1,000 credits a week, told to who can be corrected in place and to who cannot."""
    said = {"of": "pool", "period": "week", "limit": 1000, "levels": {"critical": "100%"}, "burn": "off", **fields}
    desk = desk_of({"it": ["ops", "board"]})
    return Telling([made("budget", **said)], replace(desk, defaults=replace(UTC_FILE, seats=Seats(100, {}))))


def paid(**days: list[int]) -> FeedHistory:
    split = {f"{who}@x Credit Source=paid": used for who, used in days.items()}
    return feed_history({**{f"{who}@x": used for who, used in days.items()}, **split}, MEMBER_DAYS)


def now(days: float) -> datetime:
    return START + timedelta(days=days, hours=2)


def cycle(world: Telling, feed: FeedHistory, days: float, removals: int) -> list[str]:
    """What is told after so many removals; sorted."""
    world.ledger = replace(world.ledger, removals=removals)
    return sorted(world.told(feed, now(days)))


def why(world: Telling, reason: Reason) -> set[str]:
    """What the last cycle decided so."""
    outcome: Outcome = world.outcomes[-1][1]
    return {decision.why for decision in outcome.decisions if decision.reason is reason}


FIRED, TAKEN_BACK, CORRECTED = ["fired board", "fired ops"], ["retracted board", "retracted ops"], ["updated board"]


def test_what_falls_by_a_removal_is_taken_back_for_that() -> None:
    world = telling()
    assert cycle(world, paid(bo=BO, cy=[50, 60, 70]), 3, 0) == FIRED
    assert cycle(world, paid(cy=[50, 60, 70]), 3, 1) == TAKEN_BACK
    assert why(world, Reason.RETRACTED) == {REMOVED}
    assert (world.one.closed, world.one.retracted) == (REMOVED, True)
    (post, _) = world.outcomes[-1][1].posts
    assert post.message.news[0].note == REMOVED
    assert cycle(world, paid(cy=[50, 60, 70, 0]), 4, 1) == []


def test_what_stood_in_spite_of_it_is_revised_by_the_source_later() -> None:
    world = telling()
    assert cycle(world, paid(bo=BO, cy=[300, 0, 0]), 3, 0) == FIRED
    assert cycle(world, paid(bo=BO), 3, 1) == CORRECTED
    assert cycle(world, paid(bo=[300, 10, 10]), 3.1, 1) == TAKEN_BACK
    assert why(world, Reason.RETRACTED) == {"The source revised it: 1,150 credits turned out to be 220 credits."}


def test_a_removal_that_is_judged_halfway_counts_to_its_end() -> None:
    world = telling()
    assert cycle(world, paid(bo=BO, cy=[50, 500, 500]), 3, 2) == FIRED
    assert cycle(world, paid(bo=BO, cy=[50, 500, 0]), 3, 3) == CORRECTED
    assert cycle(world, paid(cy=[50, 500, 0]), 3, 4) == TAKEN_BACK
    assert why(world, Reason.RETRACTED) == {REMOVED}


def test_it_waits_for_a_cycle_that_judges() -> None:
    world = telling()
    assert cycle(world, paid(bo=BO, cy=[10, 0, 0]), 3, 0) == FIRED
    assert cycle(world, paid(cy=[10, 0, 0]), 6, 1) == [], "nothing has been read for three days"
    assert cycle(world, paid(cy=[10, 0, 0, 0, 0, 0]), 6, 1) == TAKEN_BACK
    assert why(world, Reason.RETRACTED) == {REMOVED}


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ([600, 600, 200], "A member's data was removed. What was told is not how it stands now."),
        ([900, 1150, 1200], "What was told is not how it stands now."),
    ],
)
def test_a_correction_is_put_down_to_it_only_where_less_is_left(left: list[int], said: str) -> None:
    world = telling()
    cycle(world, paid(bo=BO, cy=[1000, 0, 0]), 3, 0)
    assert cycle(world, paid(bo=left), 3, 1) == CORRECTED
    assert why(world, Reason.UPDATED) == {said}


def test_a_rule_that_was_changed_meanwhile_says_that() -> None:
    world = telling()
    cycle(world, paid(bo=BO, cy=[1000, 0, 0]), 3, 0)
    world.rules = telling(limit=1100).rules
    assert cycle(world, paid(bo=BO), 3, 1) == CORRECTED
    assert why(world, Reason.UPDATED) == {"What was told is not how it stands now."}
    world.rules = telling(limit=5000).rules
    assert cycle(world, paid(bo=BO), 3, 2) == ["closed board", "closed ops"]
    assert why(world, Reason.CLOSED) == {"Its rule was changed."}


def test_what_counts_one_member_alone_does_not_fall_by_another() -> None:
    world = telling()
    world.rules = [made("threshold", for_each="member", above=1000)]
    assert cycle(world, paid(bo=[1500], cy=[10]), 1, 0) == ["fired board bo@x", "fired ops bo@x"]
    assert cycle(world, paid(bo=[500]), 1, 1) == ["retracted board bo@x", "retracted ops bo@x"]
    assert why(world, Reason.RETRACTED) == {"The source revised it: 1,500 credits turned out to be 500 credits."}
