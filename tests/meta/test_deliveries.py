"""Channels that fail: what is told of them, how rarely it changes, and when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.meta.making import BERLIN, facts, found, minute, target, told
from tests.meta.test_splitting import committed
from usage_watch import meta
from usage_watch.core.entry import META
from usage_watch.core.incident import Happening, Incident
from usage_watch.core.plan import CHANNEL
from usage_watch.core.targetstate import TargetState
from usage_watch.meta import Sight, happenings

HOUR = 60
DAY = 24 * HOUR
LONG_NAME = "p" * 64

LOST = target(lost=[0])
BLOCKED = target(blocked=10, failing=0, oldest=0)
LATE = target(failing=0, oldest=0)


def one(state: TargetState, now: float) -> Happening:
    [happening] = found(Sight(targets=[state]), now)
    return happening


# ---- when it is told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "now", "expected"),
    [
        (target(), 99, []),
        # Blocked: at once, whether anything waits or not.
        (target(blocked=0, failing=0), 0, ["delivery_blocked pager warning 0-"]),
        (target(blocked=10, failing=0, oldest=5), 99, ["delivery_blocked pager warning 10-"]),
        # Late: an old message, and attempts that fail.
        (target(failing=0, oldest=5), 19.9, []),
        (target(failing=0, oldest=5), 20, ["delivery_lagging pager warning 5-"]),
        (target(failing=18, oldest=5), 20, ["delivery_lagging pager warning 5-"]),
        (target(failing=0), 99, []),
        (target(oldest=0), 99, []),  # after a stop, say: it is on its way
        # Or what stands, which cannot be told again.
        (target(failing=5, unstated=5), 19.9, []),
        (target(failing=5, unstated=5), 20, ["delivery_lagging pager warning 5-"]),
        (target(blocked=5, failing=5, unstated=5), 20, ["delivery_blocked pager warning 5-"]),
        # Given up: for a day after the last.
        (target(lost=[0]), 0, ["delivery_given_up pager warning 0-"]),
        (target(lost=[0]), DAY - 1, ["delivery_given_up pager warning 0-"]),
        (target(lost=[0]), DAY, ["delivery_given_up pager warning 0-1440"]),
        (target(lost=[0, 60]), DAY, ["delivery_given_up pager warning 0-"]),
        (target(lost=[0, DAY]), DAY, ["delivery_given_up pager warning 0-"]),
        (
            target(lost=[0, DAY + 1]),
            DAY + 1,
            ["delivery_given_up pager warning 0-1440", "delivery_given_up pager warning 1441-"],
        ),
        # What was lost does not hide what goes on.
        (
            target(failing=0, oldest=0, lost=[5]),
            20,
            ["delivery_lagging pager warning 0-", "delivery_given_up pager warning 5-"],
        ),
    ],
)
def test_a_channel_is_told_of_once_it_keeps_messages_from_people(
    state: TargetState, now: float, expected: list[str]
) -> None:
    assert told(Sight(targets=[state]), now) == expected


def test_each_channel_is_an_incident_of_its_own() -> None:
    sight = Sight(targets=[target("ops", blocked=0), target("pager", blocked=5), target("log")])
    assert told(sight, 9) == ["delivery_blocked ops warning 0-", "delivery_blocked pager warning 5-"]


@pytest.mark.parametrize("state", [BLOCKED, LATE, LOST])
def test_it_names_the_channel_that_it_goes_around(state: TargetState) -> None:
    happening = one(state, 20)
    assert happening.labels == {CHANNEL: "pager"}
    assert happening.rule.kind == META


def test_those_about_channels_are_among_the_rules() -> None:
    assert {"meta:delivery_blocked", "meta:delivery_lagging", "meta:delivery_given_up"} <= set(meta.RULES)


# ---- what it says, and how rarely that changes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "now", "lasted"),
    [
        (target(blocked=0), 14, 0),
        (target(blocked=0), -5, 0),  # the clock was set back
        (target(blocked=0), 15, 15),
        (target(blocked=0), 59, 15),
        (target(blocked=0), 60, 60),
        (target(blocked=0), 6 * HOUR, 6 * HOUR),
        (target(blocked=0), DAY, DAY),
        (target(blocked=0), 2 * DAY, 2 * DAY),
        (target(blocked=0), 9 * DAY, 2 * DAY),
        (target(failing=0, oldest=0), 59, 15),
        (target(failing=0, oldest=0), 60, 60),
    ],
)
def test_how_long_it_lasts_is_told_in_few_steps(state: TargetState, now: float, lasted: float) -> None:
    evidence = one(state, now).evidence
    assert (evidence.value, evidence.unit, evidence.dataset) == (lasted, "minutes", "")
    assert (evidence.from_at, evidence.until_at) == (minute(0), minute(lasted))


@pytest.mark.parametrize("state", [BLOCKED, LATE, LOST])
def test_no_cycle_alone_changes_anything_of_it(state: TargetState) -> None:
    assert one(state, 75) == one(state, 5 * HOUR)


@pytest.mark.parametrize(
    ("state", "limit", "summary"),
    [
        (BLOCKED, 0, "has taken nothing since 09:10, and will not before something is changed"),
        (LATE, 15, "messages have waited since 09:00, over the limit of 15 min"),
        (
            target(failing=0, unstated=0),
            15,
            "open alerts have not been told again since 09:00, over the limit of 15 min",
        ),
        (LOST, 0, "1 message given up since 09:00, and not sent again"),
        (target(lost=[0, 1, 2]), 0, "3 messages given up since 09:00, and not sent again"),
    ],
)
def test_a_headline_says_what_is_wrong_and_since_when(state: TargetState, limit: float, summary: str) -> None:
    evidence = one(state, 20).evidence
    assert (evidence.summary, evidence.limit) == (summary, limit)


def test_lost_messages_are_counted() -> None:
    evidence = one(target(lost=[0, 1, 2]), 20).evidence
    assert (evidence.value, evidence.unit) == (3, "messages")
    assert (evidence.from_at, evidence.until_at, evidence.after) == (minute(0), minute(2), None)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ([0], {"About": "rule-0", "Why": "Refused at 0."}),
        ([0, 2, 7], {"About": "rule-0 and rule-1", "Why the last": "Refused at 7."}),
    ],
)
def test_it_says_why_they_were_lost(lost: Sequence[float], said: dict[str, str]) -> None:
    assert said.items() <= facts(one(target(lost=lost), 20)).items()


@pytest.mark.parametrize(
    ("state", "waiting"),
    [
        (BLOCKED, "1 message, the oldest since 09:00"),
        (target(blocked=0, oldest=5, waiting=1200), "1,200 messages, the oldest since 09:05"),
        (target(blocked=0), "0 messages"),
        (replace(LATE, waiting=3), "3 messages, the oldest since 09:00"),
    ],
)
def test_it_says_how_much_waits_and_why(state: TargetState, waiting: str) -> None:
    said = facts(one(state, 20))
    assert said["Waiting"] == waiting
    assert said["Last error"] == "hook.example answered 503"


@pytest.mark.parametrize("state", [target(blocked=0, error=None), target(failing=0, oldest=0, error=None)])
def test_an_error_that_is_not_known_is_not_made_up(state: TargetState) -> None:
    assert "Last error" not in facts(one(state, 20))


@pytest.mark.parametrize("state", [BLOCKED, LATE, LOST])
def test_what_to_do_names_the_channel_and_is_short_enough_to_be_shown_whole(state: TargetState) -> None:
    happening = one(replace(state, name=LONG_NAME), 20)
    said = facts(happening)
    assert list(said)[-2:] == ["What it means", "What to do"]
    assert all(len(value) <= 200 for value in said.values())
    assert len(happening.evidence.after or "") <= 300
    if state is not LATE:
        assert f"`usage-watch channels test {LONG_NAME}`" in said["What to do"]


@pytest.mark.parametrize(("state", "quiet"), [(BLOCKED, False), (LATE, False), (LOST, True)])
def test_only_the_end_of_old_losses_is_no_news(state: TargetState, quiet: bool) -> None:
    assert one(state, 20).quiet is quiet


# ---- over many cycles ----------------------------------------------------------------------------------------------


@dataclass
class Watch:
    """Cycles over one channel, each with the incidents that the last one left."""

    incidents: list[Incident] = field(default_factory=list)

    def look(self, state: TargetState, now: float) -> list[str]:
        """What is open after a cycle."""
        sight = Sight(targets=[state], late_since=meta.late_since(self.incidents))
        self.incidents = committed(happenings(sight, BERLIN, minute(now)), self.incidents, minute(now))
        return [_cause(each) for each in self.incidents if each.open]

    def ended(self) -> list[tuple[str, float | None, bool]]:
        """Cause, minute of the end, and whether that is no news."""
        return [
            (_cause(each), (each.ended_at - minute(0)).total_seconds() / 60, each.quiet)
            for each in self.incidents
            if each.ended_at is not None
        ]


def _cause(incident: Incident) -> str:
    return incident.rule.id.removeprefix("meta:delivery_")


def looked(*cycles: tuple[float, TargetState]) -> list[list[str]]:
    watch = Watch()
    return [watch.look(state, now) for now, state in cycles]


@pytest.mark.parametrize(
    ("state", "late"),
    [
        (target(failing=0, oldest=16), True),  # the oldest was put anew
        (target(oldest=5), True),  # one attempt succeeded, what is old still waits
        (target(failing=0, oldest=1), True),
        (target(oldest=16), False),
        (target(failing=0), False),
    ],
)
def test_it_is_late_until_nothing_old_waits_and_attempts_succeed(state: TargetState, late: bool) -> None:
    assert looked((15, LATE), (20, state)) == [["lagging"], ["lagging"] if late else []]


def test_it_stays_as_it_was_told_while_messages_are_put_anew() -> None:
    watch = Watch()
    watch.look(LATE, 15)
    [first] = watch.incidents
    watch.look(target(failing=0, oldest=20), 25)
    [later] = watch.incidents
    assert (later.id, later.started_at, later.face) == (first.id, first.started_at, first.face)
    assert later.evidence.summary == first.evidence.summary


def test_an_end_of_being_late_is_told_with_what_became_of_the_messages() -> None:
    watch = Watch()
    watch.look(LATE, 15)
    watch.look(target(), 30)
    assert watch.ended() == [("lagging", 30, False)]
    assert watch.incidents[0].evidence.after == (
        "Nothing waits that long any more: it was sent, or given up, or the channel left the rules file."
    )


def test_a_late_channel_that_is_blocked_is_only_blocked_from_then_on() -> None:
    watch = Watch()
    watch.look(LATE, 15)
    assert watch.look(target(blocked=20, failing=0, oldest=0), 25) == ["blocked"]
    assert watch.ended() == [("lagging", 20, True)]
    [late] = [each for each in watch.incidents if not each.open]
    assert late.evidence.after == "It takes nothing at all since 09:20, which is an alert of its own."
    assert watch.look(target(blocked=20, failing=0, oldest=0), 90) == ["blocked"]


def test_an_end_is_not_before_the_start_though_the_clock_was_set_back() -> None:
    watch = Watch()
    watch.look(LATE, 15)
    watch.look(target(blocked=-30, failing=-30, oldest=0), -20)
    assert watch.ended() == [("lagging", 0, True)]


def test_a_blocked_channel_that_is_mended_is_not_late_while_it_is_sent_what_waited() -> None:
    assert looked((5, target(blocked=5, failing=5, oldest=0)), (90, target(oldest=0)), (91, target())) == [
        ["blocked"],
        [],
        [],
    ]


def test_a_blocked_channel_that_fails_otherwise_once_it_was_changed_is_late() -> None:
    cycles = [(5, target(blocked=5, failing=5, oldest=0)), (90, target(failing=85, oldest=0))]
    assert looked(*cycles) == [["blocked"], ["lagging"]]


def test_the_end_of_being_blocked_promises_no_more_than_is_known() -> None:
    watch = Watch()
    watch.look(BLOCKED, 20)
    watch.look(target(), 30)
    assert watch.ended() == [("blocked", 30, False)]
    assert watch.incidents[0].evidence.after == (
        "It takes messages again, and gets what waited, in order; or it was changed, or left the rules file."
    )


def test_given_up_messages_that_are_not_seen_any_more_end_without_a_word() -> None:
    watch = Watch()
    assert watch.look(target(lost=[0, 5]), 20) == ["given_up"]
    assert watch.look(target(lost=[5]), DAY) == ["given_up"]
    assert watch.look(target(lost=[5]), DAY + 5) == []
    assert watch.ended() == [("given_up", DAY + 5, True)]


def test_only_what_is_open_of_being_late_is_known() -> None:
    watch = Watch()
    watch.look(target(failing=0, oldest=0, lost=[5]), 15)
    assert meta.late_since(watch.incidents) == {"pager": minute(0)}
    watch.look(target(), 20)
    assert meta.late_since(watch.incidents) == {}


minutes = st.integers(0, 40)
states = st.builds(
    lambda blocked, failing, oldest: (blocked, failing, oldest),
    st.none() | minutes,
    st.none() | minutes,
    st.none() | minutes,
)


@given(st.lists(st.tuples(st.integers(0, 30), states), max_size=12))
def test_a_channel_is_never_late_and_blocked_at_once_and_at_peace_once_it_has_everything(
    cycles: Iterable[tuple[int, tuple[float | None, float | None, float | None]]],
) -> None:
    watch, now = Watch(), 40
    for later, (blocked, failing, oldest) in cycles:
        now += later
        was_late = bool(meta.late_since(watch.incidents))
        state = _aged(blocked, failing, oldest, now)
        standing = watch.look(state, now)
        assert ("blocked" in standing) == (state.blocked_from is not None)
        assert not {"blocked", "lagging"} <= set(standing)
        if was_late and state.failing_from and state.waiting_from and state.blocked_from is None:
            assert "lagging" in standing
    assert watch.look(target(), now) == []


def _aged(blocked: float | None, failing: float | None, oldest: float | None, now: float) -> TargetState:
    """So many minutes before now; what is blocked fails."""
    failing = blocked if failing is None else failing
    return target(
        blocked=None if blocked is None else now - blocked,
        failing=None if failing is None else now - failing,
        oldest=None if oldest is None else now - oldest,
    )


def test_what_is_not_told_again_is_over_there_and_that_is_said() -> None:
    said = facts(one(target(blocked=0, unstated=3), 20))
    assert said["Open alerts"] == "not told again since 09:03: what is not told for 20 min is over there"
    assert "Open alerts" not in facts(one(BLOCKED, 20))
