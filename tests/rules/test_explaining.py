"""What a reason becomes from cycle to cycle, as members' hours and then their days come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.core.builders import at
from tests.rules.test_lookups import NIGHT, NOW, RULE, TEAM, TOTAL, USUAL, asked, critical, day_of, days, hours, night
from usage_watch.core.incident import Incident
from usage_watch.core.lookup import Lookup
from usage_watch.core.message import Who
from usage_watch.core.series import FeedHistory, History
from usage_watch.rules.explaining import explained

WHO = "m3@example.com"
READ = "; by the hours of the 12 heaviest members, read Tue 8 Dec 04:20"
BERLIN = ZoneInfo("Europe/Berlin")


def cycle(stored: Incident | None, *feeds: FeedHistory, lookup: Lookup | None = None, now: datetime = NOW) -> Incident:
    """The same alert, judged again."""
    history = History({feed.feed: feed for feed in feeds})
    lookups = {} if lookup is None else {lookup.incident_id: lookup}
    before: Sequence[Incident] = [] if stored is None else [stored]
    (found,) = explained(RULE, [critical()], before, history, lookups, BERLIN, now)
    return found


def test_names_come_with_the_hours_stay_as_they_were_read_and_are_confirmed_by_the_days() -> None:
    first = cycle(None, hours(TOTAL), days())
    assert first.evidence.why == "+7,976 credits against the usual (+2,769 %)"
    named = cycle(first, hours(TOTAL), days(), *night(WHO), lookup=asked())
    assert named.evidence.why == f"+7,976 credits against the usual (+2,769 %): 100 % {WHO}{READ}"
    assert [each.category for each in named.evidence.contributors] == [WHO]

    # More of the hour comes in: what was read of the members is not all of it any more.
    later = cycle(named, hours(3 * TOTAL), days(), *night(WHO), lookup=asked(), now=NOW + timedelta(hours=1))
    assert later.evidence == replace(named.evidence, value=later.evidence.value)
    used = {WHO: 23 * USUAL + 8000}
    sure = cycle(later, day_of(TOTAL), days(37, used), *night(WHO), lookup=asked(), now=NOW + timedelta(days=1))
    assert sure.evidence.why == f"over the whole day: +7,976 credits against the usual (+115 %): 100 % {WHO}"
    again = cycle(sure, hours(TOTAL), days(), *night(WHO), lookup=asked(), now=NOW + timedelta(days=1))
    assert again.evidence.why == sure.evidence.why

    assert [each.evidence.who for each in (first, named, later, sure, again)] == [
        None,
        Who.LOOKED_UP,
        Who.LOOKED_UP,
        Who.CONFIRMED,
        Who.CONFIRMED,
    ]
    faces = [each.face for each in (first, named, later, sure)]
    assert faces[1] == faces[2]
    assert len(set(faces)) == 3, "each step is worth a correction in place, and nothing between"


def test_a_look_up_that_names_nobody_corrects_nothing() -> None:
    first = cycle(None, hours(TOTAL), days())
    assert cycle(first, hours(TOTAL), days(), *night(None, silent=TEAM), lookup=asked()) == first


def test_the_day_on_which_it_was_read_is_said_though_it_is_today() -> None:
    midnight = at(NIGHT - 3)
    named = cycle(None, hours(TOTAL), days(), *night(WHO), lookup=asked(), now=midnight)
    assert str(named.evidence.why).endswith("read Tue 8 Dec 01:00")
