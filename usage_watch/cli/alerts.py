"""`usage-watch alerts`: what was found, and why it was told or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.answering import expected, rebaseline
from usage_watch.cli.common.because import compared_json, print_compared
from usage_watch.cli.common.incidents import incident_json, print_all
from usage_watch.cli.common.orders import author, said
from usage_watch.cli.common.printing import print_facts, print_json, print_table
from usage_watch.cli.common.session import Noun, Session, json_option, pass_session
from usage_watch.errors import UsageError
from usage_watch.views.incidents import explained, find, in_words, is_open, reminded_until, what
from usage_watch.views.orders import NOTHING, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from usage_watch.core.incident import Incident
    from usage_watch.store.alerts import Attempts, Decided
    from usage_watch.views.arrivals import Arrivals
    from usage_watch.views.orders import Word
    from usage_watch.views.story import Story
    from usage_watch.views.times import Reader


class _Listing(Noun):
    """`alerts` alone, or with nothing but options, is `alerts list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = any(each in self.commands or each in ("-h", "--help") for each in args)
        alone = not named and (not args or args[0].startswith("-"))
        return super().parse_args(ctx, ["list", *args] if alone and not ctx.resilient_parsing else args)


@click.group(cls=_Listing)
def alerts() -> None:
    """What was found: list the alerts, have one explained, or say that you know.

    An anomaly can be answered, too: that it was expected, or that it is the new usual.

    `usage-watch alerts` alone is `usage-watch alerts list`.
    """


for _answer in (rebaseline, expected):
    alerts.add_command(_answer)


@alerts.command("list")
@click.option("--history", is_flag=True, help="Also what was over before its rule was first seen.")
@click.option(
    "--since",
    default="7d",
    show_default=True,
    metavar="TIME",
    help="Of what has ended, only what ended since then: 30d, 2026-11-01 or 2026-11-01T14:00Z.",
)
@json_option
@pass_session
def list_(session: Session, history: bool, since: str, as_data: bool) -> None:
    """List what is open, and what has ended lately."""
    from usage_watch.clock import open_clock
    from usage_watch.views.story import listed
    from usage_watch.views.times import Reader, since_at

    now = open_clock().now()
    start_at, config = since_at(since, now), session.config()
    with session.reading(config) as database:
        found = listed(config, database, start_at, now, history=history)
    if as_data:
        print_json([incident_json(incident, found.words[incident.id]) for incident in found.incidents])
        return
    reader = Reader(config.timezone, now)
    nothing = f"Nothing is open, and nothing has ended since {reader.moment(start_at)}."
    print_all(found.incidents, found.words, reader, nothing)
    if found.hidden:
        click.echo(f"\n{found.hidden:,} more with --history: over before their rule was first seen.")


@alerts.command()
@click.argument("id")
@json_option
@pass_session
def show(session: Session, id: str, as_data: bool) -> None:
    """Explain one alert: its numbers, decisions and deliveries.

    ID may be any beginning of it that no other has, with or without `inc_`.
    """
    from usage_watch.clock import open_clock
    from usage_watch.views.story import story
    from usage_watch.views.times import Reader

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        found = story(config, database, id, now)
    if as_data:
        print_json(_data(found))
        return
    reader = Reader(config.timezone, now)
    print_facts(explained(found.incident, reader, found.word, tabled=found.compared is not None))
    _print_arrivals(found.arrivals, reader)
    print_compared(found.compared, reader)
    _print_decisions(found.decisions, reader)
    _print_deliveries(found.attempts, reader)


@alerts.command()
@click.argument("id")
@click.option("--note", metavar="TEXT", help="What others should know of it.")
@click.option("--author", "by", metavar="NAME", help="Who knows: your login name by default.")
@pass_session
def ack(session: Session, id: str, note: str | None, by: str | None) -> None:
    """Say that somebody knows: no more reminders of it.

    It holds until the alert rises to a higher level or ends. ID may be any beginning of it that no other has, with or
    without `inc_`. A running daemon learns of it by itself.
    """
    from usage_watch.clock import open_clock
    from usage_watch.core.silence import Ack
    from usage_watch.store.alerts import AlertStore
    from usage_watch.store.silences import SilenceStore
    from usage_watch.views.times import Reader

    who, why = author(by), None if note is None else said("--note", note)
    config, now = session.config(), open_clock().now()
    reader = Reader(config.timezone, now)
    with session.writing(config) as database:
        store = AlertStore(database)
        incident = _going_on(find(store, id), reader)
        before = words_of(config, database, [incident], now).get(incident.id, NOTHING)
        SilenceStore(database).ack(Ack(incident.id, incident.rank, now, who, why))
    _print_acknowledged(in_words([incident], config, now)[0], before, reader)


def _going_on(incident: Incident, reader: Reader) -> Incident:
    """The incident; UsageError where there is nothing to know of it any more."""
    if incident.history:
        raise UsageError(f"{incident.id} was over when its rule was first seen, and nobody is told of it.")
    if not is_open(incident):
        raise UsageError(
            f"{incident.id} is over since {reader.moment(incident.ended_at)}, and nobody is reminded of it."
        )
    return incident


def _print_acknowledged(incident: Incident, before: Word, reader: Reader) -> None:
    facts = [
        ("Acknowledged", f"{incident.rule.id}: {what(incident)}"),
        ("It means", f"no reminders until {reminded_until(incident)}"),
    ]
    if before.known and before.ack is not None:
        facts.append(("Before", f"it was acknowledged already, {reader.moment(before.ack.at)} by {before.ack.author}"))
    print_facts(facts)


def _print_arrivals(found: Arrivals, reader: Reader) -> None:
    """Nothing where all came as usual."""
    from usage_watch.views.arrivals import rows

    if found.shown:
        click.echo("\nHow its numbers came")
        print_facts(rows(found, reader))
    if found.more:
        click.echo(f"And {found.more:,} more.")


def _print_decisions(decisions: Sequence[Decided], reader: Reader) -> None:
    click.echo("\nDecisions")
    rows = [
        (
            reader.moment(each.at),
            each.decision.target or "all",
            each.decision.reason,
            "yes" if each.decision.told else "no",
            each.decision.why,
        )
        for each in decisions
    ]
    print_table(("at", "channel", "news", "told", "why"), rows, "None: there was nothing to decide.")


def _print_deliveries(attempts: Sequence[Attempts], reader: Reader) -> None:
    click.echo("\nDeliveries")
    rows = [
        (each.target, each.reason, each.state, each.attempts, reader.moment(_when(each), ""), each.last_error or "")
        for each in attempts
    ]
    print_table(("channel", "news", "state", "tries", "last or next", "detail"), rows, "None: nobody is told of it.")


def _when(attempt: Attempts) -> datetime | None:
    return attempt.sent_at or attempt.next_attempt_at or attempt.attempted_at


def _data(found: Story) -> dict[str, Any]:
    return {
        **incident_json(found.incident, found.word),
        "arrivals": _arrivals_json(found.arrivals),
        "compared": compared_json(found.compared),
        "decisions": [_decision_json(each) for each in found.decisions],
        "deliveries": [_delivery_json(each) for each in found.attempts],
    }


def _arrivals_json(found: Arrivals) -> dict[str, Any]:
    from usage_watch.views.arrivals import Came, Changed

    return {
        "late": [
            {"from": each.from_at, "until": each.until_at, "at": each.at, "was_zero": each.was_zero}
            for each in found.shown
            if isinstance(each, Came)
        ],
        "changed": [
            {
                "from": each.from_at,
                "until": each.until_at,
                "at": each.at,
                "before": each.before,
                "after": each.after,
                "was_final": each.was_final,
            }
            for each in found.shown
            if isinstance(each, Changed)
        ],
        "more": found.more,
    }


def _decision_json(decided: Decided) -> dict[str, Any]:
    decision = decided.decision
    return {
        "at": decided.at,
        "channel": decision.target,
        "reason": decision.reason,
        "told": decision.told,
        "why": decision.why,
    }


def _delivery_json(attempt: Attempts) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "channel": attempt.target,
        "reason": attempt.reason,
        "state": attempt.state,
        "attempts": attempt.attempts,
        "created_at": attempt.created_at,
        "attempted_at": attempt.attempted_at,
        "next_attempt_at": attempt.next_attempt_at,
        "sent_at": attempt.sent_at,
        "last_error": attempt.last_error,
    }
