"""A scenario as a file: YAML, with the names of the simulator's own fields."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from usage_watch import simulator
from usage_watch.errors import Fault, RulesFileError
from usage_watch.simulator import Scenario
from usage_watch.yamlfile import Document, parse

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_PARTS = (
    Scenario,
    simulator.SyncLag,
    simulator.SyncStop,
    simulator.Runaway,
    simulator.Revision,
    simulator.Departure,
    simulator.Outage,
)
_NAMES = {field.name for part in _PARTS for field in fields(part)}
_TIME = "a time such as 2026-08-10T14:00Z, or a date"
_WANTED = {
    "bool_type": "true or false",
    "dataclass_type": "fields, each written as `name: value`",
    "datetime_from_date_parsing": _TIME,
    "datetime_parsing": _TIME,
    "datetime_type": _TIME,
    "enum": "{expected}",
    "float_type": "a number",
    "int_type": "a whole number",
    "missing": "a list of two whole numbers",
    "string_type": "text; put quotes around it",
    "too_long": "a list of two whole numbers",
    "tuple_type": "a list",
}
"""pydantic's name of an error -> what the field takes; `missing` and `too_long` are those of a list here."""


def read(file: Path | None, defaults: dict[str, Any], options: dict[str, Any]) -> Scenario:
    """What a file tells (None: nothing), over the defaults and under the options.

    Raises RulesFileError with every fault of the file.
    """
    document = parse(b"{}" if file is None else file.read_bytes(), str(file))
    written = defaults | document.data | options
    try:
        # As JSON: there a text may be a time and a list a tuple, and still no text is a number.
        return TypeAdapter(Scenario).validate_json(json.dumps(_with_midnights(written)), strict=True)
    except ValidationError as error:
        raise RulesFileError(document.name, [_fault(document, detail) for detail in error.errors()]) from None
    except ZoneInfoNotFoundError:
        sentence = "`zone` takes the IANA name of a time zone, such as Europe/Berlin"
        raise RulesFileError(document.name, [Fault(*document.position(("zone",)), sentence)]) from None


def _with_midnights(written: Any) -> Any:
    """The same with each date as its first instant in UTC."""
    if isinstance(written, dict):
        return {name: _with_midnights(value) for name, value in written.items()}
    if isinstance(written, list):
        return [_with_midnights(value) for value in written]
    return f"{written}T00:00:00Z" if isinstance(written, str) and _DATE.fullmatch(written) else written


def _fault(document: Document, detail: ErrorDetails) -> Fault:
    path, kind = detail["loc"], detail["type"]
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    if kind == "unexpected_keyword_argument":
        return Fault(*document.position(path, key=True), _stranger(name))
    if kind == "missing" and path[-1:] == (name,):
        return Fault(*document.position(path, key=True), f"needs `{name}`")
    if kind == "value_error":
        return Fault(*document.position(path), str(detail["ctx"]["error"]).rstrip("."))
    wanted = _WANTED.get(kind, detail["msg"]).format(**detail.get("ctx", {}))
    return Fault(*document.position(path), f"`{name}` takes {wanted}" if name else f"this takes {wanted}")


def _stranger(name: str) -> str:
    near = difflib.get_close_matches(name, _NAMES, 1)
    advice = f"did you mean `{near[0]}`?" if near else "`usage-watch simulate --help` shows what is"
    return f"`{name}` is not known here; {advice}"
