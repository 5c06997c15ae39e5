"""Rules as a rules file writes them."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from usage_watch.core.episode import Findings
from usage_watch.rules import AnyRule, FileDefaults, Rule

_RULE: TypeAdapter[Rule] = TypeAdapter(AnyRule)

UTC_FILE = FileDefaults(ZoneInfo("UTC"), 1)
BERLIN_FILE = FileDefaults(ZoneInfo("Europe/Berlin"), 14)


def made(kind: str, **fields: Any) -> Rule:
    """A rule; `for_` stands for `for`."""
    written = {name.rstrip("_"): value for name, value in fields.items()}
    return _RULE.validate_python({"id": "it", "kind": kind, **written})


def problems(kind: str, **fields: Any) -> list[tuple[str, str]]:
    """What is wrong with a rule: the field, dotted, and the sentence."""
    return [(".".join(map(str, each.field)), each.message) for each in made(kind, **fields).problems()]


def ranks(findings: Findings) -> list[int]:
    """The level of each bucket."""
    return [int(rank) for rank in findings.ranks]
