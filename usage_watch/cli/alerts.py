"""`usage-watch alerts`: what was found, and why it was told or not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.incidents import explained, incident_json, print_all, urgent
from usage_watch.cli.common.printing import print_facts, print_json, print_table
from usage_watch.cli.common.session import Noun, Session, json_option, pass_session
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from usage_watch.cli.common.times import Reader
    from usage_watch.core.incident import Incident
    from usage_watch.store.alerts import AlertStore, Attempts, Decided


class _Listing(Noun):
    """`alerts` alone, or with nothing but options, is `alerts list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = any(each in self.commands or each in ("-h", "--help") for each in args)
        alone = not named and (not args or args[0].startswith("-"))
        return super().parse_args(ctx, ["list", *args] if alone and not ctx.resilient_parsing else args)


@click.group(cls=_Listing)
def alerts() -> None:
    """What was found: list the alerts, or have one explained.

    `usage-watch alerts` alone is `usage-watch alerts list`.
    """


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
    from usage_watch.cli.common.times import Reader, since_at
    from usage_watch.clock import open_clock
    from usage_watch.store.alerts import AlertStore

    now = open_clock().now()
    start_at, config = since_at(since, now), session.config()
    with session.reading(config) as database:
        found = AlertStore(database).incidents(start_at)
    shown = urgent(incident for incident in found if history or not incident.history)
    if as_data:
        print_json([incident_json(incident) for incident in shown])
        return
    reader = Reader(config.timezone, now)
    hidden = len(found) - len(shown)
    print_all(shown, reader, f"Nothing is open, and nothing has ended since {reader.moment(start_at)}.")
    if hidden:
        click.echo(f"\n{hidden:,} more with --history: over before their rule was first seen.")


@alerts.command()
@click.argument("id")
@json_option
@pass_session
def show(session: Session, id: str, as_data: bool) -> None:
    """Explain one alert: its numbers, decisions and deliveries.

    ID may be any beginning of it that no other has, with or without `inc_`.
    """
    from usage_watch.cli.common.times import Reader
    from usage_watch.clock import open_clock
    from usage_watch.store.alerts import AlertStore

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        store = AlertStore(database)
        incident = store.incident(id) or _none(store, id)
        decisions, attempts = store.decisions_of(incident.id), store.attempts_of(incident.id)
    if as_data:
        told = {"decisions": [_decision_json(each) for each in decisions]}
        print_json({**incident_json(incident), **told, "deliveries": [_delivery_json(each) for each in attempts]})
        return
    reader = Reader(config.timezone, now)
    print_facts(explained(incident, reader))
    _print_decisions(decisions, reader)
    _print_deliveries(attempts, reader)


def _none(store: AlertStore, id: str) -> Incident:
    every = (each.id for each in store.incidents(datetime.fromtimestamp(0, UTC)))
    several = [each for each in every if id and (each.startswith(id) or each.removeprefix("inc_").startswith(id))]
    if several:
        shown = ", ".join(several[:3]) + (", …" if len(several) > 3 else "")
        raise UsageError(f"{id!r} is the beginning of {len(several)} alerts; write more of it: {shown}.")
    raise UsageError(f"There is no alert {id!r}; `usage-watch alerts list --history --since 2y` lists them all.")


def _print_decisions(decisions: list[Decided], reader: Reader) -> None:
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


def _print_deliveries(attempts: list[Attempts], reader: Reader) -> None:
    click.echo("\nDeliveries")
    rows = [
        (each.target, each.reason, each.state, each.attempts, reader.moment(_when(each), ""), each.last_error or "")
        for each in attempts
    ]
    print_table(("channel", "news", "state", "tries", "last or next", "detail"), rows, "None: nobody is told of it.")


def _when(attempt: Attempts) -> datetime | None:
    return attempt.sent_at or attempt.next_attempt_at or attempt.attempted_at


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
