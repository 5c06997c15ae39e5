"""A fault in the making: its place still a path, its sentence put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from usage_watch.config.shapes import either, near
from usage_watch.errors import Fault
from usage_watch.yamlfile import Document

Path: TypeAlias = tuple[str | int, ...]
"""From the top of the file: keys, and indices of lists."""

NAME_WORDS = "takes small letters, digits and hyphens, at most 64, such as ops-2"

_PREDICATE = re.compile(r"(is|must|needs|names|cannot|has|takes)\b")
_LONGEST = 500
"""Characters of one fault: what was written may stand in it, and be endless."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A fault whose place is still a path."""

    path: Path
    message: str
    at_key: bool = False
    """Whether it is about the key at `path`, rather than its value."""
    meant: str | None = None
    """The key that was probably meant, which therefore is not missing."""

    def fault(self, document: Document | None) -> Fault:
        """With line and column; the file's first where there is no file."""
        at = document.position(self.path, self.at_key) if document else (1, 1)
        message = " ".join(self.message.split())
        return Fault(*at, message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…")


def named(path: Path) -> str:
    """A place as people say it: `above.warning`, item 1 of `notify`; empty for the part as a whole."""
    names = ".".join(step for step in path if isinstance(step, str))
    shown = f"`{names}`" if names else ""
    return f"item {path[-1] + 1} of {shown}" if path and isinstance(path[-1], int) else shown


def said(subject: str, sentence: str) -> str:
    """A sentence about a subject that it does not name, or gives advice on."""
    if not subject:
        return sentence
    return f"{subject} {sentence}" if _PREDICATE.match(sentence) else f"{subject}: {sentence}"


def pick(lead: str, words: Sequence[str], written: object) -> str:
    """What may be chosen, and what was probably meant."""
    meant = near(written, words) if isinstance(written, str) else None
    return f"{lead} {either(words)}" + (f"; did you mean {meant}?" if meant else "")
