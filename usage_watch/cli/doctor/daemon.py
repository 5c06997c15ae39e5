"""The daemon: does it run, does it turn, can it be seen from outside, and would anybody notice if it did not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from usage_watch.cli.doctor.finding import Finding, fault, note, ok, warning
from usage_watch.cli.doctor.secrets import missing
from usage_watch.core.listening import reached_at
from usage_watch.errors import MachineError, RulesFileError, UsageError

if TYPE_CHECKING:
    from usage_watch.cli.doctor.patient import Patient


def daemon(patient: Patient) -> Iterator[Finding]:
    """Its process, its loop, its server, its heartbeat."""
    yield _process(patient)
    if patient.daemon is not None:
        yield _loop(patient)
    if patient.config is not None:
        yield from _web(patient)
        yield from _heartbeat(patient)


def _process(patient: Patient) -> Finding:
    if patient.daemon is not None:
        return ok("process", f"pid {patient.daemon} watches into {patient.store}")
    stored = patient.stored
    if stored is not None and stored.examined.wal:
        said = "no daemon runs, and the last one was ended by force. What it had written is safe."
        return warning("process", said, "See in its log why, then start `usage-watch run`, or its service.")
    if stored is not None and any(feed.polled_at and not feed.overdue for feed in stored.feeds):
        return note("process", "no daemon runs, but the source was asked lately: by `run --once`, or until just now.")
    return warning("process", f"no daemon watches into {patient.store}.", "Start `usage-watch run`, or its service.")


def _loop(patient: Patient) -> Finding:
    from usage_watch.cli.health import by_file, by_sign

    try:
        try:
            return ok("loop", by_file(patient.rules).removeprefix("ok: "))
        except (UsageError, RulesFileError):  # it does not say where to ask
            return ok("loop", by_sign(patient.store).removeprefix("ok: "))
    except MachineError as error:
        do = "Look into its log and restart it, also where another `web.listen` was written since it was started."
        return fault("loop", str(error), do)


def _web(patient: Patient) -> Iterator[Finding]:
    assert patient.config is not None
    web = patient.config.web
    if web == "off":
        yield note("web", "off: nothing outside can ask for metrics or health.", "Leave `web` out to have both.")
    elif patient.daemon is None and _taken(*web.address):
        yield _other(patient, web.listen)
    elif web.local:
        yield ok("web", f"{web.listen} is to be asked from this machine alone")
    else:
        said = f"{web.listen} is to be asked from elsewhere, by whoever reaches it: it asks nobody who they are."
        yield note("web", said, "Let nobody but a proxy with a sign-on, or your Prometheus, reach it.")


def _other(patient: Patient, listen: str) -> Finding:
    """Who listens there though no daemon holds this database: a daemon all the same, or a stranger."""
    from usage_watch.cli.health import by_file

    try:
        by_file(patient.rules)
    except (MachineError, UsageError):
        said = f"somebody listens on {listen} already, and no daemon watches here: it could not start."
        return fault("web", said, "Stop what listens there, or write another `web: {listen: …}`.")
    said = f"a daemon answers on {listen} that has not got {patient.store}: it waits for it, or has another one."
    do = f"Ask http://{listen}/readyz; restart it where `store.path` was changed since it was started."
    return warning("web", said, do)


def _taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((reached_at(host), port), timeout=1.0):
            return port != 0
    except OSError:
        return False


def _heartbeat(patient: Patient) -> Iterator[Finding]:
    assert patient.config is not None
    heartbeat = patient.config.heartbeat
    if heartbeat is None:
        said = "none: if this machine stops, nobody is told."
        yield note("heartbeat", said, "Write `heartbeat: {url: {env: NAME}}`, for a service that tells when it ends.")
        return
    found = list(missing("heartbeat", heartbeat, patient.environ, patient.daemon))
    yield from found or [ok("heartbeat", f"goes to what {heartbeat.url.describe()} says")]
