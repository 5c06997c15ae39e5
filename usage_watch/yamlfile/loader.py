"""The rules file: strict YAML -> plain data, and where each thing stands in it.

PyYAML's own loader is not for people who write rules: `no` becomes False, `12:30` becomes 750, the last of two equal
keys wins in silence, aliases blow up, and 25,000 nested brackets end the process. So the parser's events are taken one
by one, with a stack of ours instead of recursion; limits act before anything is built, and every fault that can be
found is found in the same pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from usage_watch.errors import Fault, RulesFileError, UsageError
from usage_watch.yamlfile.syntax import Position, Stumble, explain
from usage_watch.yamlfile.text import Scalar, complaint, decode, resolve

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_FAULTS = 50

Value: TypeAlias = "dict[str, Value] | list[Value] | Scalar"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and the places of what it holds."""

    value: Position
    """Line and column of the value's first character, from 1."""
    key: Position
    """Line and column of its key; of the value itself for a list's item."""
    children: dict[str | int, Place]
    """By key, or by index from 0."""


@dataclass(frozen=True, slots=True)
class Document:
    """A rules file that is sound as YAML; what its words mean is not judged here."""

    name: str
    """The file as the user named it."""
    data: dict[str, Value]
    """Plain values; a date or a duration is still the text that was written."""
    places: Place = field(repr=False)
    """Of the whole file."""

    def position(self, loc: Sequence[str | int], key: bool = False) -> Position:
        """Line and column, from 1, of the value (or its key) at `loc`, or of the deepest ancestor that exists."""
        place = self.places
        for step in loc:
            if step not in place.children:
                break
            place = place.children[step]
        return place.key if key else place.value


def load(path: Path) -> Document:
    """Read a rules file. Raises UsageError if there is none to read, RulesFileError with every fault found in it."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        advice = "`usage-watch init` writes one, or name yours with --config FILE"
        raise UsageError(f"There is no rules file {path}: {advice}.") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a directory: name the rules file in it with --config FILE.") from None
    except OSError as error:
        advice = "mend its owner and mode, or name another with --config FILE"
        raise UsageError(f"{path} cannot be read ({error.strerror}): {advice}.") from None
    return parse(text, str(path))


def parse(text: bytes, name: str, *, libyaml: bool = yaml.__with_libyaml__) -> Document:
    """Bytes of a rules file -> Document. Raises RulesFileError with every fault found.

    `libyaml` chooses the parser in C, which is faster and which not every build of PyYAML has.
    """
    if len(text) > MAX_BYTES:
        raise RulesFileError(name, [Fault(1, 1, f"the file is larger than {MAX_BYTES >> 20} MiB; is it a rules file?")])
    lines, faults = decode(text)
    builder = _Builder(lines)
    if not faults:
        _build(builder, libyaml)
        faults = builder.faults
    if faults:
        raise RulesFileError(name, _shown(faults, lines))
    return builder.document(name)


def _build(builder: _Builder, libyaml: bool) -> None:
    try:
        for event in yaml.parse("\n".join(builder.lines), yaml.CSafeLoader if libyaml else yaml.SafeLoader):
            builder.take(event)
        builder.finish()
    except _LimitError:
        return
    except yaml.MarkedYAMLError as error:
        at = _position(error.problem_mark)
        opened = _position(error.context_mark) if error.context_mark else at
        around = [parent.place.value for parent in builder.stack]
        builder.faults += explain(Stumble(f"{error.context}: {error.problem}", opened, at, around, builder.lines))
    except (ValueError, OverflowError):
        # The parser in Python stumbles over an escape such as "\UFFFFFFFF" without saying where.
        sentence = "what stands after this is not YAML; check the backslashes between double quotes"
        builder.faults.append(Fault(*builder.seen, sentence))


def _shown(faults: list[Fault], lines: Sequence[str]) -> list[Fault]:
    end = len(lines), len(lines[-1]) + 1
    # At the end of a file the parser in C is one line too far.
    placed = {Fault(*min((fault.line, fault.column), end), fault.message): None for fault in faults}
    faults = sorted(placed, key=lambda fault: (fault.line, fault.column))
    shown, rest = faults[:MAX_FAULTS], faults[MAX_FAULTS:]
    more = f"from here on {len(rest):,} more faults; mend those above first"
    return [*shown, *(Fault(fault.line, fault.column, more) for fault in rest[:1])]


def _position(mark: Any) -> Position:
    """The two parsers' marks have no class in common."""
    return mark.line + 1, mark.column + 1


_COMMENT = re.compile(r"\s+#\S")


class _LimitError(Exception):
    """What was found makes the rest not worth reading."""


@dataclass(slots=True)
class _Open:
    """A mapping or a list whose end has not come yet."""

    content: dict[str, Value] | list[Value]
    place: Place
    key: tuple[str, Position] | None = None
    """In a mapping: the key that waits for its value."""

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.content, dict) and self.key is None


