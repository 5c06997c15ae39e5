"""What pydantic refuses in a part of the rules file -> complaints with their place, in sentences for people.

pydantic says what it wanted in its own words, shows what was written (which may be a secret), and tells of every branch
of a union. So nothing of its text is used but the sentences that validators of ours raise: what a field takes is read
off the models, where it stands off the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from usage_watch.config.complaint import NAME_WORDS, Complaint, Path, named, pick, said
from usage_watch.config.muting import RULE_PATTERN
from usage_watch.config.settings import CURRENCY
from usage_watch.config.shapes import choices, describe, either, fields_of, inside, is_model, keys_of, near, wanted
from usage_watch.rules.fields import NAME
from usage_watch.yamlfile import Document

_PATTERNS = {
    NAME: NAME_WORDS,
    r"^[a-z0-9_]{1,64}$": "takes a dataset's name, such as credit_usage",
    RULE_PATTERN: "takes the id of a rule, in which * stands for any text, such as credits-*",
    r"^https://\S+$": "takes a link that begins with https://",
    CURRENCY: "takes three capital letters, such as USD",
}
_LIMITS = {
    "greater_than": "must be more than {gt:,.12g}",
    "greater_than_equal": "must be at least {ge:,.12g}",
    "less_than": "must be less than {lt:,.12g}",
    "less_than_equal": "must be at most {le:,.12g}",
    "string_too_short": "has too few characters; write {min_length} or more",
    "string_too_long": "has too many characters; write {max_length} at most",
    "too_short": "has too few entries; write {min_length} or more",
    "too_long": "has too many entries; write {max_length} at most",
}
_WORD = re.compile("[A-Za-z_]{1,40}")
"""Surely no secret in the wrong place, so that it may be repeated."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One of pydantic's errors, its place found again."""

    path: Path
    """Without the names of union branches; of a missing field, where it would be."""
    type: str
    message: str
    context: Mapping[str, Any]
    of_key: bool
    """Whether a mapping's key was refused, not its value."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the file that one model reads."""

    document: Document
    at: Path
    """Where it stands."""
    model: type[BaseModel]

    def refused(self, error: ValidationError) -> list[Complaint]:
        """Everything that pydantic refused here, each place once."""
        told: dict[Path, Complaint] = {}
        for refusal in _telling([self._found(detail) for detail in _details(error)]):
            complaint = self._complaint(refusal)
            told.setdefault(complaint.path, complaint)
        return list(told.values())

    def unknown(self, written: Mapping[str, Any]) -> list[Complaint]:
        """Every key, however deep, that no model has there, and every one that was left empty."""
        return list(self._unknown([self.model], self.at, written))

    # ---- where ---------------------------------------------------------------------------------------------------

    def _found(self, detail: Mapping[str, Any]) -> _Refusal:
        """Where an error is, without the names of union branches in its path: what was written may be called so."""
        path, skipped = list(self.at), []
        types: list[Any] = [self.model]
        for index, step in enumerate(detail["loc"], 1):
            at_end = index == len(detail["loc"])
            deeper = [found for leaf in types for found in inside(leaf, step)]
            absent = detail["type"] == "missing" and at_end
            strange = detail["type"] == "extra_forbidden" and at_end
            if absent or strange or (deeper and self._exists((*path, step))):
                path.append(step)
                types = deeper
            else:
                skipped.append(step)
        return _Refusal(tuple(path), detail["type"], detail["msg"], detail.get("ctx", {}), "[key]" in skipped)

    def _exists(self, path: Path) -> bool:
        place = self.document.places
        for step in path[:-1]:
            place = place.children[step]
        return path[-1] in place.children

    def _value(self, path: Path) -> Any:
        """What was written at a path that exists."""
        value: Any = self.document.data
        for step in path:
            value = value[step]
        return value

    def _types(self, path: Path) -> list[Any]:
        """The types that the models allow at a path."""
        types: list[Any] = [self.model]
        for step in path[len(self.at) :]:
            types = [found for leaf in types for found in inside(leaf, step)]
        return types

    # ---- what ----------------------------------------------------------------------------------------------------

    def _complaint(self, refusal: _Refusal) -> Complaint:
        path = refusal.path
        if refusal.type == "missing":
            return Complaint(path, self._missing(path), at_key=True)
        if refusal.type == "extra_forbidden":
            return self._stranger(path)
        if refusal.of_key:
            keys = [key for leaf in self._types(path[:-1]) for key in keys_of(leaf)]
            return Complaint(path, pick("this name must be", keys, path[-1]), at_key=True)
        return Complaint(path, self._sentence(refusal))

    def _sentence(self, refusal: _Refusal) -> str:
        subject, value = named(refusal.path[len(self.at) :]), self._value(refusal.path)
        if refusal.type == "value_error":
            return said(subject, refusal.message.removeprefix("Value error, "))
        if refusal.type == "string_pattern_mismatch":
            return f"{subject} {_PATTERNS.get(refusal.context['pattern'], 'is not written as it must be')}"
        if limit := _LIMITS.get(refusal.type):
            return f"{subject} {limit.format(**refusal.context)}"
        types = self._types(refusal.path)
        if words := choices(types):
            return pick(f"{subject} takes", words, value)
        quotes = "; put quotes around it" if str in types and isinstance(value, int | float) else ""
        return f"{subject} takes {wanted(types)}{quotes}"

    def _missing(self, path: Path) -> str:
        name = str(path[-1])
        words = choices(self._types(path))
        if not words:
            models = (leaf for leaf in self._types(path[:-1]) if is_model(leaf) and name in fields_of(leaf))
            return f"needs `{name}`: {_uncapitalized(next((describe(model, name) for model in models), 'a value'))}"
        return f"needs `{name}`: {either(words)}"

    def _stranger(self, path: Path) -> Complaint:
        """A key that has no place where it stands."""
        key = str(path[-1])
        models = [leaf for leaf in self._types(path[:-1]) if is_model(leaf) and key not in fields_of(leaf)]
        names = list(dict.fromkeys(name for model in models for name in fields_of(model)))
        shown = f"`{key}`" if _WORD.fullmatch(key) else "this name"
        meant = near(key, names)
        advice = f"did you mean `{meant}`?" if meant else f"known are {', '.join(names)}"
        return Complaint(path, f"{shown} is not known here; {advice}", at_key=True, meant=meant)

    def _unknown(self, leaves: Sequence[Any], path: Path, value: Any) -> Iterator[Complaint]:
        for step, item in _items(value):
            deeper = [found for leaf in leaves for found in inside(leaf, step)]
            if deeper and item is None:
                subject = named((*path, step)[len(self.at) :])
                yield Complaint((*path, step), f"{subject} is empty; write a value, or leave it out")
            elif deeper:
                yield from self._unknown(deeper, (*path, step), item)
            elif isinstance(step, str) and any(is_model(leaf) for leaf in leaves):
                yield self._stranger((*path, step))


def _uncapitalized(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}".rstrip(".")


def _details(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False))


def _telling(refusals: Iterable[_Refusal]) -> list[_Refusal]:
    """Of a union's branches those that got furthest; and of those sentences of ours first, wrong types last."""
    found = list(refusals)
    outdone = {refusal.path[:length] for refusal in found for length in range(len(refusal.path))}
    telling = [refusal for refusal in found if refusal.path not in outdone]
    return sorted(telling, key=lambda refusal: (refusal.type != "value_error", refusal.type not in _LIMITS))


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()
