"""Right pages made wrong: what a fault changes in the JSON of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from .arrays import HOUR
from .faultkind import FaultKind
from .old_shape import flattened

Page: TypeAlias = dict[str, Any]

_OURS = "again"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, as far as faults go by it."""

    now: datetime
    dataset: str | None = None
    page: str | None = None
    """The cursor as it was sent; perhaps one of ours."""

    @classmethod
    def of(cls, query: Iterable[tuple[str, str]], now: datetime) -> Asked:
        """query: decoded (name, value) pairs."""
        given = dict(query)
        return cls(now, given.get("dataset"), given.get("page"))


def altered(kind: FaultKind, page: Page, asked: Asked) -> Page:
    """The page with the fault in it; an equal one where there is nothing that the fault could spoil."""
    page = deepcopy(page)
    return ALTERATIONS[kind](page, asked)


def as_the_api_knows_it(query: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The query with each cursor of ours replaced by the one that it stands for."""
    pairs = ((name, _parsed(value)[1] if name == "page" else value) for name, value in query)
    return tuple((name, value) for name, value in pairs if value is not None)


def _parsed(page: str | None) -> tuple[int, str | None]:
    """Of a cursor of ours: its number, and the true cursor of the page that it repeats (None: the first page)."""
    ours, _, rest = (page or "").partition("-")
    number, _, inner = rest.partition("-")
    if ours != _OURS or not number.isdecimal():
        return 0, page
    return int(number), inner or None


def _repeat(page: Page, asked: Asked, step: int) -> Page:
    number, inner = _parsed(asked.page)
    return page | {"has_more": True, "next_page": f"{_OURS}-{number + step}-{inner or ''}"}


def _without_cursor(page: Page, _: Asked) -> Page:
    return page | {"has_more": True, "next_page": None}


def _with_count(spoil: Callable[[int], object]) -> Callable[[Page, Asked], Page]:
    """Spoil one count, in the middle of the page: of a bucket, or of a member's row."""

    def spoilt(page: Page, _: Asked) -> Page:
        entries = [entry for bucket in page["data"] for entry in bucket.get("results", [bucket])]
        for entry in _middle(entries):
            entry["count"] = spoil(entry["count"])
        return page

    return spoilt


def _off_grid(page: Page, _: Asked) -> Page:
    for bucket in _middle(page["data"]):
        bucket["start_time"] += HOUR // 2
        bucket["end_time"] += HOUR // 2
    return page


def _future(page: Page, asked: Asked) -> Page:
    for last in page["data"][-1:]:
        width = last["end_time"] - last["start_time"]
        start = (int(asked.now.timestamp()) // width + 1) * width
        page["data"].append(last | {"start_time": start, "end_time": start + width})
    return page


def _other_axis(page: Page, _: Asked) -> Page:
    for bucket in page["data"]:
        for entry in bucket.get("results", [bucket]):
            if "by_categories" in entry:
                entry["by_categories"] = {f"New {axis}": listed for axis, listed in entry["by_categories"].items()}
    return page | {"categories": [f"New {axis}" for axis in page["categories"]]} if "categories" in page else page


def _old_shape(page: Page, _: Asked) -> Page:
    """v2 never had one."""
    if "categories" not in page or any("results" in bucket for bucket in page["data"]):
        return page
    axes = page["categories"]
    return flattened(page, "Credit Source" if "Credit Source" in axes else next(iter(axes), None))


def _middle(entries: list[Page]) -> list[Page]:
    """The one in the middle, if there is any."""
    return entries[len(entries) // 2 :][:1]


ALTERATIONS: Mapping[FaultKind, Callable[[Page, Asked], Page]] = {
    FaultKind.ENDLESS_CURSOR: lambda page, asked: _repeat(page, asked, 1),
    FaultKind.REPEATED_CURSOR: lambda page, asked: _repeat(page, asked, 0),
    FaultKind.MISSING_CURSOR: _without_cursor,
    FaultKind.WRONG_TYPE: _with_count(str),
    FaultKind.NEGATIVE_COUNT: _with_count(lambda count: -max(count, 1)),
    FaultKind.HUGE_COUNT: _with_count(lambda _: 2**63),
    FaultKind.HUGE_FLOAT: _with_count(lambda _: 1e30),
    FaultKind.OFF_GRID_BUCKET: _off_grid,
    FaultKind.FUTURE_BUCKET: _future,
    FaultKind.OTHER_AXIS: _other_axis,
    FaultKind.OLD_SHAPE: _old_shape,
}
