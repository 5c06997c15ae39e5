"""`usage-watch silence`: what is not to be told for a while."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.orders import TIME, author, moment, readable, said
from usage_watch.cli.common.printing import count, print_facts, print_json
from usage_watch.cli.common.session import Noun, Session, json_option, pass_session
from usage_watch.cli.common.silences import print_silences, silence_json
from usage_watch.errors import UsageError
from usage_watch.views.incidents import named
from usage_watch.views.silences import about, matched

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.silence import Matcher, Silence
    from usage_watch.store.silences import SilenceStore
    from usage_watch.views.times import Reader


@click.group(cls=Noun)
def silence() -> None:
    """What is not to be told for a while: add a silence, list them, end one, try one out.

    A silence holds back that an alert is open, has risen or goes on; never that it is over. What is still open when
    the silence ends is told then.
    """


@silence.command()
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHERS")
@click.option("--for", "lasts", metavar="DURATION", help="How long: 90m, 2h, 3d.")
@click.option("--until", metavar="TIME", help=f"Or until when: {TIME}.")
@click.option("--from", "begins", metavar="TIME", help="From when on; from now by default.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@click.option("--author", "by", metavar="NAME", help="Who says so: your login name by default.")
@json_option
@pass_session
def add(
    session: Session,
    matchers: Sequence[str],
    lasts: str | None,
    until: str | None,
    begins: str | None,
    reason: str,
    by: str | None,
    as_data: bool,
) -> None:
    """Silence what matches, from now on or later, up to an end.

    A matcher is NAME=VALUE; != is not, =~ is like a regular expression, !~ is not like one. NAME is rule, kind, part,
    severity, dataset, member or an axis such as Model. All of them must match: 'rule=~.*' alone silences everything.

    Times without a zone are in that of the rules file. A running daemon learns of it by itself.
    """
    from usage_watch.clock import open_clock
    from usage_watch.store.alerts import AlertStore
    from usage_watch.store.silences import SilenceStore
    from usage_watch.views.times import Reader

    asked, who, why = _read(matchers), author(by), said("--reason", reason)
    config, now = session.config(), open_clock().now()
    from_at, until_at = _span(begins, lasts, until, config.timezone, now)
    new = _silence(_checked(asked, config), from_at, until_at, who, why, now)
    with session.writing(config) as database:
        SilenceStore(database).add(new)
        incidents = AlertStore(database).incidents(now)
    if as_data:
        print_json(silence_json(new, incidents, now))
    else:
        print_facts(_described(new, about(new, incidents), Reader(config.timezone, now)))


def _read(written: Sequence[str]) -> list[Matcher]:
    from usage_watch.core.silence import parse_matcher

    try:
        return [parse_matcher(readable("a matcher", each)) for each in written]
    except ValueError as error:
        raise UsageError(str(error)) from None


def _span(
    begins: str | None, lasts: str | None, until: str | None, zone: ZoneInfo, now: datetime
) -> tuple[datetime, datetime]:
    """From when to when; UsageError where that is no time in which anything could be held back."""
    if (lasts is None) == (until is None):
        raise UsageError("a silence ends: write either --for 2h or --until 2026-11-23T18:00.")
    from_at = now if begins is None else moment("--from", begins, zone, now)
    until_at = moment("--until", until, zone, now) if until is not None else from_at + _duration(lasts or "")
    if until_at <= now:
        raise UsageError("the silence would be over already; write an end that is still to come.")
    if until_at <= from_at:
        raise UsageError("the silence would end before it begins; write a later end.")
    return from_at, until_at


def _duration(text: str) -> timedelta:
    from usage_watch.core.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--for {text!r} is no duration; {error}.") from None


def _checked(matchers: Sequence[Matcher], config: Config) -> list[Matcher]:
    """As alerts spell them; warns of what history has never seen."""
    from usage_watch.cli.foresight import Seen
    from usage_watch.cli.plausible import plausible, unseen
    from usage_watch.core.plain import plain

    categories = Seen(config).categories
    spelled = plausible(matchers, config, categories)
    for sentence in unseen(spelled, config, categories):
        click.echo(f"usage-watch: warning: {plain(sentence, 400)}", err=True)
    return spelled


def _silence(
    matchers: Sequence[Matcher], from_at: datetime, until_at: datetime, who: str, why: str, now: datetime
) -> Silence:
    from usage_watch.core.silence import Silence

    return Silence(f"sil_{secrets.token_hex(6)}", tuple(matchers), from_at, until_at, who, why, created_at=now)


def _described(new: Silence, found: Sequence[Incident], reader: Reader) -> Iterator[tuple[str, str]]:
    yield "Silence", new.id
    yield "About", matched(new)
    yield "From", reader.moment(new.from_at)
    yield "Until", f"{reader.moment(new.until_at)} (times in {reader.zone.key})"
    yield "Why", f"{new.reason} ({new.author})"
    yield "Matches now", f"{count(len(found), 'alert')}: {named(found)}" if found else "no open alert"
    yield "To end it", f"usage-watch silence expire {new.id}"


@silence.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@json_option
@pass_session
def list_(session: Session, every: bool, as_data: bool) -> None:
    """List the silences that are in force and to come."""
    from usage_watch.clock import open_clock
    from usage_watch.store.alerts import AlertStore
    from usage_watch.store.silences import SilenceStore
    from usage_watch.views.silences import state
    from usage_watch.views.times import Reader

    config, now = session.config(), open_clock().now()
    with session.reading(config) as database:
        found = SilenceStore(database).all(datetime.fromtimestamp(0, UTC) if every else now)
        incidents = AlertStore(database).incidents(now)
    shown = [each for each in found if every or state(each, now) != "over"]
    if as_data:
        print_json([silence_json(each, incidents, now) for each in shown])
    else:
        print_silences(shown, incidents, Reader(config.timezone, now))


@silence.command()
@click.argument("id")
@pass_session
def expire(session: Session, id: str) -> None:
    """End a silence before its time.

    What it held back and is still open is told then. ID may be any beginning of it that no other has, with or without
    `sil_`.
    """
    from usage_watch.clock import open_clock
    from usage_watch.store.alerts import AlertStore
    from usage_watch.store.silences import SilenceStore
    from usage_watch.views.times import Reader

    config, now = session.config(), open_clock().now()
    reader = Reader(config.timezone, now)
    with session.writing(config) as database:
        store = SilenceStore(database)
        found = store.find(id) or _none(store, id)
        if not store.expire(found.id, now):
            raise UsageError(
                f"{found.id} is over already: it ended {reader.moment(found.expired_at or found.until_at)}."
            )
        held = about(found, AlertStore(database).incidents(now))
    print_facts(_ended(found, held, reader))


@silence.command()
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHERS")
@click.option(
    "--since",
    default="7d",
    show_default=True,
    metavar="TIME",
    help="What it would have kept quiet since then: 30d, 2026-11-01 or 2026-11-01T14:00Z.",
)
@json_option
@pass_session
def preview(session: Session, matchers: Sequence[str], since: str, as_data: bool) -> None:
    """Say what a silence would hold back; nothing is silenced.

    That is what is open now, and how many of the alerts that somebody was told of lately it would have kept quiet.
    Matchers are those of `silence add`.
    """
    from usage_watch.cli.preview import described, preview_json
    from usage_watch.cli.preview import preview as previewed
    from usage_watch.clock import open_clock
    from usage_watch.views.times import Reader, since_at

    asked, now = _read(matchers), open_clock().now()
    start_at, config = since_at(since, now), session.config()
    with session.reading(config) as database:
        found = previewed(_checked(asked, config), database, start_at)
    if as_data:
        print_json(preview_json(found))
    else:
        print_facts(described(found, Reader(config.timezone, now)))


def _ended(old: Silence, held: Sequence[Incident], reader: Reader) -> Iterator[tuple[str, str]]:
    began = reader.now >= old.from_at
    yield "Ended", old.id
    yield "About", matched(old)
    yield "Was until" if began else "Was to begin", reader.moment(old.until_at if began else old.from_at)
    yield "Matches now", f"{count(len(held), 'alert')}: {named(held)}" if held else "no open alert"


def _none(store: SilenceStore, id: str) -> Silence:
    every = (each.id for each in store.all(datetime.fromtimestamp(0, UTC)))
    several = [each for each in every if id and (each.startswith(id) or each.removeprefix("sil_").startswith(id))]
    if several:
        shown = ", ".join(several[:3]) + (", …" if len(several) > 3 else "")
        raise UsageError(f"{id!r} is the beginning of {len(several)} silences; write more of it: {shown}.")
    raise UsageError(f"There is no silence {id!r}; `usage-watch silence list --all` lists them all.")
