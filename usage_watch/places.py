"""Where things are when nobody says: an admin's shell finds what the service uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

CONFIG_VARIABLE = "USAGE_WATCH_CONFIG"
STORE_VARIABLE = "USAGE_WATCH_STORE"
SERVICE_FOLDER = Path("/etc/usage-watch")
"""The rules file of the system's service, and what belongs to it."""
SERVICE_STORE = Path("/var/lib/usage-watch/usage-watch.db")
"""Where the system's service may write: its StateDirectory."""

_RULES, _STORE = Path("rules.yaml"), Path("usage-watch.db")


def rules_file(environ: Mapping[str, str] = os.environ) -> Path:
    """$USAGE_WATCH_CONFIG, else ./rules.yaml, else the service's where there is one."""
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    services = SERVICE_FOLDER / _RULES
    return services if services.is_file() and not os.path.lexists(_RULES) else _RULES


def store(rules: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The database of a rules file that names none: $USAGE_WATCH_STORE, else the service's for its own, else here."""
    if named := environ.get(STORE_VARIABLE):
        return Path(named)
    # Not resolved: a link to a checkout elsewhere is the service's file all the same.
    return SERVICE_STORE if SERVICE_FOLDER in Path(os.path.normpath(rules.absolute())).parents else _STORE
