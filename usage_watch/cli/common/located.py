"""Where the database is, for whoever needs it though the rules file is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from usage_watch import places
from usage_watch.errors import UsageWatchError

if TYPE_CHECKING:
    from usage_watch.config import Config


@dataclass(frozen=True, slots=True)
class Located:
    """A rules file, as far as it can be read."""

    config: Config | None
    error: UsageWatchError | None
    """Why it cannot."""
    store: Path
    """The database that it names, or would have if it could be read."""


def located(rules: Path, environ: Mapping[str, str]) -> Located:
    """Read a rules file; a fault in it is no reason not to find its database."""
    from usage_watch.config import load

    try:
        config = load(rules, environ)
    except UsageWatchError as error:
        return Located(None, error, _named(rules) or places.store(rules, environ))
    return Located(config, None, config.store.path)


def _named(rules: Path) -> Path | None:
    from usage_watch import yamlfile

    try:
        store = yamlfile.load(rules).data.get("store")
    except UsageWatchError:
        return None
    path = store.get("path") if isinstance(store, dict) else None
    return Path(path) if isinstance(path, str) and path and "\0" not in path else None
