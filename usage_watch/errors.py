"""The exception tree. Every message is a sentence that says what to do; every class knows its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


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


class Hindrance(StrEnum):
    """What keeps the database from being used, so far as it may pass while the program runs."""

    FULL = "full"
    READ_ONLY = "read_only"
    """Its file system was made read-only, by the kernel after an error, say."""
    FORBIDDEN = "forbidden"
    """This user may not write it."""
    DISK = "disk"
    """The disk reports an error, or the file is protected."""
    LOCKED = "locked"
    """Another program keeps it."""
    UNOPENABLE = "unopenable"
    DAMAGED = "damaged"
    MOVED = "moved"
    """It, or a file beside it, is not what was opened any more."""
    OTHER = "other"


class MachineError(UsageWatchError):
    """This machine stands in the way: database, directory, port, another daemon."""

    exit_code = 5

    def __init__(self, message: str, hindrance: Hindrance = Hindrance.OTHER) -> None:
        super().__init__(message)
        self.hindrance = hindrance

    @property
    def passes(self) -> bool:
        """Whether it may pass while it is waited for, with nothing changed of how the program was started."""
        return self.hindrance in (Hindrance.FULL, Hindrance.READ_ONLY, Hindrance.DISK, Hindrance.LOCKED)
