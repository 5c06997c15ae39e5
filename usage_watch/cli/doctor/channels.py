"""The channels: can each be used, and is there another one to tell when it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from usage_watch.cli.doctor.finding import DELIVERY, RULES, Finding, fault, note, ok, warning
from usage_watch.cli.doctor.secrets import missing
from usage_watch.core.plain import plain
from usage_watch.core.targetstate import TargetState
from usage_watch.errors import SecretError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from usage_watch.channels.base import ChannelSettings
    from usage_watch.cli.doctor.patient import Patient
    from usage_watch.config import Config
    from usage_watch.views.times import Reader


def channels(patient: Patient, reader: Reader) -> Iterator[Finding]:
    """Each one's settings and deliveries, then who is told of the watcher's own troubles."""
    config = patient.config
    stored = [] if patient.stored is None else patient.stored.channels
    states = {state.name: state for state in stored}
    if config is None:
        yield from (each for state in stored for each in of_deliveries(state, reader, patient.now))
        return
    for name, channel in config.channels.items():
        found = list(missing(name, channel, patient.environ, patient.daemon)) or list(_opened(name, channel, patient))
        found += of_deliveries(states.get(name, TargetState(name)), reader, patient.now)
        yield from found or [ok(name, f"{channel.kind}: is ready")]
    yield from _of_itself(config)


def _opened(name: str, channel: ChannelSettings, patient: Patient) -> Iterator[Finding]:
    """Nothing is sent."""
    try:
        with closing(channel.connect(patient.environ)):
            pass
    except (SecretError, UsageError) as error:
        yield fault(name, str(error), code=RULES)


def of_deliveries(state: TargetState, reader: Reader, now: datetime) -> Iterator[Finding]:
    """What went wrong with it; nothing where all is well."""
    error = plain(state.last_error or "", 400).rstrip(".")
    test = f"`usage-watch channels test {state.name}`"
    if state.blocked_from is not None:
        said = f"takes nothing since {reader.moment(state.blocked_from)}, and is tried each hour: {error}."
        yield fault(state.name, said, f"Mend its settings or its secret, then run {test}.", DELIVERY)
    elif state.failing_from is not None:
        yield warning(state.name, f"fails since {reader.moment(state.failing_from)}, and is tried again: {error}.")
    elif state.lags(now):
        said = f"{state.waiting:,} messages wait, the oldest since {reader.moment(state.late_from)}."
        yield warning(state.name, said, "See whether the daemon runs.")
    if state.given_up:
        last = state.given_up[-1]
        said = (
            f"{len(state.given_up):,} given up in the last 7 days, the last of {last.rule}: {plain(last.detail, 300)}"
        )
        yield warning(state.name, said, f"Mend what it says, then run {test}: what is still true is told anew.")


def _of_itself(config: Config) -> Iterator[Finding]:
    told: Mapping[str, None] = {name: None for names in config.meta_routes.values() for name in names}
    if not config.channels:
        return  # the rules file's warnings say so
    if not told:
        said = "nobody is told when the source or a channel fails."
        yield warning("own alerts", said, "Name channels in `meta: {notify: …}`, or in the file's `notify`.")
    elif len(told) > 1:
        yield ok("own alerts", f"go to {' and '.join(told)}")
    elif config.heartbeat is None:
        said = f"go to {next(iter(told))} alone: when that one fails, nobody is told."
        yield note("own alerts", said, "Name a second channel in `meta: {notify: …}`, or set up a heartbeat.")
    else:
        yield ok("own alerts", f"go to {next(iter(told))}; when that one fails, the heartbeat ends")
