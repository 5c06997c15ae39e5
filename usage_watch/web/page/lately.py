"""What was used lately, against what is usual: the last 7 days, and who and what used most."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from usage_watch.core.chart import Bar, Bars, LineChart, Shade, bars, line_chart, on_page
from usage_watch.core.incident import Incident
from usage_watch.core.series import DAY
from usage_watch.core.units import from_epoch, to_epoch
from usage_watch.errors import UsageError
from usage_watch.rules.charting import charted
from usage_watch.rules.zscore import ZscoreRule
from usage_watch.store.alerts import AlertStore
from usage_watch.store.history import HistoryStore
from usage_watch.views import comparing, top
from usage_watch.views.charts import taught
from usage_watch.views.incidents import in_words, what
from usage_watch.web.page.html import Html, el, link
from usage_watch.web.page.room import Room

_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_DATASET = "credit_usage"
_USUAL = ZscoreRule.model_validate({"id": "usual", "kind": "zscore", "dataset": _DATASET})
"""What is usual of all usage, whatever the rules of the file look at; nobody is told of it."""
_LEARNED = timedelta(weeks=5)
"""Before the week: enough for a picture, and less to judge than a rule learns from."""
_WHOLE = 7 * DAY
_SHADES = 40
_AXES = ("member", "Model")
_ROWS = 6
"""Of each axis."""


def week(room: Room) -> Html | None:
    """All credits of the last 7 days by hours, with what is usual, and what was told of them; None where unread."""
    since_at = room.now - _WEEK
    # Whole weeks since 1970: what was judged for an earlier look is gone on with.
    begin_at = from_epoch(to_epoch(since_at - _LEARNED) // _WHOLE * _WHOLE)
    history = HistoryStore(room.database).load({_USUAL.feed: begin_at})[_USUAL.feed]
    found = charted(_USUAL, history, since_at, taught(room.config, room.database), {})
    if found is None:  # no rule needs its hours, or they are not read yet
        return None
    drawn = LineChart(
        title="All credits of the last 7 days",
        what="credits an hour",
        course=found.course,
        zone=room.reader.zone,
        band=found.band,
        shades=list(_shades(room)),
    )
    svgs = (Html(line_chart(drawn, look)) for look in on_page("week"))
    return el(
        "section", el("h2", "The last 7 days"), svgs, el("p", link("history", "Hours by weekday, and other usage"))
    )


def _shades(room: Room) -> Iterator[Shade]:
    """What people were told, of hours."""
    since_at = room.now - _WEEK
    every = [each for each in AlertStore(room.database).incidents(since_at) if _is_of_hours(each)]
    for each in in_words(every[-_SHADES:], room.config, room.now):
        said = room.veil(f"{each.severity}: {each.rule.title}: {what(each)}")
        yield Shade(max(each.started_at, since_at), each.ended_at, each.severity, said)


def _is_of_hours(incident: Incident) -> bool:
    evidence = incident.evidence
    told = not incident.history and not incident.retracted and incident.severity != "info"
    return told and evidence.dataset == _DATASET and evidence.bucket == "1h" and incident.part is None


def most(room: Room) -> Iterator[Html]:
    """Who and what used most since yesterday, against usual."""
    asked = top.Asked(_DATASET, None, room.now - _DAY, 4, room.now)
    try:
        found = top.compared(room.database, asked)
    except UsageError:  # nothing is stored of it
        return
    sides = {side.comparison.axis: side for side in found.sides}
    yield from (_side(room, sides[axis], asked.unit) for axis in _AXES if axis in sides)


def _side(room: Room, side: top.Side, unit: str) -> Html:
    compared = side.comparison
    rows = [
        Bar(
            name=room.veil(comparing.name(compared, row)),
            value=float(compared.parts.actual[row]),
            usual=float(compared.parts.expected[row]),
            note=str(comparing.newness(compared, row) or ""),
        )
        for row in comparing.by_use(compared)[:_ROWS]
    ]
    by_days = compared.axis == "member"
    over = room.reader.between(side.from_at, side.until_at, "1d" if by_days else "1h")
    heading = f"{compared.axis.capitalize()}s against usual"
    drawn = Bars(heading, f"{unit}, {over}{' (UTC days)' if by_days else ''}", rows)
    svgs = (Html(bars(drawn, each)) for each in on_page(f"top-{compared.axis.casefold()}"))
    return el("section", el("h2", heading), svgs)
