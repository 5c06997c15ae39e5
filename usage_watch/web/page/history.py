"""The page of what is stored: when in the week a dataset is used, by what, and how fresh it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from usage_watch.core.chart import Bar, Bars, HeatMap, LineChart, bars, heat_map, line_chart, on_page
from usage_watch.core.chart.times import WEEKDAYS
from usage_watch.core.plain import plain
from usage_watch.core.selection import MEMBER
from usage_watch.core.units import number, percent
from usage_watch.errors import UsageError
from usage_watch.store.history import HistoryStore
from usage_watch.views.freshness import complaints, fresh, state_of
from usage_watch.views.history import axes, datasets, known_members, members, usage, usage_of
from usage_watch.views.times import since_at
from usage_watch.web.page.choices import choices
from usage_watch.web.page.html import Html, Inside, el, join, link, sentence
from usage_watch.web.page.shell import page
from usage_watch.web.page.tables import table

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from usage_watch.core.chart import Look
    from usage_watch.core.series import Feed
    from usage_watch.views.freshness import Freshness
    from usage_watch.views.history import Axis, Part, Usage
    from usage_watch.web.page.room import Room

_SPANS = {"28d": "4 weeks", "90d": "90 days"}
_SHOWN = 20
"""Categories of each axis."""
_LONGEST = 80
"""Characters of a name that is repeated or stands in a heading."""


def view(room: Room) -> Html:
    """The page."""
    every, span = datasets(room.database), _span(room)
    if not every:
        return page(room, "History", el("p", "Nothing is stored yet."), _freshness(room), here="history")
    feed, since = _chosen(room, every), since_at(span, room.now)
    whole = usage(room.database, feed, since)
    split = [*axes(whole.history), *members(room.database, feed.dataset, since)]
    shown = _narrowed(room, whole, since)
    return page(
        room,
        _title(room, shown),
        choices("Datasets", (_to(each.dataset, each, span, each == feed) for each in every))
        if len(every) > 1
        else None,
        choices("How far back", (_to(words, feed, name, name == span, room) for name, words in _SPANS.items())),
        _only(room, shown, span),
        _pictures(room, shown),
        *(_axis(room, shown, each, place, span) for place, each in enumerate(split)),
        _freshness(room),
        here="history",
    )


# ---- what is asked for -----------------------------------------------------------------------------------------------


def _span(room: Room) -> str:
    span = room.asked.get("since", "28d")
    if span not in _SPANS:
        raise UsageError(f"There is no history since {plain(span, _LONGEST)!r}; it is for 28d or 90d.")
    return span


def _chosen(room: Room, every: Sequence[Feed]) -> Feed:
    name = room.asked.get("dataset", every[0].dataset)
    found = next((each for each in every if each.dataset == name), None)
    if found is None:
        names = ", ".join(each.dataset for each in every)
        raise UsageError(f"Nothing is stored of {plain(room.veil(name), _LONGEST)!r}; there is {names}.")
    return found


def _narrowed(room: Room, whole: Usage, since: datetime) -> Usage:
    """Of the category or member that is asked for, used in that time or not: by its key, which says of which axis."""
    key, dataset = room.asked.get("of"), whole.history.feed.dataset
    if key is None:
        return whole
    for axis, names in HistoryStore(room.database).categories(dataset).items():
        for name in names:
            if room.key_of({axis: name}) == key:
                return replace(whole, axis=axis, category=name)
    for name in known_members(room.database, dataset):
        if room.key_of({MEMBER: name}) == key:
            return usage_of(room.database, dataset, name, since)
    raise UsageError(f"{dataset} has no such category.")


def _to(words: str, feed: Feed, span: str, chosen: bool, room: Room | None = None) -> Html:
    """To another dataset, or with `room` to the same category of another time."""
    of = {} if room is None or "of" not in room.asked else {"of": room.asked["of"]}
    return link("history", words, chosen, dataset=feed.dataset, since=span, **of)


def _title(room: Room, shown: Usage) -> str:
    name, of = shown.history.feed.dataset, _of(shown)
    return f"History of {name}" if of is None else f"History of {name}: {_said(room, of[1])}"


def _only(room: Room, shown: Usage, span: str) -> Html | None:
    """Of what it is, and the way back."""
    name, of = shown.history.feed.dataset, _of(shown)
    if of is None:
        return None
    back = link("history", f"All of {name}", dataset=name, since=span)
    return el("p", f"Only of this {_said(room, of[0])}. ", back)


def _of(shown: Usage) -> tuple[str, str] | None:
    """Its axis and category, a member's too; None of all."""
    if shown.member is not None:
        return MEMBER, shown.member
    return None if shown.axis is None or shown.category is None else (shown.axis, shown.category)


