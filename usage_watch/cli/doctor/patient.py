"""All that can be known without asking anybody: the rules file, as far as it is right, and what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from usage_watch.cli.common.located import located
from usage_watch.errors import UsageWatchError

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.targetstate import TargetState
    from usage_watch.store.database import Database
    from usage_watch.store.examine import Examination, Oddity
    from usage_watch.views.freshness import Freshness


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says; beyond its examination nothing where it is damaged, or of another version."""

    examined: Examination
    feeds: Sequence[Freshness] = ()
    oddities: Sequence[Oddity] = ()
    channels: Sequence[TargetState] = ()
    unreadable: str = ""
    """The kind of error that what is stored ended in, though SQLite finds the file whole."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Whom the doctor looks at."""

    rules: Path
    config: Config | None
    """None where the rules file is wrong, or not there."""
    refused: UsageWatchError | None
    """Why."""
    store: Path
    is_there: bool
    """Whether there is a database yet."""
    stored: Stored | None
    unopened: UsageWatchError | None
    """Why there is a database, but nothing can be said of it."""
    daemon: str | None
    """The number of the process that watches; None where none does."""
    now: datetime
    environ: Mapping[str, str]


def meet(rules: Path, now: datetime, environ: Mapping[str, str], thorough: bool) -> Patient:
    """Look at it; nothing that is found raises."""
    from usage_watch.store.locks import holder

    found = located(rules, environ)
    is_there, stored, unopened = True, None, None
    try:
        is_there, stored = _stored(found.store, found.config, now, thorough)
    except UsageWatchError as error:
        unopened = error
    return Patient(
        rules=rules,
        config=found.config,
        refused=found.error,
        store=found.store,
        is_there=is_there,
        stored=stored,
        unopened=unopened,
        daemon=holder(found.store),
        now=now,
        environ=environ,
    )


def _stored(path: Path, config: Config | None, now: datetime, thorough: bool) -> tuple[bool, Stored | None]:
    from usage_watch.store.examine import there
    from usage_watch.store.looking import look

    if not there(path):
        return False, None
    return True, look(path, lambda database: _read(database, config, now, thorough))


def _read(database: Database, config: Config | None, now: datetime, thorough: bool) -> Stored:
    from usage_watch.store.examine import examine
    from usage_watch.store.header import VERSION

    examined = examine(database, now, thorough)
    if examined.damage or examined.version != VERSION:
        return Stored(examined)
    try:
        return _whole(database, config, now, examined)
    except Exception as error:  # a value may be damaged where the file's structure is not
        return Stored(examined, unreadable=type(error).__name__)


def _whole(database: Database, config: Config | None, now: datetime, examined: Examination) -> Stored:
    from usage_watch.store.examine import oddities
    from usage_watch.store.targets import TargetStore
    from usage_watch.views.deliveries import SHOWN_FOR
    from usage_watch.views.freshness import fresh

    return Stored(
        examined,
        feeds=[] if config is None else fresh(config, database, now),
        oddities=oddities(database),
        channels=TargetStore(database).states(now - SHOWN_FOR),
    )
