"""The rules file's text: which characters may stand in it, and what a plain scalar means.

YAML 1.2's core schema, and underscores between digits; so `off`, `12:30` and `2026-11-26` are text and `017` is 17.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeAlias

from usage_watch.errors import Fault

Scalar: TypeAlias = str | int | float | bool | None

_FOREIGN = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What is no text, or breaks lines for YAML but not for an editor (NEL, U+2028, U+2029)."""


def decode(text: bytes) -> tuple[list[str], list[Fault]]:
    """The lines of a file without their ends, and the first foreign character of each line."""
    lines = re.split(r"\r\n|\r|\n", text.decode("utf-8-sig", errors="surrogateescape"))
    hits = ((number, _FOREIGN.search(line)) for number, line in enumerate(lines, 1))
    faults = [Fault(number, hit.start() + 1, _foreign(hit[0])) for number, hit in hits if hit]
    if b"\0" in text:
        faults = [Fault(faults[0].line, faults[0].column, "this is binary or UTF-16; save the file as UTF-8 text")]
    return lines, faults


def complaint(text: str) -> str | None:
    """What is wrong with the first foreign character of a scalar (an escape can give one), if there is any."""
    hit = _FOREIGN.search(text)
    return _foreign(hit[0]) if hit else None


def _foreign(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        return "this is not UTF-8; save the file as UTF-8 text"
    return f"the character U+{ord(character):04X} has no place in this file; delete it"


_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], float]], ...] = (
    (re.compile(rf"[-+]?{_DIGITS}"), int),
    (re.compile(rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16)),
)
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER = 100
_LARGEST_NUMBER = 2**63 - 1


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar. Raises ValueError, whose one sentence does not repeat the text."""
    if text in _WORDS:
        return _WORDS[text]
    for pattern, convert in _NUMBERS:
        if pattern.fullmatch(text):
            return _number(text, convert)
    if _ENDLESS.fullmatch(text):
        raise ValueError("infinity and not-a-number mean nothing here; write a number, or leave the field out")
    return text


def _number(text: str, convert: Callable[[str], float]) -> float:
    number = convert(text) if len(text) <= _LONGEST_NUMBER else math.inf
    if abs(number) > _LARGEST_NUMBER:
        raise ValueError("no number here can be that large; write a smaller one, or quotes around it if it is a name")
    return number
