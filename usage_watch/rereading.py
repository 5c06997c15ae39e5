"""Reading the rules file again while the daemon runs: what it says holds at once, or all stays as it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from usage_watch import logs
from usage_watch.clock import Clock
from usage_watch.config import Config, load, warnings
from usage_watch.core.units import quantity
from usage_watch.cycle import Cycle
from usage_watch.errors import Hindrance, MachineError, UsageWatchError
from usage_watch.outside import Outside
from usage_watch.store.reads import ReadStore
from usage_watch.systemd import Supervisor

NAMED = 5
"""How many ids of a kind of change are named; the rest are counted."""


class Rereading:
    """Over one rules file and the daemon that goes by it."""

    def __init__(
        self,
        path: Path,
        config: Config,
        cycle: Cycle,
        outside: Outside,
        reads: ReadStore,
        clock: Clock,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._path, self._config, self._clock = path, config, clock
        self._cycle, self._outside, self._reads = cycle, outside, reads
        self._supervisor = supervisor or Supervisor({})
        rules = quantity(len(config.enabled), "rules")
        reads.note(clock.now(), f"Started with {rules}.")

    def __call__(self) -> None:
        """Take up what the file says now, or refuse it; either is noted for whoever asked, and a refusal is told."""
        self._supervisor.reloading()
        try:
            self._read()
        finally:
            self._supervisor.ready("the rules file was read; a turn is under way")

    def _read(self) -> None:
        try:
            config = load(self._path)
            self._try(config)
        except UsageWatchError as error:
            if isinstance(error, MachineError) and error.hindrance is not Hindrance.OTHER:
                # No fault of the file's: it is tried again once this machine is well.
                raise
            self._refuse(str(error))
        except Exception as error:  # whatever it is: the rules that hold go on
            logs.fault("rules", error)
            self._refuse(f"A fault of ours came up when these rules were tried ({type(error).__name__}): report it.")
        else:
            self._take_up(config)

    def _try(self, config: Config) -> None:
        """All that may fail, before anything is changed."""
        if config.store.path != self._config.store.path:
            raise UsageWatchError("`store.path` cannot change while it runs; put it back, or restart the daemon")
        self._cycle.rehearse(config)
        self._outside.heed(config)

    def _take_up(self, config: Config) -> None:
        outcome = said(self._config, config)
        self._cycle.heed(config)
        self._reads.note(self._clock.now(), outcome)
        self._config = config
        logs.event("rules.reloaded", rules=len(config.enabled), channels=len(config.channels), outcome=outcome)
        announce(config)

    def _refuse(self, why: str) -> None:
        faults = why.splitlines()
        self._reads.note(self._clock.now(), "The rules of before hold.", why)
        self._cycle.judge_again()
        logs.warning("rules.refused", faults=len(faults), error=faults[0])


def announce(config: Config) -> None:
    """Log what is worth a second look of rules that now hold."""
    for warning in warnings(config, os.environ, {}):
        logs.warning("rules.warned", line=warning.line, message=warning.message)


def said(before: Config, after: Config) -> str:
    """What is new, in one sentence."""
    old, new = ({rule.id: rule for rule in config.enabled} for config in (before, after))
    changes = {
        "new": [each for each in new if each not in old],
        "changed": [each for each in new if each in old and new[each] != old[each]],
        "gone": [each for each in old if each not in new],
    }
    told = ", ".join(_counted(kind, ids) for kind, ids in changes.items() if ids)
    rest = "" if told else ("the same rules, other settings" if before != after else "nothing is new")
    return f"{quantity(len(new), 'rules')}: {told or rest}."


def _counted(kind: str, ids: Sequence[str]) -> str:
    named = ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")
    return f"{len(ids)} {kind} ({named})"
