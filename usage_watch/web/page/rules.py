"""Rules: all of the file, what each watches, and what is open of it. Nothing is judged for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from usage_watch.core.incident import Incident
from usage_watch.core.selection import MEMBER, fold_label
from usage_watch.core.units import quantity
from usage_watch.rules import Rule
from usage_watch.store.alerts import AlertStore
from usage_watch.store.history import HistoryStore
from usage_watch.views.charts import called
from usage_watch.views.incidents import began, is_open, urgent
from usage_watch.views.rulewords import watches
from usage_watch.web.page.html import Html, Inside, el, join, link
from usage_watch.web.page.incidents import severity
from usage_watch.web.page.room import Room
from usage_watch.web.page.shell import page
from usage_watch.web.page.tables import table

_HEADS = ("Rule", "Kind", "Watches", "Series", "Now")


def view(room: Room) -> Html:
    """The page; what is not judged comes last."""
    ordered = sorted(room.config.rules, key=_disabled)
    if not ordered:
        return page(room, "Rules", el("p", "There are no rules yet: usage-watch init writes some."), here="rules")
    found, series = _open(room), dict(_series(room, ordered))
    rows = (_row(room, rule, found.get(rule.id, ()), series.get(rule.id, "")) for rule in ordered)
    summed = el("p", _summed(room.config.rules, found), class_="faint", id="all")
    return page(room, "Rules", summed, table("all", _HEADS, rows), here="rules")


def _disabled(rule: Rule) -> bool:
    return not rule.enabled


def _summed(rules: Sequence[Rule], found: Mapping[str, Sequence[Incident]]) -> str:
    """`9 rules, of which 1 is disabled; 3 have something open.`"""
    disabled, speaking = sum(map(_disabled, rules)), sum(rule.id in found for rule in rules)
    off = f", of which {disabled:,} {'is' if disabled == 1 else 'are'} disabled" if disabled else ""
    quiet = "nothing is judged" if disabled == len(rules) else "all quiet"
    now = f"{speaking:,} {'has' if speaking == 1 else 'have'} something open" if speaking else quiet
    return f"{quantity(len(rules), 'rules')}{off}; {now}."


def _open(room: Room) -> Mapping[str, Sequence[Incident]]:
    """What is open of each rule, the most urgent first."""
    found = defaultdict(list)
    for each in urgent(filter(is_open, AlertStore(room.database).incidents(room.now))):
        found[each.rule.id].append(each)
    return found


def _row(room: Room, rule: Rule, found: Sequence[Incident], series: str) -> Sequence[Inside]:
    title = link("rule", called(rule), id=rule.id)
    name = title if called(rule) == rule.id else join(title, " ", el("code", rule.id, class_="faint"))
    return name, rule.kind, watches(rule), series, _now(room, rule, found)


def _now(room: Room, rule: Rule, found: Sequence[Incident]) -> Inside:
    """The gravest alert that is open, and how many more there are."""
    if not found:
        return "quiet" if rule.enabled else "disabled: it is not judged"
    first = found[0]
    words = severity(first), f" open since {began(first, room.reader)}"
    more = f", and {len(found) - 1:,} more" if len(found) > 1 else None
    return link("alert", words, id=first.id), more


# ---- how many series each has ----------------------------------------------------------------------------------------


def _series(room: Room, rules: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    """Of rules with `for_each`, as far as a look at the names tells; the ids of rules, and in words."""
    history = HistoryStore(room.database)
    split = [rule for rule in rules if rule.for_each is not None]
    categories = {dataset: history.categories(dataset) for dataset in {rule.dataset for rule in split}}
    members = len(history.members()) if any(rule.selection.for_each == MEMBER for rule in split) else 0
    for rule in split:
        selection = rule.selection
        if selection.for_each == MEMBER:
            yield rule.id, quantity(members, "members") if selection.axis is None else ""
        elif selection.member is None:
            yield rule.id, f"{_categories(rule, categories[rule.dataset]):,} series"


def _categories(rule: Rule, categories: Mapping[str, set[str]]) -> int:
    selection = rule.selection
    found = (names for axis, names in categories.items() if fold_label(axis) == fold_label(selection.axis or ""))
    return sum(selection.choice is None or selection.choice.takes(name) for names in found for name in names)
