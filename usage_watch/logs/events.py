"""Every event there is. Tests compare it with what the code logs, and with the README."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """What one event means."""

    level: str
    """`warning, or debug`: the lower one while it is as it was before, and where its meaning says so."""
    meaning: str
    fields: Mapping[str, str]
    """What each says, with its unit; one that does not apply is left out."""


_INCIDENT = {
    "incident": "its id, as `usage-watch alerts show` takes it",
    "rule": "the rule's id",
    "severity": "the highest level reached",
    "series": "which series of the rule; none for a total",
    "reason": "`fired`, `escalated`, `reminder`, `updated`, `resolved`, `fired_and_ended`, `retracted` or `closed`",
    "targets": "the channels that it concerns; none where that is all",
    "why": "one sentence",
}
_MESSAGE = {"target": "the channel", "id": "the message's id, the same on every attempt"}
_FAILURE = {**_MESSAGE, "verdict": "the kind of reason", "error": "why, and what to do"}
_PLACE = {"at": "file and line"}

EVENTS: Mapping[str, Event] = {
    "daemon.started": Event(
        "info",
        "The program runs, and has its database.",
        {
            "version": "of usage-watch",
            "rules": "how many are enabled",
            "channels": "how many there are",
            "store": "the database's path",
        },
    ),
    "daemon.ready": Event(
        "info",
        "The first cycle is done: from now on it watches.",
        {
            "seconds": "that it took",
            "polled": "feeds that were read",
            "failed": "sentences of feeds that could not be read",
            "new": "buckets that were never read before",
            "next_at": "when the next cycle is due",
        },
    ),
    "daemon.failed": Event(
        "error", "The program ends by itself; with JSON or in the journal, else it is said in words.", {"error": "why"}
    ),
    "daemon.stopped": Event("info", "The program was told to end, and does.", {}),
    "rules.warned": Event(
        "warning", "Something in the rules file looks wrong.", {"line": "in the file", "message": "what"}
    ),
    "rules.reloaded": Event(
        "info",
        "The rules file was read again, and holds.",
        {"rules": "how many are enabled", "channels": "how many there are", "outcome": "what is new, in one sentence"},
    ),
    "rules.refused": Event(
        "warning",
        "The rules file was read again, and cannot be used: the rules of before hold.",
        {"faults": "how many", "error": "the first of them"},
    ),
    "web.listening": Event("info", "/metrics, /healthz and /readyz are served.", {"url": "where"}),
    "cycle.done": Event(
        "debug",
        "A cycle is done. All that came of it has events of its own.",
        {
            "polled": "feeds that were read",
            "new": "buckets that were never read before",
            "changed": "values that were revised",
            "told": "messages that were decided",
            "sent": "messages that arrived",
            "next_at": "when the next is due",
        },
    ),
    "cycle.hindered": Event(
        "warning, or debug",
        "This machine stood in the way of a cycle: a disk that is full, say. It is tried again each 30 s.",
        {"error": "why, and what to do"},
    ),
    "cycle.recovered": Event("info", "Cycles are done again.", {"failures": "in a row, before"}),
    "daemon.hindered": Event(
        "warning, or debug", "The same at the start: its database is waited for.", {"error": "why, and what to do"}
    ),
    "clock.corrected": Event(
        "warning",
        "The machine's clock is more than ten minutes from the source's, whose time counts.",
        {"ahead_by": "in seconds; below 0 it is behind"},
    ),
    "clock.trusted": Event("info", "It is no more.", {}),
    "feed.failing": Event(
        "warning",
        "At the start: what could not be read before, and is not asked again before its time.",
        {
            "feed": "the first that fails so",
            "feeds": "how many do",
            "failures": "attempts of it in a row",
            "retry_at": "when it is asked again",
            "error": "why, and what to do",
        },
    ),
    "feed.failed": Event(
        "warning, or debug",
        "A feed could not be read. What fails as it did before, or as another does, is at `debug`.",
        {
            "feed": "which",
            "fault": "the kind of reason",
            "retry_at": "when it is asked again",
            "error": "why, and what to do",
        },
    ),
    "feed.recovered": Event(
        "info",
        "Feeds that failed were read.",
        {"feed": "the first of them", "feeds": "how many", "failures": "most attempts in a row that had failed"},
    ),
    "lookup.failed": Event(
        "warning, or debug", "Whom an alert at night comes from could not be asked.", {"error": "why"}
    ),
    "lookup.done": Event(
        "debug", "The hours of members were asked for.", {"incident": "for which alert", "members": "of how many"}
    ),
    "alert.told": Event("info", "It was decided to tell something.", _INCIDENT),
    "alert.held": Event("info", "It was decided not to: silenced, muted, told before, nobody to tell.", _INCIDENT),
    "alert.noted": Event("debug", "Nobody is told: history from before the rule, and corrections in place.", _INCIDENT),
    "template.failed": Event(
        "warning",
        "A rule's own words could not be filled in; the message goes out in ours. Its like is written once an hour.",
        {"rule": "the rule's id", "error": "why", "repeated": "how often it came since it was written last"},
    ),
    "delivery.sent": Event(
        "info, or debug",
        "A message arrived; at `debug` where it only corrected what was told in place.",
        {**_MESSAGE, "rule": "the rule's id; none for a greeting", "reasons": "why it was sent"},
    ),
    "delivery.failed": Event(
        "warning, or debug",
        "A channel did not take a message, or what stands. It is tried again by itself.",
        _FAILURE,
    ),
    "delivery.recovered": Event(
        "info", "A channel that failed takes messages.", {"target": "the channel", "failures": "in a row, before"}
    ),
    "delivery.abandoned": Event("warning", "A message is given up.", _FAILURE),
    "delivery.interrupted": Event(
        "info", "The program ended while it was on its way: it is sent again, and may come twice.", _MESSAGE
    ),
    "delivery.unrecorded": Event(
        "warning",
        "At the end: that a message arrived could not be stored, so that it may come twice.",
        {"error": "why, and what to do"},
    ),
    "alarm.sent": Event(
        "info",
        "A channel was told straight, with nothing stored, that nothing can be stored, or that it can again.",
        {"target": "the channel", "id": "the message's id"},
    ),
    "alarm.failed": Event(
        "warning",
        "It did not take that. It is tried again at the next turn.",
        {"target": "the channel", "verdict": "the kind of reason", "error": "why"},
    ),
    "delivery.restated": Event("debug", "A channel was told again what stands.", {"target": "the channel"}),
    "heartbeat.failed": Event("warning, or debug", "The heartbeat did not come through.", {"error": "why"}),
    "heartbeat.recovered": Event("info", "The heartbeat comes through again.", {"failures": "in a row, before"}),
    "fault.caught": Event(
        "error",
        "A fault of ours, which the watch outlives: please report it. Its like is written once an hour.",
        {
            "where": "what went wrong: `web`, `observer`, `courier` or a thread's name",
            "error": "its kind",
            **_PLACE,
            "page": "that was asked for",
            "id": "of the message",
            "repeated": "how often it came since it was written last",
        },
    ),
    "library.warned": Event(
        "warning",
        "A library logged a warning; its text is left out. Its like is written once an hour.",
        {"logger": "its name", **_PLACE, "repeated": "as above"},
    ),
    "python.warned": Event(
        "warning",
        "Python warned of code; its text is left out. Its like is written once an hour.",
        {"category": "the kind", **_PLACE, "repeated": "as above"},
    ),
    "log.lost": Event("warning", "Nobody took what was logged, so that it was left out.", {"lines": "how many events"}),
}


def table() -> str:
    """All of them, as Markdown."""
    first = {id(each.fields): name for name, each in reversed(tuple(EVENTS.items()))}
    rows = [
        f"| `{name}` | {each.level} | {each.meaning} {_fields(each, name, first[id(each.fields)])}|"
        for name, each in EVENTS.items()
    ]
    return "\n".join(["| Event | Level | Meaning, and its fields |", "| --- | --- | --- |", *rows])


def _fields(each: Event, name: str, first: str) -> str:
    if first != name:
        return f"Its fields are those of `{first}`. "
    said = ", ".join(f"`{field}` ({meaning})" for field, meaning in each.fields.items())
    return f"{said} " if said else ""
