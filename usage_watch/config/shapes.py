"""What the models of the rules file are made of: which fields and types stand at a path, and how to say so."""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from usage_watch.secret import SecretRef

_WORDS: dict[Any, str] = {
    bool: "yes or no",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list such as [a, b]",
    tuple: "a list such as [a, b]",
    Path: "a path",
}
_SHOWN_FIELDS = 4
_NEAR = 0.65
"""How alike two names are when one is the other misspelled: `osp` and `ops` are, `forecast` and `for_each` are not."""


def alternatives(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows: unions and what is annotated taken apart, None left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for branch in get_args(annotation):
            yield from alternatives(branch)
    elif annotation is not NoneType:
        yield annotation


def is_model(leaf: Any) -> TypeGuard[type[BaseModel]]:
    """Whether a type has fields that a user writes; a secret's reference speaks for itself."""
    return isinstance(leaf, type) and issubclass(leaf, BaseModel) and leaf is not SecretRef


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A model's fields, by the names that users write."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def inside(leaf: Any, step: str | int) -> list[Any]:
    """The types that a type allows for what it holds under a key or an index."""
    if is_model(leaf):
        info = fields_of(leaf).get(str(step))
        return [] if info is None else list(alternatives(info.annotation))
    origin, args = get_origin(leaf), get_args(leaf)
    if origin in (list, tuple) and isinstance(step, int):
        return list(alternatives(args[0]))
    if origin is dict and isinstance(step, str):
        return list(alternatives(args[1]))
    return []


def choices(leaves: Iterable[Any]) -> list[str]:
    """The words among which a user chooses; empty where types allow more than words, too."""
    names: list[str] = []
    for leaf in leaves:
        if isinstance(leaf, type) and issubclass(leaf, Enum):
            names += [member.value for member in leaf]
        elif get_origin(leaf) is Literal:
            names += get_args(leaf)
    return names


def wanted(leaves: Sequence[Any]) -> str:
    """What a user may write where these types are allowed: `a number or {info: …, warning: …, critical: …}`."""
    words = (_WORDS.get(get_origin(leaf) or leaf) or _braces(leaf) for leaf in leaves if not choices([leaf]))
    return either([*choices(leaves), *dict.fromkeys(words)])


def keys_of(leaf: Any) -> list[str]:
    """The keys that a type allows, where it names them."""
    if is_model(leaf):
        return list(fields_of(leaf))
    return choices(alternatives(get_args(leaf)[0])) if get_origin(leaf) is dict else []


def _braces(leaf: Any) -> str:
    names = keys_of(leaf) or ["name"]
    more = ", …" if len(names) > _SHOWN_FIELDS else ""
    return "{" + ", ".join(f"{name}: …" for name in names[:_SHOWN_FIELDS]) + more + "}"


def either(words: Sequence[str], last: str = "or") -> str:
    """`a, b or c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def near(written: str, names: Iterable[str]) -> str | None:
    """The name that was meant, most likely."""
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(written[:80].casefold(), folded, 1, _NEAR)
    return folded[close[0]] if close else None


def describe(model: type[BaseModel], name: str) -> str:
    """What a field of a model means: its description, or else the docstring below it; empty where it has none."""
    info = fields_of(model)[name]
    own = next(own for own, each in model.model_fields.items() if each is info)
    return info.description or _docs(model).get(own, "")


def _docs(model: type[BaseModel]) -> Mapping[str, str]:
    docs: dict[str, str] = {}
    for base in reversed([base for base in model.__mro__ if is_model(base) and base is not BaseModel]):
        docs |= _module_docs(base.__module__).get(base.__name__, {})
    return docs


@cache
def _module_docs(module: str) -> dict[str, dict[str, str]]:
    """The docstrings below the fields of a module's classes.

    pydantic would read them whenever a class is made, which costs every start; only a schema or a fault needs them.
    """
    source = ""
    with suppress(OSError):
        source = inspect.getsource(sys.modules[module])
    classes = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_field_docs(node.body)) for node in classes}


def _field_docs(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                yield name, inspect.cleandoc(doc)
