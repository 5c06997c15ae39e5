"""An incident in words: in a line, and in full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from usage_watch.core.entry import AFTERWARDS, LOOKS_OVER, META, WHY, clause
from usage_watch.errors import UsageError
from usage_watch.views.answers import answerable
from usage_watch.views.orders import NOTHING, Word, facts, notes

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.message import Evidence, RuleName
    from usage_watch.store.alerts import AlertStore
    from usage_watch.views.orders import Words
    from usage_watch.views.times import Reader

_OVER_BEFORE = "from before the rule was first seen, told to nobody"
_LOOKED_OVER = "looks over, waiting for data to settle; told to nobody"
"""Of history: what had ended before its rule was first seen, and what then only looked so."""
_AGED = {"1h": timedelta(hours=6), "1d": timedelta(days=2)}
"""After which numbers are no longer what is read as of now."""


def is_open(incident: Incident) -> bool:
    """Whether it goes on and anybody is to know; what looked over when its rule was first seen is only not final."""
    return incident.open and not incident.history


def find(store: AlertStore, id: str) -> Incident:
    """The one with that id, or with that beginning of it; UsageError where there is none, or several."""
    # Nothing is the beginning of the only one, too, but `"$ID"` of a variable that is not set means none.
    found = store.incident(id) if id else None
    if found is not None:
        return found
    every = (each.id for each in store.incidents(datetime.fromtimestamp(0, UTC)))
    several = [each for each in every if id and (each.startswith(id) or each.removeprefix("inc_").startswith(id))]
    if several:
        shown = ", ".join(several[:3]) + (", …" if len(several) > 3 else "")
        raise UsageError(f"{id!r} is the beginning of {len(several)} alerts; write more of it: {shown}.")
    raise UsageError(f"There is no alert {id!r}; `usage-watch alerts list --history --since 2y` lists them all.")


def reminded_until(incident: Incident) -> str:
    """When it is no use any more that somebody knows: `it rises above warning or ends`."""
    highest = incident.severity == "critical"
    return f"it {'reaches a higher level' if highest else f'rises above {incident.severity}'} or ends"


def in_words(incidents: Iterable[Incident], config: Config, now: datetime) -> list[Incident]:
    """As messages speak of them: titles filled in, amounts beside credits."""
    from usage_watch.core.compose import Form, as_told

    form = Form({}, config.timezone, price=config.list_price)
    return [as_told(incident, form, now) for incident in incidents]


def urgent(incidents: Iterable[Incident]) -> list[Incident]:
    """What is open first, of that the gravest, of those the newest; then what is over, the last end first."""
    return sorted(incidents, key=_urgency)


def _urgency(incident: Incident) -> tuple[bool, int, float]:
    if is_open(incident):
        return False, -incident.severity.weight, -incident.started_at.timestamp()
    over_at = incident.ended_at or incident.evidence.until_at
    return True, 0, -over_at.timestamp()


def what(incident: Incident, notes: Iterable[str] = ()) -> str:
    """Which series, what of it, what became of it, and what people said."""
    said = ": ".join([*incident.labels.values(), incident.evidence.summary])
    became = "; ".join(filter(None, [_became(incident), *notes]))
    return f"{said} ({became})" if became else said


def line(incident: Incident, words: Words, reader: Reader) -> str:
    """`what`, of when its numbers are where that is a while ago, and what people said."""
    return what(incident, [*as_of(incident, reader), *notes(words.get(incident.id, NOTHING), reader)])


def as_of(incident: Incident, reader: Reader) -> Iterator[str]:
    """`as of Thu 12 Nov`: what goes on is told by the numbers of when it stood highest, or was last said."""
    evidence = incident.evidence
    if is_open(incident) and incident.rule.kind != META and reader.now - evidence.until_at > _AGED[evidence.bucket]:
        yield f"as of {reader.last(evidence.until_at, evidence.bucket)}"


def _became(incident: Incident) -> str:
    """Empty where there is nothing to say but that it is open, or when it ended."""
    if incident.closed:
        return f"taken back, {clause(incident.closed)}" if incident.retracted else incident.closed.rstrip(".")
    if incident.history:
        return _LOOKED_OVER if incident.open else _OVER_BEFORE
    return LOOKS_OVER if incident.looks_over else ""


def explained(
    incident: Incident, reader: Reader, word: Word = NOTHING, *, tabled: bool = False
) -> Iterator[tuple[str, str]]:
    """Every number that there is about an incident, as names and values; and what people said of it.

    `tabled`: who contributed is said elsewhere.
    """
    evidence, bucket = incident.evidence, incident.evidence.bucket
    yield "Incident", incident.id
    yield "Rule", _rule(incident.rule)
    yield from incident.labels.items()
    yield "What", evidence.summary
    yield "Severity", incident.severity
    yield "Since", began(incident, reader)
    yield "Until", ended(incident, reader)
    yield from _standing(incident)
    yield from facts(word, incident, reader)
    judged = reader.between(evidence.from_at, evidence.until_at, bucket)
    where = f"{evidence.dataset}, " if evidence.dataset else ""
    yield "Judged", f"{where}{judged} (times in {'UTC' if bucket == '1d' else reader.zone.key})"
    yield from _numbers(evidence)
    if evidence.why is not None:
        yield WHY, evidence.why
    if not tabled:
        yield from _contributors(evidence)
    if incident.rule.runbook:
        yield "What to do", incident.rule.runbook
    if is_open(incident) and answerable(incident) and (word.answer is None or not word.answer.stands):
        yield "To answer", f"usage-watch alerts expected {incident.id}, or rebaseline: it is the new usual"


def _standing(incident: Incident) -> Iterator[tuple[str, str]]:
    """How it stands, and how that came."""
    if incident.closed:
        yield ("Taken back" if incident.retracted else "Closed"), incident.closed
    if is_open(incident) and incident.looks_over:
        yield "Now", LOOKS_OVER
    if incident.history and incident.open:
        yield "History", "it looked over when its rule was first seen, and was told to nobody; its data is not settled"
    elif incident.history:
        yield "History", "it had ended before its rule was first seen, and was told to nobody"
    if incident.evidence.after and not incident.open:
        yield AFTERWARDS, incident.evidence.after


def _numbers(evidence: Evidence) -> Iterator[tuple[str, str]]:
    from usage_watch.core.units import SECONDS, number, quantity

    is_time = evidence.unit == SECONDS
    value = quantity(evidence.value, SECONDS) if is_time else f"{number(evidence.value)} {evidence.unit}"
    limit = quantity(evidence.limit, SECONDS) if is_time else number(evidence.limit)
    when = "when last said" if evidence.newest else "at its worst"
    yield "Value", f"{value}, {when}; limit {limit}"
    if evidence.score is not None:
        yield "Score", number(evidence.score)
    yield from ((fact.name, fact.value) for fact in evidence.facts)


def _contributors(evidence: Evidence) -> Iterator[tuple[str, str]]:
    from usage_watch.core.units import number, percent

    for each in evidence.contributors:
        sign = "+" if each.change > 0 else ""
        yield f"By {each.axis}", f"{each.category} {sign}{number(each.change)} ({percent(each.share)})"


def named(incidents: Iterable[Incident], most: int = 5) -> str:
    """`runaway, heavy-day (ana@example.com) and 3 more`."""
    names = [_named(incident) for incident in incidents]
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _named(incident: Incident) -> str:
    labels = ", ".join(incident.labels.values())
    return f"{incident.rule.id} ({labels})" if labels else incident.rule.id


def _rule(rule: RuleName) -> str:
    return f"{rule.id} ({rule.kind})" + ("" if rule.title == rule.id else f": {rule.title}")


def began(incident: Incident, reader: Reader) -> str:
    """Its first hour or day."""
    return reader.first(incident.started_at, incident.evidence.bucket)


def ended(incident: Incident, reader: Reader) -> str:
    """Its last hour or day; in words where it goes on."""
    # What was closed ended at that moment, in the midst of a bucket.
    bucket = "1h" if incident.closed else incident.evidence.bucket
    return reader.last(incident.ended_at, bucket, "settling" if incident.history else "open")
