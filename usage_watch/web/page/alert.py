"""The page of one alert: what happened, what to do, and the whole story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from usage_watch.core.chart import chart, on_page
from usage_watch.core.entry import WHY
from usage_watch.core.plain import plain
from usage_watch.core.units import number
from usage_watch.views import arrivals
from usage_watch.views.comparing import by_share, heads, rows
from usage_watch.views.incidents import explained, what
from usage_watch.views.orders import notes
from usage_watch.views.story import story
from usage_watch.web.page.html import Html, Inside, el, join, pairs
from usage_watch.web.page.incidents import DOT, lasted, rule_link, severity
from usage_watch.web.page.shell import page
from usage_watch.web.page.tables import table
from usage_watch.web.page.todo import TO_DO, advice, todo

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.core.incident import Incident
    from usage_watch.core.message import Drawn, RuleName
    from usage_watch.store.alerts import Attempts, Decided
    from usage_watch.views.arrivals import Arrivals
    from usage_watch.views.because import Compared
    from usage_watch.views.story import Story
    from usage_watch.web.page.room import Room

_LONGEST = 300
"""Characters of a heading."""
_SHOWN = 10
"""Rows of each axis."""


def view(room: Room) -> Html:
    """The page."""
    found = story(room.config, room.database, room.asked.get("id", ""), room.now)
    return page(
        room,
        plain(room.veil(what(found.incident)), _LONGEST),
        _state(room, found),
        _picture(room, found),
        todo(room, found.incident, found.word),
        _facts(room, found),
        _arrivals(room, found.arrivals),
        _comparisons(room, found.compared),
        _decisions(room, found.decisions),
        _deliveries(room, found.attempts),
    )


def _state(room: Room, found: Story) -> Html:
    incident, said = found.incident, ", ".join(notes(found.word, room.reader))
    return join(
        el("p", severity(incident), DOT, lasted(incident, room.reader), (DOT, room.veil(said)) if said else None),
        el("p", room.veil(incident.evidence.why), class_="why") if incident.evidence.why else None,
    )


# ---- what was judged -------------------------------------------------------------------------------------------------


def _picture(room: Room, found: Story) -> Html | None:
    """The chart, and its numbers for who cannot point at it."""
    series = found.incident.evidence.series
    if series is None:
        return None
    evidence = replace(found.incident.evidence, summary=room.veil(found.incident.evidence.summary))
    looks = on_page("alert")
    drawn = (Html(chart(evidence, series, room.config.timezone, each)) for each in looks)
    return join(
        el("h2", f"How it came to this: {series.what}", id="course"),
        el("figure", *drawn, class_="drawn"),
        el("details", el("summary", "Its numbers"), _numbers(room, series, evidence.bucket), class_="numbers"),
    )


def _numbers(room: Room, series: Drawn, bucket: str) -> Html:
    """The newest first."""
    usual = zip(series.low, series.high, strict=True) if series.low else ((None, None) for _ in series.values)
    found = zip(series.ends, series.values, usual, strict=True)
    cells = [
        (room.reader.last(end_at, bucket), _known(value), _between(low, high)) for end_at, value, (low, high) in found
    ]
    return table("course", ("until", series.what, "usual"), reversed(cells), (series.what, "usual"))


def _known(value: float | None) -> str:
    return "not known" if value is None else number(value)


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


# ---- the story -------------------------------------------------------------------------------------------------------


def _facts(room: Room, found: Story) -> Html:
    return join(el("h2", "All that is known"), pairs(_known_of(room, found)))


def _known_of(room: Room, found: Story) -> Iterator[tuple[str, Inside]]:
    said = _said_elsewhere(room, found.incident)
    yield "Rule", (rule_link(room, found.incident), _kind(found.incident.rule))
    every = explained(found.incident, room.reader, found.word, tabled=found.compared is not None)
    yield from (each for each in every if each not in said)


def _said_elsewhere(room: Room, incident: Incident) -> set[tuple[str, str]]:
    """Of all that is explained, what stands above; a fact of the same name may say something else."""
    said = explained(replace(incident, evidence=replace(incident.evidence, facts=(), contributors=())), room.reader)
    above = {"Rule", "What", "Severity", "Since", "Until", WHY, TO_DO, "To answer"}
    return {(name, value) for name, value in said if name in above} | {(TO_DO, each) for each in advice(incident)}


def _kind(rule: RuleName) -> str:
    return f" ({rule.kind})" if rule.title == rule.id else f" ({rule.kind}): {rule.title}"


def _arrivals(room: Room, found: Arrivals) -> Html | None:
    """Nothing where all came as usual."""
    if not found.shown:
        return None
    return join(
        el("h2", "How its numbers came"),
        pairs(arrivals.rows(found, room.reader)),
        el("p", f"And {found.more:,} more.", class_="faint") if found.more else None,
    )


def _comparisons(room: Room, compared: Compared | None) -> Html | None:
    """A table an axis; nothing where there is none."""
    if compared is None:
        return None
    over = room.reader.between(compared.from_at, compared.until_at, compared.bucket)
    return join(
        el("h2", "Who and what it comes from"),
        el("p", f"{over} against the 4 weeks before.", class_="faint"),
        *(_comparison(room, compared, place) for place in range(len(compared.table))),
    )


def _comparison(room: Room, compared: Compared, place: int) -> Html:
    each, rising = compared.table[place], compared.rising
    order, names, id = by_share(each, rising=rising), heads(each, rising=rising), f"axis-{place}"
    cells = ([room.veil(cell) for cell in row] for row in rows(each, order[:_SHOWN], rising=rising))
    return join(
        el("h3", f"By {room.veil(each.axis)}", id=id),
        table(id, [room.veil(names[0]), *names[1:-1], "news"], cells, names[1:-1]),
        el("p", f"And {len(order) - _SHOWN:,} more.", class_="faint") if len(order) > _SHOWN else None,
    )


def _decisions(room: Room, decisions: Sequence[Decided]) -> Html:
    cells = [
        (
            room.reader.moment(each.at),
            each.decision.target or "all",
            each.decision.reason,
            "yes" if each.decision.told else "no",
            room.veil(each.decision.why),
        )
        for each in decisions
    ]
    return join(
        el("h2", "What was decided, and why", id="decisions"),
        table("decisions", ("at", "channel", "news", "told", "why"), cells)
        if cells
        else el("p", "There was nothing to decide."),
    )


def _deliveries(room: Room, attempts: Sequence[Attempts]) -> Html:
    cells = [
        (
            room.reader.moment(_when(each)),
            each.target,
            each.reason,
            each.state,
            f"{each.attempts:,}",
            room.veil(each.last_error or ""),
        )
        for each in attempts
    ]
    return join(
        el("h2", "Messages", id="messages"),
        table("messages", ("last or next", "channel", "news", "state", "tries", "detail"), cells, ("tries",))
        if cells
        else el("p", "Nobody is told of it."),
    )


def _when(attempt: Attempts) -> datetime:
    return attempt.next_attempt_at or attempt.ended_at or attempt.attempted_at or attempt.created_at
