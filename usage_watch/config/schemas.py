"""The JSON Schema of the rules file, for editors and other checkers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from usage_watch.config.settings import Config
from usage_watch.config.shapes import alternatives, describe, fields_of, is_model


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the rules file; `usage_watch/rules.schema.json` is a copy of it."""
    made = Config.model_json_schema()
    models = {model.__name__: model for model in _models(Config)}
    for name, definition in [*made["$defs"].items(), (Config.__name__, made)]:
        if name in models:
            fields = definition["properties"]
            definition["properties"] = {each: _plain(fields[each], describe(models[name], each)) for each in fields}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "usage_watch rules file"}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a user writes, from the top down."""
    for leaf in alternatives(annotation):
        if is_model(leaf):
            yield leaf
        inner = [info.annotation for info in fields_of(leaf).values()] if is_model(leaf) else get_args(leaf)
        for each in inner:
            yield from _models(each)


def _plain(written: dict[str, Any], description: str) -> dict[str, Any]:
    """A field as people see it: nothing may be left empty, so that `null` is neither a choice nor a default."""
    field = {"description": description} | {name: item for name, item in written.items() if name != "title"}
    branches = [branch for branch in field.pop("anyOf", []) if branch != {"type": "null"}]
    field |= branches[0] if len(branches) == 1 else {"anyOf": branches} if branches else {}
    default = field.pop("default", None)
    if isinstance(default, dict):
        default = {name: item for name, item in default.items() if item is not None}
    return field if default is None else field | {"default": default}
