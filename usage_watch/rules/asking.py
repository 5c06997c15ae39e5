"""What a rule may ask of the source: which feed answers it, or why none does."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from usage_watch.core.datasets import DATASETS, Dataset, find_axis
from usage_watch.core.selection import MEMBER, fold_label
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, HOUR, Feed, Width


@dataclass(frozen=True, slots=True)
class Question:
    """A rule's dataset, bucket and split."""

    dataset: str
    width: Width
    where: tuple[str, ...]
    """The names in `where`: axes and `member`."""
    for_each: str | None
    member: str | None
    """The one member of `where`, where it names exactly one."""

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The axes that are asked about, each with the field that names it first."""
        named: dict[str, tuple[str, ...]] = {name: ("where", name) for name in self.where if name.casefold() != MEMBER}
        if self.for_each is not None and not self.each_member and find_axis(self.for_each, named) is None:
            named[self.for_each] = ("for_each",)
        return named

    @property
    def each_member(self) -> bool:
        """Whether it splits by member."""
        return self.for_each is not None and self.for_each.casefold() == MEMBER

    @property
    def about_member(self) -> bool:
        """Whether `where` narrows to a member."""
        return any(name.casefold() == MEMBER for name in self.where)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the source cannot answer a rule."""

    field: tuple[str, ...]
    """Which of the rule's fields asks too much."""
    message: str
    """What the source has, and so what to write instead."""


def ask(question: Question) -> Feed | Refusal:
    """Find the feed that answers a rule. A dataset that is not known is taken at its word."""
    if len(question.axes) > 1:
        return _two_axes(question)
    if question.about_member and not _is_email(question.member):
        return Refusal(("where", MEMBER), "names one member by email; for every member write `for_each: member`")
    dataset = DATASETS.get(question.dataset)
    refusal = None if dataset is None else _grain(question, dataset) or _axis(question, dataset)
    if refusal is not None:
        return refusal
    if question.each_member or question.about_member:
        return _of_members(question, dataset)
    return Feed(question.dataset, question.width, EVERYONE)


def _is_email(member: str | None) -> bool:
    return member is not None and "@" in member and "*" not in member


def _two_axes(question: Question) -> Refusal:
    first, second = list(question.axes)[:2]
    return Refusal(
        question.axes[second],
        f"asks for {first} and {second} together, but the source splits by one axis at a time: keep one of them",
    )


def _grain(question: Question, dataset: Dataset) -> Refusal | None:
    if question.width == HOUR and not dataset.hourly:
        return Refusal(
            ("bucket",), f"cannot be 1h: {question.dataset} comes in days only; write `bucket: 1d` or leave it out"
        )
    if question.width == HOUR and question.each_member:
        return Refusal(
            ("bucket",), "cannot be 1h with `for_each: member`: the source has members by day only; write `bucket: 1d`"
        )
    return None


def _axis(question: Question, dataset: Dataset) -> Refusal | None:
    for name, field in question.axes.items():
        if find_axis(name, dataset.axes) is None:
            return Refusal(field, _no_such_axis(name, question.dataset, dataset.axes))
    return None


def _no_such_axis(name: str, dataset: str, axes: tuple[str, ...]) -> str:
    if not axes:
        return f"names the axis {name}, but {dataset} has none: it is a total only"
    close = difflib.get_close_matches(fold_label(name), [fold_label(axis) for axis in axes], 1, 0.6)
    meant = next((f"; did you mean {axis}?" for axis in axes if close and fold_label(axis) == close[0]), "")
    return f"names the axis {name}, but {dataset} has {', '.join(axes)}{meant}"


def _of_members(question: Question, dataset: Dataset | None) -> Feed | Refusal:
    """Member days come from v2 where it has the dataset, a single member else from v1 with `user_email`."""
    field = ("for_each",) if question.each_member else ("where", MEMBER)
    if dataset is not None and dataset.member_axes is not None and question.width == DAY:
        axes = dataset.member_axes
        lacking = next((axis for axis in question.axes if find_axis(axis, axes) is None), None)
        if lacking is None:
            return Feed(question.dataset, DAY, EACH_MEMBER)
        return Refusal(field, f"cannot be split by {lacking} for members: the source has {', '.join(axes)} there")
    if question.each_member:
        return Refusal(field, "cannot be `member`: the source has members of credit_usage and query_volume only")
    if dataset is not None and not dataset.one_member:
        return Refusal(field, f"cannot be asked: the source does not say {question.dataset} of one member")
    return Feed(question.dataset, question.width, question.member or EVERYONE)
