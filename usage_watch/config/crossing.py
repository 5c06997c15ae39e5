"""What the parts of the rules file say of each other: channels that are named, ids that must differ.

Read from what was written, not from models, so that a mistake elsewhere hides nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from usage_watch.config.complaint import Complaint, Path
from usage_watch.config.shapes import near
from usage_watch.rules.fields import NAME
from usage_watch.yamlfile import Document


def crossed(document: Document) -> list[Complaint]:
    """Every reference that leads nowhere, and every id that is not the first of its name."""
    rules = document.data.get("rules")
    written = list(enumerate(rules)) if isinstance(rules, list) else []
    found = {index: rule for index, rule in written if isinstance(rule, dict)}
    return [*_repeated(document, found), *_unknown_channels(document, found), *_pools(document, found)]


def _repeated(document: Document, rules: dict[int, dict[str, Any]]) -> Iterator[Complaint]:
    first: dict[str, int] = {}
    for index, rule in rules.items():
        name = rule.get("id")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            line, _ = document.position(("rules", first[name], "id"))
            yield Complaint(("rules", index, "id"), f"this `id` stands at line {line} already; give each rule its own")


def _unknown_channels(document: Document, rules: dict[int, dict[str, Any]]) -> Iterator[Complaint]:
    channels = document.data.get("channels", {})
    meta = document.data.get("meta")
    told = [*_told(("notify",), document.data.get("notify"))]
    told += _told(("meta", "notify"), meta.get("notify")) if isinstance(meta, dict) else []
    for index, rule in rules.items():
        told += _told(("rules", index, "notify"), rule.get("notify"))
    for path, name in told:
        if isinstance(channels, dict) and name not in channels:
            yield Complaint(path, _no_channel(name, list(channels)))


def _told(at: Path, notify: Any) -> Iterator[tuple[Path, str]]:
    """The names in a `notify`, each with its place."""
    if isinstance(notify, dict):
        for severity, names in notify.items():
            yield from _listed((*at, severity), names)
    else:
        yield from _listed(at, notify)


def _listed(at: Path, names: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(names, list):
        yield from (((*at, index), name) for index, name in enumerate(names) if isinstance(name, str))


def _no_channel(name: str, channels: list[str]) -> str:
    # What cannot be a name may be a secret in the wrong place: a webhook's URL, say.
    shown = f"no channel `{name}`" if re.fullmatch(NAME, name) else "no such channel"
    meant = near(name, channels)
    return f"there is {shown}; " + (f"did you mean `{meant}`?" if meant else "write it under `channels`")


def _pools(document: Document, rules: dict[int, dict[str, Any]]) -> Iterator[Complaint]:
    if "seats" not in document.data:
        for index, rule in rules.items():
            if rule.get("of") == "pool":
                needs = "`of: pool` needs the allowances of seats; write `seats: {default: 500}` at the top of the file"
                yield Complaint(("rules", index, "of"), needs)
