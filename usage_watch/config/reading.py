"""The rules file -> Config, or every fault in it at once.

Each rule and each channel is read on its own, so that a mistake in one never hides a mistake in another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from usage_watch import places, yamlfile
from usage_watch.channels import AnyChannel
from usage_watch.config.complaint import NAME_WORDS, Complaint, Path, named, pick
from usage_watch.config.crossing import crossed
from usage_watch.config.faults import Part
from usage_watch.config.keeping import too_short
from usage_watch.config.settings import Config
from usage_watch.config.shapes import either, fields_of, near
from usage_watch.errors import Fault, RulesFileError
from usage_watch.rules import AnyRule, Rule
from usage_watch.rules.fields import NAME
from usage_watch.yamlfile import MAX_FAULTS, Document

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The kinds of something that the file has many of."""

    noun: str
    models: Mapping[str, type[BaseModel]]


def _kinds(noun: str, union: Any) -> _Kinds:
    models = get_args(get_args(union)[0])
    return _Kinds(noun, {get_args(model.model_fields["kind"].annotation)[0]: model for model in models})


_RULES = _kinds("rule", AnyRule)
_CHANNELS = _kinds("channel", AnyChannel)


def load(path: FilePath, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a rules file. Raises UsageError if there is none to read, RulesFileError with every fault found in it."""
    return read(yamlfile.load(path), environ)


def read(document: Document, environ: Mapping[str, str] = os.environ) -> Config:
    """What a rules file means. Raises RulesFileError with every fault found.

    Where it does not say where everything is kept, that follows from where it stands, and from the environment.
    """
    reader = _Reader(document)
    config = reader.config()
    if config is None or reader.complaints:
        raise RulesFileError(document.name, _shown([complaint.fault(document) for complaint in reader.complaints]))
    if "path" not in config.store.model_fields_set:
        kept_at = places.store(FilePath(document.name), environ)
        config = config.model_copy(update={"store": config.store.model_copy(update={"path": kept_at})})
    return config


def _shown(faults: list[Fault]) -> list[Fault]:
    faults = sorted(dict.fromkeys(faults), key=lambda fault: (fault.line, fault.column))
    shown, rest = faults[:MAX_FAULTS], faults[MAX_FAULTS:]
    more = f"from here on {len(rest):,} more faults; mend those above first"
    return [*shown, *(Fault(fault.line, fault.column, more) for fault in rest[:1])]


@dataclass(slots=True)
class _Reader:
    document: Document
    complaints: list[Complaint] = field(default_factory=list)

    def config(self) -> Config | None:
        """The whole file; what is wrong with it is in `complaints`."""
        written = self.document.data
        channels, rules = written.get("channels"), written.get("rules")
        # What has kinds is read piece by piece; what is not even a mapping or a list is for the model to refuse.
        top = written | {"channels": {}} if isinstance(channels, dict) else written
        top = top | {"rules": []} if isinstance(rules, list) else top
        config = self._part((), Config, top)
        found = {
            "channels": self._channels(channels) if isinstance(channels, dict) else {},
            "rules": self._rules(rules) if isinstance(rules, list) else (),
        }
        self.complaints += crossed(self.document)
        if config is None:
            return None
        whole = config.model_copy(update=found)
        self.complaints += [] if self.complaints else too_short(whole)
        whole._document = self.document
        return whole

    def _channels(self, written: Mapping[str, Any]) -> dict[str, BaseModel]:
        names = (name for name in written if not re.fullmatch(NAME, name))
        self.complaints += [Complaint(("channels", name), f"this name {NAME_WORDS}", at_key=True) for name in names]
        found = {name: self._one(("channels", name), channel, _CHANNELS) for name, channel in written.items()}
        return {name: channel for name, channel in found.items() if channel is not None}

    def _rules(self, written: list[Any]) -> tuple[BaseModel, ...]:
        found = (self._one(("rules", index), rule, _RULES) for index, rule in enumerate(written))
        return tuple(rule for rule in found if rule is not None)

    def _one(self, at: Path, written: Any, kinds: _Kinds) -> BaseModel | None:
        """A rule or a channel, by its kind."""
        complaint = _of_kind(at, written, kinds)
        if complaint is not None:
            self.complaints.append(complaint)
            return None
        return self._part(at, kinds.models[written["kind"]], written)

    def _part(self, at: Path, model: type[M], written: Mapping[str, Any]) -> M | None:
        """What one model reads; None where it cannot. Unknown names do not keep it from looking at the others."""
        part = Part(self.document, at, model)
        unknown = part.unknown(written)
        self.complaints += unknown
        told = _told(unknown, at)
        try:
            value = model.model_validate({name: item for name, item in written.items() if name in fields_of(model)})
        except ValidationError as error:
            self.complaints += [complaint for complaint in part.refused(error) if complaint.path not in told]
            return None
        self.complaints += [complaint for complaint in _problems(at, value) if complaint.path not in told]
        return value


def _told(unknown: list[Complaint], at: Path) -> set[Path]:
    """The places of unknown names; and where the right one is known, what its absence would be told at."""
    meant = [(*complaint.path[:-1], complaint.meant) for complaint in unknown if complaint.meant is not None]
    return {complaint.path for complaint in unknown} | set(meant) | ({at} if meant else set())


def _problems(at: Path, value: BaseModel) -> Iterator[Complaint]:
    if isinstance(value, Rule):
        for problem in value.problems():
            # An axis is named by its key.
            subject, at_key = named(problem.field) or "this rule", problem.field[:1] == ("where",)
            yield Complaint((*at, *problem.field), f"{subject} {problem.message}", at_key)


def _of_kind(at: Path, written: Any, kinds: _Kinds) -> Complaint | None:
    """Why it cannot be told which kind of rule or channel this is."""
    if not isinstance(written, dict):
        return Complaint(at, f"a {kinds.noun} is written as `kind: …` and the fields of that kind")
    if "kind" not in written:
        known = {name for model in kinds.models.values() for name in fields_of(model)}
        if meant := near("kind", written.keys() - known):
            return Complaint((*at, meant), f"`{meant}` is not known here; did you mean `kind`?", at_key=True)
        return Complaint(at, f"needs `kind`: {either(list(kinds.models))}", at_key=True)
    kind = written["kind"]
    if kind in list(kinds.models):
        return None
    return Complaint((*at, "kind"), pick("`kind` takes", list(kinds.models), kind))
