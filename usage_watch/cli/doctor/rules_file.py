"""The rules file: what is wrong with it, what it hardly means, and who may change it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from usage_watch.cli.common.printing import count
from usage_watch.cli.doctor.files import access, of_modes
from usage_watch.cli.doctor.finding import RULES, Finding, fault, ok, warning
from usage_watch.errors import Fault, RulesFileError

if TYPE_CHECKING:
    from usage_watch.cli.doctor.patient import Patient
    from usage_watch.config import Config

_SHOWN = 10
"""Faults; `check` has them all."""


def rules_file(patient: Patient) -> Iterator[Finding]:
    """Its faults, or what it says; then its warnings and its mode."""
    if patient.config is None:
        yield from _refused(patient)
    else:
        yield from _right(patient, patient.config)
    found = access(patient.rules)
    if found is not None:
        yield from of_modes(found, "members' addresses and limits")


def _refused(patient: Patient) -> Iterator[Finding]:
    error = patient.refused
    if not isinstance(error, RulesFileError):
        yield fault(str(patient.rules), str(error), code=RULES)
        return
    yield from _faults(error.faults)
    if patient.daemon is not None:
        yield warning(
            "daemon", "it still runs by the file as it was, but cannot be started by it.", "Mend the file before then."
        )


def _faults(faults: tuple[Fault, ...]) -> Iterator[Finding]:
    for each in faults[:_SHOWN]:
        yield fault(_place(each), each.message, code=RULES)
    if len(faults) > _SHOWN:
        yield fault("and more", count(len(faults) - _SHOWN, "more fault") + ".", "See `usage-watch check`.", RULES)


def _right(patient: Patient, config: Config) -> Iterator[Finding]:
    from usage_watch.cli.rendering import unrenderable
    from usage_watch.config import warnings

    if faults := unrenderable(config, patient.now):
        yield from _faults(tuple(faults))
    else:
        rules, channels = count(len(config.enabled), "rule"), count(len(config.channels), "channel")
        yield ok(patient.rules.name, f"{patient.rules} is right: {rules}, {channels}")
    for each in warnings(config, patient.environ, {}):
        yield warning(_place(each), each.message)


def _place(found: Fault) -> str:
    return f"line {found.line}:{found.column}"
