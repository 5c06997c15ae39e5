"""`$fields` in a rule's `title` and `text`: a small fixed set, and no code. Pure.

| field | holds, as messages write it |
| --- | --- |
| `$rule` | the rule's id |
| `$severity` | `info`, `warning` or `critical` |
| `$series` | of which series of `for_each` it is; empty for a total |
| `$member` | the member, with `for_each: member`; else empty |
| `$dataset` | what is counted: `credit_usage` |
| `$value` | what was judged: `12,345` |
| `$unit` | the unit of value and limit: `credits`, `%` |
| `$amount` | what the value costs, with `price` in the rules file: `123.45 USD`; else empty |
| `$limit` | the limit of the level reached: `10,000` |
| `$window` | over how long it was judged: `3 h` |
| `$since` | when it began, in the file's zone: `Sat 21 Nov 14:00` |
| `$summary` | the rule's own sentence |

`$$` is a dollar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from string import Template

from usage_watch.core.entry import META, goes_on
from usage_watch.core.message import NAMED, Message, Notice, Reason
from usage_watch.core.selection import MEMBER
from usage_watch.core.units import SECONDS, quantity, spell_duration
from usage_watch.core.when import times

FIELDS = (
    "rule",
    "severity",
    "series",
    "member",
    "dataset",
    "value",
    "unit",
    "amount",
    "limit",
    "window",
    "since",
    "summary",
)
_NEAR = 0.6
"""How alike two names are when one is the other misspelled: `serie` and `series` are, `name` and `rule` are not."""

Flawed = Callable[[str, Exception], object]
"""Told of a rule's id, and why its title or text could not be filled."""


@dataclass(frozen=True, slots=True)
class Style:
    """How the messages of a rule are worded."""

    text: str | None = None
    """A template of what is said besides; None for nothing."""
    named: int = NAMED
    """How many incidents one message names; the rest are counted."""


def faults(template: str) -> Iterator[str]:
    """What is wrong with a template: clauses that follow its name."""
    for match in Template.pattern.finditer(template):
        name = match["named"] or match["braced"]
        if match["invalid"] is not None:
            yield "has a `$` that begins no name; write `$$` for a dollar"
        elif name is not None and name not in FIELDS:
            yield f"names `${name}`, which is not known here; {_advice(name)}"


def _advice(name: str) -> str:
    meant = get_close_matches(name.casefold(), FIELDS, 1, _NEAR)
    return f"did you mean `${meant[0]}`?" if meant else f"known are {', '.join(f'${field}' for field in FIELDS)}"


def has_fields(title: str, style: Style) -> bool:
    """Whether there is anything to fill in a rule's words."""
    return "$" in f"{title}{style.text}"


def styled(message: Message, style: Style, flawed: Flawed) -> Message:
    """The message in its rule's own words. What cannot be filled is left out: the id stands for a title."""

    def own(notice: Notice) -> Notice:
        # What the watcher says of itself nobody wrote.
        return notice if notice.rule.kind == META else _worded(notice, message, style, flawed)

    news, standing = (tuple(own(each) for each in notices) for notices in (message.news, message.standing))
    return replace(message, news=news, standing=standing, named=style.named)


def _worded(notice: Notice, message: Message, style: Style, flawed: Flawed) -> Notice:
    title = _filled(notice.rule.title, notice, message, flawed) or notice.rule.id
    text = style.text if goes_on(notice) or notice.reason is Reason.FIRED_AND_ENDED else None
    said = _filled(text, notice, message, flawed) if text is not None else ""
    return replace(notice, rule=replace(notice.rule, title=title), text=said or None)


def _filled(template: str, notice: Notice, message: Message, flawed: Flawed) -> str:
    """Empty where it cannot be filled: what a text holds keeps no message from being sent."""
    if "$" not in template:
        return template
    try:
        return Template(template).substitute(_fields(notice, message)).strip()
    except Exception as error:
        flawed(notice.rule.id, error)
        return ""


def _fields(notice: Notice, message: Message) -> dict[str, str]:
    evidence = notice.evidence
    value, unit = _parted(evidence.value, evidence.unit)
    limit, _ = _parted(evidence.limit, evidence.unit)
    return {
        "rule": notice.rule.id,
        "severity": notice.severity.value,
        "series": series(notice),
        "member": notice.labels.get(MEMBER, ""),
        "dataset": evidence.dataset,
        "value": value,
        "unit": unit,
        "amount": "" if notice.price is None else notice.price.amount(evidence.value),
        "limit": limit,
        "window": spell_duration(evidence.until_at - evidence.from_at),
        "since": times(notice, message, by_days=evidence.bucket == "1d").began,
        "summary": evidence.summary,
    }


def _parted(value: float, unit: str) -> tuple[str, str]:
    """A number and its unit; a duration has units of its own: `1 h 10 min`."""
    said = quantity(value, unit)
    number, _, of = said.partition(" ")
    return (said, "") if unit == SECONDS else (number, of)


def series(notice: Notice) -> str:
    """Of which series of its rule a notice is; empty for a total."""
    return ", ".join(value for _, value in sorted(notice.labels.items()))
