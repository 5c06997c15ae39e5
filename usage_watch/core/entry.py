"""One incident in words: what happened to it, since when, and why.

Every string here is clean: one line, no control or invisible characters, cut to a length. Markup is the sink's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from zoneinfo import ZoneInfo

from usage_watch.core.links import alert_page
from usage_watch.core.message import Drawn, Fact, Message, Notice, Reason, Severity
from usage_watch.core.plain import plain
from usage_watch.core.sparkline import trend
from usage_watch.core.units import local_time, number, percent, quantity, spell_duration
from usage_watch.core.when import Times, times

LOOKS_OVER = "looks clear, waiting for data to settle"
"""Of what goes on, and would have ended, were what is known final."""
AFTERWARDS = "Afterwards"
"""The name of what is said once something is over: what was missed, say."""
WHY = "Why"
"""The name of who or what it comes from."""
_WORST, _LAST = "At its worst", "Last said"
"""The name of how far it went, or of when; and of what was expected last, which is all that counts of it."""

_PARTS = ("burn", "forecast")
"""The parts of a budget whose end is not that of the budget."""
META = "meta"
"""The kind of what the watcher says of itself: about causes, which have no peak and no usage."""

NAME, _SENTENCE, _VALUE, _PARAGRAPH = 80, 300, 200, 600
"""Characters kept of a name, of a sentence, of a row's value and of what a rule says besides."""
_CONTRIBUTORS = 3
"""Contributors named per axis."""
_ROWS = 12
"""Reasons given per incident."""

_LEVEL_MARKS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
_END_MARKS = {Reason.RESOLVED: "✅", Reason.FIRED_AND_ENDED: "✅", Reason.RETRACTED: "↩️"}
_OVER_MARK = "⚪"


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident in words."""

    mark: str
    headline: str
    """What happened: `claude-opus-4-8: 12,345 credits in 3 h, over the critical limit of 10,000`."""
    aside: tuple[str, ...]
    """What stands in brackets after it: `since 13:00`."""
    labels: tuple[Fact, ...]
    """Of which series of the rule it is."""
    standing: tuple[Fact, ...]
    """How it stands: how grave, since when."""
    reasons: tuple[Fact, ...]
    """Why: the rule's arithmetic, what is usual, who contributed."""
    text: str = ""
    """What the rule says besides: a paragraph; empty for nothing."""
    trend: Fact | None = None
    """How it came to this, as one row; None where there is nothing to draw."""
    page: str | None = None
    """A link to all there is of it; None where no page shows it."""

    @property
    def rows(self) -> tuple[Fact, ...]:
        """Why, and how it came to this."""
        return self.reasons if self.trend is None else (*self.reasons, self.trend)

    def line(self, *before: str) -> str:
        """Mark, headline and brackets; these open with `before`."""
        return f"{self.mark} {self.headline} {self.brackets(*before)}".rstrip()

    def brackets(self, *before: str) -> str:
        """What stands after the headline; nothing where there is nothing to say."""
        said = ", ".join((*before, *self.aside))
        return f"({said})" if said else ""


def entry(notice: Notice, message: Message) -> Entry:
    """One notice of a message."""
    by_days = notice.evidence.bucket == "1d" and notice.rule.kind != META
    when = times(notice, message, by_days=by_days)
    return Entry(
        mark=mark(notice),
        headline=_headline(notice, when),
        aside=(*_aside(notice, when), *_outlived(notice, message)),
        labels=tuple(Fact(_titled(axis), shown(category)) for axis, category in sorted(notice.labels.items())),
        standing=tuple(_standing(notice, when)),
        reasons=tuple(islice(_reasons(notice, when), _ROWS)),
        text=plain(notice.text or "", _PARAGRAPH),
        trend=_trend(notice, message, by_days=by_days),
        page=alert_page(message, notice),
    )


def goes_on(notice: Notice) -> bool:
    """Whether the incident goes on; one that is corrected may be over."""
    return notice.reason.firing or (not notice.reason.ending and notice.ended_at is None)


def mark(notice: Notice) -> str:
    """How grave it is; once it is over, how it ended."""
    return _LEVEL_MARKS[notice.severity] if goes_on(notice) else _END_MARKS.get(notice.reason, _OVER_MARK)


