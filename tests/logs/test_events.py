"""The table of events says what the code does."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import usage_watch
from usage_watch.logs.events import EVENTS, table

PACKAGE = Path(usage_watch.__file__).parent
CALLS = {"event": "info", "debug": "debug", "warning": "warning", "recurring": "warning", "fault": "error"}
RESERVED = {"time", "level", "event"}
PASSED_ON = {"logs/__init__.py", "logs/output.py"}
"""They write what others named; `log.lost`, `daemon.failed` and `fault.caught` are theirs."""


@dataclass(frozen=True)
class Call:
    where: str
    kind: str
    name: str | None
    """None where it is only known when it runs."""
    level: str | None
    fields: frozenset[str]


def calls() -> Iterator[Call]:
    for path in PACKAGE.rglob("*.py"):
        where = str(path.relative_to(PACKAGE))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (kind := _kind(node, where)) is not None:
                yield _call(node, where, kind)


def _kind(node: ast.Call, where: str) -> str | None:
    match node.func:
        case ast.Attribute(ast.Name("logs"), kind) if kind in CALLS:
            return kind
        case ast.Name(kind) if kind in CALLS and where == "logs/alerts.py":
            return kind
    return None


def _call(node: ast.Call, where: str, kind: str) -> Call:
    named = {each.arg: each.value for each in node.keywords}
    assert None not in named, f"{where}:{node.lineno}: fields must be written out"
    level = None if "level" in named else CALLS[kind]
    fields = frozenset(str(name) for name in named.keys() - {"level"})
    if kind == "fault":
        return Call(where, kind, "fault.caught", level, fields | {"where", "error", "at"})
    name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
    return Call(where, kind, name, level, fields)


BY_NAME: dict[str, list[Call]] = defaultdict(list)
NAMELESS = []
for call in calls():
    if call.name is None:
        NAMELESS.append(call)
    else:
        BY_NAME[call.name].append(call)

OWN = {"log.lost": {"lines"}, "daemon.failed": {"error"}}
ALERTS = {"alert.told": "info", "alert.held": "info", "alert.noted": "debug"}
REPEATED = {"fault.caught", "library.warned", "python.warned", "template.failed"}


def test_nothing_is_logged_that_is_not_in_the_table() -> None:
    assert set(BY_NAME) | set(OWN) | set(ALERTS) == set(EVENTS)


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() & EVENTS.keys()))
def test_level_and_fields_are_as_in_the_table(name: str) -> None:
    event, found = EVENTS[name], BY_NAME[name]
    assert {each.level or event.level for each in found} == {event.level}
    assert any(each.level is None for each in found) == event.level.endswith(", or debug")
    fields = set[str]().union(*(each.fields for each in found))
    assert fields | ({"repeated"} if name in REPEATED else set()) == set(event.fields)
    assert any(each.kind in ("recurring", "fault") for each in found) == (name in REPEATED)


def test_what_the_log_says_of_its_own_accord_is_in_the_table() -> None:
    for name, fields in OWN.items():
        assert set(EVENTS[name].fields) == fields
    (said,) = NAMELESS
    assert said.where == "logs/alerts.py"
    for name, level in ALERTS.items():
        assert (EVENTS[name].level, set(EVENTS[name].fields)) == (level, said.fields)


@pytest.mark.parametrize("name", EVENTS)
def test_a_name_is_a_noun_and_what_became_of_it(name: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", name)
    assert name.endswith(("ed", "ing", "sent", "told", "held", "lost", "caught", "done", "ready"))


@pytest.mark.parametrize("name", EVENTS)
def test_no_field_stands_for_another(name: str) -> None:
    fields = EVENTS[name].fields
    assert not RESERVED & fields.keys()
    assert all(re.fullmatch(r"[a-z_]+", field) for field in fields)


def test_the_table_is_one_row_an_event() -> None:
    rows = table().splitlines()
    assert [row.split("`")[1] for row in rows[2:]] == list(EVENTS)
    assert all(row.count("|") == 4 for row in rows)


def test_the_page_for_operators_has_the_table() -> None:
    page = (PACKAGE.parent / "deploy" / "operating.md").read_text()
    assert page.partition("<!-- events -->\n")[2].partition("\n<!-- /events -->")[0] == table()