class _Builder:
    """Takes the parser's events in turn; ends up with the data, the places and the faults."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.faults: list[Fault] = []
        self.seen: Position = (1, 1)
        self.nodes = 0
        self.documents: list[Value] = []
        self.stack = [_Open(self.documents, Place((1, 1), (1, 1), {}))]

    def take(self, event: yaml.Event) -> None:
        self.seen = _position(event.start_mark)
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.CollectionStartEvent():
                self._open(event)
            case yaml.CollectionEndEvent():
                self.stack.pop()
            case yaml.AliasEvent():
                self._fault("a value that begins with `*` is an alias in YAML; put it in quotes, or write it out")
                self._put(None)
            case yaml.DocumentStartEvent() if self.documents:
                self._stop("a second document begins here; keep one, and delete this `---`")

    def finish(self) -> None:
        root = self.documents[0] if self.documents else None
        if isinstance(root, dict):
            return
        self.seen = self.stack[0].place.children[0].value if root is not None else (1, 1)
        if root is None:
            self._fault("the file is empty; begin with the ten lines of the README")
        elif isinstance(root, list):
            self._fault("the file is a bare list; if these are rules, indent them under a line `rules:`")
        else:
            self._fault("the file is a bare text; write lines of `name: value`, with a space after the colon")

    def document(self, name: str) -> Document:
        root = self.documents[0]
        assert isinstance(root, dict)
        return Document(name, root, self.stack[0].place.children[0])

    def _fault(self, message: str) -> None:
        self.faults.append(Fault(*self.seen, message))

    def _stop(self, message: str) -> None:
        self._fault(message)
        raise _LimitError

    def _refuse_marks(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._fault("a value that begins with `&` is an anchor in YAML; put it in quotes, or delete the anchor")
        if event.tag is not None:
            self._fault("a value that begins with `!` is a tag in YAML; put it in quotes, or delete the tag")

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        self._refuse_marks(event)
        if len(self.stack) > MAX_DEPTH:
            self._stop(f"this is nested more than {MAX_DEPTH} deep; close a bracket, or mend the indentation")
        if self.stack[-1].awaits_key:
            self._fault("a key must be one word; if `{` or `[` begins a text, put the text in quotes")
        content: dict[str, Value] | list[Value] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(content, self._put(content)))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_marks(event)
        if foreign := complaint(event.value):
            self._fault(foreign)
        self._put(self._key(event) if self.stack[-1].awaits_key else self._value(event))

    def _put(self, value: Value) -> Place:
        """Place a scalar, or a collection that is just beginning: as the open mapping's key, its value, or an item."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._stop(f"the file has more than {MAX_NODES:,} values; that is no rules file")
        parent = self.stack[-1]
        step: str | int
        if isinstance(parent.content, list):
            step, key_at = len(parent.content), self.seen
            parent.content.append(value)
        elif parent.key is None:
            parent.key = value if isinstance(value, str) else "", self.seen
            return Place(self.seen, self.seen, {})
        else:
            step, key_at = parent.key
            parent.content[step] = value
            parent.key = None
        # Of two equal keys the first stays, for the third to be told of.
        place = Place(self.seen, key_at, {})
        parent.place.children.setdefault(step, place)
        return place

    def _key(self, event: yaml.ScalarEvent) -> str:
        key: str = event.value
        if not event.style and (mistake := _key_mistake(key)):
            self._fault(mistake)
        elif first := self.stack[-1].place.children.get(key):
            line, column = first.key
            self._fault(f"`{_short(key)}` stands here again, first at line {line}, column {column}; keep one of them")
        return key

    def _value(self, event: yaml.ScalarEvent) -> Scalar:
        text: str = event.value
        if not text and (loss := self._loss(event.style)):
            self._fault(loss)
        if event.style:
            return text
        try:
            return resolve(text)
        except ValueError as error:
            self._fault(str(error))
            return None

    def _loss(self, style: str | None) -> str | None:
        """Why a value is empty that was hardly meant to be."""
        if style in (">", "|"):
            return "this text is empty; if it was to begin with `>` or `|`, put it in quotes"
        line, column = self.seen
        key = self.stack[-1].key
        if not style and line <= len(self.lines) and _COMMENT.match(self.lines[line - 1], column - 1):
            return 'what follows `#` is a comment; put text in quotes ("#channel"), or a space after the `#`'
        if not style and key and ":" in key[0]:
            return "the value is missing: write a space after the colon"
        return None


def _key_mistake(key: str) -> str | None:
    if key == "":
        return "a name is missing before the colon"
    if key == "<<":
        return "`<<` merges nothing here; write the fields out"
    if re.match(r"-\w", key):
        return "write a space after the dash"
    if key != key.strip():
        return "a no-break space belongs to this name; indent with ordinary spaces"
    return None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:39]}…"