def names_itself(notice: Notice) -> bool:
    """Whether the headline holds the rule's title: it says which series it is, or there is no better name for that."""
    return _titles_its_series(notice) or (notice.reason is Reason.RESOLVED and not notice.labels)


def _titles_its_series(notice: Notice) -> bool:
    """Whether the title names the series, as `Credits of $series` does: said once, in its own words."""
    title = f" {shown(notice.rule.title)} "
    return bool(notice.labels) and all(f" {shown(value)} " in title for value in notice.labels.values())


def called(notices: Sequence[Notice]) -> str:
    """What the rule of these notices is called: by its id, where its title speaks of one of them only."""
    titles = {notice.rule.title for notice in notices}
    return shown(titles.pop() if len(titles) == 1 else notices[0].rule.id)


def shown(text: str, limit: int = NAME) -> str:
    """Clean text; where nothing of it is to be seen, that is said."""
    return plain(text, limit) or "(blank)"


def clause(sentence: str | None) -> str:
    """A sentence of our own as part of another: `Its rule was changed.` -> `its rule was changed`."""
    said = plain(sentence or "", _SENTENCE).removesuffix(".")
    is_word = said[1:2].islower() or said[1:2] == " "
    return said[0].lower() + said[1:] if is_word else said


# What


def _headline(notice: Notice, when: Times) -> str:
    series, summary = _series(notice), _summary(notice)
    match notice.reason:
        case Reason.RESOLVED:
            said = f"ended {when.ended}: {_part_of(notice)}{series or shown(notice.rule.title)}"
            whole = _whole(notice)
            return said if whole is None else f"{said}, {whole} in {when.lasted}"
        case Reason.FIRED_AND_ENDED:
            said = f"came and went: {_within(notice, summary)}"
        case Reason.CLOSED:
            said = f"closed: {clause(notice.note) or 'no longer watched'}"
        case Reason.RETRACTED:
            said = f"taken back, {clause(notice.note) or 'the source revised it'}"
        case Reason.UPDATED:
            said = f"corrected: {_within(notice, summary)}"
        case Reason.ESCALATED:
            said = f"{'is ' if series else ''}now {notice.severity}: {_within(notice, summary)}"
        case Reason.REMINDER:
            said = f"still open after {when.stands}: {_within(notice, summary)}"
        case _:
            return f"{series}: {summary}" if series else summary
    return f"{series} {said}".lstrip()


def _part_of(notice: Notice) -> str:
    """That a budget is burnt no more, say, is no word on whether it is spent."""
    return f"the {notice.part} of " if notice.part in _PARTS else ""


def _series(notice: Notice) -> str:
    if _titles_its_series(notice):
        return shown(notice.rule.title)
    return ", ".join(shown(value) for _, value in sorted(notice.labels.items()))


def _titled(axis: str) -> str:
    name = shown(axis)
    return name[0].upper() + name[1:]


def _summary(notice: Notice) -> str:
    return shown(notice.evidence.summary, _SENTENCE)


def _within(notice: Notice, summary: str) -> str:
    """A summary after other words. Only those of causes are our own from their first letter on."""
    return clause(summary) if notice.rule.kind == META else summary


def _aside(notice: Notice, when: Times) -> Iterator[str]:
    match notice.reason:
        case Reason.RESOLVED:
            if _whole(notice) is None:
                yield when.lasted
            if _has_height(notice):
                yield from _height(notice)
        case Reason.CLOSED:
            yield f"after {when.lasted}"
        case Reason.RETRACTED:
            yield f"of {when.began}"
            if when.learned is not None:
                yield f"learned {when.learned}"
        case _ if goes_on(notice):
            if notice.rule.kind != META:  # a cause says itself since when
                yield f"since {when.began}"
            if notice.looks_over:
                yield LOOKS_OVER
        case _:
            yield when.whole
            yield when.lasted


def _outlived(notice: Notice, message: Message) -> Iterator[str]:
    """That the budget's period is over, of what is told of it all the same: it was found late, say, or held back."""
    over_at = notice.evidence.over_at
    stands = goes_on(notice) or notice.reason is Reason.FIRED_AND_ENDED
    if stands and over_at is not None and over_at <= message.as_of:
        yield f"its period ended {local_time(over_at, ZoneInfo(message.zone), message.as_of)}"


