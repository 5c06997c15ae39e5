"""`usage-watch alerts rebaseline` and `expected`: what people say about what is usual."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.orders import TIME, author, moment, said
from usage_watch.cli.common.printing import print_facts
from usage_watch.cli.common.session import Command, Session, pass_session
from usage_watch.errors import UsageError
from usage_watch.views import answers
from usage_watch.views.incidents import find, in_words, is_open, reminded_until, what
from usage_watch.views.orders import NOTHING, words_of

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.lessons import Answer, AnswerKind
    from usage_watch.rules import Rule
    from usage_watch.store.database import Database
    from usage_watch.views.orders import Word

_INSTEAD = {
    "threshold": "write another limit into its rule",
    "budget": "write another limit into its rule",
    "absence": "write a longer `quiet_for` into its rule",
    "novelty": "add what is new to its rule's `expected`",
}
"""What helps for good where nothing is learned, by the kind of the rule."""

_LATELY = timedelta(days=4)
"""Nothing is so late that a source which has not stood has no usage since."""


def _options(command: Any) -> Any:
    """What both commands take, beside the id."""
    for option in (
        click.option("--undo", is_flag=True, help="Take it back: as if it had not been said."),
        click.option("--author", "by", metavar="NAME", help="Who says so: your login name by default."),
        click.option("--note", metavar="TEXT", help="Why; what others should know of it."),
        click.argument("id"),
    ):
        command = option(command)
    return command


@click.command(cls=Command)
@_options
@pass_session
def rebaseline(session: Session, id: str, note: str | None, by: str | None, undo: bool) -> None:
    """Say that what an anomaly is about is the new usual.

    From now on its series is judged against what came since the alert began; it ends once that is usual. No more
    reminders of it until it rises to a higher level or ends. ID may be any beginning of it that no other has, with or
    without `inc_`. A running daemon learns of it by itself.
    """
    from usage_watch.core.lessons import AnswerKind

    answering = _Answering(session, AnswerKind.REBASELINE, by)
    if undo:
        answering.undo(id, ("--note", note))
    else:
        answering.say(id, note)


@click.command(cls=Command)
@_options
@click.option("--from", "begins", metavar="TIME", help=f"From when on: {TIME}; from the alert's start by default.")
@click.option("--to", "ends", metavar="TIME", help="Until when; until the alert's end by default, also one to come.")
@pass_session
def expected(
    session: Session, id: str, note: str | None, by: str | None, undo: bool, begins: str | None, ends: str | None
) -> None:
    """Say that an anomaly was expected: nothing is learned from it.

    What is usual stays what it was without the alert. No more reminders of it until it rises to a higher level or ends.
    Times without a zone are in that of the rules file. ID may be any beginning of it that no other has, with or without
    `inc_`. A running daemon learns of it by itself.
    """
    from usage_watch.core.lessons import AnswerKind

    answering = _Answering(session, AnswerKind.EXPECTED, by)
    if undo:
        answering.undo(id, ("--note", note), ("--from", begins), ("--to", ends))
    else:
        answering.say(id, note, begins, ends)


class _Answering:
    """Somebody says something, at a time."""

    def __init__(self, session: Session, kind: AnswerKind, by: str | None) -> None:
        from usage_watch.clock import open_clock
        from usage_watch.views.times import Reader

        self._kind, self._who = kind, author(by)
        self._session, self._config = session, session.config()
        self._now = open_clock().now()
        self._reader = Reader(self._config.timezone, self._now)

    def say(self, id: str, note: str | None, begins: str | None = None, ends: str | None = None) -> None:
        """Store it, and that somebody knows; UsageError where it would change nothing."""
        from usage_watch.core.silence import Ack
        from usage_watch.store.alerts import AlertStore
        from usage_watch.store.answers import AnswerStore

        why = None if note is None else said("--note", note)
        times = self._at("--from", begins), self._at("--to", ends)
        with self._session.writing(self._config) as database:
            incident = find(AlertStore(database), id)
            rule = _learning(incident, self._config)
            answer = self._answer(incident, rule, times, why, database)
            before = self._word(database, incident)
            ack = Ack(incident.id, incident.rank, self._now, self._who, why) if is_open(incident) else None
            repeats = before.answer is not None and answer.repeats(before.answer)
            if not repeats or (ack is not None and not before.known):
                AnswerStore(database).say(answer, ack)
        print_facts(self._said(self._worded(incident), rule, answer, before.answer))

    def undo(self, id: str, *options: tuple[str, str | None]) -> None:
        """Take back what was said; UsageError where nothing was."""
        from usage_watch.store.alerts import AlertStore
        from usage_watch.store.answers import AnswerStore

        for option in (name for name, value in options if value is not None):
            raise UsageError(f"--undo takes back all that was said of the alert; leave out {option}.")
        with self._session.writing(self._config) as database:
            incident = find(AlertStore(database), id)
            answer = self._to_take_back(incident, self._word(database, incident).answer)
            AnswerStore(database).take_back(incident.id, self._now, self._who)
            after = self._word(database, incident)
        print_facts(self._taken_back(self._worded(incident), answer, after))

    def _at(self, option: str, text: str | None) -> datetime | None:
        return None if text is None else moment(option, text, self._config.timezone, self._now)

    def _word(self, database: Database, incident: Incident) -> Word:
        return words_of(self._config, database, [incident], self._now).get(incident.id, NOTHING)

    def _worded(self, incident: Incident) -> Incident:
        return in_words([incident], self._config, self._now)[0]

    def _answer(
        self,
        incident: Incident,
        rule: Rule,
        times: tuple[datetime | None, datetime | None],
        why: str | None,
        database: Database,
    ) -> Answer:
        from usage_watch.core.lessons import Answer, AnswerKind

        from_at, until_at = times
        if self._kind is AnswerKind.REBASELINE:
            self._check_goes_on(incident)
            from_at, until_at = incident.started_at, self._read_until(rule, database)
        else:
            self._check_span(rule, from_at or incident.started_at, until_at or incident.ended_at)
        return Answer(incident.id, self._kind, from_at, until_at, self._now, self._who, why)

    def _read_until(self, rule: Rule, database: Database) -> datetime:
        """The end of what has come by now: it is what the answer is about, and no news for it any more."""
        from usage_watch.core.units import from_epoch
        from usage_watch.store.history import HistoryStore

        history = HistoryStore(database).load({rule.feed: self._now - _LATELY})
        until = history[rule.feed].data_until
        return self._now if until is None else min(self._now, from_epoch(until))

    def _check_goes_on(self, incident: Incident) -> None:
        if not is_open(incident):
            instead = f"to leave it out of what is learned, say `usage-watch alerts expected {incident.id}`"
            raise UsageError(f"{incident.id} is over, and with it what it was about is no new usual; {instead}.")

    def _check_span(self, rule: Rule, begin: datetime, end: datetime | None) -> None:
        from usage_watch.core.lessons import buckets_in
        from usage_watch.core.series import DAY

        if end is not None and end <= begin:
            times = f"{self._reader.moment(begin)} to {self._reader.moment(end)}"
            raise UsageError(f"that would end before it begins ({times}); write a later --to, or an earlier --from.")
        if end is not None and not buckets_in(begin, end, rule.width):
            bucket = "day of the source, which are UTC days," if rule.width == DAY else "hour"
            raise UsageError(f"not half of any {bucket} lies in that time; write a longer one.")

    def _said(self, incident: Incident, rule: Rule, answer: Answer, before: Answer | None) -> Iterator[tuple[str, str]]:
        yield answers.name(answer), f"{incident.rule.id}: {what(incident)}"
        yield "It means", self._meaning(incident, rule, answer)
        if is_open(incident):
            yield "Reminders", f"none until {reminded_until(incident)}"
        if before is not None and before.stands:
            yield "Before", self._before(incident, answer, before)
        yield "To take back", f"usage-watch alerts {answer.kind} {incident.id} --undo"

    def _meaning(self, incident: Incident, rule: Rule, answer: Answer) -> str:
        from usage_watch.core.lessons import AnswerKind
        from usage_watch.core.series import DAY
        from usage_watch.core.units import spell_duration

        meaning, zone = answers.meaning(answer, incident, self._reader), self._reader.zone.key
        if answer.kind is AnswerKind.EXPECTED:
            lasts = answer.until_at is None and is_open(incident)
            more = f"; where it stays so, say `usage-watch alerts rebaseline {incident.id}`" if lasts else ""
            return f"{meaning} (times in {zone}){more}"
        following = "day" if rule.width == DAY else "hour"
        usual = spell_duration(timedelta(seconds=rule.resolve_buckets * rule.width))
        means = f"{meaning} ({zone}), from the newest {following} on; it ends once {usual} were usual by that"
        blind_until = _judges_again(rule, answer.from_at or incident.started_at)
        if blind_until is None or blind_until <= self._now:
            return means
        return f"{means}; until {self._reader.moment(blind_until)} too little of it is known, and none of it is judged"

    def _before(self, incident: Incident, answer: Answer, before: Answer) -> str:
        if answer.repeats(before):
            return f"it was said already, {self._reader.moment(before.at)} by {before.author}"
        said = answers.fact(before, incident, self._reader)
        return f"this replaces {said[0].casefold()}: {said[1]}"

    def _to_take_back(self, incident: Incident, answer: Answer | None) -> Answer:
        """What was said last; it may have been taken back already."""
        if answer is None:
            raise UsageError(f"nothing was said about what is usual of {incident.id}, so that nothing is taken back.")
        if answer.kind is not self._kind:
            other = f"usage-watch alerts {answer.kind} {incident.id} --undo"
            raise UsageError(f"what was said of {incident.id} is another thing; take it back with `{other}`.")
        return answer

    def _taken_back(self, incident: Incident, answer: Answer, after: Word) -> Iterator[tuple[str, str]]:
        yield "Taken back", f"{answers.name(answer).casefold()}, of {incident.rule.id}: {what(incident)}"
        yield "It means", "what is usual is learned, and judged by, as if it had not been said"
        if is_open(incident) and not after.known:
            yield "Reminders", "as before: nobody has acknowledged it"
        if answer.taken_back_at is not None:
            yield (
                "Before",
                f"it was taken back already, {self._reader.moment(answer.taken_back_at)} by {answer.taken_back_by}",
            )


def _judges_again(rule: Rule, since: datetime) -> datetime | None:
    """When a rule that only knows the last weeks judges by what came since; None where it goes by the week's shape."""
    from usage_watch.core.series import DAY
    from usage_watch.core.stats.rolling import EMBARGO, LEAST
    from usage_watch.core.units import from_epoch, to_epoch
    from usage_watch.rules.zscore import ZscoreRule

    if not isinstance(rule, ZscoreRule) or rule.is_seasonal:
        return None
    return from_epoch(-(-(to_epoch(since) + LEAST + EMBARGO) // DAY) * DAY)


def _learning(incident: Incident, config: Config) -> Rule:
    """The rule that would learn from an answer; UsageError where there is none."""
    kind, id = incident.rule.kind, incident.id
    if not answers.answerable(incident):
        for_good = f"; or {_INSTEAD[kind]}" if kind in _INSTEAD else ""
        raise UsageError(
            f"{id} is no anomaly: to a rule of kind {kind} nothing is usual. Acknowledge it (`usage-watch alerts ack "
            f"{id}`) or silence it (`usage-watch silence add rule={incident.rule.id} …`){for_good}."
        )
    rule = next((each for each in config.rules if each.id == incident.rule.id and each.kind == kind), None)
    if rule is None:
        raise UsageError(f"the rule {incident.rule.id} is not in the rules file any more, so that nothing is learned.")
    return rule
