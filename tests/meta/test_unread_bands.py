"""Duration bands whose names nobody can read."""

from __future__ import annotations

import json

from tests.meta.making import DAYS, HOURS, facts, found, minute, polls, seen, told
from usage_watch.core.message import Severity
from usage_watch.meta import RULES, Sight


def test_a_band_that_nobody_knows_is_told_with_what_to_write() -> None:
    [happening] = found(Sight(unread_bands={"task_durations": ['The "long" ones']}), 30)
    assert (happening.rule.id, happening.labels) == ("meta:schema_drift", {"Dataset": "task_durations"})
    assert (happening.severity, happening.started_at, happening.ended_at) == (Severity.WARNING, minute(30), None)
    evidence = happening.evidence
    assert (evidence.value, evidence.unit) == (1, "duration bands")
    assert evidence.summary == (
        '1 duration band with a name that says no time: "The \\"long\\" ones"; what holds such tasks is not judged'
    )
    assert facts(happening)["What to do"] == (
        'Write under `bands` in the rules file how long they took: bands: {"The \\"long\\" ones": [1m, 5m]}, '
        "with its own times; [1h] for all that took longer"
    )
    assert json.loads(facts(happening)["Or"].partition(": off")[0]) == 'The "long" ones'


def test_all_bands_of_a_dataset_are_one_incident() -> None:
    [happening] = found(Sight(unread_bands={"task_durations": ["Quick", "Slow"], "other": []}), 0)
    assert happening.evidence.summary == (
        '2 duration bands with a name that says no time: "Quick" and "Slow"; what holds such tasks is not judged'
    )


def test_it_is_another_incident_than_that_of_a_feed_which_cannot_be_read() -> None:
    sight = seen(polls("ddd", HOURS), feeds=(HOURS, DAYS))
    both = told(Sight(polls=sight.polls, feeds=sight.feeds, unread_bands={"task_durations": ["Quick"]}), 30)
    assert [each.partition(" warning")[0] for each in both] == [
        "schema_drift credit_usage 1h",
        "schema_drift task_durations",
    ]
    assert RULES.count("meta:schema_drift") == 1
