"""`usage-watch alerts`: what was found, and why it was told or not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from usage_watch.cli.session import Session, pass_session, print_json, print_table
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from usage_watch.core.incident import Incident
    from usage_watch.store.alerts import Attempts, Decided

RECENT = timedelta(days=7)


@click.group(invoke_without_command=True)
@click.pass_context
def alerts(ctx: click.Context) -> None:
    """Incidents: list them, or have one explained."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@alerts.command("list")
@click.option("--history", is_flag=True, help="Also those that ended before their rule was first seen.")
@click.option(
    "--since", "days", type=click.IntRange(0), default=7, show_default=True, help="Days back, for ended ones."
)
@click.option("--json", "as_data", is_flag=True, help="Print data for programs.")
@pass_session
def list_(session: Session, history: bool = False, days: int = 7, as_data: bool = False) -> None:
    """List what is open, and what ended in the last days."""
    from usage_watch.clock import open_clock
    from usage_watch.store.alerts import AlertStore

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        found = AlertStore(database).incidents(now - timedelta(days=days))
    shown = [incident for incident in found if history or not incident.history]
    if as_data:
        print_json([as_json(incident) for incident in shown])
        return
    heads = ("id", "severity", "rule", "what", "since", "until")
    print_table(heads, (row_of(incident, config.timezone, now) for incident in reversed(shown)), "Nothing is open.")


@alerts.command()
@click.argument("id")
@click.option("--json", "as_data", is_flag=True, help="Print data for programs.")
@pass_session
def show(session: Session, id: str, as_data: bool) -> None:
    """Explain one incident: its numbers, each decision with its reason, each delivery."""
    from usage_watch.clock import open_clock
    from usage_watch.store.alerts import AlertStore

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        store = AlertStore(database)
        incident = store.incident(id)
        if incident is None:
            raise UsageError(f"There is no incident {id!r}; `usage-watch alerts list --history` lists them.")
        decisions, attempts = store.decisions_of(incident.id), store.attempts_of(incident.id)
    if as_data:
        print_json({**as_json(incident), "decisions": decisions, "deliveries": attempts})
        return
    _explain(incident, config.timezone, now)
    _tables(decisions, attempts, config.timezone, now)


def _explain(incident: Incident, zone: ZoneInfo, now: datetime) -> None:
    from usage_watch.core.plain import plain
    from usage_watch.core.units import local_time

    evidence = incident.evidence
    judged = f"{local_time(evidence.from_at, zone, now)} to {local_time(evidence.until_at, zone, now)}"
    rows = [
        ("Incident", f"{incident.id}, {incident.severity}, level {incident.rank}"),
        ("Rule", f"{incident.rule.title} ({incident.rule.kind})"),
        ("What", what(incident)),
        ("Since", local_time(incident.started_at, zone, now)),
        ("Until", until(incident, zone, now)),
        ("Judged", f"{judged} ({zone.key})"),
        *((fact.name, fact.value) for fact in evidence.facts),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{plain(name, 60).ljust(width)}  {plain(value, 300)}")


def _tables(decisions: list[Decided], attempts: list[Attempts], zone: ZoneInfo, now: datetime) -> None:
    from usage_watch.core.units import local_time

    click.echo("\nDecisions")
    rows = [
        (
            local_time(each.at, zone, now),
            each.decision.target or "everyone",
            each.decision.reason,
            "told" if each.decision.told else "not told",
            each.decision.why,
        )
        for each in decisions
    ]
    print_table(("at", "channel", "reason", "", "why"), rows, "none")
    click.echo("\nDeliveries")
    sent = [
        (
            local_time(each.created_at, zone, now),
            each.target,
            each.reason,
            each.state,
            each.attempts,
            each.last_error or "",
        )
        for each in attempts
    ]
    print_table(("decided", "channel", "reason", "state", "attempts", "last error"), sent, "none")


def what(incident: Incident) -> str:
    """Which series, and what of it."""
    return ": ".join([*incident.labels.values(), incident.evidence.summary])


def until(incident: Incident, zone: ZoneInfo, now: datetime) -> str:
    """When it ended, and how."""
    from usage_watch.core.units import local_time

    if incident.ended_at is None:
        return "open"
    how = "; ".join(note for note in ("history" if incident.history else "", incident.closed or "") if note)
    return local_time(incident.ended_at, zone, now) + (f" ({how})" if how else "")


def row_of(incident: Incident, zone: ZoneInfo, now: datetime) -> tuple[str, ...]:
    """One line of a list."""
    from usage_watch.core.units import local_time

    since = local_time(incident.started_at, zone, now)
    return incident.id, incident.severity, incident.rule.title, what(incident), since, until(incident, zone, now)


def as_json(incident: Incident) -> dict[str, Any]:
    """An incident for programs, in the names of the webhook's body."""
    evidence = incident.evidence
    return {
        "id": incident.id,
        "rule": {"id": incident.rule.id, "kind": incident.rule.kind, "title": incident.rule.title},
        "labels": dict(incident.labels),
        "part": incident.part,
        "period": incident.period_at,
        "severity": incident.severity,
        "started_at": incident.started_at,
        "ended_at": incident.ended_at,
        "closed": incident.closed,
        "history": incident.history,
        "dataset": evidence.dataset,
        "bucket": evidence.bucket,
        "unit": evidence.unit,
        "value": evidence.value,
        "limit": evidence.limit,
        "score": evidence.score,
        "summary": evidence.summary,
        "facts": [{"name": fact.name, "value": fact.value} for fact in evidence.facts],
    }
