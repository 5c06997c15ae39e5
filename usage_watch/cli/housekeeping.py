"""`usage-watch history prune` and `history forget`: what leaves the database."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.orders import readable
from usage_watch.cli.common.printing import count, print_facts, print_json, size
from usage_watch.cli.common.session import Command, Session, json_option, pass_session
from usage_watch.errors import MachineError, UsageError

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.store.database import Database
    from usage_watch.store.forget import Trace

_PAUSE = 0.03
"""Seconds between two transactions, in which others have their turn: they look every hundredth of one."""
SMALL = 128 << 20
"""Bytes of a file that is written anew in so short a time that a daemon can wait."""


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only say what it would remove.")
@click.option("--vacuum", is_flag=True, help="Also make the file smaller; only while no daemon runs.")
@json_option
@pass_session
def prune(session: Session, dry_run: bool, vacuum: bool, as_data: bool) -> None:
    """Remove what is older than `store.keep` and `store.keep_members`.

    A running daemon does so once a day by itself. What the rules look at stays in any case, and so do the last 92 days.
    The room that it gets free is used again; the file gets smaller with --vacuum alone, which needs as much room beside
    it for a while.
    """
    from usage_watch.clock import open_clock
    from usage_watch.loading import Stores, retention
    from usage_watch.store.prune import bytes_free, prunable, pruned

    if dry_run and vacuum:
        raise UsageError("--dry-run changes nothing, and --vacuum does; write one of them.")
    config, now = session.config(), open_clock().now()
    if dry_run:
        with session.reading(config) as database:
            found = prunable(database, retention(config, Stores(database), now), now)
            free = bytes_free(database)
    else:
        with ExitStack() as stack:
            if vacuum:
                stack.enter_context(_alone(config))
            database = stack.enter_context(session.writing(config))
            found = _slowly(pruned(database, retention(config, Stores(database), now), now))
            if vacuum:
                _shrink(database)
            free = bytes_free(database)
    if as_data:
        print_json({"removed": {} if dry_run else found, "would_remove": found if dry_run else {}, "free_bytes": free})
    else:
        print_facts(_pruned_facts(found, free, dry_run))


def _alone(config: Config) -> ExitStack:
    """Holds off a daemon; MachineError where one runs."""
    from usage_watch.store.locks import DaemonLock

    stack = ExitStack()
    try:
        stack.enter_context(DaemonLock(Path(config.store.path)))
    except MachineError as error:
        raise MachineError(f"--vacuum works only while no daemon runs: {error}") from None
    return stack


def _slowly(steps: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for what, number in steps:
        found[what] += number
        time.sleep(_PAUSE)
    return {what: number for what, number in found.items() if number}


def _shrink(database: Database) -> None:
    database.upkeep("VACUUM")
    database.upkeep("PRAGMA wal_checkpoint(TRUNCATE)")


def _pruned_facts(found: Mapping[str, int], free: int, dry_run: bool) -> Iterator[tuple[str, str]]:
    yield "Would remove" if dry_run else "Removed", _listed(found) or "nothing: there is nothing that is too old"
    if free:
        yield "Free in the file", f"{size(free)}; new data goes there first"


def _listed(found: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {what if number != 1 else _one(what)}" for what, number in found.items())


def _one(what: str) -> str:
    """`feeds of theirs alone` is `feed of theirs alone`."""
    return re.sub(r"s\b", "", what, count=1)


@click.command(cls=Command)
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def forget(session: Session, email: str, yes: bool) -> None:
    """Remove all that is stored of one member, for good, and store nothing of them again.

    Also of what comes with the next polls, since the source still has it. Totals of everyone stay as they are, and so
    do alerts of others, in which the address is replaced. It cannot be undone; a backup made before has all of it.
    """
    from usage_watch.clock import open_clock
    from usage_watch.store.forget import forget as forget_member
    from usage_watch.store.forget import overwritten, trace

    member = _address(email)
    config, now = session.config(), open_clock().now()
    rules = _about(config, member)
    with session.writing(config) as database:
        found = trace(database, member, rules)
        if not found.known:
            raise UsageError(_unknown(database, member))
        _confirm(member, found, yes)
        with ExitStack() as stack:
            daemon = not _takes(stack, config)
            removed = forget_member(database, member, now, rules)
            clean = overwritten(database, anew=not daemon or Path(config.store.path).stat().st_size <= SMALL)
        # What a daemon had in hand meanwhile is stored by now.
        again = forget_member(database, member, now, rules)
        total = Counter(removed) + Counter(again)
        if again:
            clean = overwritten(database, anew=clean)
    print_facts(_forgotten_facts(session, member, total, clean))


def _address(email: str) -> str:
    member = readable("EMAIL", email).strip()
    if "@" not in member.strip("@"):
        raise UsageError(f"{member!r} is no mail address; write the member's, as `usage-watch top member` shows it.")
    return member


def _about(config: Config, member: str) -> frozenset[str]:
    """The rules that judge nobody else."""
    return frozenset(rule.id for rule in config.rules if (rule.selection.member or "").casefold() == member.casefold())


def _unknown(database: Database, member: str) -> str:
    from usage_watch.config.shapes import near
    from usage_watch.store.history import HistoryStore

    meant = near(member, sorted(HistoryStore(database).members()))
    return f"nothing is stored of {member!r}; " + (
        f"did you mean {meant}?" if meant else "write the address as `usage-watch top member` shows it."
    )


def _confirm(member: str, found: Trace, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("this cannot be undone: add --yes where nobody can be asked.")
    what = f"{count(found.counts, 'count')}, {count(found.alerts, 'alert')}"
    click.confirm(f"Remove all of {member} ({what}) for good?", abort=True)


def _takes(stack: ExitStack, config: Config) -> bool:
    """Whether no daemon runs; none starts meanwhile."""
    from usage_watch.store.locks import DaemonLock

    try:
        stack.enter_context(DaemonLock(Path(config.store.path)))
    except MachineError:
        return False
    return True


def _forgotten_facts(
    session: Session, member: str, removed: Mapping[str, int], clean: bool
) -> Iterator[tuple[str, str]]:
    from usage_watch.store.forget import named_at

    yield "Forgotten", member
    yield "Removed", _listed(removed) or "nothing: there was nothing left of them"
    yield "From now on", "what the source says of them is not stored; totals of everyone still count it"
    if not clean:
        why = "stop the daemon, run `usage-watch history prune --vacuum` and start it again"
        yield "Old copies", f"may be left in unused parts of the file; {why}"
    lines = named_at(session.config_path.read_text(errors="replace").splitlines(), member)
    if lines:
        at = ", ".join(str(line) for line in lines[:5])
        yield "Rules file", f"names them ({session.config_path}, line {at}); take that out by hand"
    over = "; nobody is told that their alerts are over" if removed.get("alerts about them") else ""
    yield "Not removed", f"messages that were sent, backups, logs, and what the source itself keeps{over}"
    lacking = "budgets of the pool, and whatever else is judged by member, lack their usage"
    yield "Now too low", f"{lacking}; an alert that stood by it alone is taken back for that reason"
