"""Novelties from cycle to cycle: what is told of them, and what is not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from tests.core.builders import at, feed_history
from tests.rules.making import made
from tests.telling import Notify, Telling, desk_of
from usage_watch.core.series import HOUR, Feed, FeedHistory
from usage_watch.core.wording import news

CONNECTORS = Feed("connectors", HOUR)
KNOWN = 90 * 24
"""Hours of history before the grid of these tests begins."""
EVERYBODY: Notify = ["ops", "board", "pager"]


def telling(notify: Notify = EVERYBODY, **fields: Any) -> Telling:
    world = Telling([], desk_of({"it": notify}))
    rewritten(world, **fields)
    return world


def rewritten(world: Telling, **fields: Any) -> None:
    """The same rule, written anew."""
    world.rules = [made("novelty", dataset="connectors", for_each="Connector", **fields)]


def hours(until: int, unsettled: int = 12, holes: Iterable[int] = (), **used: Iterable[int]) -> FeedHistory:
    """All hours from 90 days before the grid up to `until`; each connector was used in these hours, four times."""
    grid = range(-KNOWN, until)
    series = {f"Connector={name}": [4 * (hour in on) for hour in grid] for name, on in _sets(used)}
    return feed_history(
        {"": [9] * len(grid), **series},
        CONNECTORS,
        start_at=at(-KNOWN),
        unsettled=range(-unsettled, 0),
        holes=[hour + KNOWN for hour in holes],
    )


def _sets(used: dict[str, Iterable[int]]) -> Iterable[tuple[str, set[int]]]:
    return ((name, set(on)) for name, on in used.items())


def told(world: Telling, until: int, **feed: Any) -> list[str]:
    """What is told five minutes after an hour of the grid."""
    return world.told(hours(until, **feed), at(until) + timedelta(minutes=5))


def _told(*connectors: str) -> list[str]:
    """Of several at once: one message to each people's channel, one for each of them to a machine's."""
    people = [f"fired {name} {which}" for name in ("ops", "board") for which in connectors]
    return people + [f"fired pager {which}" for which in connectors]


LONG = range(-KNOWN, 5000, 5)


def test_the_first_start_tells_nothing_and_then_each_novelty_is_told_once_and_ends_quietly() -> None:
    world = telling()
    used = {"Drive": LONG, "Young": range(-3, 5000, 7), "Notion": range(30, 5000, 7)}
    assert told(world, 0, **used) == []
    assert told(world, 1, **used) == [], "though it is still open"
    assert told(world, 24, **used) == []
    assert [incident.history for incident in world.incidents] == [True]
    assert told(world, 32, **used) == ["fired ops Notion", "fired board Notion", "fired pager Notion"]
    assert [told(world, until, **used) for until in (33, 40, 54)] == [
        [],
        ["updated board Notion"],
        ["updated board Notion"],
    ]
    # It has been 24 hours: people are not told of that, only what stands there is made true.
    assert told(world, 55, **used) == ["updated board Notion", "resolved pager Notion"]
    assert [told(world, until, **used) for until in (100, 500, 3000)] == [[], [], []]
    assert world.incidents[-1].ended_at == at(54)


def test_it_is_told_by_the_first_number_that_comes_though_nothing_is_settled() -> None:
    world = telling(["ops"])
    told(world, 0, Drive=LONG)
    assert told(world, 31, unsettled=40, Drive=LONG, Notion=[30]) == ["fired ops Notion"]
    assert told(world, 32, unsettled=40, Drive=LONG, Notion=[28, 30, 31]) == [], "earlier numbers only move its start"
    assert world.incidents[-1].started_at == at(28)


def test_what_came_late_is_told_though_it_began_before_the_rule() -> None:
    world = telling(["ops"])
    assert told(world, 0, Drive=LONG) == []
    assert told(world, 1, Drive=LONG, Notion=[-2]) == ["fired ops Notion"]


def test_what_is_not_expected_is_told_on_the_first_start_and_never_again() -> None:
    world = telling(expected=["Drive", "Git*"])
    used = {"Drive": LONG, "GitHub": range(30, 5000, 3), "Slack": LONG, "Gone": range(-KNOWN, -KNOWN + 5)}
    assert told(world, 0, **used) == _told("Gone", "Slack")
    assert [told(world, until, **used) for until in (1, 12, 23)] == [[], [], []]
    machine = [f"resolved pager {which}" for which in ("Gone", "Slack")]
    assert sorted(each for each in told(world, 30, **used) if "board" not in each) == machine
    assert [told(world, until, **used) for until in (31, 100, 1000, 2000, 3000, 4000)] == [[]] * 6


def test_what_is_not_expected_stays_told_when_the_rule_is_rewritten() -> None:
    world = telling(["ops"], expected=["Drive"])
    used = {"Drive": LONG, "Slack": LONG, "Gmail": LONG}
    assert told(world, 0, **used) == ["fired ops Gmail", "fired ops Slack"]
    rewritten(world, expected=["Drive", "Gmail"])
    assert told(world, 5, **used) == ["closed ops Gmail"]
    assert told(world, 40, **used) == []
    rewritten(world, expected=["Drive", "Gmail", "GitHub"])
    assert [told(world, until, **used) for until in (400, 401, 500)] == [[], [], []]
    rewritten(world, expected=["Drive"])
    assert told(world, 600, **used) == ["fired ops Gmail"], "it is not expected any more"


def test_a_rewritten_rule_meets_no_news_either() -> None:
    world = telling(["ops"])
    told(world, 0, Drive=LONG)
    rewritten(world, unseen_for="20d")
    assert told(world, 60, Drive=LONG, Back=[-700, 50]) == []
    assert told(world, 61, Drive=LONG, Back=[-700, 50, 60], Notion=[60]) == ["fired ops Notion"]


def test_a_hole_that_is_filled_takes_back_what_was_no_novelty() -> None:
    world = telling(["ops"])
    hole = range(-500, -400)
    assert told(world, 0, holes=hole, Drive=LONG) == []
    assert told(world, 31, holes=hole, Drive=LONG, Notion=[30]) == ["fired ops Notion"]
    filled = hours(32, Drive=LONG, Notion=[*hole, 30])
    outcome = world.cycle(filled, at(32) + timedelta(minutes=5))
    [post] = outcome.posts
    assert "taken back, the source revised it: 4 threads turned out to be 404 threads" in news(post.message).line


EVIL = "<!channel> *Notion*\u202e\r\nBcc: everybody <script>alert(1)</script> " + "very " * 60


def test_thirty_at_once_are_one_message_whatever_they_are_called() -> None:
    world = telling(["ops"])
    told(world, 0, Drive=LONG)
    names = {f"Connector {i:02}": [30] for i in range(29)} | {EVIL: [29, 30]}
    feed, now = hours(31, Drive=LONG, **names), at(31) + timedelta(minutes=5)
    [post] = world.cycle(feed, now).posts
    assert len(post.keys) == 30
    words = news(post.message)
    first = words.entries[0]
    assert words.title == "🔵 30 alerts of it"
    assert (len(words.entries), words.more) == (20, 10)
    assert first.headline.startswith("<!channel> *Notion* Bcc: everybody"), "the largest is named first"
    assert first.headline.endswith("…: new connector, 8 threads in 2 h, unseen in the 90 d before")
    assert not {"\n", "\r", "\u202e"} & set(words.line + first.headline)


def test_machines_are_told_of_each() -> None:
    world = telling(["pager"])
    told(world, 0, Drive=LONG)
    outcome = world.cycle(hours(31, Drive=LONG, a=[30], b=[30]), at(31) + timedelta(minutes=5))
    assert [len(post.keys) for post in outcome.posts] == [1, 1]
