"""A first rules file, as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Written: TypeAlias = "str | float | bool | Sequence[Written] | Mapping[str, Written] | None"
"""What may stand in a rules file."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*|[0-9]+[ywdhms%]")
_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What a reader cannot see, or a terminal obeys."""
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What is no text without quotes: to us, or to the YAML 1.1 of other programs."""
_WIDTH = 100
_WARNING, _CRITICAL = 0.025, 0.05
"""Of the limit, in 3 h: so it lasts 5 days, or 2.5. Spent evenly that would be 0.4 %, in working hours alone 1.7 %."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to stand in the file; each value as its field takes it."""

    zone: str
    billing_day: int
    limit: int | None
    """Credits in a cycle."""
    channel: Mapping[str, Written]
    """How people are told."""

    @property
    def channel_name(self) -> str:
        """What the channel is called."""
        return "screen" if self.channel["kind"] == "log" else "ops"

    @property
    def variables(self) -> list[str]:
        """The environment variables that the channel's secrets are read from."""
        return [str(field["env"]) for field in self.channel.values() if isinstance(field, Mapping)]

    def text(self) -> str:
        """The rules file."""
        return "".join(f"{line}\n" for line in [*self.head(), "rules:", *self._rules()])

    def head(self) -> Iterator[str]:
        """Its lines up to the rules."""
        yield f"timezone: {flow(self.zone)}"
        yield f"billing_day: {self.billing_day}  # on which a credit cycle starts: see the invoice"
        yield "channels:"
        yield from self._channels()

    def _channels(self) -> Iterator[str]:
        yield from packed(f"  {self.channel_name}: ", self.channel)
        if self.channel["kind"] == "log":
            yield "notify: [screen]"
            return
        yield "  screen: {kind: log}  # standard output: for when ops fails"
        yield "notify: [ops]"
        yield "meta: {notify: [ops, screen]}  # what the watcher says of itself"

    def _rules(self) -> Iterator[str]:
        if self.limit is None:
            rule = "{id: unusual-hour, kind: zscore, for_each: Model}"
            yield f"  - {rule}  # far above what is usual at that hour of the week"
            return
        warning, critical = max(1, _rounded(self.limit * _WARNING)), max(2, _rounded(self.limit * _CRITICAL))
        yield f"  - {{id: credits-cycle, kind: budget, where: {{Credit Source: paid}}, limit: {self.limit:_}}}"
        above = f"{{warning: {warning:_}, critical: {critical:_}}}"
        yield f"  - {{id: runaway, kind: threshold, window: 3h, above: {above}}}  # 2.5 % and 5 % of the limit"


def flow(value: Written) -> str:
    """A value in YAML, on one line, whatever it holds."""
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        # JSON's quotes are YAML's double ones.
        return value if is_plain else _UNSEEN.sub(_escaped, json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{flow(name)}: {flow(each)}' for name, each in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(flow, value))}]"
    # Underscores may stand between the digits of whole numbers, and make them readable.
    return f"{value:_}" if type(value) is int else json.dumps(value)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def packed(head: str, fields: Mapping[str, Written]) -> list[str]:
    """`head` and the mapping behind it; in several lines where one would be long."""
    items = [f"{flow(name)}: {flow(value)}" for name, value in fields.items()]
    lines = [f"{head}{{{items[0]}"]
    for item in items[1:]:
        if len(lines[-1]) + len(item) + 3 <= _WIDTH:
            lines[-1] += f", {item}"
        else:
            lines[-1] += ","
            lines.append(f"{' ' * len(head)} {item}")
    lines[-1] += "}"
    return lines


def _rounded(number: float) -> int:
    """To two digits that count."""
    whole = round(number)
    return round(whole, 2 - len(str(whole)))
