"""What a daemon and a single cycle begin with: the place is taken, the database open, and the log says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.feedstate import FeedState
    from usage_watch.store.database import Database


def entering(opened: ExitStack, path: Path) -> Callable[[], Database]:
    """Takes the place, which stays taken while its database is waited for, so that others find who waits."""
    from usage_watch.store.database import open_for_writing
    from usage_watch.store.locks import DaemonLock

    take = cache(lambda: opened.enter_context(DaemonLock(path)))

    def enter() -> Database:
        take()
        with ExitStack() as undo:
            database = undo.enter_context(open_for_writing(path))
            database.prove_writable()
            undo.pop_all()
        return opened.enter_context(database)

    return enter


def announced(config: Config, database: Database) -> None:
    """Log what now begins, what is worth a second look of its rules, and what failed before."""
    from usage_watch import __version__, logs
    from usage_watch.rereading import announce
    from usage_watch.store.history import HistoryStore

    rules, channels = len(config.enabled), len(config.channels)
    logs.event("daemon.started", version=__version__, rules=rules, channels=channels, store=config.store.path)
    announce(config)
    failing: dict[str, list[FeedState]] = {}
    for state in map(HistoryStore(database).state, config.feeds()):
        if state.last_error is not None:
            failing.setdefault(state.last_error, []).append(state)
    for error, states in failing.items():
        first, feeds, failures = states[0], len(states), max(state.failures for state in states)
        logs.warning(
            "feed.failing", feed=first.feed, feeds=feeds, failures=failures, retry_at=first.retry_at, error=error
        )
