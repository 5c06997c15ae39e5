"""What a message becomes where it may be a repeat, and where the whole of it was refused. Pure."""

from __future__ import annotations

from dataclasses import replace

from usage_watch.core.plain import plain
from usage_watch.core.wording import Words

MAYBE_REPEAT = "may be a repeat: an earlier attempt got no answer"

_LEAST = 160
"""Characters: nobody refuses a message for these."""


def maybe_repeat(words: Words) -> Words:
    """The same words, which own that they may have been said before."""
    return replace(words, footer=(*words.footer, MAYBE_REPEAT))


def least(words: Words) -> str:
    """One short line."""
    line = plain(words.line, _LEAST)
    return f"{line} ({MAYBE_REPEAT})" if MAYBE_REPEAT in words.footer else line


def never_looked_up(why: str) -> str:
    """What becomes of a repeat there; `why` is a clause."""
    return f"A post whose answer is lost cannot be looked up ({why}): its repeat says that it may be one."
