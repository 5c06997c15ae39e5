"""Failures that are told at the end of a command, each once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from usage_watch.errors import SecretError, SourceError, UsageWatchError

if TYPE_CHECKING:
    from usage_watch.config import Config


class SeveralError(UsageWatchError):
    """One or more things went wrong; the first decides the exit code."""

    def __init__(self, errors: Sequence[UsageWatchError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.exit_code = errors[0].exit_code


def source_failures(config: Config, sentences: Sequence[str]) -> list[UsageWatchError]:
    """Why the source could not be read; where there is no key, that is not the source's fault."""
    if not sentences:
        return []
    try:
        config.source.api_key.read(os.environ)
    except SecretError as error:
        return [error]
    return [SourceError(sentence) for sentence in sentences]