def _said(room: Room, name: str) -> str:
    return plain(room.veil(name), _LONGEST)


# ---- when ------------------------------------------------------------------------------------------------------------


def _pictures(room: Room, shown: Usage) -> Html:
    if shown.span is None:
        return el("p", "None of it is settled yet: when it is used is shown once it is.")
    return _hours(room, shown) if shown.hourly else _days(room, shown)


def _hours(room: Room, shown: Usage) -> Html:
    zone = room.reader.zone
    map_ = HeatMap(f"{_title(room, shown)}: hours by weekday", f"{shown.unit} an hour", shown.week(zone))
    return join(
        el("h2", f"Hours by weekday: {shown.unit} an hour"),
        el("p", f"The mean of each hour, {_over(room, shown)} (times in {zone.key}).", class_="faint"),
        _figure("week", lambda look: heat_map(map_, look)),
    )


def _days(room: Room, shown: Usage) -> Html:
    what, name = f"{shown.unit} a day", _title(room, shown)
    read = "It is read" if shown.member is None else "Members are read"
    line = LineChart(name, what, shown.course(), room.reader.zone)
    means = zip(WEEKDAYS, shown.weekdays(), strict=True)
    week = Bars(f"{name}: weekdays", what, [Bar(day, mean) for day, mean in means if mean is not None])
    return join(
        el("h2", f"Days: {what}"),
        el("p", f"{read} by days only, which are the source's UTC days.", class_="faint"),
        _figure("days", lambda look: line_chart(line, look)),
        el("h2", f"Weekdays: {what}"),
        el("p", f"The mean of each weekday, {_over(room, shown)}.", class_="faint"),
        _figure("week", lambda look: bars(week, look)),
    )


def _figure(key: str, drawn: Callable[[Look], str]) -> Html:
    return el("figure", *(Html(drawn(each)) for each in on_page(key)), class_="drawn")


def _over(room: Room, shown: Usage) -> str:
    """From when to when; what may still change is left out."""
    assert shown.span is not None
    return room.reader.between(*shown.span, "1h" if shown.hourly else "1d")


# ---- by what ---------------------------------------------------------------------------------------------------------


def _axis(room: Room, shown: Usage, axis: Axis, place: int, span: str) -> Html:
    id = f"axis-{place}"
    listed: list[tuple[Inside, Part]] = [
        (_category(room, shown, axis, each.name, span), each) for each in axis.parts[:_SHOWN]
    ]
    if axis.rest is not None:
        listed.append((axis.rest.name, axis.rest))
    rows = ((name, number(each.used), percent(each.share)) for name, each in listed)
    more = len(axis.parts) - _SHOWN
    return join(
        el("h2", f"By {room.veil(axis.name)}", id=id),
        _counted(axis),
        table(id, (_said(room, axis.name), shown.unit, "of all"), rows, (shown.unit, "of all")),
        el("p", f"And {more:,} more.", class_="faint") if more > 0 else None,
    )


def _counted(axis: Axis) -> Html | None:
    """What its numbers are of, where that is not plain."""
    if axis.name == MEMBER:
        return el("p", "By the source's UTC days; all is what members used on them.", class_="faint")
    return None if axis.adds_up else el("p", "These overlap, and do not add up to the whole.", class_="faint")


def _category(room: Room, shown: Usage, axis: Axis, name: str, span: str) -> Html:
    asked = {"dataset": shown.history.feed.dataset, "since": span, "of": room.key_of({axis.name: name})}
    return link("history", _said(room, name) or "(blank)", _of(shown) == (axis.name, name), **asked)


# ---- how fresh -------------------------------------------------------------------------------------------------------


def _freshness(room: Room) -> Html:
    feeds = fresh(room.config, room.database, room.now)
    heads = ("feed", "usage until", "settled until", "asked", "state")
    return join(
        el("h2", "How fresh it is", id="fresh"),
        *(el("p", sentence(each), class_="warning") for each in complaints(feeds, room.reader)),
        table("fresh", heads, _read(room, feeds)) if feeds else el("p", "Nothing is asked for: no rule is enabled."),
    )


def _read(room: Room, feeds: Iterable[Freshness]) -> Iterator[tuple[str, ...]]:
    reader = room.reader
    for feed in feeds:
        yield (
            room.veil(feed.feed),
            reader.last(feed.data_until, feed.bucket, "none lately" if feed.polled_at else "nothing yet"),
            reader.last(feed.settled_until, feed.bucket, "nothing yet"),
            reader.moment(feed.polled_at),
            state_of(feed),
        )
