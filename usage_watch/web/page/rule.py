"""Rule: what it judges, drawn; its alerts, its other series, and what it says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from usage_watch.core.chart import Mark, on_page
from usage_watch.core.incident import Incident
from usage_watch.core.plain import plain
from usage_watch.core.units import quantity
from usage_watch.errors import UsageError
from usage_watch.rules import Rule
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.words import spent_of
from usage_watch.store.alerts import AlertStore
from usage_watch.views.budgets.facts import facts as budget_facts
from usage_watch.views.budgets.figures import shortly
from usage_watch.views.budgets.reading import budgets
from usage_watch.views.budgets.state import Budget
from usage_watch.views.charts import Asked, Choice, NothingToDrawError, called, choose, drawn, in_period
from usage_watch.views.incidents import began, ended, in_words, line, urgent
from usage_watch.views.marks import marks
from usage_watch.views.orders import words_of
from usage_watch.views.rulefacts import facts
from usage_watch.views.rulewords import watches
from usage_watch.web.page.choices import choices
from usage_watch.web.page.html import Html, Inside, el, link, pairs, sentence
from usage_watch.web.page.incidents import severity
from usage_watch.web.page.room import Room
from usage_watch.web.page.shell import page
from usage_watch.web.page.tables import table
from usage_watch.web.page.todo import TO_DO, runbook

_SPANS: Final = {"7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90)}
_USUAL: Final = "90d"
_LONGEST = 80
"""Characters of a name."""
_SERIES = 40
_ALERTS = 20
"""How many are named; the rest is counted."""
_HEADS: Final = ("what", "level", "since", "until")


def view(room: Room) -> Html:
    """The page; UsageError where there is no such rule, series or time."""
    rule = _rule(room)
    since = _since(room)
    try:
        choice = _choice(room, rule, since)
        picture: Inside = _chart(room, choice, since)
    except NothingToDrawError as error:
        choice, picture = None, el("p", sentence(_unseen(rule, str(error))), class_="card")
    return page(
        room,
        called(rule),
        el("p", watches(rule)),
        None if rule.enabled else el("p", "It is disabled in the rules file: nothing of it is judged.", class_="card"),
        picture,
        _alerts(room, rule, choice, since),
        None if choice is None else _others(room, choice, since),
        _says(room, rule),
        _elsewhere(room, rule, choice, since),
    )


# ---- what is asked for -----------------------------------------------------------------------------------------------


def _rule(room: Room) -> Rule:
    id = room.asked.get("id", "")
    found = next((rule for rule in room.config.rules if rule.id == id), None)
    if found is None:
        raise UsageError(f"There is no rule {plain(id, _LONGEST)!r} in the rules file.")
    return found


def _since(room: Room) -> str:
    written = room.asked.get("since", _USUAL)
    if written not in _SPANS:
        raise UsageError(f"There is no page of {plain(written, _LONGEST)!r}: it shows {', '.join(_SPANS)}.")
    return written


def _choice(room: Room, rule: Rule, since: str) -> Choice:
    """The largest series, or the one that the link names."""
    choice = choose(Asked(room.config, room.database, rule, room.now, None, room.now - _SPANS[since]))
    key = room.asked.get("series")
    if key is None:
        return choice
    labels = next((each for each in choice.every if room.key_of(each) == key), None)
    if labels is None:
        raise UsageError(f"{rule.id} has no such series in that time; its page shows those that it has.")
    return replace(choice, labels=labels)


def _to(
    room: Room, rule: Rule, labels: Mapping[str, str] | None, since: str, words: Inside, *, here: bool = False
) -> Html:
    series = {"series": room.key_of(labels)} if labels else {}
    return link("rule", words, here, id=rule.id, **series, **({} if since == _USUAL else {"since": since}))


def _named(room: Room, labels: Mapping[str, str]) -> str:
    # Veiled before it is cut: half an address is none that could be found.
    return plain(room.veil(", ".join(labels.values())), _LONGEST)


# ---- the chart -------------------------------------------------------------------------------------------------------


def _chart(room: Room, choice: Choice, since: str) -> Html:
    marked = marks(room.database, choice, room.reader)
    pictures = [Html(svg) for svg in drawn(choice, on_page("rule"), marked, room.veil)]
    return el(
        "section",
        el("h2", _headed(room, choice, since)),
        None if in_period(choice.rule) else _spans(room, choice, since),
        el("figure", *pictures, class_="picture"),
        _marked(marked) if marked else None,
        _budget(room, choice),
    )


def _marked(found: Sequence[Mark]) -> Html:
    """What the signs in the chart say: nobody can point at anything on a phone."""
    signs = quantity(len(found), "signs")
    said = (el("li", each.text) for each in reversed(found))
    return el(
        "details", el("summary", f"{signs} in it: what came late, or was revised"), el("ul", said), class_="signs"
    )


def _headed(room: Room, choice: Choice, since: str) -> str:
    when = "This period" if in_period(choice.rule) else f"The last {_SPANS[since].days} days"
    return f"{_named(room, choice.labels)}: {when[:1].lower()}{when[1:]}" if choice.labels else when


def _spans(room: Room, choice: Choice, since: str) -> Html:
    labels = choice.labels if choice.labels != choice.every[0] else None
    links = (
        _to(room, choice.rule, labels, each, f"{length.days} days", here=each == since)
        for each, length in _SPANS.items()
    )
    return choices("Time shown", links)


def _unseen(rule: Rule, why: str) -> str:
    return "It is disabled, and nothing is stored that it could be drawn of." if not rule.enabled else why


def _budget(room: Room, choice: Choice) -> Html | None:
    """How it stands."""
    if not isinstance(choice.rule, BudgetRule):
        return None
    [budget] = [choice.budget] if choice.budget else budgets(room.config, room.database, [choice.rule], room.now)
    rows = [*_of_line(room, choice, budget), *budget_facts(budget, room.config.list_price, room.reader)]
    return pairs(rows)


def _of_line(room: Room, choice: Choice, budget: Budget) -> Iterator[tuple[str, str]]:
    """Of one of several series, in two figures."""
    line = next((each for each in budget.lines if each.labels == choice.labels), None)
    if line is not None and choice.labels:
        yield _named(room, choice.labels), spent_of(line.spent, line.limit, budget.rule.unit)
        if not line.over:
            yield "At its end", shortly(budget, line, room.reader)


# ---- its alerts ------------------------------------------------------------------------------------------------------


def _alerts(room: Room, rule: Rule, choice: Choice | None, since: str) -> Html:
    """Of all its series, or of the one that was asked for."""
    since_at = room.now - _SPANS[since] if choice is None else choice.since_at
    labels = choice.labels if choice is not None and "series" in room.asked else None
    every = AlertStore(room.database).incidents(since_at, [rule.id])
    found = urgent(each for each in every if labels is None or each.labels == labels)
    rest = f"And {len(found) - _ALERTS:,} more, less urgent or older." if len(found) > _ALERTS else None
    head = "Its alerts in that time" if labels is None else f"Alerts of {_named(room, labels)} in that time"
    return el(
        "section",
        el("h2", head, id="alerts"),
        table("alerts", _HEADS, _rows(room, found[:_ALERTS])) if found else el("p", "None.", class_="faint"),
        el("p", rest, class_="faint") if rest else None,
        None if labels is None else el("p", _to(room, rule, None, since, f"All {len(every):,} of the rule")),
    )


def _rows(room: Room, found: Sequence[Incident]) -> Iterator[Sequence[Inside]]:
    shown = in_words(found, room.config, room.now)
    words = words_of(room.config, room.database, shown, room.now)
    for each in shown:
        said = line(each, words, room.reader)
        yield link("alert", said, id=each.id), severity(each), began(each, room.reader), ended(each, room.reader)


# ---- its other series ------------------------------------------------------------------------------------------------


def _others(room: Room, choice: Choice, since: str) -> Html | None:
    """All of them, the largest first; the one that is shown is marked."""
    if choice.rule.for_each is None or len(choice.every) < 2:
        return None
    shown = [*choice.every[:_SERIES]]
    if choice.labels not in shown:
        shown.append(choice.labels)
    links = (
        el("li", _to(room, choice.rule, each, since, _named(room, each), here=each == choice.labels)) for each in shown
    )
    rest = len(choice.every) - len(shown)
    more = el("p", f"And {rest:,} more, which are smaller.", class_="faint") if rest else None
    head = el("h2", f"Its series by {choice.rule.for_each}, the largest first")
    return el("section", head, el("ul", links, class_="names"), more)


# ---- what it says ----------------------------------------------------------------------------------------------------


def _says(room: Room, rule: Rule) -> Html:
    rows: list[tuple[str, Inside]] = [*facts(rule, room.config)]
    read = runbook(room, rule.runbook)
    return el("section", el("h2", "Its settings"), pairs(rows if read is None else [*rows, (TO_DO, read)]))


def _elsewhere(room: Room, rule: Rule, choice: Choice | None, since: str) -> Html:
    commands = [_chart_command(room, rule, choice, since)]
    if isinstance(rule, BudgetRule):
        commands.append(f"usage-watch budget {rule.id}")
    commands.append(f"usage-watch backtest --since {since}")
    said = (el("li", el("code", each)) for each in commands)
    return el("section", el("h2", "The same on the command line"), el("ul", said, class_="commands"))


def _chart_command(room: Room, rule: Rule, choice: Choice | None, since: str) -> str:
    labels = {} if choice is None else choice.labels
    [name] = labels.values() if len(labels) == 1 else [""]
    series = f" --series {shlex.quote(name)}" if name and room.veil(name) == name else ""
    span = "" if in_period(rule) else f" --since {since}"
    return f"usage-watch chart {rule.id}{series}{span} --output {rule.id}.svg"