def _has_height(notice: Notice) -> bool:
    """Whether there is a number that says how far it went: a cause has none, and nothing at all is no number."""
    return notice.rule.kind != META and notice.evidence.value != 0


def _whole(notice: Notice) -> str | None:
    """What was counted in all, where it was too much, and for longer than the window that is judged."""
    evidence = notice.evidence
    is_peak = evidence.value >= evidence.limit
    if evidence.whole is None or not is_peak or evidence.whole <= evidence.value:
        return None
    said = quantity(evidence.whole, evidence.unit)
    return plain(said if notice.price is None else notice.price.beside(said), _VALUE)


def _height(notice: Notice) -> Iterator[str]:
    evidence = notice.evidence
    height = "last said" if evidence.newest else "peak" if evidence.value >= evidence.limit else "lowest"
    window = "" if notice.period_at else f" in {spell_duration(evidence.until_at - evidence.from_at)}"
    yield f"{height} {plain(quantity(evidence.value, evidence.unit), _VALUE)}{window}"
    if notice.price is not None and _whole(notice) is None:
        yield notice.price.amount(evidence.value)


# How it stands, and why


def _standing(notice: Notice, when: Times) -> Iterator[Fact]:
    yield Fact("Severity", notice.severity.value)
    if notice.reason is Reason.RETRACTED:
        yield Fact("Alert of", when.began)
        if when.learned is not None:
            yield Fact("Learned", when.learned)
        return
    yield Fact("Since", when.began)
    if goes_on(notice):
        if notice.looks_over:
            yield Fact("Now", LOOKS_OVER)
        return
    yield Fact("Ended", when.ended)
    yield Fact("Lasted", when.lasted)


def _reasons(notice: Notice, when: Times) -> Iterator[Fact]:
    """While it goes on: why. Once it is over: how bad it was, and still who it was."""
    evidence = notice.evidence
    if notice.reason is Reason.RETRACTED:  # nothing else that was said of it holds
        yield Fact("It had said", _summary(notice))
        return
    if evidence.why is not None:
        yield Fact(WHY, shown(evidence.why, _SENTENCE))
    yield from _again(notice, when) if goes_on(notice) else _afterwards(notice)
    if goes_on(notice) or notice.reason is Reason.FIRED_AND_ENDED:
        yield from (Fact(shown(fact.name), shown(fact.value, _VALUE)) for fact in evidence.facts)
    if evidence.why is None:  # which names those who matter; all of them are a command away
        yield from _contributors(notice)


def _again(notice: Notice, when: Times) -> Iterator[Fact]:
    """For who is reminded of what goes on: numbers that are said again are of then; a period's sum is as of now."""
    if notice.reason is not Reason.REMINDER or notice.rule.kind == META or notice.period_at is not None:
        return
    if _has_height(notice):
        yield Fact(_WORST, when.worst)
    if notice.latest is not None:
        yield Fact("Now", shown(notice.latest, _SENTENCE))


def _afterwards(notice: Notice) -> Iterator[Fact]:
    """Of what is over."""
    if notice.evidence.after is not None:
        yield Fact(AFTERWARDS, shown(notice.evidence.after, _SENTENCE))
    if notice.reason is not Reason.FIRED_AND_ENDED:
        worst = _LAST if notice.evidence.newest else _WORST
        yield Fact("What was wrong" if notice.rule.kind == META else worst, _summary(notice))


def _trend(notice: Notice, message: Message, *, by_days: bool) -> Fact | None:
    series = drawn_of(notice)
    return None if series is None else trend(series, ZoneInfo(message.zone), message.as_of, by_days=by_days)


def drawn_of(notice: Notice) -> Drawn | None:
    """What may be drawn of a notice: nothing of what did not happen."""
    return None if notice.reason is Reason.RETRACTED else notice.evidence.series


def _contributors(notice: Notice) -> Iterator[Fact]:
    contributors = notice.evidence.contributors
    for axis in dict.fromkeys(contributor.axis for contributor in contributors):
        parts = [each for each in contributors if each.axis == axis][:_CONTRIBUTORS]
        said = (f"{shown(part.category)} {_signed(part.change)} ({percent(part.share)})" for part in parts)
        yield Fact(f"By {shown(axis)}", ", ".join(said))


def _signed(change: float) -> str:
    return f"+{number(change)}" if change > 0 else number(change)
