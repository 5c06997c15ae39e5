"""Who sees which members: what is done to names before a message is stored for a channel. Pure.

What looks like a mail address is a member: the source knows them by nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum, StrEnum
from typing import Any

from usage_watch.core.message import Message, RuleName

Veil = Callable[[str], str]

_BREAK = r'\s@,;:<>()\[\]"'
_ADDRESS = re.compile(rf'(?:"[^"]+"|(?<![^{_BREAK}])[^{_BREAK}]+)(?:@(?:[\w.-]*\w)?)+(\.?)')
"""Whatever stands right before an `@`, and the domain after it; perhaps a sentence's full stop."""
_WORD = re.compile(r"[^\W_]+")
_INITIALS = 3
_HIDDEN = "a member"


class Members(StrEnum):
    """How a channel names members."""

    FULL = "full"
    INITIALS = "initials"
    HIDDEN = "hidden"


def veil(how: Members) -> Veil:
    """What to do with a text: `ana.reyes@example.com` is `A.R.`, or `a member`, where it may not be said."""
    if how is Members.FULL:
        return str
    name = _initials if how is Members.INITIALS else _hidden
    return lambda text: _ADDRESS.sub(name, text) if "@" in text else text


def _hidden(address: re.Match[str]) -> str:
    return _HIDDEN + address[1]


def _initials(address: re.Match[str]) -> str:
    local = address[0].rpartition("@")[0].partition("+")[0]
    return "".join(f"{word[0].upper()}." for word in _WORD.findall(local)[:_INITIALS]) or _HIDDEN


def veiled(message: Message, how: Members) -> Message:
    """The message as a channel may show it: every text in it, whatever it is called. Ids hold no addresses."""
    shown: Message = message if how is Members.FULL else _veiled(message, veil(how))
    return shown


def _veiled(value: Any, hide: Veil) -> Any:
    made = value
    if value is None or isinstance(value, Enum | int | float):  # most of a message: the numbers of its picture
        return value
    if isinstance(value, str):
        made = hide(value)
    elif isinstance(value, tuple):
        made = tuple(_veiled(each, hide) for each in value)
    elif isinstance(value, Mapping):
        made = {hide(name): _veiled(each, hide) for name, each in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        inner = ((field.name, getattr(value, field.name)) for field in fields(value))
        made = replace(value, **{name: _veiled(each, hide) for name, each in inner})
    if isinstance(value, RuleName) and made.runbook != value.runbook:
        made = replace(made, runbook=None)  # half a link leads nowhere
    if isinstance(value, Message) and made.page != value.page:
        made = replace(made, page=None)
    return made
