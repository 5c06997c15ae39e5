"""The exception tree. Every message is a sentence that says what to do; every class knows its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class UsageWatchError(Exception):
    """Something that a user can read and act on. Anything else that escapes is a fault of ours (exit code 70)."""

    exit_code = 70


class UsageError(UsageWatchError):
    """Wrong usage of the command line, or a file named there that is not to be had."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in the rules file."""

    line: int
    """Line, from 1."""
    column: int
    """Column, from 1."""
    message: str
    """What is wrong and what to write instead."""


class RulesFileError(UsageWatchError):
    """The rules file as a whole is refused; it carries every fault that was found."""

    exit_code = 2

    def __init__(self, path: str, faults: Sequence[Fault]) -> None:
        self.path = path
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
        super().__init__("\n".join(f"{path}:{fault.line}:{fault.column}: {fault.message}" for fault in self.faults))


class SecretError(UsageWatchError):
    """A secret's reference leads nowhere, or to something that cannot be one."""

    exit_code = 2


class SourceError(UsageWatchError):
    """The analytics API could not be read; stored history is as it was."""

    exit_code = 3


class DeliveryError(UsageWatchError):
    """A message could not be delivered."""

    exit_code = 4


class MachineError(UsageWatchError):
    """This machine stands in the way: database, directory, port, another daemon."""

    exit_code = 5
