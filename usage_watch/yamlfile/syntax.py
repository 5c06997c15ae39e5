"""What a YAML parser stumbled over -> what the writer of the file should do about it.

A parser says what it expected next; a person wants to know which character to change. So the sentence comes from the
parser's words (they differ a little between the one in C and the one in Python) and from the lines themselves. No
sentence repeats a value: it may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from usage_watch.errors import Fault

Position: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stumble:
    """A syntax error as the parser tells it."""

    said: str
    """Its context and its problem, in its own words."""
    opened: Position
    """Line and column, from 1, where the construct in question begins."""
    at: Position
    """Line and column, from 1, where the parser gave up."""
    around: Sequence[Position]
    """Where the mappings and lists begin that are still open, the innermost last."""
    lines: Sequence[str]
    """The file, without line ends."""

    def split(self, at: Position) -> tuple[str, str]:
        """What stands before and behind a position in its line."""
        line = self.lines[at[0] - 1] if at[0] <= len(self.lines) else ""
        return line[: at[1] - 1], line[at[1] - 1 :]


def explain(stumble: Stumble) -> list[Fault]:
    """A syntax error as faults: one, but for tabs, where every line is told that is indented so."""
    if _ODD_INDENT.match("".join(stumble.split(stumble.at))):
        return _odd_indents(stumble.lines)
    for pattern, sentence in _CASES:
        if re.search(pattern, stumble.said):
            return [sentence(stumble)]
    return [Fault(*stumble.at, f"this is not YAML: {stumble.said.removeprefix('None: ')}")]


_ODD_INDENT = re.compile(r" *([^\S ])\s*[^\s#]")


def _odd_indents(lines: Sequence[str]) -> list[Fault]:
    hits = ((number, _ODD_INDENT.match(line)) for number, line in enumerate(lines, 1))
    return [Fault(number, hit.start(1) + 1, _odd(hit[1])) for number, hit in hits if hit]


def _odd(character: str) -> str:
    name = "a tab" if character == "\t" else f"the space U+{ord(character):04X}"
    return f"this line is indented with {name}; use ordinary spaces"


_GLUED_COLON = re.compile(r"(?<=\w):(?=[^\s/])")
_GLUED_DASH = re.compile(r"\s*-(?=\w)")
_SPACE_AFTER_COLON = "write a space after this colon"
_SPACE_AFTER_DASH = "write a space after the dash"


def _unclosed_quote(stumble: Stumble) -> Fault:
    return Fault(*stumble.opened, "this quote is never closed; write the second one")


def _backslash(stumble: Stumble) -> Fault:
    return Fault(*stumble.at, "a backslash between double quotes begins an escape; use single quotes")


def _missing_colon(stumble: Stumble) -> Fault:
    line, column = stumble.opened
    _, behind = stumble.split(stumble.opened)
    if colon := _GLUED_COLON.search(behind):
        return Fault(line, column + colon.start(), _SPACE_AFTER_COLON)
    return Fault(line, column, "this line has no colon; write `name: value`")


def _second_colon(stumble: Stumble) -> Fault:
    line, column = stumble.at
    before, _ = stumble.split(stumble.at)
    if re.search(r":\s", before):
        return Fault(line, column, "a second colon in the same line; put the value in quotes")
    sentence = "this line stands deeper than the one above, which has its value already; indent both the same"
    return _glued_above(stumble) or Fault(line, len(before) - len(before.lstrip()) + 1, sentence)


def _glued_above(stumble: Stumble) -> Fault | None:
    """`id:pool` or `-id: pool` is plain text to YAML, and it is only the next line that makes no sense."""
    number = next((n for n in range(stumble.at[0] - 1, 0, -1) if stumble.lines[n - 1].strip()), stumble.at[0])
    line = stumble.lines[number - 1]
    if dash := _GLUED_DASH.match(line):
        return Fault(number, dash.end(), _SPACE_AFTER_DASH)
    if colon := _GLUED_COLON.search(line):
        return Fault(number, colon.start() + 1, _SPACE_AFTER_COLON)
    return None


def _list_beside_name(stumble: Stumble) -> Fault:
    return Fault(*stumble.at, "a list begins on a line of its own; move this dash under the name")


def _unclosed_bracket(stumble: Stumble) -> Fault:
    brackets = (at for at in reversed(stumble.around) if stumble.split(at)[1].startswith(("[", "{")))
    needs = "text with # , : or brackets needs quotes"
    return Fault(
        *next(brackets, stumble.opened), f"this bracket is not closed, or a comma is missing behind it; {needs}"
    )


def _reserved(stumble: Stumble) -> Fault:
    _, behind = stumble.split(stumble.opened)
    if not behind:
        return _unclosed_bracket(stumble)
    if behind[0] == "\t":
        return Fault(*stumble.opened, "a tab stands here; use ordinary spaces")
    return Fault(*stumble.opened, f"text that begins with `{behind[0]}` must stand in quotes")


def _misplaced(stumble: Stumble) -> Fault:
    before, behind = stumble.split(stumble.at)
    if before.strip(" -"):
        return Fault(*stumble.at, "text follows a closing quote or bracket; put the whole value in one pair of quotes")
    for pattern, sentence in _LINE_BEGINS:
        if re.match(pattern, behind):
            return Fault(*stumble.at, sentence)
    return Fault(*stumble.at, "this line's indentation fits none of the lines above; align it with its neighbours")


_LINE_BEGINS = (
    (r"-\w", _SPACE_AFTER_DASH),
    (r"-\s", "this list item fits none of the lines above; align its dash with the others, or put it under a name"),
    (r":", "a name is missing before the colon"),
)

_CASES: tuple[tuple[str, Callable[[Stumble], Fault]], ...] = (
    (r"quoted scalar.*(end of stream|document indicator|document separator)", _unclosed_quote),
    (r"quoted scalar", _backslash),
    (r"could not find expected ':'", _missing_colon),
    (r"mapping values are not allowed", _second_colon),
    (r"sequence entries are not allowed", _list_beside_name),
    (r"flow (sequence|mapping)", _unclosed_bracket),
    (r"start any token|(scanning|parsing) an? (alias|anchor|tag|block scalar)|directive:|tag handle", _reserved),
    (r"node content|mapping keys are not allowed", _reserved),
    (r"parsing a block (mapping|collection)|document start", _misplaced),
)
